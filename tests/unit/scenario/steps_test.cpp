// The step grammar: what each verb takes, where it goes, and what is said when it doesn't fit.
#include <set>

#include "scenario/step.hpp"
#include "scenario/verbs.hpp"
#include "scenario/words.hpp"
#include "support.hpp"

namespace lab::scenario::test {
namespace {

Step step(const std::string& text, Role role = Role::server) {
  auto read = parse_step(text, {"f", 3, 11}, role, Family::ipv4);
  EXPECT_EQ(told(read), "") << text;
  return read.value;
}

std::string wrong(const std::string& text, Role role = Role::server) {
  return told(parse_step(text, {"f", 3, 11}, role, Family::ipv4));
}

TEST(Verbs, AreInTheOrderOfTheirEnumAndEachHasItsOwnName) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < verb_rows().size(); ++i) {
    EXPECT_EQ(verb_rows()[i].verb, static_cast<Verb>(i));
    EXPECT_TRUE(names.insert(verb_rows()[i].name).second);
    EXPECT_EQ(name_of(static_cast<Verb>(i)), verb_rows()[i].name);
  }
  EXPECT_EQ(verb_rows().back().verb, Verb::kill);
}

TEST(Steps, KeepTheirTextAndTheirPlace) {
  const auto recv = step("recv 64 timeout=50ms");
  EXPECT_EQ(recv.verb, Verb::recv);
  EXPECT_EQ(recv.name, "recv");
  EXPECT_EQ(recv.source, "recv 64 timeout=50ms");
  EXPECT_EQ(recv.size, 64u);
  EXPECT_EQ(recv.timeout, std::chrono::milliseconds(50));
  EXPECT_EQ(recv.place.line, 3u);
  EXPECT_EQ(recv.place.column, 11u);
}

TEST(Steps, OptionalWordsMayBeLeftOut) {
  EXPECT_FALSE(step("recv").size);
  EXPECT_FALSE(step("exit").size);
  EXPECT_FALSE(step("connect", Role::client).endpoint);
  EXPECT_EQ(step("close").connection, "");
}

