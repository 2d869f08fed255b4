#include <fmt/format.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>

#include <algorithm>
#include <map>
#include <set>

#include "firewall/batch.hpp"
#include "firewall/bytecode.hpp"
#include "firewall/compile.hpp"
#include "firewall/compiler.hpp"
#include "firewall/dump.hpp"
#include "firewall/netfilter.hpp"
#include "firewall/rule_texts.hpp"
#include "firewall/text.hpp"
#include "system/error.hpp"

namespace lab::firewall {

namespace {

using scenario::Rule;

constexpr std::size_t kSendBuffer = 64u << 20;
// More than any line's messages take: its expressions, its user data, and the anonymous set that it may need.
std::size_t at_most(const Line& line) { return 1600 + 160 * line.statements.size(); }

std::string place_of(const scenario::Place& place) {
  if (place.line == 0) return place.file.empty() ? "" : place.file + ": ";
  return fmt::format("{}:{}: ", place.file, place.line);
}

bool is_own(const std::string& family, const std::string& table) { return family == "inet" && table == kTable; }

void put_table(Batch& batch, std::uint32_t flags) {
  batch.put(NFT_MSG_NEWTABLE, NLM_F_CREATE, Batch::kNowhere, [&](nlmsghdr* message) {
    mnl_attr_put_strz(message, NFTA_TABLE_NAME, kTable);
    mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(flags));
  });
}

void put_chain(Batch& batch, const Chain& chain) {
  batch.put(NFT_MSG_NEWCHAIN, NLM_F_CREATE, Batch::kNowhere, [&](nlmsghdr* message) {
    mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, kTable);
    mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain.name.c_str());
    mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, "filter");
    mnl_attr_put_u32(message, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
    auto* hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
    // enum nf_inet_hooks and scenario::Hook have one order.
    mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(static_cast<std::uint32_t>(chain.hook)));
    mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl(static_cast<std::uint32_t>(chain.priority)));
    mnl_attr_nest_end(message, hook);
  });
}

void put_line(Batch& batch, const Line& line, std::uint32_t& set_id) {
  if (const auto set = anonymous(line, ++set_id)) {
    batch.put(NFT_MSG_NEWSET, NLM_F_CREATE, line.rule,
              [&](nlmsghdr* m) { nftnl_set_nlmsg_build_payload(m, set.get()); });
    batch.put(NFT_MSG_NEWSETELEM, NLM_F_CREATE, line.rule,
              [&](nlmsghdr* m) { nftnl_set_elems_nlmsg_build_payload(m, set.get()); });
  }
  const auto rule = to_rule(line, set_id);
  const auto flags = static_cast<std::uint16_t>(NLM_F_CREATE | (line.at_head ? 0 : NLM_F_APPEND));
  batch.put(NFT_MSG_NEWRULE, flags, line.rule, [&](nlmsghdr* m) { nftnl_rule_nlmsg_build_payload(m, rule.get()); });
}

void put_delete_rule(Batch& batch, const KernelRule& rule) {
  batch.put(NFT_MSG_DELRULE, 0, Batch::kNowhere, [&](nlmsghdr* message) {
    mnl_attr_put_strz(message, NFTA_RULE_TABLE, kTable);
    mnl_attr_put_strz(message, NFTA_RULE_CHAIN, rule.chain.c_str());
    mnl_attr_put_u64(message, NFTA_RULE_HANDLE, htobe64(rule.handle));
  });
}

void put_delete_set(Batch& batch, const std::string& name) {
  batch.put(NFT_MSG_DELSET, 0, Batch::kNowhere, [&](nlmsghdr* message) {
    mnl_attr_put_strz(message, NFTA_SET_TABLE, kTable);
    mnl_attr_put_strz(message, NFTA_SET_NAME, name.c_str());
  });
}

// ENOENT at an expression that names no set: the kernel has no such expression (a module that isn't there).
bool is_missing_feature(const Denied& denied) {
  return denied.refused.error == ENOENT && !denied.expression.empty() && denied.expression != "lookup" &&
         denied.expression != "dynset";
}

