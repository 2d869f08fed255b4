#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "report/rows.hpp"
#include "verdict/reasons.hpp"

namespace lab::report {
namespace {

using evidence::Segment;
using evidence::TraceHit;

Row::Kind towards(Side sender) { return sender == Side::client ? Row::Kind::to_server : Row::Kind::to_client; }

std::string flag_names(std::string_view letters) {
  constexpr std::array<std::pair<char, std::string_view>, 8> names = {
      {{'S', "SYN"}, {'F', "FIN"}, {'R', "RST"}, {'P', "PSH"}, {'A', "ACK"}, {'U', "URG"}, {'E', "ECE"}, {'C', "CWR"}}};
  std::string text;
  for (const auto& [letter, name] : names) {
    if (letters.find(letter) == letters.npos) continue;
    text += (text.empty() ? "" : ",") + std::string(name);
  }
  return text;
}

std::string bytes(std::uint32_t n) { return fmt::format("{} byte{}", n, n == 1 ? "" : "s"); }

std::string label(const std::string& flags, std::uint32_t length) {
  return length == 0 ? flag_names(flags) : fmt::format("{} {}", flag_names(flags), bytes(length));
}

template <class Packet>
Row row_of(const Packet& p, std::int64_t t_ns, Side sender) {
  return {.t_ns = t_ns,
          .kind = towards(sender),
          .text = label(p.flags, p.length),
          .stop = {},
          .flags = p.flags,
          .seq = p.seq,
          .ack = p.ack,
          .length = p.length,
          .ip_id = p.ip_id};
}

// How far a packet comes before a hook sees it. Of the routed topology's, only the forwarding side is told apart.
int reach_of(const std::string& hook) {
  if (hook == "output" || hook == "postrouting" || hook == "egress") return 65;
  if (hook == "forward") return 80;
  return 95;
}

// One row for a packet, however many links it was seen on.
class Packets {
 public:
  Packets(const FlowFilter& flow, const verdict::Connection& connection) : flow_(flow), connection_(connection) {}

  void see(const Segment& s, std::int64_t t_ns) {
    const auto sender = flow_.sender(s.source, s.target);
    if (sender == Side::none) return;
    auto row = row_of(s, t_ns, sender);
    name_builder(row);
    auto& hops = hops_[identity(row)];
    if (!s.netns.empty() && !hops.empty() && !(hops.back().first_link == link(s))) {
      rows_[hops.back().row].reach = arrived(s, sender) ? 100 : 50;
      last_seen_[hops.back().row] = fmt::format("{} {}", s.netns, s.device);
      return;
    }
    hops.push_back({rows_.size(), link(s)});
    if (!s.netns.empty()) {
      row.reach = arrived(s, sender) ? 100 : 30;
      last_seen_[rows_.size()] = fmt::format("{} {}", s.netns, s.device);
    }
    rows_.push_back(std::move(row));
  }

  void see(const TraceHit& hit, std::int64_t t_ns) {
    if (hit.verdict != "drop" || hit.icmp) return;
    const auto sender = flow_.sender(hit.source, hit.target);
    if (sender == Side::none) return;
    auto row = row_of(hit, t_ns, sender);
    row.stop = culprit(hit);
    row.reach = reach_of(hit.hook);
    row.about = true;
    stop(std::move(row));
  }

  void see(const evidence::KernelEvent& e, std::int64_t t_ns) {
    if (e.kind != "drop" || e.flags.empty() || e.reason == "NETFILTER_DROP" || !verdict::takes_segment(e.reason))
      return;
    const auto sender = flow_.sender(e.source, e.target);
    if (sender == Side::none) return;
    const auto row = find(towards(sender), e.flags, e.seq, 0, t_ns);
    if (row == rows_.rend()) return;
    row->stop = fmt::format("kernel: {}", e.reason);
    row->reach = 95;
  }

  void see(const evidence::IcmpError& e, std::int64_t t_ns) {
    const auto quoted = flow_.sender(e.quoted_source, e.quoted_target);
    if (quoted == Side::none) return;
    // It travels to whoever sent the quoted segment.
    Row row{.t_ns = t_ns, .kind = towards(quoted == Side::client ? Side::server : Side::client), .text = icmp_name(e)};
    if (std::any_of(rows_.begin(), rows_.end(),
                    [&](const Row& r) { return r.text == row.text && r.seq == e.quoted_seq && !e.netns.empty(); }))
      return;
    row.seq = e.quoted_seq;
    rows_.push_back(std::move(row));
  }

