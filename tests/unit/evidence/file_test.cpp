#include "evidence/file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "unit/evidence/samples.hpp"

namespace lab::evidence {
namespace {

using testing::HasSubstr;

Timeline read(const std::string& text) {
  std::istringstream in(text);
  Timeline timeline;
  read_file(
      in, [&](const Provenance& p) { timeline.provenance = p; },
      [&](Event&& event) { timeline.events.push_back(std::move(event)); });
  return timeline;
}

std::string written(const Timeline& timeline) {
  std::ostringstream out;
  write_file(out, timeline);
  return out.str();
}

std::string refusal(const std::string& text) {
  try {
    read(text);
  } catch (const BadFile& bad) {
    return bad.what();
  }
  return "no refusal";
}

TEST(Names, EachTypeHasAKindOfItsOwnAndASource) {
  std::set<std::string_view> kinds;
  for (const auto& event : samples::defaults_of_each()) {
    EXPECT_TRUE(kinds.insert(kind_of(event.what)).second) << kind_of(event.what);
    EXPECT_FALSE(source_of(event.what).empty());
  }
}

TEST(File, EveryFieldOfEveryTypeComesBack) {
  const auto timeline = samples::timeline();
  const auto back = read(written(timeline));
  EXPECT_EQ(back.provenance, timeline.provenance);
  ASSERT_EQ(back.events.size(), timeline.events.size());
  for (std::size_t i = 0; i < back.events.size(); ++i)
    EXPECT_EQ(back.events[i], timeline.events[i]) << to_json_line(timeline.events[i]);
}

TEST(File, DefaultsAreLeftOutAndComeBack) {
  for (const auto& event : samples::defaults_of_each()) {
    const auto line = to_json_line(event);
    EXPECT_THAT(line, testing::StartsWith("{\"t_ns\":0,\"source\":\""));
    EXPECT_EQ(std::count(line.begin(), line.end(), ':'), 3) << line;
    EXPECT_EQ(from_json_line(line), event) << line;
  }
}

TEST(File, ALineIsWhatTheDocumentSays) {
  Segment segment{.device = "lo", .flags = "PA", .seq = 7, .ack = 9, .length = 5, .head = "68656c6c6f"};
  segment.source = *parse_address("127.0.0.1:45434");
  segment.target = *parse_address("127.0.0.1:8080");
  EXPECT_EQ(to_json_line({.t_ns = 42, .what = segment}),
            R"({"t_ns":42,"source":"wire","kind":"segment","dev":"lo","src":"127.0.0.1:45434","dst":"127.0.0.1:8080",)"
            R"("flags":"PA","seq":7,"ack":9,"len":5,"head":"68656c6c6f"})");
}

class Text : public testing::TestWithParam<std::string> {};
TEST_P(Text, OfAnyBytesComesBack) {
  const Event event{.what = Output{.role = "server", .text = GetParam()}};
  const auto line = to_json_line(event);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(from_json_line(line), event) << line;
}
INSTANTIATE_TEST_SUITE_P(Bytes, Text,
                         testing::Values("", "plain", "quote \" and \\ and /", "line\nbreak\ttab\r",
                                         std::string("nul\0x", 5), "\x7f", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80", "\xff\xfe", "cut \xc3", "overlong \xc0\xaf",
                                         "surrogate \xed\xa0\x80", "beyond \xf4\x90\x80\x80", "overlong3 \xe0\x80\x80",
                                         "overlong4 \xf0\x80\x80\x80", "lone \x80"));

TEST(File, ExtremeNumbersComeBack) {
  StepDone step{.error = -1, .bytes = INT64_MIN, .start_ns = INT64_MAX};
  EXPECT_EQ(std::get<StepDone>(from_json_line(to_json_line({.what = step})).what), step);
  LimitState limit{.limit = UINT64_MAX, .used = 1};
  EXPECT_EQ(std::get<LimitState>(from_json_line(to_json_line({.what = limit})).what), limit);
}

TEST(File, UnknownKeysAreSkipped) {
  const auto event = from_json_line(R"({"later":[1,{"x":null}],"t_ns":5,"kind":"milestone","what":"end","new":true})");
  EXPECT_EQ(event, (Event{.t_ns = 5, .what = Milestone{"end"}}));
}

TEST(File, AnyOrderOfKeysWillDo) {
  EXPECT_EQ(from_json_line(R"({"change":-3,"name":"TcpInSegs","kind":"counter","t_ns":5})"),
            (Event{.t_ns = 5, .what = Counter{.name = "TcpInSegs", .change = -3}}));
}

struct Line {
  const char *line, *why;
};
class BadLine : public testing::TestWithParam<Line> {};
TEST_P(BadLine, IsRefusedWithItsNumberAndReason) {
  auto text = written({});
  const auto end = text.find('\n') + 1;
  text.insert(end, std::string(R"({"t_ns":1,"kind":"milestone","what":"end"})") + "\n" + GetParam().line + "\n");
  EXPECT_THAT(refusal(text), testing::AllOf(testing::StartsWith("line 3: "), HasSubstr(GetParam().why)));
}
INSTANTIATE_TEST_SUITE_P(
    Lines, BadLine,
    testing::Values(Line{"", "no JSON"}, Line{"x", "no JSON"}, Line{"[]", "no JSON object"},
                    Line{"{\"t_ns\":1,", "no JSON"}, Line{R"({"kind":"milestone"})", "t_ns"},
                    Line{R"({"t_ns":1})", "no event kind \"\""},
                    Line{R"({"t_ns":1,"kind":"teleport"})", "no event kind \"teleport\""},
                    Line{R"({"t_ns":1,"kind":"milestone","what":3})", "\"what\" is not a string"},
                    Line{R"({"t_ns":1,"kind":"segment","seq":-1})", "\"seq\" is not in its range"},
                    Line{R"({"t_ns":1,"kind":"segment","ttl":256})", "\"ttl\" is not in its range"},
                    Line{R"({"t_ns":1.5,"kind":"segment"})", "not whole"},
                    Line{R"({"t_ns":18446744073709551615,"kind":"segment"})", "range"},
                    Line{R"({"t_ns":1,"kind":"segment","src":"nowhere"})", "\"src\" is not an address"},
                    Line{R"({"t_ns":1,"kind":"segment","out":1})", "\"out\" is not true or false"},
                    Line{R"({"t_ns":1,"kind":"socket","pids":["a"]})", "whole number"},
                    Line{R"({"t_ns":1,"kind":"output","text.hex":"4g"})", "hex"},
                    Line{R"({"t_ns":1,"kind":"milestone","x":[[[[[[[[1]]]]]]]]})", "nested"},
                    Line{R"({"kind":"lab-evidence","format":1})", "second"},
                    Line{R"({"kind":"end","events":7})", "counts 7 events, the file has 1"}));

TEST(File, TruncatedAtAnyByteIsRefused) {
  const auto text = written(samples::timeline());
  for (std::size_t size = 0; size < text.size(); size += 13)
    EXPECT_NE(refusal(text.substr(0, size)), "no refusal") << size;
  const auto last_line = text.rfind('\n', text.size() - 2) + 1;
  EXPECT_THAT(refusal(text.substr(0, last_line)), HasSubstr("truncated: no end mark after"));
  EXPECT_THAT(refusal(text.substr(0, text.size() - 1)), HasSubstr("truncated"));
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
}

TEST(File, MoreBehindTheEndIsRefused) {
  EXPECT_EQ(refusal(written({}) + "{}\n"), "line 3: something behind the end mark");
}

TEST(File, AForeignFileIsRefused) {
  for (const char* text :
       {"hello\n", "{\"a\":1}\n", "\x7f\x45\x4c\x46\n", "{\"t_ns\":1,\"kind\":\"milestone\"}\n", "<xml/>\n"})
    EXPECT_THAT(refusal(text), HasSubstr("line 1: not an evidence file of lab")) << text;
}

TEST(File, ANewerFormatIsRefused) {
  Timeline timeline;
  timeline.provenance.format = 2;
  timeline.provenance.version = "9.9";
  EXPECT_THAT(refusal(written(timeline)), testing::AllOf(HasSubstr("line 1: written in format 2"), HasSubstr("9.9")));
}

}  // namespace
}  // namespace lab::evidence
