// Each key of the rule language on a real connection: a counting rule must have counted exactly the segments that the
// packet socket's record says it is about, at every hook that they pass and in both families.
#include <algorithm>
#include <map>
#include <tuple>

#include "place.hpp"
#include "rules.hpp"
#include "wire.hpp"

namespace lab::test {
namespace {

using Op = Comparison::Op;
using Segments = std::vector<Seen>;
// Which of the segments, in order, a rule is about.
using Meant = std::function<std::vector<bool>(const Segments&)>;

struct Case {
  std::string name;
  std::function<void(Rule&)> rule;
  Meant meant;
  SocketOptions options = {};
};

Meant each(std::function<bool(const Seen&)> meant) {
  return [meant](const Segments& all) {
    std::vector<bool> which;
    for (const auto& seen : all) which.push_back(meant(seen));
    return which;
  };
}
Meant both(const Meant& one, const Meant& other) {
  return [one, other](const Segments& all) {
    auto which = one(all);
    const auto more = other(all);
    for (std::size_t i = 0; i < which.size(); ++i) which[i] = which[i] && more[i];
    return which;
  };
}
Meant none_of(const Meant& of) {
  return [of](const Segments& all) {
    auto which = of(all);
    which.flip();
    return which;
  };
}

const Meant to_server = each([](const Seen& s) { return s.to_server; });
const Meant to_client = each([](const Seen& s) { return !s.to_server; });
const Meant any = each([](const Seen&) { return true; });

// Behind the handshake's segments: SYN, SYN,ACK and the first segment towards the server behind each SYN,ACK.
const Meant behind_handshake = [](const Segments& all) {
  std::map<std::uint16_t, bool> over;
  std::vector<bool> which;
  for (const auto& seen : all) {
    const bool syn = seen.flags & kSyn;
    which.push_back(!syn && (!seen.to_server || over[seen.client_port]));
    if (syn)
      over[seen.client_port] = false;
    else if (seen.to_server)
      over[seen.client_port] = true;
  }
  return which;
};

// The sum of `measure` over the segments so far, of this direction or of both, is above `limit`.
Meant beyond(std::uint64_t limit, bool per_direction, std::function<std::uint64_t(const Seen&)> measure) {
  return [=](const Segments& all) {
    std::map<bool, std::uint64_t> sums;
    std::vector<bool> which;
    for (const auto& seen : all) {
      auto& sum = sums[per_direction && seen.to_server];
      sum += measure(seen);
      which.push_back(sum > limit);
    }
    return which;
  };
}
std::uint64_t one(const Seen&) { return 1; }
std::uint64_t length(const Seen& seen) { return seen.length; }

// Until the other end was heard a flow is new.
const Meant is_new = [](const Segments& all) {
  bool answered = false;
  std::vector<bool> which;
  for (const auto& seen : all) {
    answered |= !seen.to_server;
    which.push_back(!answered);
  }
  return which;
};

// Every n-th of those that `of` means.
Meant every(std::uint64_t n, const Meant& of) {
  return [=](const Segments& all) {
    auto which = of(all);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < which.size(); ++i)
      if (which[i]) which[i] = ++count % n == 0;
    return which;
  };
}
// All but the first n of those that `of` means.
Meant but_first(std::uint64_t n, const Meant& of) {
  return [=](const Segments& all) {
    auto which = of(all);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < which.size(); ++i)
      if (which[i]) which[i] = ++count > n;
    return which;
  };
}

Meant flags(std::uint8_t set, std::uint8_t unset) {
  return each([=](const Seen& s) { return (s.flags & (set | unset)) == set; });
}
Meant starts_with(const std::string& text) {
  return each([=](const Seen& s) { return s.payload.starts_with(text); });
}
Meant long_enough(std::size_t size) {
  return each([=](const Seen& s) { return s.payload.size() >= size; });
}

Rule& negated(Rule& rule, const std::function<void(scenario::Match&)>& change) {
  rule.negated.emplace();
  change(*rule.negated);
  return rule;
}

