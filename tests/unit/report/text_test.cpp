#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "fake.hpp"
#include "report/lines.hpp"

namespace lab::report {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string text(const Report& report, const TextOptions& options = {}) {
  std::ostringstream out;
  write_text(out, report, options);
  return out.str();
}

TEST(Text, BeginsWithTheVerdict) {
  EXPECT_THAT(text(fake()),
              StartsWith("PASS firewall-drop: The rule drop-after-handshake dropped every segment of the\nclient"));
  EXPECT_THAT(
      text(fake(), {.width = 200}),
      StartsWith("PASS firewall-drop: The rule drop-after-handshake dropped every segment of the client behind the "
                 "handshake. (firewall/drop, confirmed)\n"));
}

TEST(Text, WithoutAVerdictSaysWhatHappened) {
  auto r = fake();
  r.judgement = {};
  EXPECT_THAT(text(r, {.width = 200}),
              StartsWith("PASS firewall-drop: client: connect ok, send 'Hello Server' 12 bytes, recv 64 timeout\n"));
}

TEST(Text, HasEveryPart) {
  const auto t = text(fake());
  for (const char* part :
       {"client", "SYN,ACK", "Why\n", "nft-trace", "Ruled out\n", "application/closed", "What to do next\n",
        "Expected, and what was\n", "client.recv", "Rules\n", "4 packets, 256 bytes"}) {
    EXPECT_THAT(t, HasSubstr(part));
  }
  EXPECT_THAT(t, Not(HasSubstr("Collectors")));
  EXPECT_THAT(t, Not(HasSubstr("\x1b")));
}

TEST(Text, FitsItsWidth) {
  auto r = fake();
  r.expectations.push_back(
      {"client.recv-until-eof#12", "ECONNRESET, or ETIMEDOUT, or eof, or timeout, or anything", "stopped", false});
  r.result = Result::fail;
  for (const int width : {60, 80, 120}) {
    std::istringstream in(text(r, {.width = width, .verbosity = 1}));
    for (std::string line; std::getline(in, line);) EXPECT_LE(cells(line), width) << line;
  }
}

TEST(Text, ColourOnlyWhenAsked) { EXPECT_THAT(text(fake(), {.colour = true}), HasSubstr("\x1b[32mPASS\x1b[0m")); }

TEST(Text, QuietIsOneLine) {
  const auto t = text(fake(), {.verbosity = -1});
  EXPECT_EQ(std::count(t.begin(), t.end(), '\n'), 1);
}

TEST(Text, AnExpectationThatFailedShowsBothSides) {
  auto r = fake();
  r.result = Result::fail;
  r.expectations[1] = {"client.recv", "eof", "ECONNRESET", false};
  EXPECT_THAT(text(r), HasSubstr("  NO client.recv  eof            ECONNRESET\n"));
}

TEST(Text, ProgramOutputIsShownWhenSomethingFails) {
  auto r = fake();
  r.actors[1].output = "err| Traceback\nout| \x1b[31mred\n";
  EXPECT_THAT(text(r), Not(HasSubstr("Traceback")));
  EXPECT_THAT(text(r, {.verbosity = 1}), HasSubstr("Traceback"));
  r.result = Result::fail;
  EXPECT_THAT(text(r), HasSubstr("What client wrote\n  err| Traceback\n  out| \\x1b[31mred\n"));
}

TEST(Text, AFaultThatNeverFiredIsNamed) {
  auto r = fake();
  r.result = Result::fault_not_fired;
  r.faults = {{"drop-after-handshake", "rule", false, 0}};
  EXPECT_THAT(text(r), StartsWith("FAULT-NOT-FIRED firewall-drop: "));
  EXPECT_THAT(text(r), HasSubstr("The fault drop-after-handshake (rule): never fired\n"));
  r.faults[0].unobserved = true;
  EXPECT_THAT(text(r), HasSubstr("unobserved\n"));
}

TEST(Text, ManyConnectionsAreCounted) {
  auto r = fake();
  for (int i = 0; i < 3; ++i) {
    auto c = connection();
    c.client.port = static_cast<std::uint16_t>(50000 + i);
    c.verdict.cause = "none";
    c.closes = "client FIN";
    r.judgement.connections.push_back(c);
  }
  EXPECT_THAT(text(r), HasSubstr("All 4 connections\n"));
  EXPECT_THAT(text(r), testing::ContainsRegex("     3  none +confirmed +nobody +client FIN\n"));
}

TEST(Lines, WrapKeepsLongWords) {
  EXPECT_THAT(wrap("aa bb cccccccc d", 5), testing::ElementsAre("aa bb", "cccccccc", "d"));
  EXPECT_THAT(wrap("", 5), testing::ElementsAre(""));
}

TEST(Lines, WrapHardBreaksThem) {
  EXPECT_THAT(wrap_hard("aa äccccccc d", 5), testing::ElementsAre("aa", "äcccc", "ccc", "d"));
}

TEST(Lines, CutCountsCodePoints) {
  EXPECT_EQ(cut("aäöü", 4), "aäöü");
  EXPECT_EQ(cut("aäöüx", 4), "aäö~");
  EXPECT_EQ(cells(cut("aäöüx", 4)), 4);
}

TEST(Lines, PrintableLeavesOnlyWholeUtf8) {
  EXPECT_EQ(printable("ä\n"), "ä\\x0a");
  EXPECT_EQ(printable("\xc3"), "\\xc3");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");           // CSI of C1
}

}  // namespace
}  // namespace lab::report
