// There was no handshake to speak of: the finders behind the connect/ rows of the table (causes_connect.cpp).
#pragma once

#include <optional>
#include <string>

#include "verdict/cause.hpp"

namespace lab::verdict::connect {

std::optional<Finding> find_refused(const Case&);
std::optional<Finding> find_no_answer(const Case&);
std::optional<Finding> find_wrong_family(const Case&);
std::optional<Finding> find_unreachable(const Case&);
std::optional<Finding> find_queue_full(const Case&);

std::string no_refused(const Case&);
std::string no_no_answer(const Case&);
std::string no_queue_full(const Case&);

Finding start(const Case& one, std::string_view name);
int error_of(const Case& one);              // of the client's connect; 0: none, or nobody saw it
const IcmpFacts* refusal(const Case& one);  // an ICMP error that quotes the SYN
bool refused_on_wire(const Case& one);
bool overflowed(const Case& one);  // the listen queue, as far as the counter says
// What took the SYN or its answer: a rule, or the kernel by its own word.
const Hits* syn_eater(const Case& one, bool rules);
std::string rule_label(const Hits& hits);  // an unnamed rule goes by its text
void blame_rule(const Case& one, const Hits& hits, Finding& result);

}  // namespace lab::verdict::connect
