#include "actors/operator.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "actors/operator_kernel.hpp"
#include "system/error.hpp"

namespace lab::actors {
namespace {

using scenario::Step;

// From the other end, with the sequence number that the suffering end waits for.
void forge(const Step& step, OperatorActs& acts, std::uint8_t flags) {
  const auto live = acts.connection();
  if (!live) throw sys::KernelError(ENOTCONN, step.source + ": no connection was seen");
  const bool to_client = step.words.at(0) == "client";
  Forged segment{.from = to_kernel(to_client ? live->server : live->client),
                 .to = to_kernel(to_client ? live->client : live->server),
                 .sequence = to_client ? live->server_next : live->client_next,
                 .flags = flags,
                 .window = live->window};
  if (flags & TH_ACK) segment.acknowledged = to_client ? live->client_next : live->server_next;
  acts.inside(step, [&] { inject(segment); });
}

struct Row {
  scenario::Verb verb;
  void (*act)(const Step& step, OperatorActs& acts);
};

const std::string& word(const Step& step, std::size_t i) { return step.words.at(i); }

using scenario::Verb;
constexpr Row kRows[] = {
    {Verb::add_rules, [](const Step& s, OperatorActs& a) { a.add_rules(word(s, 0)); }},
    {Verb::delete_rules, [](const Step& s, OperatorActs& a) { a.delete_rules(word(s, 0)); }},
    {Verb::freeze, [](const Step& s, OperatorActs& a) { a.freeze(word(s, 0)); }},
    {Verb::thaw, [](const Step& s, OperatorActs& a) { a.thaw(word(s, 0)); }},
    {Verb::attach, [](const Step& s, OperatorActs& a) { a.attach(word(s, 0)); }},
    {Verb::kill, [](const Step& s, OperatorActs& a) { a.kill(word(s, 0), static_cast<int>(s.size.value_or(0))); }},
    {Verb::link,
     [](const Step& s, OperatorActs& a) { a.inside(s, [&] { set_link(word(s, 0), word(s, 1) == "up"); }); }},
    {Verb::address,
     [](const Step& s, OperatorActs& a) {
       a.inside(s, [&] { word(s, 0) == "add" ? add_address(word(s, 1)) : delete_address(word(s, 1)); });
     }},
    {Verb::route, [](const Step& s, OperatorActs& a) { a.inside(s, [&] { add_dead_route(word(s, 0), word(s, 1)); }); }},
    {Verb::ipsec, [](const Step& s, OperatorActs& a) { a.inside(s, [&] { block_by_policy(word(s, 1) == "in"); }); }},
    {Verb::flush_conntrack, [](const Step& s, OperatorActs& a) { a.inside(s, flush_conntrack); }},
    {Verb::sysctl, [](const Step& s, OperatorActs& a) { a.inside(s, [&] { set_sysctl(word(s, 0), word(s, 1)); }); }},
    {Verb::destroy_sockets,
     [](const Step& s, OperatorActs& a) {
       a.inside(s, [&] { destroy_sockets(a.server().port, word(s, 0) == "server"); });
     }},
    {Verb::inject_reset, [](const Step& s, OperatorActs& a) { forge(s, a, TH_RST); }},
    {Verb::inject_fin, [](const Step& s, OperatorActs& a) { forge(s, a, TH_FIN | TH_ACK); }},
};

}  // namespace

bool is_operators(Verb verb) { return verb >= Verb::add_rules; }

void perform(const Step& step, OperatorActs& acts) {
  for (const auto& row : kRows) {
    if (row.verb == step.verb) return row.act(step, acts);
  }
  throw sys::LabError(step.source + ": not an operator's step");
}

}  // namespace lab::actors
