#include "run/channel.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "system/process.hpp"

namespace {

using lab::run::Failure;
using lab::run::Gathered;
using lab::run::Listener;
using lab::run::Teller;

std::string everything(const lab::sys::Descriptor& from) {
  std::string all;
  char bytes[4096];
  for (ssize_t n = 0; (n = ::read(from.get(), bytes, sizeof bytes)) > 0;)
    all.append(bytes, static_cast<std::size_t>(n));
  return all;
}

// What `tell` says, as bytes of the pipe.
template <class Tell>
std::string said(Tell tell) {
  auto pipe = lab::sys::make_pipe();
  {
    Teller teller(std::move(pipe.write));
    tell(teller);
    teller.flush();
  }
  return everything(pipe.read);
}

std::string a_run() {
  return said([](Teller& teller) {
    teller.put({.t_ns = 7, .what = lab::evidence::Milestone{"clients-ended"}});
    teller.operator_step({.role = "operator", .actor = "operator", .outcome = "ok", .end_ns = 9});
    teller.seccomp({.kind = "seccomp", .name = "server: recvfrom errno EPERM", .count = 3});
    teller.account({.name = "wire", .on = true, .events = 5});
    teller.times(1, 2, 3, lab::run::RunEnd::deadline);
  });
}

void expect_a_run(const Gathered& gathered) {
  ASSERT_EQ(gathered.timeline.events.size(), 1U);
  EXPECT_EQ(gathered.timeline.events[0].t_ns, 7);
  ASSERT_EQ(gathered.operator_steps.size(), 1U);
  EXPECT_EQ(gathered.operator_steps[0].end_ns, 9);
  ASSERT_EQ(gathered.seccomp.size(), 1U);
  EXPECT_EQ(gathered.seccomp[0].name, "server: recvfrom errno EPERM");
  EXPECT_EQ(gathered.seccomp[0].count, 3U);
  ASSERT_EQ(gathered.timeline.provenance.collectors.size(), 1U);
  EXPECT_EQ(gathered.acting_ns, 2);
  EXPECT_EQ(gathered.end, lab::run::RunEnd::deadline);
}

TEST(Channel, EverythingArrives) {
  Gathered gathered;
  Listener listener(gathered, {});
  listener.take(a_run());
  EXPECT_TRUE(listener.whole());
  expect_a_run(gathered);
}

TEST(Channel, WhateverTheCutsBetweenReads) {
  const auto bytes = a_run();
  Gathered gathered;
  Listener listener(gathered, {});
  for (const char byte : bytes) listener.take({&byte, 1});
  expect_a_run(gathered);
}

TEST(Channel, ACutOffTellerIsNotWhole) {
  const auto bytes = a_run();
  Gathered gathered;
  Listener listener(gathered, {});
  listener.take(bytes.substr(0, bytes.size() - 1));
  EXPECT_FALSE(listener.whole());
}

TEST(Channel, TheFirstFailureIsKept) {
  Gathered gathered;
  Listener listener(gathered, {});
  listener.take(said([](Teller& teller) {
    teller.failure(Failure::invalid, "rules/x.toml:3: rule 'x': refused\nsecond line");
    teller.failure(Failure::lab, "and then");
  }));
  EXPECT_EQ(gathered.failure, Failure::invalid);
  EXPECT_EQ(gathered.reason, "rules/x.toml:3: rule 'x': refused\nsecond line");
}

}  // namespace
