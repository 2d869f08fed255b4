#include "evidence/event.hpp"

#include <array>

namespace lab::evidence {
namespace {

struct Names {
  std::string_view kind, source;
};

template <class T>
constexpr Names names{};
template <>
constexpr Names names<Segment>{"segment", "wire"};
template <>
constexpr Names names<IcmpError>{"icmp", "wire"};
template <>
constexpr Names names<TraceHit>{"trace", "nft-trace"};
template <>
constexpr Names names<RuleState>{"rule", "rules"};
template <>
constexpr Names names<SocketState>{"socket", "sockets"};
template <>
constexpr Names names<Counter>{"counter", "counters"};
template <>
constexpr Names names<ProcessStart>{"process-start", "actors"};
template <>
constexpr Names names<StepDone>{"step", "actors"};
template <>
constexpr Names names<ProcessExit>{"process-exit", "actors"};
template <>
constexpr Names names<Output>{"output", "actors"};
template <>
constexpr Names names<SignalSent>{"signal", "signals"};
template <>
constexpr Names names<ProcessState>{"process-state", "processes"};
template <>
constexpr Names names<Call>{"call", "syscalls"};
template <>
constexpr Names names<FilterAct>{"filter", "filters"};
template <>
constexpr Names names<LimitState>{"limit", "limits"};
template <>
constexpr Names names<KernelEvent>{"kernel", "kernel"};
template <>
constexpr Names names<Flow>{"flow", "conntrack"};
template <>
constexpr Names names<Change>{"change", "changes"};
template <>
constexpr Names names<SystemFact>{"fact", "system"};
template <>
constexpr Names names<Milestone>{"milestone", "lab"};

template <class... Types>
constexpr auto names_in_order(const std::variant<Types...>*) {
  static_assert((!names<Types>.kind.empty() && ...), "every event type has a name");
  return std::array{names<Types>...};
}

constexpr auto all = names_in_order(static_cast<const What*>(nullptr));

}  // namespace

std::string_view source_of(const What& what) { return all.at(what.index()).source; }
std::string_view kind_of(const What& what) { return all.at(what.index()).kind; }

}  // namespace lab::evidence