std::string explain(const Denied& denied, const std::vector<Rule>& rules) {
  const auto kernel = sys::describe(denied.refused);
  if (denied.origin >= rules.size())
    return fmt::format("table inet {}: kernel: {}{}", kTable, kernel,
                       denied.refused.error == EOPNOTSUPP || denied.refused.error == EPERM
                           ? " (a whole ruleset may not have a table of this name: it is the lab's own)"
                           : "");
  const auto& rule = rules[denied.origin];
  const auto at = denied.expression.empty() ? "" : fmt::format(" (at its expression '{}')", denied.expression);
  return fmt::format("{}rule '{}': kernel: {}{}", place_of(rule.place), rule.name, kernel, at);
}

[[noreturn]] void fail(const std::vector<Denied>& denied, const std::vector<Rule>& rules) {
  constexpr std::size_t kShown = 20;
  std::vector<std::string> messages;
  for (const auto& each : denied) {
    if (is_missing_feature(each))
      throw sys::Unavailable(
          fmt::format("this kernel has no nftables expression '{}': {}", each.expression, explain(each, rules)));
    auto message = explain(each, rules);
    if (messages.empty() || messages.back() != message) messages.push_back(std::move(message));
  }
  const auto shown = std::min(messages.size(), kShown);
  auto text =
      fmt::format("{}", fmt::join(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(shown), "\n"));
  if (messages.size() > shown) text += fmt::format("\nand {} more", messages.size() - shown);
  throw sys::LabError(text);
}

[[noreturn]] void fail(const std::vector<Refusal>& refusals) {
  std::string text;
  for (const auto& refusal : refusals)
    text += fmt::format("{}{}{}{}", text.empty() ? "" : "\n", place_of(refusal.place), refusal.message,
                        refusal.hint.empty() ? "" : "\n  hint: " + refusal.hint);
  throw sys::LabError(text);
}

// What this process knows of a line that the kernel doesn't: its text and where it was written.
struct Known {
  std::string text, place;
};
using KnownLines = std::map<std::pair<std::string, std::string>, std::vector<Known>>;  // by chain and comment, in order

}  // namespace

struct Ruleset::State {
  explicit State(Flow where) : socket(NETLINK_NETFILTER), flow(std::move(where)) {}

  // The kernel is asked and not this object: an operator's process adds rules through a copy of it.
  Compiler compiler(bool trace, bool& table_is_there) {
    Compiler made(flow, trace);
    table_is_there = false;
    for (const auto& chain : dump_chains(socket)) {
      if (!is_own(chain.family, chain.table)) continue;
      table_is_there = true;
      made.know_chain(chain.name);
    }
    for (const auto& set : dump_sets(socket))
      if (is_own(set.family, set.table)) made.know_set(set.name);
    return made;
  }

  void commit(Batch&& batch, const std::vector<Rule>& rules) {
    if (const auto denied = batch.commit(); !denied.empty()) fail(denied, rules);
  }

  void commit(const Program& program, const std::vector<Rule>& rules, bool fresh);
  void undo(bool fresh, const std::set<std::uint64_t>& before);
  void know(const Program& program, const std::vector<Rule>& rules);

  mutable sys::Netlink socket;
  Flow flow;
  KnownLines known;
};

// One transaction is one message of the socket, and only root on the outside gets a send buffer for thousands of rules.
// A new table that needs several stays dormant until it is whole: no packet meets a part of it.
void Ruleset::State::commit(const Program& program, const std::vector<Rule>& rules, bool fresh) {
  std::size_t bound = 8192;
  for (const auto& line : program.lines) bound += at_most(line);
  std::size_t room = socket.send_buffer(std::min(bound + 8192, kSendBuffer)) - 4096;
  const bool several = bound > room;
  std::set<std::uint64_t> before;
  if (several && !fresh)
    for (const auto& rule : dump_rules(socket)) before.insert(rule.handle);

  Batch batch(socket);
  put_table(batch, several && fresh ? NFT_TABLE_F_OWNER | NFT_TABLE_F_DORMANT : NFT_TABLE_F_OWNER);
  std::uint32_t set_id = 0;
  for (const auto& set : program.sets) {
    const auto object = to_set(set, ++set_id);
    batch.put(NFT_MSG_NEWSET, NLM_F_CREATE, Batch::kNowhere,
              [&](nlmsghdr* m) { nftnl_set_nlmsg_build_payload(m, object.get()); });
  }
  for (const auto& chain : program.chains) put_chain(batch, chain);
  try {
    for (const auto& line : program.lines) {
      if (batch.size() + at_most(line) > room) {
        commit(std::move(batch), rules);
        batch = Batch(socket);
      }
      put_line(batch, line, set_id);
    }
    if (several && fresh) put_table(batch, NFT_TABLE_F_OWNER);
    commit(std::move(batch), rules);
  } catch (...) {
    if (several) undo(fresh, before);
    throw;
  }
}

