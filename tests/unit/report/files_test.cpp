#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "fake.hpp"
#include "report/packet.hpp"

namespace lab::report {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::vector<std::string> keys(const json& object) {
  std::vector<std::string> all;
  for (const auto& [key, value] : object.items()) all.push_back(key);
  return all;
}

TEST(Json, HasTheContractsKeys) {
  for (const bool pretty : {true, false}) {
    const auto j = json::parse(to_json(fake(), pretty));
    EXPECT_EQ(j["schema"], 1);
    EXPECT_EQ(j["scenario"], "firewall-drop");
    EXPECT_EQ(j["result"], "pass");
    EXPECT_THAT(keys(j), testing::IsSupersetOf({"verdict", "connections", "actors", "expectations", "rules", "counters",
                                                "faults", "collectors", "timing_ms", "events"}));
    EXPECT_EQ(j["verdict"]["status"], "confirmed");
    EXPECT_EQ(j["verdict"]["culprit"]["handle"], 4);
    EXPECT_EQ(j["verdict"]["because"][0]["events"], json({4, 6}));
    EXPECT_EQ(j["connections"][0]["client"], "127.0.0.1:45434");
    EXPECT_EQ(j["connections"][0]["sockets"]["client"]["timer"], "probe");
    EXPECT_EQ(j["connections"][0]["sockets"]["client"]["error"], nullptr);
    EXPECT_EQ(j["actors"][1]["steps"][2]["outcome"], "timeout");
    EXPECT_EQ(j["actors"][1]["exit"], 0);
    EXPECT_EQ(j["actors"][0]["exit"], nullptr);
    EXPECT_EQ(j["expectations"][1]["held"], true);
    EXPECT_EQ(j["rules"][0]["bytes"], 256);
    EXPECT_EQ(j["faults"][0]["fired"], true);
    EXPECT_EQ(j["collectors"][1]["why"], "needs root");
    EXPECT_EQ(j["timing_ms"]["total"], 1005.0);
    EXPECT_EQ(j["events"].size(), fake().timeline.events.size());
  }
}

TEST(Json, TimesCountFromTheRunsZero) {
  const auto j = json::parse(to_json(fake(), false));
  EXPECT_EQ(j["events"][0]["t_ns"], 1 * kMs + 10);
  EXPECT_EQ(j["events"][3]["start"], 1 * kMs);
}

TEST(Json, CompactIsOneLine) { EXPECT_EQ(to_json(fake(), false).find('\n'), std::string::npos); }

TEST(Json, ObjectForOneArrayForSeveral) {
  std::ostringstream one, two, none;
  write_json(one, {fake()});
  write_json(two, {fake(), fake()});
  write_json(none, {});
  EXPECT_TRUE(json::parse(one.str()).is_object());
  EXPECT_EQ(json::parse(two.str()).size(), 2U);
  EXPECT_EQ(json::parse(none.str()), json::array());
}

TEST(Json, WhatIsNoUtf8IsMended) {
  auto r = fake();
  r.actors[0].output = "out| \xff\n";
  EXPECT_TRUE(json::accept(to_json(r, true)));
}

TEST(Json, NoEvents) {
  auto r = fake();
  r.timeline.events.clear();
  EXPECT_EQ(json::parse(to_json(r, true))["events"], json::array());
}

Report with(Result result, std::string reason = {}) {
  auto r = fake();
  r.result = result;
  r.reason = std::move(reason);
  return r;
}

TEST(Junit, CountsAndEscapes) {
  std::ostringstream out;
  write_junit(out, std::vector{with(Result::pass), with(Result::fail, "a < b & \"c\"\x01"),
                               with(Result::skipped, "needs root"), with(Result::error, "no"), with(Result::timeout)});
  EXPECT_THAT(out.str(), HasSubstr("tests=\"5\" failures=\"2\" errors=\"1\" skipped=\"1\""));
  EXPECT_THAT(out.str(), HasSubstr("a &lt; b &amp; &quot;c&quot;\\x01"));
  EXPECT_THAT(out.str(), HasSubstr("<skipped message=\"needs root\"/>"));
  EXPECT_THAT(out.str(), HasSubstr("<error type=\"error\""));
  EXPECT_THAT(out.str(), HasSubstr("timestamp=\"2023-11-14T22:13:24\""));
}

TEST(Tap, PlanLinesAndDirectives) {
  std::ostringstream out;
  write_tap(out, std::vector{with(Result::pass), with(Result::fail), with(Result::skipped, "needs #root")});
  EXPECT_THAT(out.str(), testing::StartsWith("TAP version 13\n1..3\nok 1 - firewall-drop\n  ---\n  result: pass\n"));
  EXPECT_THAT(out.str(), HasSubstr("\nnot ok 2 - firewall-drop\n"));
  EXPECT_THAT(out.str(), HasSubstr("\nok 3 - firewall-drop # SKIP needs \\#root\n"));
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr const char* digits = "0123456789abcdef";
    text += digits[static_cast<unsigned char>(c) >> 4U];
    text += digits[static_cast<unsigned char>(c) & 15U];
  }
  return text;
}

TEST(Packet, HeadersAreMadeFromTheFields) {
  auto s = segment(true, "PA", 0x01020304, 0x0a0b0c0d, 12);
  s.ip_id = 0x1234;
  s.window = 512;
  s.head = "48656c6c6f";
  const auto p = packet_of(s);
  EXPECT_EQ(hex(p.bytes),
            "450000341234400040062a8e7f0000017f000001"
            "b17a1f90010203040a0b0c0d501802000000000048656c6c6f");
  EXPECT_EQ(p.length, 52U);
}

TEST(Packet, AKeptFrameIsTakenAsItIs) {
  auto s = segment(true, "PA", 1, 1, 1000);
  s.frame = "4500041000004000400600007f0000017f000001b17a1f90";
  const auto p = packet_of(s);
  EXPECT_EQ(hex(p.bytes), s.frame);
  EXPECT_EQ(p.length, 0x410U);
  s.frame = "45zz";
  EXPECT_EQ(packet_of(s).bytes, "");
}

TEST(Packet, OfNobodyIsEmpty) { EXPECT_EQ(packet_of(evidence::Segment{}).bytes, ""); }

TEST(Pcapng, BlocksAreWhole) {
  std::ostringstream out;
  write_pcapng(out, fake().timeline);
  const auto file = out.str();
  const auto u32 = [&](std::size_t at) {
    std::uint32_t v = 0;
    for (std::size_t i = 0; i < 4; ++i) v |= std::uint32_t{static_cast<unsigned char>(file[at + i])} << (8 * i);
    return v;
  };
  std::vector<std::uint32_t> types;
  for (std::size_t at = 0; at < file.size();) {
    types.push_back(u32(at));
    const auto length = u32(at + 4);
    ASSERT_EQ(length % 4, 0U);
    ASSERT_LE(at + length, file.size());
    EXPECT_EQ(u32(at + length - 4), length);
    at += length;
  }
  EXPECT_THAT(types, testing::ElementsAre(0x0A0D0D0AU, 1U, 6U, 6U, 6U));
}

}  // namespace
}  // namespace lab::report
