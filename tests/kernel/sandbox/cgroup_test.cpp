// Control groups on the real kernel: what they refuse, what they stop, what they leave.
#include "sandbox/cgroup.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>

#include "sandbox/cgroup_place.hpp"
#include "system/descriptor.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::sandbox {
namespace {

namespace fs = std::filesystem;

// Adds what lies beneath `mount` and begins with `prefix`. False: a group of somebody else's went meanwhile, and the
// walk ended there.
bool walk(const fs::path& mount, const std::string& prefix, std::vector<std::string>& found) {
  std::error_code unreadable, gone;
  fs::recursive_directory_iterator at(mount, unreadable);
  if (unreadable) return true;
  for (; at != fs::recursive_directory_iterator(); at.increment(gone))
    if (at->path().filename().string().starts_with(prefix)) found.push_back(at->path());
  return !gone;
}

// Folders "lab-PID-…" of this process, wherever groups can be.
std::vector<std::string> left_of(pid_t pid) {
  std::vector<std::string> left;
  const auto prefix = "lab-" + std::to_string(pid) + "-";
  for (const auto& one : hierarchies()) {
    std::vector<std::string> found;
    for (int tries = 0; !walk(one.mount, prefix, found); found.clear())
      if (++tries == 1000) throw std::runtime_error("groups come and go: " + std::string(one.mount));
    left.insert(left.end(), found.begin(), found.end());
  }
  return left;
}

class Groups : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto why = why_no_cgroup({.memory = 1 << 20, .pids = 1, .cpu = 0.1}, true);
    if (why.empty()) return;
    if (std::getenv("LAB_NO_SKIP") && ::geteuid() == 0) FAIL() << why;
    GTEST_SKIP() << why;
  }
  void TearDown() override { EXPECT_EQ(left_of(::getpid()), std::vector<std::string>{}); }
};

// A child's wait status.
int in_group(const CgroupDoors& doors, const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    sys::close_descriptors_except(doors.all());  // the guardian's life line among them
    enter(doors);
    ::_exit(work());
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

TEST_F(Groups, ATaskTooManyIsRefusedAndCounted) {
  const Cgroup group("pids", {.pids = 2});
  const int status = in_group(group.doors(), [] {
    for (int children = 0; children < 5; ++children) {
      const pid_t pid = ::fork();
      if (pid == 0)
        for (;;) ::pause();
      if (pid < 0) return errno == EAGAIN ? children : 100;
    }
    return 200;
  });
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_GE(hits(group.doors()).pids, 1U);
}

TEST_F(Groups, TooMuchMemoryIsAKill) {
  const Cgroup group("memory", {.memory = 16 << 20});
  EXPECT_EQ(hits(group.doors()).oom_kills, 0U);
  const int status = in_group(group.doors(), [] {
    constexpr std::size_t kMuch = 128 << 20;
    auto* bytes = static_cast<volatile char*>(std::malloc(kMuch));
    for (std::size_t at = 0; at < kMuch; at += 4096) bytes[at] = 1;
    return 0;
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_GE(hits(group.doors()).oom_kills, 1U);
}

TEST_F(Groups, AFrozenProcessWritesNothingUntilItIsThawed) {
  const Cgroup group("freezer", {}, true);
  const auto doors = group.doors();
  auto written = sys::make_pipe();
  const pid_t pid = ::fork();
  if (pid == 0) {
    auto keep = doors.all();
    keep.push_back(written.write.get());
    sys::close_descriptors_except(keep);
    enter(doors);
    while (::write(written.write.get(), "x", 1) == 1) ::poll(nullptr, 0, 1);
    ::_exit(0);
  }
  const auto readable = [&](int patience_ms) {
    pollfd pipe{written.read.get(), POLLIN, 0};
    return ::poll(&pipe, 1, patience_ms) == 1;
  };
  EXPECT_TRUE(readable(10'000));
  freeze(doors, true);
  char bytes[65536];
  EXPECT_GT(::read(written.read.get(), bytes, sizeof bytes), 0);
  EXPECT_FALSE(readable(30));
  freeze(doors, false);
  EXPECT_TRUE(readable(10'000));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

// TearDown looks for what is left.
TEST_F(Groups, NothingIsLeftWhenTheirGuardianWasKilled) {
  const Cgroup group("orphaned", {.memory = 64 << 20, .pids = 8, .cpu = 0.5}, true);
  std::ifstream children("/proc/thread-self/children");
  pid_t guardian = 0;
  ASSERT_TRUE(children >> guardian);
  EXPECT_EQ(::kill(guardian, SIGKILL), 0);
  EXPECT_NE(left_of(::getpid()), std::vector<std::string>{});
}

// The guardian outlives whoever made the group, and frees what was frozen.
TEST_F(Groups, NothingIsLeftOfOneThatWasKilled) {
  auto ready = sys::make_pipe(), gone = sys::make_pipe();
  const pid_t maker = ::fork();
  if (maker == 0) {
    gone.read.reset();
    Cgroup group("killed", {.memory = 64 << 20, .pids = 8, .cpu = 0.5}, true);
    const pid_t member = ::fork();
    if (member == 0) {
      const auto doors = group.doors();
      auto keep = doors.all();
      keep.push_back(ready.write.get());
      keep.push_back(gone.write.get());
      sys::close_descriptors_except(keep);
      enter(doors);
      if (::write(ready.write.get(), "r", 1) != 1) ::_exit(1);
      for (;;) ::pause();  // holds `gone`: its end of file is this process's end
    }
    char byte;
    if (::read(ready.read.get(), &byte, 1) != 1) ::_exit(1);
    freeze(group.doors(), true);
    ::raise(SIGKILL);
  }
  gone.write.reset();
  ready.write.reset();
  ::waitpid(maker, nullptr, 0);
  pollfd end{gone.read.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&end, 1, 20'000), 1);
  // The members are gone; their groups follow at once, by a process that nobody here can wait for.
  for (int turn = 0; turn < 10'000 && !left_of(maker).empty(); ++turn) ::poll(nullptr, 0, 1);
  EXPECT_EQ(left_of(maker), std::vector<std::string>{});
}

}  // namespace
}  // namespace lab::sandbox