void Ruleset::State::undo(bool fresh, const std::set<std::uint64_t>& before) {
  Batch batch(socket);
  if (fresh) {
    batch.put(NFT_MSG_DELTABLE, 0, Batch::kNowhere, [](nlmsghdr* m) { mnl_attr_put_strz(m, NFTA_TABLE_NAME, kTable); });
    batch.commit();  // ENOENT where the very first transaction failed
    return;
  }
  for (const auto& rule : dump_rules(socket))
    if (is_own(rule.family, rule.table) && !before.count(rule.handle)) put_delete_rule(batch, rule);
  batch.commit();
}

void Ruleset::State::know(const Program& program, const std::vector<Rule>& rules) {
  for (const auto& line : program.lines) {
    auto place = place_of(rules[line.rule].place);
    if (place.size() > 2) place.resize(place.size() - 2);
    known[{line.chain, line.comment}].push_back(
        {to_text(line, Counters::hidden) + fmt::format(" comment \"{}\"", line.comment), std::move(place)});
  }
}

Ruleset::Ruleset(scenario::Family family, Flow flow) {
  flow.family = family;
  state_ = std::make_unique<State>(std::move(flow));
}
Ruleset::~Ruleset() = default;
Ruleset::Ruleset(Ruleset&&) noexcept = default;

void Ruleset::add(const std::vector<Rule>& rules, bool trace) {
  if (const auto refusals = refuse(rules); !refusals.empty()) fail(refusals);
  bool table_is_there = false;
  auto compiler = state_->compiler(trace, table_is_there);
  const auto program = compiler.compile(rules);
  state_->commit(program, rules, !table_is_there);
  state_->know(program, rules);
}

void Ruleset::remove(const std::string& name) {
  const auto all = dump_rules(state_->socket);
  Batch batch(state_->socket);
  std::set<std::string> sets;
  bool found = false;
  for (const auto& rule : all) {
    if (!is_own(rule.family, rule.table) || rule.comment != name) continue;
    found = true;
    put_delete_rule(batch, rule);
    state_->known.erase({rule.chain, rule.comment});
    for (const auto& set : rule.looks_in)
      if (set.starts_with("age-") || set.starts_with("excess-")) sets.insert(set);
  }
  if (!found) throw sys::LabError(fmt::format("no rule '{}' is in force", name));
  for (const auto& rule : all)
    if (is_own(rule.family, rule.table) &&
        std::any_of(rule.fills.begin(), rule.fills.end(), [&](const auto& set) { return sets.count(set) != 0; }))
      put_delete_rule(batch, rule);
  for (const auto& set : sets) put_delete_set(batch, set);
  state_->commit(std::move(batch), {});
}

std::vector<Held> Ruleset::held() const {
  std::map<std::tuple<std::string, std::string, std::string>, std::string> hooks;
  for (const auto& chain : dump_chains(state_->socket)) hooks[{chain.family, chain.table, chain.name}] = chain.hook;
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
    if (is_own(rule.family, rule.table)) {
      const auto at = state_->known.find({rule.chain, rule.comment});
      const auto nth = met[{rule.chain, rule.comment}]++;
      if (at != state_->known.end() && nth < at->second.size()) {
        held.text = at->second[nth].text;
        held.place = at->second[nth].place;
      }
    }
    texts_missing |= held.text.empty();
    all.push_back(std::move(held));
  }
  if (texts_missing) {
    const auto texts = rule_texts();
    for (auto& held : all)
      if (const auto at = texts.find({held.family, held.table, held.handle}); held.text.empty() && at != texts.end())
        held.text = at->second;
  }
  return all;
}

std::string to_nft(const std::vector<Rule>& rules, const Flow& flow, bool trace) {
  return to_text(Compiler(flow, trace).compile(rules));
}

}  // namespace lab::firewall
