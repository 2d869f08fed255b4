// The table of causes: what each looks for, what rules it out, what to do about it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verdict/case.hpp"

namespace lab::verdict {

// What a cause found in a case. Confirmed takes a record of the mechanism, one of its effect on this connection, in
// order of time, and no look-alike that the running sources could not part.
struct Finding {
  std::string_view cause;
  std::int64_t at = 0;  // when the mechanism set in: the earliest of several wins
  bool chosen = false;  // what an end did of its own accord: counts only when nothing befell it
  std::vector<Record> mechanism, effect;
  std::vector<std::string> doubts;  // look-alikes that were not excluded: at most likely
  std::string by = "nobody";
  Culprit culprit;
  std::string summary;

  Status status() const {
    if (mechanism.empty() && effect.empty()) return Status::unknown;
    return mechanism.empty() || effect.empty() || !doubts.empty() ? Status::likely : Status::confirmed;
  }
};

struct Cause {
  std::string_view name, meaning;
  std::optional<Finding> (*find)(const Case&) = nullptr;
  // Why it is not this one, with the values compared; "" when that cannot be said.
  std::string (*rule_out)(const Case&) = nullptr;
  std::vector<std::string_view> next;  // what to check or change on a real system
};

std::span<const Cause> application_causes();
std::span<const Cause> limits_causes();
std::span<const Cause> firewall_causes();
std::span<const Cause> seccomp_causes();
std::span<const Cause> kernel_causes();
std::span<const Cause> network_causes();
std::span<const Cause> connect_causes();
const std::vector<const Cause*>& table();
const Cause* cause(std::string_view name);

// ---- helpers for the causes

Finding finding(const Case& one, std::string_view cause, std::int64_t at);
std::string by_text(const Case& one, Who who);  // "proxy" where its process is one
Culprit rule_culprit(const Facts& facts, const Hits& hits);
Culprit process_culprit(const Process* process, std::string detail);
std::string outcome_text(const Case& one);  // "the client read end of file"
// Why a closing end's own choice cannot be told from a failure behind it; empty when it can.
std::vector<std::string> closing_doubts(const Case& one, Who who, const Closer& closer);
// Where the call that an end waited in need not have been a wait.
std::vector<std::string> passing_doubts(const Case& one);
// Of a loss that need not have mattered: nothing was missing, or the other end had left the victim alone before.
std::vector<std::string> loss_doubts(const Case& one);
std::vector<std::string> waiting_doubts(const Case& one, Who who);
// Hits of eaters that count against this case: never made good, and in time.
std::vector<const Hits*> open_hits(const Case& one, bool rules);

}  // namespace lab::verdict