std::vector<Case> cases() {
  const auto way = [](Direction direction) { return [=](Rule& r) { r.direction = direction; }; };
  return {
      {"ToServer", way(Direction::to_server), to_server},
      {"ToClient", way(Direction::to_client), to_client},
      {"Both", way(Direction::both), any},

      {"AfterHandshakeToServer", [](Rule& r) { r.match.after = after_handshake(); }, both(to_server, behind_handshake)},
      {"AfterHandshakeToClient", [](Rule& r) { r.match.after = after_handshake(), r.direction = Direction::to_client; },
       both(to_client, behind_handshake)},
      {"AfterHandshakeBoth", [](Rule& r) { r.match.after = after_handshake(), r.direction = Direction::both; },
       behind_handshake},
      {"AfterHandshakeWithDataOnItsLastAck",
       [](Rule& r) { r.match.after = after_handshake(); },
       both(to_server, behind_handshake),
       {.lazy_ack = true}},
      {"NotAfterHandshakeToServer", [](Rule& r) { negated(r, [](auto& m) { m.after = after_handshake(); }); },
       both(to_server, none_of(behind_handshake))},
      {"NotAfterHandshakeBoth",
       [](Rule& r) { r.direction = Direction::both, negated(r, [](auto& m) { m.after = after_handshake(); }); },
       none_of(behind_handshake)},

      {"AfterPackets", [](Rule& r) { r.match.after = after_packets(4); }, both(to_server, beyond(4, true, one))},
      {"AfterPacketsToClient", [](Rule& r) { r.match.after = after_packets(4), r.direction = Direction::to_client; },
       both(to_client, beyond(4, true, one))},
      {"AfterPacketsBoth", [](Rule& r) { r.match.after = after_packets(6), r.direction = Direction::both; },
       beyond(6, false, one)},
      {"NotAfterPackets", [](Rule& r) { negated(r, [](auto& m) { m.after = after_packets(4); }); },
       both(to_server, none_of(beyond(4, true, one)))},
      {"AfterBytes", [](Rule& r) { r.match.after = after_bytes(300); }, both(to_server, beyond(300, true, length))},
      {"AfterBytesToClient", [](Rule& r) { r.match.after = after_bytes(300), r.direction = Direction::to_client; },
       both(to_client, beyond(300, true, length))},
      {"AfterBytesBoth", [](Rule& r) { r.match.after = after_bytes(500), r.direction = Direction::both; },
       beyond(500, false, length)},
      {"NotAfterBytesBoth",
       [](Rule& r) { r.direction = Direction::both, negated(r, [](auto& m) { m.after = after_bytes(500); }); },
       none_of(beyond(500, false, length))},
      {"AfterAnHour", [](Rule& r) { r.match.after = after_time(std::chrono::hours(1)), r.direction = Direction::both; },
       each([](const Seen&) { return false; })},
      {"NotAfterAnHour",
       [](Rule& r) {
         r.direction = Direction::both, negated(r, [](auto& m) { m.after = after_time(std::chrono::hours(1)); });
       },
       any},

      {"FlagsSet", [](Rule& r) { r.match.flags_set = kPsh; }, both(to_server, flags(kPsh, 0))},
      {"FlagsSetAndNot", [](Rule& r) { r.match.flags_set = kAck, r.match.flags_unset = kPsh | kFin; },
       both(to_server, flags(kAck, kPsh | kFin))},
      {"FlagsNotSet", [](Rule& r) { r.match.flags_unset = kSyn, r.direction = Direction::to_client; },
       both(to_client, flags(0, kSyn))},
      {"FlagsFin", [](Rule& r) { r.match.flags_set = kFin, r.direction = Direction::both; }, flags(kFin, 0)},
      {"FlagsSynAck", [](Rule& r) { r.match.flags_set = kSyn | kAck, r.direction = Direction::both; },
       flags(kSyn | kAck, 0)},
      {"NotFlags", [](Rule& r) { negated(r, [](auto& m) { m.flags_set = kPsh, m.flags_unset = kSyn; }); },
       both(to_server, none_of(flags(kPsh, kSyn)))},
      {"NotFlagsUnset", [](Rule& r) { negated(r, [](auto& m) { m.flags_unset = kSyn; }); },
       both(to_server, flags(kSyn, 0))},

      {"StateNew", [](Rule& r) { r.match.state = {"new"}, r.direction = Direction::both; }, is_new},
      {"StateEstablished",
       [](Rule& r) {
         r.match.state = {"established", "related"}, r.direction = Direction::both;
       },
       none_of(is_new)},
      {"NotStateEstablished", [](Rule& r) { negated(r, [](auto& m) { m.state = {"established"}; }); },
       both(to_server, is_new)},
      {"StateInvalid",
       [](Rule& r) {
         r.match.state = {"invalid", "untracked"}, r.direction = Direction::both;
       },
       each([](const Seen&) { return false; })},

      {"LengthMore",
       [](Rule& r) {
         r.match.length = {Op::more, 1000};
       },
       both(to_server, each([](const Seen& s) { return s.length > 1000; }))},
      {"LengthAtMost",
       [](Rule& r) {
         r.match.length = {Op::at_most, 72};
       },
       both(to_server, each([](const Seen& s) { return s.length <= 72; }))},
      {"LengthEqual",
       [](Rule& r) {
         r.match.length = {Op::equal, 72};
       },
       both(to_server, each([](const Seen& s) { return s.length == 72; }))},
      {"NotLengthMore", [](Rule& r) { negated(r, [](auto& m) {
                                        m.length = {Op::more, 1000};
                                      }); },
       both(to_server, each([](const Seen& s) { return s.length <= 1000; }))},

      {"Payload", [](Rule& r) { r.match.payload = "GET /t"; }, both(to_server, starts_with("GET /t"))},
      {"PayloadOfSixteen", [](Rule& r) { r.match.payload = "GET /twoxxxxxxxx"; },
       both(to_server, starts_with("GET /twoxxxxxxxx"))},
      {"PayloadToClient", [](Rule& r) { r.match.payload = "HTTP", r.direction = Direction::both; },
       starts_with("HTTP")},
      // A segment with less payload than is compared is neither.
      {"NotPayload", [](Rule& r) { negated(r, [](auto& m) { m.payload = "GET /t"; }); },
       both(both(to_server, long_enough(6)), none_of(starts_with("GET /t")))},

      {"Mark", [](Rule& r) { r.match.mark = 7, r.direction = Direction::both; }, to_server, {.mark = 7}},
      {"NotMark",
       [](Rule& r) { r.direction = Direction::both, negated(r, [](auto& m) { m.mark = 7; }); },
       to_client,
       {.mark = 7}},

      {"Every", [](Rule& r) { r.match.every = 3; }, every(3, to_server)},
      {"EveryOfWhatMatchesElse",
       [](Rule& r) {
         r.match.every = 2, r.match.after = after_handshake(), r.match.flags_set = kPsh, r.direction = Direction::both;
       },
       every(2, both(behind_handshake, flags(kPsh, 0)))},
      {"NotEvery", [](Rule& r) { negated(r, [](auto& m) { m.every = 3; }); },
       both(to_server, none_of(every(3, to_server)))},
      {"Certain", [](Rule& r) { r.match.probability = 1; }, to_server},
      {"NotCertain", [](Rule& r) { negated(r, [](auto& m) { m.probability = 1; }); },
       each([](const Seen&) { return false; })},
      // Five at once is nft's and the kernel's allowance; the next one is due after a day.
      {"Rate",
       [](Rule& r) {
         r.match.rate = {1, 86400}, r.direction = Direction::both;
       },
       but_first(5, any)},
      {"NotRate", [](Rule& r) { r.direction = Direction::both, negated(r, [](auto& m) {
                                  m.rate = {1, 86400};
                                }); },
       none_of(but_first(5, any))},
  };
}