TEST(Steps, WordsGoWhereTheySay) {
  EXPECT_EQ(step("sleep 2m").duration, std::chrono::minutes(2));
  EXPECT_EQ(step("send 4KiB").size, 4096u);
  EXPECT_EQ(step("exit 3").size, 3u);
  EXPECT_EQ(step("raise TERM").size, 15u);
  EXPECT_EQ(step("raise SIGKILL").size, 9u);
  EXPECT_EQ(step("close backend").connection, "backend");
  EXPECT_EQ(step("accept as=front timeout=1s").connection, "front");
  EXPECT_EQ(step("relay a b").words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(step("wait ready").words, std::vector<std::string>{"ready"});
  EXPECT_EQ(step("shutdown write").words, std::vector<std::string>{"write"});
  EXPECT_EQ(step("kill server SIGTERM", Role::op).words, (std::vector<std::string>{"server", "SIGTERM"}));
  EXPECT_EQ(step("kill server SIGTERM", Role::op).size, 15u);
  EXPECT_EQ(step("link lo down", Role::op).words, (std::vector<std::string>{"lo", "down"}));
  EXPECT_EQ(step("sysctl net.ipv4.tcp_rmem '4096 8192 16384'", Role::op).words[1], "4096 8192 16384");
  EXPECT_EQ(step("route blackhole 2001:db8::/32", Role::op).words[1], "2001:db8::/32");
}

TEST(Steps, AnEndpointIsANumericAddressOrTheFamilysLoopback) {
  EXPECT_EQ(step("connect 127.0.0.1:80", Role::client).endpoint->host, "127.0.0.1");
  EXPECT_EQ(step("connect [0::0:1]:80", Role::client).endpoint->host, "::1");
  EXPECT_EQ(step("connect localhost:80", Role::client).endpoint->host, "127.0.0.1");
  const auto six = parse_step("connect localhost:80", {}, Role::client, Family::ipv6);
  EXPECT_EQ(six.value.endpoint->host, "::1");
  EXPECT_EQ(six.value.endpoint->port, 80);
}

TEST(Steps, OptionsAreReadByTheirOwnMeasure) {
  EXPECT_EQ(step("option rcvbuf 4KiB").size, 4096u);
  EXPECT_EQ(step("option user-timeout 1s").size, 1000u);
  EXPECT_EQ(step("option keepidle 2s").size, 2u);
  EXPECT_EQ(step("option nodelay true").size, 1u);
  EXPECT_EQ(step("option md5 secret").text, "secret");
}

TEST(Steps, ProgramsTakeEveryWordThatFollows) {
  EXPECT_EQ(step("exec sh -c 'a=1; echo \"$a\"' timeout=3").words,
            (std::vector<std::string>{"sh", "-c", "a=1; echo \"$a\"", "timeout=3"}));
}

struct Text {
  const char *written, *bytes;
};
class Texts : public ::testing::TestWithParam<Text> {};
TEST_P(Texts, AreBytes) { EXPECT_EQ(step(GetParam().written).text, GetParam().bytes); }
constexpr Text kTexts[] = {
    {"send 'Hello Client'", "Hello Client"},
    {R"(send 'a\nb\r\tc')", "a\nb\r\tc"},
    {R"(send 'it\'s')", "it's"},
    {R"(send "it's")", "it's"},
    {R"(send 'say "x"')", "say \"x\""},
    {R"(send 'a\\n')", "a\\n"},
    {R"(send '\x16\x03\xfF')", "\x16\x03\xff"},
    {"send ''", ""},
    {"send ' timeout=1s '", " timeout=1s "},
    {"print 'a;b'", "a;b"},
};
INSTANTIATE_TEST_SUITE_P(Steps, Texts, ::testing::ValuesIn(kTexts));

TEST(Steps, ATextMayHoldEveryByte) { EXPECT_EQ(step(R"(send 'a\x00b')").text, std::string("a\0b", 3)); }

TEST(Bodies, AreStepsOfTheirOwn) {
  const auto fork = step("fork 'recv 64; send \"a;b\"; close'");
  ASSERT_EQ(fork.body.size(), 3u);
  EXPECT_EQ(fork.body[0].size, 64u);
  EXPECT_EQ(fork.body[1].text, "a;b");
  EXPECT_EQ(fork.body[1].source, "send \"a;b\"");
  EXPECT_EQ(fork.body[2].verb, Verb::close);
}

TEST(Bodies, KnowTheColumnOfEachStep) {
  const auto fork = step("fork 'recv 64;  close'");
  EXPECT_EQ(fork.body[0].place.column, 11u + 6);
  EXPECT_EQ(fork.body[1].place.column, 11u + 16);
  const auto escaped = step(R"(fork 'send \'ab\'; close')");
  EXPECT_EQ(escaped.body[1].place.column, 11u + 19);
}

TEST(Bodies, LeaveTheEscapesOfTheirTextsAlone) {
  EXPECT_EQ(step(R"(fork 'send \'a\nb\'')").body[0].text, "a\nb");
  EXPECT_EQ(step(R"(fork 'send "a\\nb"')").body[0].text, "a\\nb");
}

TEST(Bodies, MayHoldBodies) {
  const auto fork = step(R"(fork 'start-thread "send \'x\'; close"; exit 2')");
  ASSERT_EQ(fork.body.size(), 2u);
  EXPECT_EQ(fork.body[0].body[0].text, "x");
  std::vector<std::string_view> verbs;
  const std::vector<Step> steps{fork};
  for (const auto* each : flattened(steps)) verbs.push_back(each->name);
  EXPECT_EQ(verbs, (std::vector<std::string_view>{"fork", "start-thread", "send", "close", "exit"}));
}

struct Wrong {
  const char *text, *told;
  Role role = Role::server;
};
class WrongSteps : public ::testing::TestWithParam<Wrong> {};
TEST_P(WrongSteps, SayWhichWord) { EXPECT_EQ(wrong(GetParam().text, GetParam().role), GetParam().told); }
constexpr Wrong kWrong[] = {
    {"", "f:3:11: expected a step, found an empty text\n"},
    {"rcev 64", "f:3:11: unknown step 'rcev'\n  hint: did you mean 'recv'?\n"},
    {"  RECV", "f:3:13: unknown step 'RECV'\n  hint: did you mean 'recv'?\n"},
    {"'recv'", "f:3:11: unknown step 'recv'\n  hint: did you mean 'recv'?\n"},
    {"connect", "f:3:11: 'connect' is a step of 'client' or 'proxy', not of a server\n"},
    {"accept", "f:3:11: 'accept' is a step of 'server' or 'proxy', not of a client\n", Role::client},
    {"flush-conntrack", "f:3:11: 'flush-conntrack' is a step of 'operator', not of a proxy\n", Role::proxy},
    {"recv 64", "f:3:11: 'recv' is a step of 'server', 'client' or 'proxy', not of an operator\n", Role::op},
    {"recv x", "f:3:16: recv: expected a size such as 64, 4KiB or 1MiB, found 'x'\n"},
    {"recv -1", "f:3:16: recv: expected a size such as 64, 4KiB or 1MiB, found '-1'\n"},
    {"recv 0", "f:3:16: recv: expected a size above 0, found '0'\n"},
    {"recv 2GiB", "f:3:16: recv: expected at most 1073741824 bytes, found '2GiB'\n"},
    {"recv '64'", "f:3:16: recv: expected a size such as 64, 4KiB or 1MiB, found '64'\n"},
    {"recv 64 64", "f:3:19: 'recv' takes no more words\n  hint: usage: recv [SIZE] [timeout=D]\n"},
    {"recv timout=1s", "f:3:16: 'recv' takes no 'timout='\n  hint: did you mean 'timeout'?\n"},
    {"recv as=x", "f:3:16: 'recv' takes no 'as='\n  hint: usage: recv [SIZE] [timeout=D]\n"},
    {"recv timeout=1", "f:3:24: timeout: expected a duration such as 500ms, found '1'\n"},
    {"recv timeout=0s", "f:3:24: timeout: expected a duration such as 500ms, found '0s'\n"},
    {"accept as=", "f:3:21: as: expected a name, found ''\n"},
    {"recv-exactly", "f:3:11: 'recv-exactly' needs SIZE\n  hint: usage: recv-exactly SIZE [timeout=D]\n"},
    {"sleep 5",
     "f:3:17: sleep: expected a duration such as 50ms, 1s or 2m (at most 24h), found '5'\n"
     "  hint: write the unit: 5s\n"},
    {"sleep 25h", "f:3:17: sleep: expected a duration such as 50ms, 1s or 2m (at most 24h), found '25h'\n"},
    {"send", "f:3:11: 'send' needs 'text' or SIZE\n  hint: usage: send 'text' or SIZE [timeout=D]\n"},
    {"send Hello", "f:3:16: send: expected a text in quotes or a size, found 'Hello'\n  hint: send 'Hello'\n"},
    {"send 'x", "f:3:16: the text that starts here has no closing '\n"},
    {"send 'x'y", "f:3:19: expected a space behind the text\n"},
    {R"(send 'a\qb')", "f:3:18: unknown escape '\\q'\n  hint: texts know \\n \\r \\t \\\\ \\' \\\" \\xNN\n"},
    {R"(send '\x4')", "f:3:17: unknown escape '\\x'\n  hint: texts know \\n \\r \\t \\\\ \\' \\\" \\xNN\n"},
    {"expect ''", "f:3:18: expect: expected at least one byte, found ''\n"},
    {"expect hi", "f:3:18: expect: expected a text in quotes, found 'hi'\n  hint: expect 'hi'\n"},
    {"exit 256", "f:3:16: exit: expected an exit status from 0 to 255, found '256'\n"},
    {"raise SIGTREM",
     "f:3:17: raise: expected a signal such as SIGTERM, found 'SIGTREM'\n"
     "  hint: did you mean 'SIGTERM'?\n"},
    {"wait 'a b'", "f:3:16: wait: expected a name of letters, digits, '_', '-' and '.', found 'a b'\n"},
    {"shutdown raed",
     "f:3:20: shutdown: expected 'read', 'write' or 'both', found 'raed'\n"
     "  hint: did you mean 'read'?\n"},
    {"option keepidl 3", "f:3:18: unknown socket option 'keepidl'\n  hint: did you mean 'keepidle'?\n"},
    {"option keepcnt 128", "f:3:26: keepcnt: expected a whole number from 1 to 127, found '128'\n"},
    {"option keepcnt", "f:3:11: 'option' needs VALUE\n  hint: usage: option NAME VALUE\n"},
    {"open-files 0", "f:3:22: open-files: expected a number from 1 to 1000000, found '0'\n"},
    {"spawn-threads 1000001", "f:3:25: spawn-threads: expected a number from 1 to 1000000, found '1000001'\n"},
    {"fork close", "f:3:16: fork: expected steps in quotes, found 'close'\n  hint: fork 'step; step'\n"},
    {"fork 'close; clsoe'", "f:3:24: unknown step 'clsoe'\n  hint: did you mean 'close'?\n"},
    {"fork ''", "f:3:17: expected a step, found an empty text\n"},
    {"fork 'close;; close'", "f:3:23: expected a step, found an empty text\n"},
    {"exec", "f:3:11: 'exec' needs PROGRAM…\n  hint: usage: exec PROGRAM…\n"},
    {"exec ''", "f:3:16: exec: expected a program, found ''\n"},
    {"connect 1.2.3:4",
     "f:3:19: connect: expected an address and a port such as 127.0.0.1:8080 or [::1]:8080, found "
     "'1.2.3:4'\n",
     Role::client},
    {"connect ::1:80",
     "f:3:19: connect: expected an address and a port such as 127.0.0.1:8080 or [::1]:8080, found "
     "'::1:80'\n",
     Role::client},
    {"connect 127.0.0.1:0",
     "f:3:19: connect: expected an address and a port such as 127.0.0.1:8080 or [::1]:8080, "
     "found '127.0.0.1:0'\n",
     Role::client},
    {"link a-name-that-is-too-long up",
     "f:3:16: link: expected the name of a link of at most 15 letters, found "
     "'a-name-that-is-too-long'\n",
     Role::op},
    {"address add 127.0.0.1/33",
     "f:3:23: address: expected an address such as 127.0.0.1 or 2001:db8::/32, found "
     "'127.0.0.1/33'\n",
     Role::op},
    {"sysctl kernel.panic 1",
     "f:3:18: sysctl: expected a sysctl of net.*, such as net.ipv4.tcp_retries2, found "
     "'kernel.panic'\n",
     Role::op},
    {"sysctl net.../x 1",
     "f:3:18: sysctl: expected a sysctl of net.*, such as net.ipv4.tcp_retries2, found "
     "'net.../x'\n",
     Role::op},
    {"inject-reset sever",
     "f:3:24: inject-reset: expected 'client' or 'server', found 'sever'\n"
     "  hint: did you mean 'server'?\n",
     Role::op},
};
INSTANTIATE_TEST_SUITE_P(Steps, WrongSteps, ::testing::ValuesIn(kWrong));

TEST(WrongBodies, AreNotNestedWithoutEnd) {
  std::string text = "close";
  for (int i = 0; i < 12; ++i) {
    std::string escaped;
    for (const char c : text) escaped += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    text = "fork '" + escaped + "'";
  }
  EXPECT_NE(wrong(text), "");
}

}  // namespace
}  // namespace lab::scenario::test
