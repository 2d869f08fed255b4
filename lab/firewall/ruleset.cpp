#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "firewall/compile.hpp"
#include "firewall/compiler.hpp"
#include "firewall/dump.hpp"
#include "firewall/library.hpp"
#include "firewall/loader.hpp"
#include "firewall/messages.hpp"
#include "firewall/netfilter.hpp"
#include "firewall/rule_texts.hpp"
#include "firewall/text.hpp"
#include "system/error.hpp"

namespace lab::firewall {
namespace {

using scenario::Rule;

template <class Of>
bool is_own(const Of& of) {
  return of.family == "inet" && of.table == kTable;
}

[[noreturn]] void fail(const std::vector<Refusal>& refusals) {
  std::string text;
  for (const auto& refusal : refusals)
    text += fmt::format("{}{}{}{}", text.empty() ? "" : "\n", prefix(refusal.place), refusal.message,
                        refusal.hint.empty() ? "" : "\n  hint: " + refusal.hint);
  throw sys::LabError(text);
}

// A whole ruleset's rules go by their comments; all of that name in one batch.
void remove_elsewhere(const std::vector<KernelRule>& all, const std::string& name) {
  std::string commands;
  for (const auto& rule : all)
    if (rule.comment == name)
      commands += fmt::format("delete rule {} {} {} handle {}\n", rule.family, rule.table, rule.chain, rule.handle);
  if (commands.empty()) throw sys::LabError(fmt::format("no rule '{}' is in force", name));
  Nftables nft;
  if (!nft.run(commands)) throw sys::LabError(fmt::format("delete rule '{}': {}", name, nft.errors()));
}

// What this process knows of a line that the kernel doesn't: its text and where it was written.
struct Known {
  Line line;
  scenario::Place place;
};
using KnownLines = std::map<std::pair<std::string, std::string>, std::vector<const Known*>>;  // by chain and comment

}  // namespace

struct Ruleset::State {
  explicit State(Flow where) : socket(NETLINK_NETFILTER), flow(std::move(where)) {}

  // The kernel is asked, not this object: an operator's process adds rules through a copy of it.
  Compiler compiler(bool trace, bool& table_is_there) {
    Compiler made(flow, trace);
    table_is_there = false;
    for (const auto& chain : dump_chains(socket)) {
      if (!is_own(chain)) continue;
      table_is_there = true;
      made.know_chain(chain.name);
    }
    for (const auto& set : dump_sets(socket))
      if (is_own(set)) made.know_set(set.name);
    return made;
  }

  void know(Program&& program, const std::vector<Rule>& rules) {
    known.reserve(known.size() + program.lines.size());
    for (auto& line : program.lines) {
      const auto& place = rules[line.rule].place;
      known.push_back({std::move(line), place});
    }
  }

  mutable sys::Netlink socket;
  Flow flow;
  std::vector<Known> known;  // in the order of adding
};

Ruleset::Ruleset(scenario::Family family, Flow flow) {
  flow.family = family;
  state_ = std::make_unique<State>(std::move(flow));
}
Ruleset::~Ruleset() = default;
Ruleset::Ruleset(Ruleset&&) noexcept = default;

void Ruleset::hurry() { state_->socket.hurry(); }

void Ruleset::add(const std::vector<Rule>& rules, bool trace) {
  if (const auto refusals = refuse(rules); !refusals.empty()) fail(refusals);
  bool table_is_there = false;
  auto compiler = state_->compiler(trace, table_is_there);
  auto program = compiler.compile(rules);
  load(state_->socket, program, rules, !table_is_there);
  state_->know(std::move(program), rules);
}

void Ruleset::remove(const std::string& name) {
  const auto all = dump_rules(state_->socket);
  Batch batch(state_->socket);
  std::set<std::string> sets;
  bool found = false;
  for (const auto& rule : all) {
    if (!is_own(rule) || rule.comment != name) continue;
    found = true;
    put_delete_rule(batch, rule);
    for (const auto& set : rule.looks_in)
      if (set.starts_with("age-") || set.starts_with("excess-")) sets.insert(set);
  }
  if (!found) return remove_elsewhere(all, name);
  for (const auto& rule : all)
    if (is_own(rule) &&
        std::any_of(rule.fills.begin(), rule.fills.end(), [&](const auto& set) { return sets.count(set) != 0; }))
      put_delete_rule(batch, rule);
  for (const auto& set : sets) put_delete_set(batch, set);
  commit(std::move(batch), {});
  std::erase_if(state_->known, [&](const Known& known) { return known.line.comment == name; });
}

std::vector<Held> Ruleset::held() const {
  std::map<std::tuple<std::string, std::string, std::string>, std::string> hooks;
  for (const auto& chain : dump_chains(state_->socket)) hooks[{chain.family, chain.table, chain.name}] = chain.hook;
  KnownLines known;
  for (const auto& each : state_->known) known[{each.line.chain, each.line.comment}].push_back(&each);
  std::map<std::pair<std::string, std::string>, std::size_t> met;
  std::vector<Held> all;
  bool texts_missing = false;
  for (const auto& rule : dump_rules(state_->socket)) {
    Held held{.name = rule.comment,
              .family = rule.family,
              .table = rule.table,
              .chain = rule.chain,
              .hook = hooks[{rule.family, rule.table, rule.chain}],
              .handle = rule.handle,
              .text = "",
              .action = rule.action,
              .place = "",
              .helper = rule.comment.starts_with(kHelper),
              .packets = rule.packets,
              .bytes = rule.bytes};
    if (is_own(rule)) {
      const auto at = known.find({rule.chain, rule.comment});
      const auto nth = met[{rule.chain, rule.comment}]++;
      if (at != known.end() && nth < at->second.size()) {
        const auto& [line, place] = *at->second[nth];
        held.text = fmt::format("{} comment \"{}\"", to_text(line, Counters::hidden), line.comment);
        held.place = place.line ? fmt::format("{}:{}", place.file, place.line) : place.file;
      }
    }
    texts_missing |= held.text.empty();
    all.push_back(std::move(held));
  }
  if (!texts_missing) return all;
  const auto texts = rule_texts();
  for (auto& held : all) {
    const auto at = texts.find({held.family, held.table, held.handle});
    if (held.text.empty() && at != texts.end()) held.text = at->second;
  }
  return all;
}

std::string to_nft(const std::vector<Rule>& rules, const Flow& flow, bool trace) {
  return to_text(Compiler(flow, trace).compile(rules));
}

}  // namespace lab::firewall
