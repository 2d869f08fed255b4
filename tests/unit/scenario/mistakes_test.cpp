// What each mistake of a file says, to the column.
#include "support.hpp"

namespace lab::scenario::test {
namespace {

struct Case {
  const char* text;  // from line 6 on
  const char* told;
};

class Mistakes : public ::testing::TestWithParam<Case> {};

TEST_P(Mistakes, SaysWhereWhatAndWhatWasMeant) { EXPECT_EQ(told(with(GetParam().text)), GetParam().told); }

constexpr Case kHead[] = {
    {"[netwrok]", "x.toml:6:2: unknown key 'netwrok'\n  hint: did you mean 'network'?\n"},
    {"[xyz]",
     "x.toml:6:2: unknown key 'xyz'\n  hint: known keys: 'summary', 'description', 'tags', 'timeout', 'grace', "
     "'network', "
     "'firewall', 'server', 'client', 'proxy', 'operator' or 'expect'\n"},
    {"network = 3",
     "x.toml:6:1: server: unknown key 'network'\n  hint: known keys: 'name', 'listen', 'backlog', "
     "'options', 'steps', 'run', 'env', 'ready', 'parallel', 'repeat', 'limits', 'cgroup' or 'seccomp'\n"},
    {"x = ", "x.toml:6:5: not TOML: Error while parsing key-value pair: expected value, saw '\\n'\n"},
    {"[expect.server]\nrecv#2 = \"ok\"",
     "x.toml:7:5: not TOML: Error while parsing key-value pair: expected '=', saw '#'\n"
     "  hint: quote a key that holds '#': \"recv#2\" = …\n"},
};
INSTANTIATE_TEST_SUITE_P(Head, Mistakes, ::testing::ValuesIn(kHead));

constexpr Case kNetwork[] = {
    {"[network]\nfamily = \"ipv5\"",
     "x.toml:7:10: network.family: expected 'ipv4' or 'ipv6', found \"ipv5\"\n  hint: did you mean 'ipv4'?\n"},
    {"[network]\ntopology = 3", "x.toml:7:12: network.topology: expected 'loopback' or 'routed', found the number 3\n"},
    {"[network]\nmtu = 67", "x.toml:7:7: network.mtu: expected a whole number from 68 to 65535, found the number 67\n"},
    {"[network]\nfamily = \"ipv6\"\nmtu = 1279",
     "x.toml:8:7: network.mtu: expected at least 1280, as IPv6 needs, found the number 1279\n"},
    {"[network]\nsysctl = { \"kernel.pid_max\" = 3 }",
     "x.toml:7:12: network.sysctl: expected a sysctl of net.*, found 'kernel.pid_max'\n"
     "  hint: sysctls are set in the sandbox's network namespace only\n"},
    {"[network]\nsysctl = { \"net.ipv4/../../x\" = 3 }",
     "x.toml:7:12: network.sysctl: expected a sysctl of net.*, found 'net.ipv4/../../x'\n"
     "  hint: sysctls are set in the sandbox's network namespace only\n"},
    {"[network]\nsysctl = { \"net.core.somaxconn\" = [3] }",
     "x.toml:7:35: network.sysctl: expected a number or a text, found a list\n"},
};
INSTANTIATE_TEST_SUITE_P(Network, Mistakes, ::testing::ValuesIn(kNetwork));

// These lines belong to [server], whose steps end in line 5.
constexpr Case kActor[] = {
    {"listen = \"127.0.0.1\"",
     "x.toml:6:10: server.listen: expected an address and a port such as \"127.0.0.1:8080\" or \"[::1]:8080\", or "
     "\"none\", found \"127.0.0.1\"\n"},
    {"listen = \"127.0.0.1:65536\"",
     "x.toml:6:10: server.listen: expected an address and a port such as \"127.0.0.1:8080\" or \"[::1]:8080\", or "
     "\"none\", found \"127.0.0.1:65536\"\n"},
    {"listen = \"example.org:80\"",
     "x.toml:6:10: server.listen: expected an address and a port such as \"127.0.0.1:8080\" or \"[::1]:8080\", or "
     "\"none\", found \"example.org:80\"\n"},
    {"backlog = -1", "x.toml:6:11: server.backlog: expected a whole number from 0 to 65535, found the number -1\n"},
    {"backlog = \"many\"", "x.toml:6:11: server.backlog: expected a whole number from 0 to 65535, found \"many\"\n"},
    {"options = { rcvbu = 3 }", "x.toml:6:13: server.options: unknown key 'rcvbu'\n  hint: did you mean 'rcvbuf'?\n"},
    {"options = { keepidle = 0 }",
     "x.toml:6:24: server.options.keepidle: expected a number of seconds from 1 to 32767, or a duration of whole "
     "seconds, found the number 0\n"},
    {"options = { nodelay = 2 }",
     "x.toml:6:23: server.options.nodelay: expected true or false (1 or 0), found the number 2\n"},
    {"options = { user-timeout = \"1\\u00b5s\" }",
     "x.toml:6:28: server.options.user-timeout: expected a number of milliseconds from 0 to 2147483647, or a duration, "
     "found \"1µs\"\n"},
    {"env = { A = \"b\" }", "x.toml:6:7: server: 'env' is for programs, and this actor has steps\n"},
    {"ready = \"listenign\"",
     "x.toml:6:9: server.ready: expected 'listening' or 'none', found \"listenign\"\n  hint: did you mean "
     "'listening'?\n"},
    {"parallel = 0", "x.toml:6:12: server.parallel: expected a whole number from 1 to 10000, found the number 0\n"},
    {"parallel = 10001",
     "x.toml:6:12: server.parallel: expected a whole number from 1 to 10000, found the number 10001\n"},
    {"repeat = \"forver\"",
     "x.toml:6:10: server.repeat: expected a number from 1 to 1000000, or \"forever\", found \"forver\"\n"
     "  hint: did you mean 'forever'?\n"},
    {"repeat = 1000001",
     "x.toml:6:10: server.repeat: expected a number from 1 to 1000000, or \"forever\", found the number 1000001\n"},
    {"limits = { nofiles = 3 }", "x.toml:6:12: server.limits: unknown key 'nofiles'\n  hint: did you mean 'nofile'?\n"},
    {"limits = { as = \"64MB\" }",
     "x.toml:6:17: server.limits.as: expected a size such as 64, \"4KiB\" or \"1MiB\", found \"64MB\"\n"},
    {"limits = { as = \"2000GiB\" }",
     "x.toml:6:17: server.limits.as: expected a size such as 64, \"4KiB\" or \"1MiB\", found \"2000GiB\"\n"},
    {"limits = { cpu = \"1500ms\" }",
     "x.toml:6:18: server.limits.cpu: expected a duration of whole seconds such as \"1s\", found \"1500ms\"\n"},
    {"cgroup = { cpu = 10 }",
     "x.toml:6:18: server.cgroup.cpu: expected a share of one CPU such as \"10%\", found the number 10\n"},
    {"run = [\"x\"]",
     "x.toml:6:7: server: 'run' can't stand beside 'steps'\n  hint: an actor is either steps or a program\n"},
    {"name = \"a b\"",
     "x.toml:6:8: server.name: expected a name of letters, digits, '_', '-' and '.', found \"a b\"\n"},
    {"name = \"client\"",
     "x.toml:6:8: server: a server can't be named 'client'\n"
     "x.toml:6:8: server: a second actor named 'client' (the first is in line 2)\n  hint: give each a name of its "
     "own\n"},
    {"name = \"wire\"", "x.toml:6:8: server: 'wire' is a section of [expect]\n  hint: choose another name\n"},
    {"[operator]\nsteps = [\"sleep 1s\"]\nlisten = \"none\"",
     "x.toml:8:1: operator: only 'server' or 'proxy' has a 'listen'\n"},
    {"[operator]",
     "x.toml:6:1: operator: has neither 'steps' nor 'run'\n  hint: an actor is either steps or a program\n"},
    {"[operator]\nsteps = 3", "x.toml:7:9: operator.steps: expected a list of steps, found the number 3\n"},
    {"[operator]\nsteps = [3]", "x.toml:7:10: operator.steps: expected a step, found the number 3\n"},
    {"[operator]\nrun = \"python3 x.py\"",
     "x.toml:7:7: operator.run: expected a program and its arguments as a list of texts, found \"python3 x.py\"\n"
     "  hint: a list of words: run = [\"python3\", \"server.py\"]\n"},
    {"[operator]\nrun = []",
     "x.toml:7:7: operator.run: expected a program and its arguments as a list of texts, found an empty list\n"},
    {"[operator]\nrun = [\"\"]", "x.toml:7:8: operator.run: expected a program, found \"\"\n"},
    {"[operator]\nrun = [\"a\\u0000b\"]", "x.toml:7:8: operator.run: a text can't hold a NUL byte here\n"},
    {"[operator]\nrun = [\"a\"]\nenv = { \"A=B\" = \"c\" }",
     "x.toml:8:9: operator.env.A=B: expected a variable's name without '='\n"},
};
INSTANTIATE_TEST_SUITE_P(Actor, Mistakes, ::testing::ValuesIn(kActor));

constexpr Case kSeccomp[] = {
    {"[server.seccomp]\ndefault = \"alow\"",
     "x.toml:7:11: server.seccomp.default: expected \"errno NAME\", 'stall', 'kill-process', 'kill-thread', 'trap', "
     "'log' "
     "or 'allow', found \"alow\"\n  hint: did you mean 'allow'?\n"},
    {"[server.seccomp]\nrule = { syscall = \"read\", action = \"log\" }",
     "x.toml:7:8: server.seccomp.rule: expected an array of tables, found a table\n"
     "  hint: write [[server.seccomp.rule]]\n"},
    {"[[server.seccomp.rule]]\nsyscall = [\"read\", \"recvform\"]\naction = \"log\"",
     "x.toml:7:20: server.seccomp.rule.syscall: unknown system call \"recvform\"\n  hint: did you mean 'recvfrom'?\n"},
    {"[[server.seccomp.rule]]\nsyscall = \"read\"\naction = \"errno EPREM\"",
     "x.toml:8:17: server.seccomp.rule.action: unknown errno 'EPREM'\n  hint: did you mean 'EPERM'?\n"},
    {"[[server.seccomp.rule]]\nsyscall = \"read\"\naction = \"errno\"",
     "x.toml:8:16: server.seccomp.rule.action: unknown errno ''\n"},
    {"[[server.seccomp.rule]]\nsyscall = \"read\"",
     "x.toml:6:1: server.seccomp.rule: 'action' is missing: what happens to them\n"},
    {"[[server.seccomp.rule]]\nsyscall = \"read\"\naction = \"kill-thread\"\nwhen = 3",
     "x.toml:9:8: server.seccomp.rule.when: 'kill-thread' can't depend on a count\n"
     "  hint: 'when' goes with \"errno NAME\", 'stall' and 'kill-process'\n"},
    {"[[server.seccomp.rule]]\nsyscall = \"read\"\naction = \"stall\"\nwhen = \"5..3\"",
     "x.toml:9:8: server.seccomp.rule.when: expected \"3\" (the third call), \"3+\" (from the third on), \"3..5\" or "
     "\"3+2\" (every second), found \"5..3\"\n"},
};
INSTANTIATE_TEST_SUITE_P(Seccomp, Mistakes, ::testing::ValuesIn(kSeccomp));

constexpr Case kExpect[] = {
    {"[expect]\ncause = \"firewall/dorp\"",
     "x.toml:7:9: expect.cause: unknown cause 'firewall/dorp'\n  hint: did you mean 'firewall/drop'?\n"},
    {"[expect]\ncause = [\"none\", \"a meteorite\"]",
     "x.toml:7:18: expect.cause: unknown cause 'a meteorite'\n  hint: `lab causes` lists them\n"},
    {"[expect]\ncause = []", "x.toml:7:9: expect.cause: expected at least one cause, found an empty list\n"},
    {"[expect.servre]\nrecv = \"ok\"",
     "x.toml:6:9: expect: there is no actor 'servre'\n  hint: did you mean 'server'?\n"},
    {"[expect.proxy]\nrecv = \"ok\"",
     "x.toml:6:9: expect: there is no actor 'proxy'\n  hint: there is no proxy, or several: use an actor's name\n"},
    {"[expect.server]\nsend = \"ok\"", "x.toml:7:1: expect.server.send: 'server' has no step 'send'\n"},
    {"[expect.server]\nrevc = \"ok\"",
     "x.toml:7:1: expect.server.revc: 'server' has no step 'revc'\n  hint: did you mean 'recv'?\n"},
    {"[expect.server]\n\"recv#3\" = \"ok\"",
     "x.toml:7:1: expect.server.recv#3: 'server' has no 'recv#3': it has 'recv' 2 times\n"},
    {"[expect.server]\n\"accept#2\" = \"ok\"",
     "x.toml:7:1: expect.server.accept#2: 'server' has no 'accept#2': it has 'accept' once\n"},
    {"[expect.server]\n\"recv#x\" = \"ok\"", "x.toml:7:1: expect.server.recv#x: expected a number from 1 behind '#'\n"},
    {"[expect.server]\nrecv = \"ECONNREST\"",
     "x.toml:7:8: expect.server.recv: expected an outcome ('ok', 'eof', 'timeout', 'mismatch', 'not reached' or "
     "'stopped', \"N bytes\" or an errno's name), found \"ECONNREST\"\n  hint: did you mean 'ECONNRESET'?\n"},
    {"[expect.server]\nrecv = []",
     "x.toml:7:8: expect.server.recv: expected at least one outcome, found an empty list\n"},
    {"[expect.server]\nrecv = { oef = 3 }",
     "x.toml:7:10: expect.server.recv: expected an outcome ('ok', 'eof', 'timeout', 'mismatch', 'not reached' or "
     "'stopped', \"N bytes\" or an errno's name), found \"oef\"\n  hint: did you mean 'eof'?\n"},
    {"[expect.server]\nrecv = { eof = \"~3\" }",
     "x.toml:7:16: expect.server.recv.eof: expected a count, or a comparison such as \">=1\", found \"~3\"\n"},
    {"[expect.server]\nexit = 256",
     "x.toml:7:8: expect.server.exit: expected an exit status from 0 to 255, a signal's name or 'stopped', found the "
     "number 256\n"},
    {"[expect.server]\nexit = \"KIL\"",
     "x.toml:7:8: expect.server.exit: expected an exit status from 0 to 255, a signal's name or 'stopped', found "
     "\"KIL\"\n  hint: did you mean 'KILL'?\n"},
    {"[expect.wire]\nclose = \"none\"",
     "x.toml:7:1: expect.wire: unknown key 'close'\n  hint: did you mean 'closes'?\n"},
    {"[expect.wire]\ncloses = \"server fin\"",
     "x.toml:7:10: expect.wire.closes: expected 'none', 'client FIN', 'client RST', 'server FIN', 'server RST', 'proxy "
     "FIN', 'proxy RST', 'firewall FIN', 'firewall RST', 'injected FIN' or 'injected RST', found \"server fin\"\n"
     "  hint: did you mean 'server FIN'?\n"},
    {"[expect.rules]\nnope = 1", "x.toml:7:1: expect.rules: there is no rule 'nope'\n"},
    {"[expect.rules]\nx = -1",
     "x.toml:7:1: expect.rules: there is no rule 'x'\n"
     "x.toml:7:5: expect.rules.x: expected a count, or a comparison such as \">=1\", found the number -1\n"},
    {"[expect.counters]\n\"server.TcpRetransSegs\" = 1",
     "x.toml:7:1: expect.counters: only the routed topology counts for each end\n"
     "  hint: 'TcpRetransSegs', or network.topology = \"routed\"\n"},
    {"[expect.counters]\n\"sever.TcpRetransSegs\" = 1",
     "x.toml:7:1: expect.counters: expected client, server or router before the dot, found 'sever'\n"
     "  hint: did you mean 'server'?\n"},
};
INSTANTIATE_TEST_SUITE_P(Expect, Mistakes, ::testing::ValuesIn(kExpect));

TEST(MistakesOfAFile, AreAllToldAtOnceInTheFilesOrder) {
  EXPECT_EQ(told(R"(sumary = "x"
timeout = 5
[client]
steps = ["conect"]
[network]
family = 4
)"),
            "x.toml:1:1: unknown key 'sumary'\n  hint: did you mean 'summary'?\n"
            "x.toml:1:1: 'summary' is missing: one line that says what happens\n"
            "x.toml:2:11: timeout: expected a duration such as \"50ms\", \"1s\" or \"2m\", found the number 5\n"
            "  hint: write the unit: \"5s\"\n"
            "x.toml:4:11: unknown step 'conect'\n  hint: did you mean 'connect'?\n"
            "x.toml:6:10: network.family: expected 'ipv4' or 'ipv6', found the number 4\n");
}

TEST(MistakesOfAFile, AnEmptyOneLacksASummaryAndSomebodyToAct) {
  EXPECT_EQ(told(""),
            "x.toml:1:1: 'summary' is missing: one line that says what happens\n"
            "x.toml:1:1: nobody acts: expected a [server], a [client] or a [proxy]\n");
}

TEST(MistakesOfAFile, TheSummaryIsOneLine) {
  EXPECT_EQ(told("summary = \"a\\nb\"\n[client]\nsteps = []\n"),
            "x.toml:1:11: summary: expected one line of text, found \"a b\"\n");
}

TEST(MistakesOfAFile, ADurationHasEndsOfItsOwn) {
  EXPECT_EQ(told("summary = \"a\"\ntimeout = \"0s\"\ngrace = \"25h\"\n[client]\nsteps = []\n"),
            "x.toml:2:11: timeout: must be longer than 0\nx.toml:3:9: grace: \"25h\" is longer than 24h\n");
  EXPECT_EQ(told("summary = \"a\"\ngrace = \"0s\"\n[client]\nsteps = []\n"), "");
}

TEST(MistakesOfAFile, SeveralOfOneRoleNeedNames) {
  EXPECT_EQ(told("summary = \"a\"\n[[client]]\nsteps = []\n[[client]]\nname = \"b\"\nsteps = []\n"),
            "x.toml:2:1: client: has no 'name', and there are several\n  hint: several of one role need a name each\n");
  EXPECT_EQ(told("summary = \"a\"\n[[client]]\nname=\"b\"\nsteps = []\n[[client]]\nname = \"b\"\nsteps = []\n"),
            "x.toml:6:8: client: a second actor named 'b' (the first is in line 2)\n"
            "  hint: give each a name of its own\n");
}

TEST(MistakesOfAFile, OneThatCanNotBeReadIsAMistakeWithoutALine) {
  EXPECT_EQ(told(read_scenario("/nonexistent/x.toml", {})),
            "/nonexistent/x.toml: can't be read: No such file or directory\n");
  EXPECT_EQ(told(read_scenario("/", {})), "/: can't be read: Is a directory\n");
  EXPECT_EQ(told(read_rules("/nonexistent/x.toml")), "/nonexistent/x.toml: can't be read: No such file or directory\n");
}

TEST(MistakesOfAFile, ControlCharactersOfAFileDoNotReachTheTerminal) {
  EXPECT_EQ(told("summary = \"a\"\ntimeout = \"\\u001b[31m\\u0007\"\n[client]\nsteps = []\n"),
            "x.toml:2:11: timeout: expected a duration such as \"50ms\", \"1s\" or \"2m\", found \" [31m \"\n");
}

}  // namespace
}  // namespace lab::scenario::test
