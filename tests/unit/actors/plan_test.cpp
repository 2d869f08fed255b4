// Steps made ready for running, and the calls they stand for.
#include "actors/plan.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include "actors/options.hpp"
#include "scenario/options.hpp"
#include "scenario/reader.hpp"
#include "system/error.hpp"

namespace lab::actors {
namespace {

using scenario::Verb;

scenario::Actor actor_of(const std::vector<std::string>& steps, scenario::Role role = scenario::Role::proxy) {
  scenario::Actor actor;
  actor.role = role;
  actor.name = "actor";
  for (const auto& text : steps) {
    const auto read = scenario::parse_step(text, {}, role, scenario::Family::ipv4);
    for (const auto& mistake : read.mistakes) ADD_FAILURE() << text << ": " << to_string(mistake);
    actor.steps.push_back(read.value);
  }
  return actor;
}

const Context kContext{{"127.0.0.1", 8080}, ""};

TEST(Calls, TheContractsTable) {
  EXPECT_EQ(call_of(Verb::accept), "accept4");
  EXPECT_EQ(call_of(Verb::connect), "connect");
  EXPECT_EQ(call_of(Verb::send), "sendto");
  for (const auto verb : {Verb::recv, Verb::recv_exactly, Verb::recv_until_eof, Verb::expect})
    EXPECT_EQ(call_of(verb), "recvfrom");
  EXPECT_EQ(call_of(Verb::shutdown), "shutdown");
  EXPECT_EQ(call_of(Verb::close), "close");
  EXPECT_EQ(call_of(Verb::allocate), "mmap");
  EXPECT_EQ(call_of(Verb::fork), "clone");
  EXPECT_EQ(call_of(Verb::start_thread), "clone3");
  EXPECT_EQ(call_of(Verb::crash), "");
}

TEST(Plan, BodiesFollowTheirStep) {
  const auto actor = actor_of({"accept", "fork 'recv; start-thread \\'sleep 1s; close\\'; close'", "sleep 1s"});
  const auto plan = plan_of(actor, kContext);
  std::vector<std::string> names;
  std::vector<std::uint32_t> next;
  for (const auto& op : plan.ops) {
    names.push_back(op.step->name);
    next.push_back(op.next);
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"accept", "fork", "recv", "start-thread", "sleep", "close", "close", "sleep"}));
  EXPECT_EQ(next, (std::vector<std::uint32_t>{1, 7, 3, 6, 5, 6, 7, 8}));
}

TEST(Plan, NamesAreShared) {
  const auto actor = actor_of({"accept as=a", "connect as=b", "relay a b", "close b", "close"});
  const auto plan = plan_of(actor, kContext);
  EXPECT_EQ(plan.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(plan.ops[0].connection, 0);
  EXPECT_EQ(plan.ops[1].connection, 1);
  EXPECT_EQ(plan.ops[2].a, 0);
  EXPECT_EQ(plan.ops[2].b, 1);
  EXPECT_EQ(plan.ops[3].connection, 1);
  EXPECT_EQ(plan.ops[4].connection, -1);
}

TEST(Plan, ConnectsToTheServerOrElsewhere) {
  const auto actor = actor_of({"connect", "connect 10.0.0.1:99"});
  const auto plan = plan_of(actor, kContext);
  EXPECT_EQ(end_of(*plan.ops[0].target).port, 8080);
  EXPECT_EQ(end_of(*plan.ops[1].target).port, 99);
  EXPECT_EQ(end_of(*plan.ops[1].target).ip[0], 10);
}

TEST(Plan, OneCallIsAtMostAMebibyte) {
  const auto small = plan_of(actor_of({"recv 10"}), kContext);
  EXPECT_EQ(small.buffer, 64U * 1024);
  EXPECT_FALSE(small.pattern);
  const auto large = plan_of(actor_of({"send 1GiB"}), kContext);
  EXPECT_EQ(large.buffer, kLargestCall);
  EXPECT_TRUE(large.pattern);
}

TEST(Plan, ThreadsInPlaceOfProcesses) {
  EXPECT_TRUE(threads_will_do(actor_of({"connect", "send 'x'", "sleep 1s", "recv"})));
  for (const auto* step :
       {"exit 3", "fork 'sleep 1s'", "crash", "raise TERM", "option sigpipe 1", "start-thread 'sleep 1s'"})
    EXPECT_FALSE(threads_will_do(actor_of({"connect", step}))) << step;
  auto limited = actor_of({"connect"});
  limited.limits.nofile = 100;
  EXPECT_FALSE(threads_will_do(limited));
  auto filtered = actor_of({"connect"});
  filtered.seccomp.emplace();
  EXPECT_FALSE(threads_will_do(filtered));
}

TEST(Endpoint, BothFamiliesAndNothingElse) {
  const auto four = to_kernel({"127.0.0.1", 80}), six = to_kernel({"::1", 80}),
             mapped = to_kernel({"::ffff:10.0.0.1", 80});
  EXPECT_EQ(four.family(), AF_INET);
  EXPECT_EQ(six.family(), AF_INET6);
  EXPECT_EQ(end_of(six).family, 6);
  EXPECT_EQ(end_of(mapped).family, 4) << "one connection has one name";
  EXPECT_EQ(end_of(mapped).ip[0], 10);
  EXPECT_TRUE(to_kernel({"0.0.0.0", 80}).wildcard());
  EXPECT_TRUE(to_kernel({"::", 80}).wildcard());
  EXPECT_FALSE(six.wildcard());
  EXPECT_THROW(to_kernel({"localhost", 80}), sys::LabError);
}

TEST(Options, ValuesAsTheGrammarGivesThem) {
  const auto actor = actor_of({"option rcvbuf 4KiB", "option md5 secret", "option linger 0", "option linger 1"});
  EXPECT_EQ(option_of(actor.steps[0]).number, 4096);
  EXPECT_EQ(option_of(actor.steps[1]).text, "secret");
  EXPECT_TRUE(asks_for_reset(option_of(actor.steps[2])));
  EXPECT_FALSE(asks_for_reset(option_of(actor.steps[3])));
  EXPECT_EQ(protocol_of({{"nodelay", 1, "", {}}}), IPPROTO_TCP);
  EXPECT_EQ(protocol_of({{"mptcp", 1, "", {}}}), IPPROTO_MPTCP);
}

TEST(Options, EveryNameOfTheGrammarIsKnown) {
  for (const auto& row : scenario::option_rows()) {
    if (row.name == "sigpipe" || row.name == "mptcp") continue;  // no socket's
    EXPECT_EQ(set_option(-1, AF_INET, {std::string(row.name), 1, "key", {}}, false), EBADF) << row.name;
  }
  EXPECT_EQ(set_option(-1, AF_INET, {"no-such-option", 0, "", {}}, false), ENOPROTOOPT);
}

}  // namespace
}  // namespace lab::actors
