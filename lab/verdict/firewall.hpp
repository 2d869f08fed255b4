// A rule or a chain's policy took a hand in the flow: the finders behind the firewall/ rows of the table
// (causes_firewall.cpp).
#pragma once

#include <optional>
#include <string>

#include "verdict/cause.hpp"

namespace lab::verdict::firewall {

std::optional<Finding> find_drop(const Case&);
std::optional<Finding> find_path_mtu(const Case&);  // firewall/drop, of the ICMP that would have mended it
std::optional<Finding> find_reject_reset(const Case&);
std::optional<Finding> find_reject_icmp(const Case&);
std::optional<Finding> find_nat_lost(const Case&);
std::optional<Finding> find_mangled(const Case&);

std::string no_drop(const Case&);
std::string no_reject_reset(const Case&);
std::string no_reject_icmp(const Case&);

// "rule 'NAME' in inet lab out", "the policy of chain …"
std::string rule_text(const Hits& hits);

}  // namespace lab::verdict::firewall