  std::vector<Row> take() {
    for (const auto& [index, where] : last_seen_) {
      auto& row = rows_[index];
      if (row.stop.empty() && row.reach < 100) row.stop = "lost behind " + where;
    }
    return std::move(rows_);
  }

 private:
  using Identity = std::tuple<Row::Kind, std::string, std::uint32_t, std::uint32_t, std::uint32_t, std::uint16_t>;
  using Link = std::tuple<std::string, std::string, bool>;
  struct Hop {
    std::size_t row;
    Link first_link;
  };

  static Identity identity(const Row& r) { return {r.kind, r.flags, r.seq, r.ack, r.length, r.ip_id}; }
  static Link link(const Segment& s) { return {s.netns, s.device, s.outgoing}; }
  static bool arrived(const Segment& s, Side sender) {
    return !s.outgoing && s.netns == (sender == Side::client ? "server" : "client");
  }

  static std::string culprit(const TraceHit& hit) {
    const auto who = !hit.name.empty()
                         ? hit.name
                         : fmt::format("{} {}{}", hit.table, hit.chain, hit.type == "policy" ? " policy" : "");
    return fmt::format("{}: {}{}", hit.hook.empty() ? hit.chain : hit.hook, who,
                       hit.action == "reject" ? " (reject)" : "");
  }

  // "server RST" was built by that end's TCP and says no more than its arrow.
  void name_builder(Row& row) {
    const auto space = connection_.closes.find(' ');
    if (space == std::string::npos || builder_named_) return;
    const auto who = connection_.closes.substr(0, space);
    if (who == "client" || who == "server") return;
    if (row.flags.find(connection_.closes[space + 1]) == std::string::npos) return;
    row.text += fmt::format(" ({})", who);
    builder_named_ = true;
  }

  static std::string icmp_name(const evidence::IcmpError& e) {
    constexpr std::array<std::tuple<int, int, std::string_view>, 12> names = {{{3, 0, "net unreachable"},
                                                                               {3, 1, "host unreachable"},
                                                                               {3, 3, "port unreachable"},
                                                                               {3, 4, "frag needed"},
                                                                               {3, 9, "net prohibited"},
                                                                               {3, 10, "host prohibited"},
                                                                               {3, 13, "admin prohibited"},
                                                                               {11, 0, "TTL exceeded"},
                                                                               {1, 0, "no route"},
                                                                               {1, 1, "admin prohibited"},
                                                                               {1, 3, "address unreachable"},
                                                                               {1, 4, "port unreachable"}}};
    if (e.source.family == 6 && e.type == 2) return fmt::format("ICMPv6 too big, {}", e.mtu);
    for (const auto& [type, code, name] : names) {
      if (type == e.type && code == e.code) return fmt::format("ICMP {}", name);
    }
    return fmt::format("ICMP type {} code {}", e.type, e.code);
  }

  // The last such packet seen up to `t_ns` that nothing has eaten yet: a trace is read after the packet was captured.
  std::vector<Row>::reverse_iterator find(Row::Kind kind, const std::string& flags, std::uint32_t seq, std::uint16_t id,
                                          std::int64_t t_ns) {
    return std::find_if(rows_.rbegin(), rows_.rend(), [&](const Row& r) {
      return r.kind == kind && r.flags == flags && r.seq == seq && (id == 0 || r.ip_id == id) && r.stop.empty() &&
             r.t_ns <= t_ns;
    });
  }

  // An output hook eats before any link: nothing else shows the packet.
  void stop(Row&& row) {
    const auto seen = find(row.kind, row.flags, row.seq, row.ip_id, row.t_ns);
    if (seen == rows_.rend() || row.reach <= 65) {
      rows_.push_back(std::move(row));
      return;
    }
    seen->stop = row.stop;
    seen->reach = row.reach;
  }

  const FlowFilter& flow_;
  const verdict::Connection& connection_;
  std::vector<Row> rows_;
  std::map<Identity, std::vector<Hop>> hops_;
  std::map<std::size_t, std::string> last_seen_;  // routed: row to the last link it was seen on
  bool builder_named_ = false;
};

}  // namespace

std::vector<Row> packet_rows(const evidence::Timeline& timeline, const verdict::Connection& connection,
                             const FlowFilter& flow) {
  Packets packets(flow, connection);
  for (const auto& event : timeline.events) {
    std::visit(
        [&](const auto& what) {
          if constexpr (requires { packets.see(what, event.t_ns); }) packets.see(what, event.t_ns);
        },
        event.what);
  }
  return packets.take();
}

}  // namespace lab::report
