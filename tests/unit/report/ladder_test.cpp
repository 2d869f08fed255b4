#include "report/ladder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake.hpp"
#include "report/lines.hpp"

namespace lab::report {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> texts(const Ladder& ladder) {
  std::vector<std::string> all;
  for (const auto& row : ladder.rows) all.push_back(row.text + (row.stop.empty() ? "" : " | " + row.stop));
  return all;
}

Ladder fake_ladder() { return climb(fake().timeline, connection(), true); }

TEST(Ladder, StepsStandBeforeWhatTheyCausedAndBehindWhatTheyAwaited) {
  EXPECT_THAT(texts(fake_ladder()),
              testing::ElementsAre("connect: ok", "SYN", "SYN,ACK", "ACK", "accept: ok",
                                   "send 'Hello Server': 12 bytes", "PSH,ACK 12 bytes | output: drop-after-handshake",
                                   "recv 64 ...", "PSH,ACK 12 bytes | output: drop-after-handshake",
                                   "PSH,ACK 12 bytes | output: drop-after-handshake",
                                   "PSH,ACK 12 bytes | output: drop-after-handshake", "recv 64: timeout"));
}

TEST(Ladder, FoldsRetransmissionsAndSilence) {
  auto ladder = fake_ladder();
  fold(ladder, 48);
  EXPECT_THAT(texts(ladder), testing::Contains("2 more over 600 ms"));
  EXPECT_THAT(texts(ladder), testing::Contains("200 ms of silence"));
}

TEST(Ladder, ASegmentThatAnInputHookAteIsOneRowThatStops) {
  evidence::Timeline t;
  auto sent = segment(true, "PA", 101, 501, 12);
  sent.ip_id = 7;
  auto hit = eaten("input", "PA", 101, 501, 12);
  hit.ip_id = 7;
  t.events = {at(10, sent), at(30, hit)};
  const auto ladder = climb(t, connection(), true);
  ASSERT_EQ(ladder.rows.size(), 1U);
  EXPECT_EQ(ladder.rows[0].stop, "input: drop-after-handshake");
  EXPECT_GT(ladder.rows[0].reach, 90);
}

// The kernel also names a reason when it throws away what had been read or what its own reset answers.
TEST(Ladder, ADropReasonStopsOnlyWhatItTook) {
  for (const auto& [reason, stop] : {std::pair{"XDP", "kernel: XDP"}, std::pair{"QUEUE_PURGE", ""}}) {
    evidence::Timeline t;
    t.events = {at(10, segment(true, "PA", 101, 501, 12)), at(30, evidence::KernelEvent{.kind = "drop",
                                                                                        .reason = reason,
                                                                                        .source = kClient,
                                                                                        .target = kServer,
                                                                                        .flags = "PA",
                                                                                        .seq = 101,
                                                                                        .length = 12})};
    const auto ladder = climb(t, connection(), true);
    ASSERT_EQ(ladder.rows.size(), 1U);
    EXPECT_EQ(ladder.rows[0].stop, stop);
  }
}

TEST(Ladder, ATraceOfAnotherConnectionStopsNothing) {
  evidence::Timeline t;
  auto hit = eaten("input", "PA", 101, 501, 12);
  hit.source = address("127.0.0.1:1");
  t.events = {at(10, segment(true, "PA", 101, 501, 12)), at(30, hit)};
  const auto ladder = climb(t, connection(), true);
  ASSERT_EQ(ladder.rows.size(), 1U);
  EXPECT_EQ(ladder.rows[0].stop, "");
}

evidence::Segment on(evidence::Segment s, const char* netns, const char* device, bool outgoing) {
  s.netns = netns;
  s.device = device;
  s.outgoing = outgoing;
  return s;
}

TEST(Ladder, RoutedPacketsAreOneRowAndThoseThatVanishSayWhere) {
  const auto syn = segment(true, "S", 100, 0), again = segment(true, "PA", 101, 501, 5);
  evidence::Timeline t;
  t.events = {at(1, on(syn, "client", "eth0", true)),   at(2, on(syn, "router", "eth0", false)),
              at(3, on(syn, "router", "eth1", true)),   at(4, on(syn, "server", "eth0", false)),
              at(5, on(again, "client", "eth0", true)), at(6, on(again, "router", "eth0", false)),
              at(7, on(again, "client", "eth0", true)), at(8, on(again, "router", "eth0", false))};
  const auto ladder = climb(t, connection(), true);
  EXPECT_THAT(texts(ladder), testing::ElementsAre("SYN", "PSH,ACK 5 bytes | lost behind router eth0",
                                                  "PSH,ACK 5 bytes | lost behind router eth0"));
}

TEST(Ladder, NamesWhoBuiltAResetThatNoEndSent) {
  evidence::Timeline t;
  t.events = {at(10, segment(false, "R", 501, 0))};
  auto c = connection();
  c.closes = "firewall RST";
  EXPECT_THAT(texts(climb(t, c, true)), testing::ElementsAre("RST (firewall)"));
  c.closes = "server RST";
  EXPECT_THAT(texts(climb(t, c, true)), testing::ElementsAre("RST"));
}

TEST(Ladder, BulkIsOneLine) {
  evidence::Timeline t;
  for (std::uint32_t i = 0; i < 100; ++i) {
    t.events.push_back(at(i * 20 + 1, segment(true, "PA", 101 + i * 1000, 501, 1000)));
    t.events.push_back(at(i * 20 + 2, segment(false, "A", 501, 1101 + i * 1000)));
  }
  auto ladder = climb(t, connection(), true);
  fold(ladder, 48);
  EXPECT_THAT(texts(ladder), testing::ElementsAre("PSH,ACK 1000 bytes", "198 segments, 97 KiB to the server", "ACK"));
}

TEST(Ladder, ALongStoryLosesItsMiddle) {
  evidence::Timeline t;
  for (std::uint32_t i = 0; i < 200; ++i) t.events.push_back(at(i, segment(true, "F", i, 0)));
  auto ladder = climb(t, connection(), true);
  fold(ladder, 20);
  EXPECT_EQ(ladder.rows.size(), 20U);
  EXPECT_THAT(texts(ladder), testing::Contains("181 more rows"));
}

TEST(Ladder, FitsItsWidth) {
  auto ladder = fake_ladder();
  fold(ladder, 48);
  ladder.rows[0].text = "connect to a server whose name is so long that it fits no column at all: ok";
  ladder.rows[6].stop = "postrouting: a-rule-with-a-very-long-name-that-does-not-fit-either";
  for (const int width : {60, 72, 80, 100, 200}) {
    for (const bool unicode : {false, true}) {
      const TextOptions options{.unicode = unicode, .width = width};
      for (const auto& line : lines_of(draw(ladder, options))) EXPECT_LE(cells(line), width) << width << ": " << line;
    }
  }
}

TEST(Ladder, GrowsWithTheTerminal) {
  const auto ladder = fake_ladder();
  const auto narrow = draw(ladder, {.width = 80}), wide = draw(ladder, {.width = 120});
  EXPECT_THAT(narrow, Not(HasSubstr("output: drop-after-handshake")));
  EXPECT_THAT(wide, HasSubstr("output: drop-after-handshake"));
}

TEST(Ladder, WhatAStrangerWroteCannotReachTheTerminal) {
  auto ladder = fake_ladder();
  ladder.rows[0].text = "send '\x1b[2J\x9b'";
  const auto text = draw(ladder, {.width = 120});
  EXPECT_THAT(text, HasSubstr("\\x1b[2J\\x9b"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Pick, TheFirstConnectionWithTheRunsCause) {
  auto r = fake();
  auto healthy = connection();
  healthy.verdict.cause = "none";
  healthy.client = address("127.0.0.1:1");
  r.judgement.connections.insert(r.judgement.connections.begin(), healthy);
  EXPECT_EQ(pick(r)->client, kClient);
}

TEST(Pick, WithoutAVerdictTheFirstSyn) {
  auto r = fake();
  r.judgement = {};
  EXPECT_EQ(pick(r)->client, kClient);
  r.timeline.events.clear();
  EXPECT_FALSE(pick(r));
}

// An event loop keeps its own books: only what it was refused is worth a line.
TEST(Ladder, LeavesOutWhatAnEventLoopRegisters) {
  const auto registers = [](int error) {
    return at(2 * kMs, evidence::Call{.pid = 10,
                                      .tid = 10,
                                      .name = "epoll_ctl",
                                      .error = error,
                                      .start_ns = kZero + kMs,
                                      .local = kClient,
                                      .peer = kServer});
  };
  evidence::Timeline t;
  t.events = {at(0, segment(true, "S", 100, 0)), registers(0)};
  EXPECT_THAT(texts(climb(t, connection(), true)), testing::ElementsAre("SYN"));
  t.events.back() = registers(ENOSPC);
  EXPECT_THAT(texts(climb(t, connection(), true)), testing::ElementsAre("SYN", "epoll_ctl: ENOSPC"));
}

TEST(Ladder, ACallThatTheEndOfTheRunEndedWasStillWaiting) {
  const auto read = [](std::int64_t result) {
    return evidence::Call{.pid = 10,
                          .tid = 10,
                          .name = "recvfrom",
                          .result = result,
                          .start_ns = kZero + kMs,
                          .local = kClient,
                          .peer = kServer};
  };
  evidence::Timeline t;
  t.events = {at(0, segment(true, "S", 100, 0)), at(900 * kMs, evidence::Milestone{"stopping"}),
              at(901 * kMs, read(0))};
  EXPECT_THAT(texts(climb(t, connection(), true)), testing::ElementsAre("SYN", "recvfrom: still waiting"));
  t.events.back() = at(901 * kMs, read(5));
  EXPECT_THAT(texts(climb(t, connection(), true)), testing::ElementsAre("SYN", "recvfrom ...", "recvfrom: 5 bytes"));
}

evidence::Call called(const char* name, const char* args, int error) {
  return {.pid = 10, .tid = 10, .name = name, .args = args, .error = error, .start_ns = kZero + kMs};
}

TEST(Ladder, TheSearchForAProgramIsNoFailureWhereItIsFound) {
  evidence::Timeline t;
  t.events = {at(0, evidence::ProcessStart{.pid = 10, .role = "client", .actor = "client"}),
              at(1 * kMs, called("execve", "\"/usr/sbin/x\"", ENOENT)),
              at(2 * kMs, called("execve", "\"/opt/x\"", EACCES)), at(3 * kMs, segment(true, "S", 100, 0))};
  EXPECT_THAT(texts(climb(t, connection(), true)), testing::ElementsAre("execve: ENOENT", "execve: EACCES", "SYN"));
  t.events.push_back(at(4 * kMs, called("execve", "\"/usr/bin/x\"", 0)));
  EXPECT_THAT(texts(climb(t, connection(), true)), testing::ElementsAre("SYN"));
}

TEST(Ladder, TheAnswerToAConnectThatDidNotWaitIsItsError) {
  auto asked = called("getsockopt", "3, SOL_SOCKET, SO_ERROR, ECONNREFUSED", 0);
  asked.local = kClient;
  asked.peer = kServer;
  evidence::Timeline t;
  t.events = {at(0, segment(true, "S", 100, 0)), at(2 * kMs, asked)};
  EXPECT_THAT(texts(climb(t, connection(), true)), testing::ElementsAre("SYN", "getsockopt: ECONNREFUSED"));
}

TEST(Ladder, TheLastLookCountsNoFinAsUnread) {
  auto c = connection();
  c.server_end = {.state = "CLOSE_WAIT", .receive_queue = 6};
  EXPECT_EQ(climb({}, c, true).server_end, "CLOSE_WAIT, 5 unread");
}

}  // namespace
}  // namespace lab::report