using Parameter = std::tuple<std::size_t, Hook, Family>;
class Keys : public ::testing::TestWithParam<Parameter> {};

TEST_P(Keys, MatchExactlyTheirSegments) {
  const auto& [index, hook, family] = GetParam();
  const auto all = cases();
  const auto& test = all[index];
  in_namespace([&, at = hook, of = family] {
    Wire wire;
    firewall::Ruleset ruleset(of, flow(of));
    ruleset.add({counting("it", [&](Rule& r) { r.hook = at, test.rule(r); })});
    talk(of, "GET /one", test.options);
    std::uint64_t packets = 0, bytes = 0, expected_packets = 0, expected_bytes = 0;
    for (const auto& held : ruleset.held())
      if (held.name == "it") packets += held.packets, bytes += held.bytes;
    const auto segments = wire.take();
    const auto meant = test.meant(segments);
    for (std::size_t i = 0; i < segments.size(); ++i)
      if (meant[i]) ++expected_packets, expected_bytes += segments[i].length;
    EXPECT_GE(segments.size(), 10u);
    EXPECT_EQ(wire.lost(), 0u);
    EXPECT_EQ(packets, expected_packets);
    EXPECT_EQ(bytes, expected_bytes);
  });
}

std::string title(const ::testing::TestParamInfo<Parameter>& of) {
  return cases()[std::get<0>(of.param)].name + "_" + std::string(scenario::name_of(std::get<1>(of.param))) + "_" +
         std::string(scenario::name_of(std::get<2>(of.param)));
}

// Segment by segment, but for what takes more than one connection, an answer of ICMP or chance: faults_test.cpp has
// those (TimeRunsFromTheSyn, ConntrackMark, IcmpAnswersByKindAndDirection, TheThirdIsTooMany).
TEST(KeysOf, EveryKeyMeetsPackets) {
  std::set<std::string> keys{"time", "ct-mark", "icmp", "connections"};
  for (const auto& test : cases()) keys.merge(keys_of(counting("it", test.rule)));
  EXPECT_EQ(keys, every_key());
}

INSTANTIATE_TEST_SUITE_P(All, Keys,
                         ::testing::Combine(::testing::Range(std::size_t{0}, cases().size()),
                                            ::testing::Values(Hook::output, Hook::postrouting, Hook::prerouting,
                                                              Hook::input),
                                            ::testing::Values(Family::ipv4, Family::ipv6)),
                         title);

}  // namespace
}  // namespace lab::test
