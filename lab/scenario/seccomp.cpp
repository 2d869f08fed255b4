#include "scenario/seccomp.hpp"

#include <seccomp.h>
#include <stdlib.h>

#include <algorithm>

#include "scenario/kinds.hpp"
#include "system/error.hpp"

namespace lab::scenario {
namespace {

// ---- names of system calls

// Numbers below __NR_SCMP_ERROR stand for calls of other architectures (libseccomp's pseudo system calls).
bool is_call(const std::string& name) { return seccomp_syscall_resolve_name(name.c_str()) >= 0; }

const std::vector<std::string>& calls() {
  static const auto names = [] {
    std::vector<std::string> list;
    for (int number = 0; number < 1024; ++number) {
      char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
      if (name) list.emplace_back(name);
      ::free(name);
    }
    return list;
  }();
  return names;
}

constexpr Shape kCall{.what = "the name of a system call"};
constexpr Shape kCalls{
    .what = "the name of a system call or a list of them", .kinds = Node::array | Node::string, .item = &kCall};

void add_call(Reading& reading, const Node& node, SeccompRule& rule) {
  if (!fits(reading, node, kCall)) return;
  if (!is_call(node.text)) {
    return reading.about(node, "unknown system call " + found(node), did_you_mean(node.text, views(calls())));
  }
  rule.calls.push_back(node.text);
}

void read_calls(Reading& reading, const Node& node, SeccompRule& rule) {
  if (!fits(reading, node, kCalls)) return;
  if (node.kind == Node::string) return add_call(reading, node, rule);
  if (node.items.empty() || node.items.size() > kMostItems) return reading.wrong(node, "1 to 10000 system calls");
  for (const auto& item : node.items) add_call(reading, item, rule);
}

// ---- actions

struct Action {
  static constexpr Shape shape{
      .what = "\"errno NAME\", 'stall', 'kill-process', 'kill-thread', 'trap', 'log' or 'allow'",
      .pattern = "^(errno E[A-Z0-9]+|stall|kill-process|kill-thread|trap|log|allow)$"};
  static std::optional<SeccompAction> read(Reading& reading, const Node& node);
};

std::optional<SeccompAction> read_errno(Reading& reading, const Node& node) {
  const auto name = node.text.size() > 6 ? node.text.substr(6) : "";
  if (const int error = sys::errno_number(name)) return SeccompAction{FilterAction::fail, error};
  reading.mistake(node.place_in(std::min<std::size_t>(6, node.text.size())),
                  reading.path + ": unknown errno '" + name + "'", did_you_mean(name, views(errno_names())));
  return {};
}

std::optional<SeccompAction> Action::read(Reading& reading, const Node& node) {
  if (node.kind == Node::string) {
    if (node.text == "errno" || node.text.starts_with("errno ")) return read_errno(reading, node);
    if (const auto kind = value_of(kFilterActions, node.text)) return SeccompAction{*kind};
  }
  reading.wrong(node, described(shape),
                node.kind == Node::string ? did_you_mean(node.text, names_of(kFilterActions)) : "");
  return {};
}

// ---- when

constexpr Shape kWhen{.what = "\"3\" (the third call), \"3+\" (from the third on), \"3..5\" or \"3+2\" (every second)",
                      .kinds = Node::string | Node::integer,
                      .least = 1,
                      .pattern = "^[1-9][0-9]*(\\+[0-9]*|\\.\\.[1-9][0-9]*)?$"};

void read_when(Reading& reading, const Node& node, SeccompRule& rule) {
  const auto text = node.kind == Node::integer ? std::to_string(node.number) : node.text;
  rule.when = parse_range(text);
  if (!(node.kind & kWhen.kinds) || !rule.when) reading.wrong(node, described(kWhen));
}

constexpr Key<SeccompRule> kRuleKeys[] = {
    special<SeccompRule>("syscall", kCalls, read_calls, "the calls it acts on", kEverybody, true),
    key<Action, &SeccompRule::action>("action", "what happens to them", kEverybody, true),
    special<SeccompRule>("when", kWhen, read_when, "on which of the role's calls, counted from its start"),
};

// Only these are the notifier's to give or to withhold; a static filter can't count.
bool can_count(FilterAction action) {
  return action == FilterAction::fail || action == FilterAction::stall || action == FilterAction::kill_process;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

std::string text_of(const Node& node, std::string_view key) {
  const auto* value = node.find(key);
  if (!value) return "";
  return value->kind == Node::integer ? std::to_string(value->number) : value->text;
}

SeccompRule read_rule(Reading& reading, const Node& node) {
  SeccompRule rule;
  rule.place = node.place();
  read_table(reading, node, kRuleKeys, rule);
  if (node.kind != Node::table) return rule;
  const auto action = text_of(node, "action"), when = text_of(node, "when");
  rule.source = joined(rule.calls) + " " + action + (when.empty() ? "" : " " + when);
  const auto* counted = node.find("when");
  if (counted && node.find("action") && value_of(kFilterActions, action) && !can_count(rule.action.kind)) {
    Within within(reading, "when");
    reading.about(*counted, "'" + action + "' can't depend on a count",
                  "'when' goes with \"errno NAME\", 'stall' and 'kill-process'");
  }
  return rule;
}

constexpr Shape kFilterRule{.what = "a table", .kinds = Node::table, .table = &properties<kRuleKeys>};
constexpr Shape kRules{.what = "an array of tables", .kinds = Node::array, .item = &kFilterRule};

void read_rules(Reading& reading, const Node& node, Seccomp& seccomp) {
  if (node.kind != Node::array) return reading.wrong(node, "an array of tables", "write [[" + reading.path + "]]");
  if (node.items.size() > kMostItems) return reading.about(node, "more than 10000 rules");
  for (const auto& item : node.items) seccomp.rules.push_back(read_rule(reading, item));
}

constexpr Key<Seccomp> kKeys[] = {
    key<Action, &Seccomp::fallback>("default", "of every other call (default allow)"),
    special<Seccomp>("rule", kRules, read_rules, "what happens to which calls, as [[ROLE.seccomp.rule]]"),
};

}  // namespace

const Shape kSeccomp{.what = "a table", .kinds = Node::table, .table = &properties<kKeys>};

void read_seccomp(Reading& reading, const Node& node, std::optional<Seccomp>& seccomp) {
  seccomp.emplace();
  read_table(reading, node, kKeys, *seccomp);
}

}  // namespace lab::scenario
