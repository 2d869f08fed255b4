#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "evidence/collectors/syscalls_decode.hpp"
#include "evidence/collectors/syscalls_judge.h"
#include "evidence/collectors/syscalls_text.hpp"

namespace lab::evidence {
namespace {

raw_call call_of(long nr, std::int64_t result, std::initializer_list<std::uint64_t> args = {}) {
  raw_call raw{};
  raw.header = {.t_ns = 2'000'000, .sandbox = 1, .kind = RAW_CALL};
  raw.start_ns = 1'000'000;
  raw.queued_ns = 400'000;
  raw.start_queued_ns = 300'000;
  raw.nr = static_cast<__u32>(nr);
  raw.result = result;
  raw.returned = 1;
  raw.pid = 5;
  raw.tid = 6;
  std::size_t i = 0;
  for (const auto arg : args) raw.args[i++] = arg;
  return raw;
}

template <class T>
raw_call with_data(raw_call raw, const T& value) {
  static_assert(sizeof value <= RAW_DATA);
  std::memcpy(raw.data, &value, sizeof value);
  raw.data_length = sizeof value;
  return raw;
}

raw_call with_path(raw_call raw, std::string_view path) {
  std::memcpy(raw.data, path.data(), path.size());
  raw.data_length = RAW_DATA;
  return raw;
}

Call event_of(const raw_call& raw) { return std::get<Call>(call_event(raw, {}).what); }

const Ends some_ends{make_address(4, "\x7f\0\0\1", 8080), make_address(4, "\x7f\0\0\1", 45434)};

TEST(KnownCalls, EachIsSound) {
  int known = 0;
  for (unsigned nr = 0; nr < RAW_CALLS; ++nr) {
    const auto* call = known_call(nr);
    if (!call) continue;
    ++known;
    EXPECT_LE(std::strlen(call->format), 6u) << call->name;
    EXPECT_NE(call->look.kind, CALL_NONE) << call->name;
    EXPECT_TRUE(call->look.fd == RAW_NONE || call->look.fd == 0 || call->look.fd == 2) << call->name;
    for (unsigned i = 0; call->format[i]; ++i)
      EXPECT_TRUE(call->format[i] == '-' || has_printer(call->format[i])) << call->name << " " << call->format[i];
  }
  EXPECT_GT(known, 60);
  EXPECT_EQ(known_call(RAW_CALLS), nullptr);
  EXPECT_EQ(known_call(SYS_getpid), nullptr);
}

TEST(CallEvent, AFailedAcceptNamesItsListener) {
  const auto call = event_of(call_of(SYS_accept4, -EMFILE, {3, 0, 0, SOCK_CLOEXEC}));
  EXPECT_EQ(call.name, "accept4");
  EXPECT_EQ(call.args, "3, SOCK_CLOEXEC");
  EXPECT_EQ(call.error, EMFILE);
  EXPECT_EQ(call.result, 0);
  EXPECT_EQ(call.fd, 3);
  EXPECT_EQ(call.start_ns, 1'000'000);
  EXPECT_EQ(call.queued_ns, 400'000);
  EXPECT_EQ(call.start_queued_ns, 300'000);
}

TEST(CallEvent, WithoutAnEntryNeverBegan) {
  auto raw = call_of(SYS_recvfrom, -EPERM, {4});
  EXPECT_TRUE(event_of(raw).began);
  raw.start_ns = 0;
  EXPECT_FALSE(event_of(raw).began);
  EXPECT_EQ(event_of(raw).start_ns, 2'000'000);
  EXPECT_TRUE(event_of([] {
                auto exec = call_of(SYS_execve, 0);
                exec.start_ns = 0;
                return exec;
              }())
                  .began)
      << "a task is followed from there on";
  raw.returned = 0;  // it dies in it: a filter that kills is told otherwise
  EXPECT_TRUE(event_of(raw).began);
}

TEST(CallEvent, AnAcceptMakesADescriptor) {
  const auto event = call_event(call_of(SYS_accept4, 7, {3}), some_ends);
  const auto& call = std::get<Call>(event.what);
  EXPECT_EQ(event.t_ns, 2'000'000);
  EXPECT_EQ(call.fd, 7);
  EXPECT_EQ(call.result, 7);
  EXPECT_EQ(to_string(call.peer), "127.0.0.1:45434");
}

TEST(CallEvent, ADescriptorThatIsDupedOverIsTheOneItTells) {
  auto raw = call_of(SYS_dup3, 5, {4, 5});
  EXPECT_EQ(event_of(raw).fd, 4);
  raw.other = 1;
  EXPECT_EQ(event_of(raw).fd, 5);
  EXPECT_EQ(event_of(raw).args, "4, 5");
}

TEST(CallEvent, ASpliceIsOfTheSocketOnEitherSide) {
  auto raw = call_of(SYS_splice, 100, {4, 0, 6, 0, 4096, 0});
  EXPECT_EQ(event_of(raw).fd, 6);
  raw.other = 1;
  EXPECT_EQ(event_of(raw).fd, 4);
  EXPECT_EQ(event_of(raw).args, "4, 6, 4096");
}

TEST(CallEvent, ARangeOfDescriptorsIsOf32Bits) {
  const auto call = event_of(call_of(SYS_close_range, 0, {3, ~0ULL, 4}));
  EXPECT_EQ(call.args, "3, 4294967295, 0x4");
  EXPECT_EQ(call.fd, -1);
}

TEST(CallEvent, LingerZeroAsksForAReset) {
  const auto linger = call_of(SYS_setsockopt, 0, {4, SOL_SOCKET, SO_LINGER, 0, 8});
  const auto asked = event_of(with_data(linger, ::linger{1, 0}));
  EXPECT_TRUE(asked.linger_reset);
  EXPECT_EQ(asked.args, "4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}");
  EXPECT_FALSE(event_of(with_data(linger, ::linger{1, 5})).linger_reset);
  EXPECT_FALSE(event_of(with_data(linger, ::linger{0, 0})).linger_reset);
  auto failed = with_data(linger, ::linger{1, 0});
  failed.result = -EBADF;
  EXPECT_FALSE(event_of(failed).linger_reset);
}

TEST(CallEvent, DisconnectingAsksForAReset) {
  EXPECT_TRUE(
      event_of(with_data(call_of(SYS_connect, 0, {4}), sockaddr{.sa_family = AF_UNSPEC, .sa_data = {}})).linger_reset);
  sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  const auto connected = event_of(with_data(call_of(SYS_connect, -EINPROGRESS, {4}), to));
  EXPECT_FALSE(connected.linger_reset);
  EXPECT_EQ(connected.args, "4, 127.0.0.1:8080");
  EXPECT_EQ(connected.error, EINPROGRESS);
}

TEST(CallEvent, BrkFailsByItsResult) {
  const auto call = event_of(call_of(SYS_brk, 0x1000, {0x2000}));
  EXPECT_EQ(call.error, ENOMEM);
  EXPECT_EQ(call.args, "0x2000");
}

TEST(CallEvent, ACallThatNeverReturnedHasNoResult) {
  auto raw = call_of(SYS_recvfrom, -512, {4, 0, 64, MSG_PEEK});
  raw.returned = 0;
  raw.header.t_ns = raw.start_ns;
  const auto call = event_of(raw);
  EXPECT_FALSE(call.returned);
  EXPECT_EQ(call.error, 0);
  EXPECT_EQ(call.args, "4, 64, MSG_PEEK");
}

TEST(CallEvent, EpollCtlSaysWhatIsWaitedFor) {
  const auto call = event_of(with_data(call_of(SYS_epoll_ctl, 0, {6, EPOLL_CTL_ADD, 4, 1}),
                                       epoll_event{.events = EPOLLIN | EPOLLRDHUP, .data = {}}));
  EXPECT_EQ(call.args, "6, EPOLL_CTL_ADD, 4, POLLIN|POLLRDHUP");
  EXPECT_EQ(call.fd, 4);
  EXPECT_EQ(event_of(call_of(SYS_epoll_ctl, 0, {6, EPOLL_CTL_DEL, 4, 0})).args, "6, EPOLL_CTL_DEL, 4");
}

TEST(CallEvent, PathsAndSignalsAndChildrenAreTargets) {
  EXPECT_EQ(event_of(with_path(call_of(SYS_openat, -EMFILE, {0, 0, O_WRONLY | O_CREAT}), "/tmp/a file")).target,
            "/tmp/a file");
  EXPECT_EQ(event_of(with_path(call_of(SYS_openat, -EMFILE, {0, 0, O_WRONLY | O_CREAT}), "/tmp/a file")).args,
            "\"/tmp/a file\", O_WRONLY|O_CREAT");
  EXPECT_EQ(event_of(call_of(SYS_kill, 0, {12, SIGTERM})).target, "SIGTERM");
  EXPECT_EQ(event_of(call_of(SYS_clone, 12, {CLONE_VM | CLONE_THREAD})).target, "12");
  EXPECT_EQ(event_of(call_of(SYS_clone, -EAGAIN, {0})).target, "");
}

TEST(CallEvent, ASuccessfulExecveIsKnownByTheTasksName) {
  auto raw = call_of(SYS_execve, 0);
  std::strcpy(raw.name, "python3");
  EXPECT_EQ(event_of(raw).target, "python3");
  EXPECT_EQ(event_of(with_path(call_of(SYS_execve, -ENOENT), "/bin/nothing")).target, "/bin/nothing");
}

TEST(CallText, SaysWhatPollWaitedForAndGot) {
  const pollfd fds[2] = {{3, POLLIN, POLLIN | POLLHUP}, {4, POLLOUT, 0}};
  EXPECT_EQ(event_of(with_data(call_of(SYS_poll, 1, {1, 2, 1000}), fds)).args,
            "[3:POLLIN=POLLIN|POLLHUP 4:POLLOUT], 2, 1000ms");
  EXPECT_EQ(event_of(with_data(call_of(SYS_poll, 0, {1, 2, static_cast<std::uint64_t>(-1)}), fds)).args,
            "[3:POLLIN 4:POLLOUT], 2, -1ms");
}

TEST(CallText, SaysWhichLimitWasSet) {
  auto raw = call_of(SYS_prlimit64, 0, {0, RLIMIT_NOFILE, 1});
  const rlimit limit{16, RLIM_INFINITY};
  std::memcpy(raw.second, &limit, sizeof limit);
  raw.second_length = sizeof limit;
  EXPECT_EQ(event_of(raw).args, "0, RLIMIT_NOFILE, {16, unlimited}");
}

TEST(CallText, SaysWhatErrorASocketHeld) {
  EXPECT_EQ(event_of(with_data(call_of(SYS_getsockopt, 0, {4, SOL_SOCKET, SO_ERROR}), int{ECONNREFUSED})).args,
            "4, SOL_SOCKET, SO_ERROR, ECONNREFUSED");
}

TEST(CallText, UnreadableMemoryIsNotInvented) {
  EXPECT_EQ(event_of(call_of(SYS_connect, -EFAULT, {4})).args, "4, ?");
  EXPECT_FALSE(event_of(call_of(SYS_setsockopt, 0, {4, SOL_SOCKET, SO_LINGER})).linger_reset);
}

TEST(CallText, OtherFamiliesAreNamed) {
  const unsigned char unix_address[] = {AF_UNIX, 0, '/', 'x'};
  EXPECT_EQ(socket_address_text(unix_address, sizeof unix_address), "AF_UNIX");
  EXPECT_EQ(socket_address_text(unix_address, 1), "?");
}

TEST(CallText, CountsWhatWasLeftOut) {
  auto raw = call_of(SYS_recvfrom, 4096, {4, 0, 4096, 0});
  raw.folded = 12;
  raw.folded_bytes = 49152;
  EXPECT_EQ(event_of(raw).args, "4, 4096 [12 more like it, 49152 bytes]");
}

TEST(FilterEvent, NamesTheCallAThreadDiedIn) {
  const auto act = std::get<FilterAct>(filter_event(call_of(SYS_recvfrom, 0, {4, 0, 64}), some_ends).what);
  EXPECT_EQ(act.call, "recvfrom");
  EXPECT_EQ(act.action, "kill-thread");
  EXPECT_EQ(act.fd, 4);
  EXPECT_EQ(act.tid, 6);
  EXPECT_EQ(to_string(act.local), "127.0.0.1:8080");
  EXPECT_EQ(std::get<FilterAct>(filter_event(call_of(SYS_getpid, 0), {}).what).call, "39");
}

TEST(JudgeCall, KeepsWhatTouchesConnectionsAndWhatFails) {
  const __u64 none[6] = {};
  EXPECT_EQ(judge_call(CALL_IO, none, 100, 1, 0), THIN_OUT);
  EXPECT_EQ(judge_call(CALL_IO, none, 100, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_IO, none, -EFBIG, 0, 0), THIN_OUT);
  EXPECT_EQ(judge_call(CALL_IO, none, -EAGAIN, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_IO, none, -512, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_IO, none, -EAGAIN, 1, 0), THIN_OUT);
  EXPECT_EQ(judge_call(CALL_FD, none, 0, 1, 0), REPORT);
  // PostgreSQL's first try: huge pages, of which most machines have none.
  const __u64 huge[6] = {0, 150'994'944, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB};
  const __u64 plain[6] = {0, 150'994'944, 3, MAP_SHARED | MAP_ANONYMOUS};
  EXPECT_EQ(judge_call(CALL_MAP, huge, -ENOMEM, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_MAP, plain, -ENOMEM, 0, 0), REPORT);
  EXPECT_EQ(judge_call(CALL_MAP, plain, 0x7f0000000000, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_FD, none, 0, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_DUP, none, 0, 1, 0), REPORT);
  EXPECT_EQ(judge_call(CALL_DUP, none, 0, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_FD, none, -EBADF, 0, 0), REPORT);
  EXPECT_EQ(judge_call(CALL_NAME, none, -ENOENT, 0, 1), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_OPEN, none, -ENOENT, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_OPEN, none, -EMFILE, 0, 0), REPORT);
  EXPECT_EQ(judge_call(CALL_FAIL, none, 0x7f0000000000, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_FAIL, none, -ENOMEM, 0, 0), REPORT);
  EXPECT_EQ(judge_call(CALL_FORK, none, 0, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_FORK, none, 12, 0, 0), REPORT);
  EXPECT_EQ(judge_call(CALL_WAIT, none, 0, 0, 0), LEAVE_OUT);
}

TEST(JudgeCall, BrkFailsWhereTheBreakStaysBelow) {
  const __u64 query[6] = {}, grow[6] = {0x2000};
  EXPECT_EQ(judge_call(CALL_BRK, query, 0x1000, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_BRK, grow, 0x2000, 0, 0), LEAVE_OUT);
  EXPECT_EQ(judge_call(CALL_BRK, grow, 0x1000, 0, 0), THIN_OUT);
}

}  // namespace
}  // namespace lab::evidence
