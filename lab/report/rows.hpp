// Rows of a ladder from evidence, by where they come from.
#pragma once

#include <vector>

#include "report/flow.hpp"
#include "report/ladder.hpp"

namespace lab::report {

// Segments and ICMP messages, each once however many links it passed; what a rule or the kernel ate stops there.
std::vector<Row> packet_rows(const evidence::Timeline& timeline, const verdict::Connection& connection,
                             const FlowFilter& flow);
// Steps, system calls, filters' answers, signals and exits.
std::vector<Row> act_rows(const evidence::Timeline& timeline, const FlowFilter& flow);
// Changes of the system between `from` and `to`.
std::vector<Row> change_rows(const evidence::Timeline& timeline, std::int64_t from, std::int64_t to);

}  // namespace lab::report
