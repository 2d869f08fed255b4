// Statements in nft syntax, as nft 1.0.6 prints them.
#pragma once

#include <string>

#include "firewall/statement.hpp"

namespace lab::firewall {

// As `nft list` prints a new rule's, or as `nft --stateless list` does.
enum class Counters { zero, hidden };
std::string to_text(const Statement& statement);
// A rule without its comment.
std::string to_text(const Line& line, Counters counters = Counters::zero);
// The whole table, as `nft list ruleset` prints it right after it was made.
std::string to_text(const Program& program);

}  // namespace lab::firewall
