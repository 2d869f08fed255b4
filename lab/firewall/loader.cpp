#include "firewall/loader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "firewall/compiler.hpp"
#include "firewall/dump.hpp"
#include "firewall/messages.hpp"
#include "system/error.hpp"

namespace lab::firewall {
namespace {

using scenario::Rule;

constexpr std::size_t kSendBuffer = 64u << 20;
// Beside the rules: the batch's ends, the table, chains and a hook's own sets.
constexpr std::size_t kFrame = 16 * 1024;
const std::string kGate = std::string(kHelper) + "rules are being loaded";

bool is_own(const KernelRule& rule) { return rule.family == "inet" && rule.table == kTable; }

// ENOENT at an expression that names no set: the kernel has no such expression (a module that isn't there).
bool is_missing_feature(const Denied& denied) {
  return denied.refused.error == ENOENT && !denied.expression.empty() && denied.expression != "lookup" &&
         denied.expression != "dynset";
}

std::string explain(const Denied& denied, const std::vector<Rule>& rules) {
  const auto kernel = sys::describe(denied.refused);
  if (denied.origin < rules.size()) {
    const auto& rule = rules[denied.origin];
    const auto at = denied.expression.empty() ? "" : fmt::format(" (at its expression '{}')", denied.expression);
    return fmt::format("{}rule '{}': kernel: {}{}", prefix(rule.place), rule.name, kernel, at);
  }
  const bool anothers = denied.refused.error == EOPNOTSUPP || denied.refused.error == EPERM;
  return fmt::format("table inet {}: kernel: {}{}", kTable, kernel,
                     anothers ? " (a whole ruleset may not have a table of this name: it is the lab's own)" : "");
}

[[noreturn]] void fail(const std::vector<Denied>& denied, const std::vector<Rule>& rules) {
  constexpr std::size_t kShown = 20;
  std::vector<std::string> messages;
  for (const auto& each : denied) {
    auto message = explain(each, rules);
    if (is_missing_feature(each))
      throw sys::Unavailable(fmt::format("this kernel has no nftables expression '{}': {}", each.expression, message));
    if (messages.empty() || messages.back() != message) messages.push_back(std::move(message));
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(messages.size(), kShown); ++i) text += (i ? "\n" : "") + messages[i];
  if (messages.size() > kShown) text += fmt::format("\nand {} more", messages.size() - kShown);
  throw sys::LabError(text);
}

void put_frame(Batch& batch, const Program& program, std::uint32_t& set_id) {
  put_table(batch);
  for (const auto& set : program.sets) put_set(batch, set, set_id);
  for (const auto& chain : program.chains) put_chain(batch, chain);
}

// Bytes that one batch may have.
std::size_t room_of(sys::Netlink& socket, std::size_t wanted) {
  return socket.send_buffer(std::min(wanted, kSendBuffer)) - 4096;
}

// A rule that accepts everything at the end of each chain that gets faults; returns them as the kernel holds them.
std::vector<KernelRule> close_gates(sys::Netlink& socket, const Program& program, const std::vector<Rule>& rules) {
  Batch batch(socket);
  std::uint32_t set_id = 0;
  put_frame(batch, program, set_id);
  std::set<std::string> chains;
  for (const auto& line : program.lines)
    if (!line.helper && chains.insert(line.chain).second)
      put_line(batch, {line.chain, {nft::Counter{}, nft::Verdict{true}}, kGate, true, false, line.rule}, set_id);
  commit(std::move(batch), rules);
  std::vector<KernelRule> gates;
  for (auto& rule : dump_rules(socket))
    if (is_own(rule) && rule.comment == kGate) gates.push_back(std::move(rule));
  return gates;
}

void undo(sys::Netlink& socket, const Program& program, const std::set<std::uint64_t>& before, bool fresh,
          std::size_t room) {
  if (fresh) {
    Batch batch(socket);
    put_delete_table(batch);
    batch.commit();  // ENOENT where the very first transaction was refused
    return;
  }
  Batch batch(socket);
  for (const auto& rule : dump_rules(socket)) {
    if (!is_own(rule) || before.count(rule.handle)) continue;
    if (batch.size() + 512 > room) {
      batch.commit();
      batch = Batch(socket);
    }
    put_delete_rule(batch, rule);
  }
  for (const auto& set : program.sets) put_delete_set(batch, set.name);
  batch.commit();
}

void load_in_parts(sys::Netlink& socket, const Program& program, const std::vector<Rule>& rules, bool fresh,
                   std::size_t room) {
  std::set<std::uint64_t> before;
  if (!fresh)
    for (const auto& rule : dump_rules(socket)) before.insert(rule.handle);
  try {
    const auto gates = close_gates(socket, program, rules);
    Batch batch(socket);
    std::uint32_t set_id = 0;
    for (const auto& line : program.lines) {
      if (batch.size() + at_most(line) > room) {
        commit(std::move(batch), rules);
        batch = Batch(socket);
      }
      put_line(batch, line, set_id);
    }
    for (const auto& gate : gates) put_delete_rule(batch, gate);
    commit(std::move(batch), rules);
  } catch (...) {
    undo(socket, program, before, fresh, room);
    throw;
  }
}

}  // namespace

std::string prefix(const scenario::Place& place) {
  if (place.line == 0) return place.file.empty() ? "" : place.file + ": ";
  return fmt::format("{}:{}: ", place.file, place.line);
}

void commit(Batch&& batch, const std::vector<Rule>& rules) {
  if (const auto denied = batch.commit(); !denied.empty()) fail(denied, rules);
}

void load(sys::Netlink& socket, const Program& program, const std::vector<Rule>& rules, bool fresh) {
  std::size_t bound = kFrame + 256 * program.sets.size();
  for (const auto& line : program.lines) bound += at_most(line);
  const auto room = room_of(socket, bound + 4096);
  if (bound > room) return load_in_parts(socket, program, rules, fresh, room - kFrame);
  Batch batch(socket);
  batch.expect(bound);
  std::uint32_t set_id = 0;
  put_frame(batch, program, set_id);
  for (const auto& line : program.lines) put_line(batch, line, set_id);
  commit(std::move(batch), rules);
}

}  // namespace lab::firewall
