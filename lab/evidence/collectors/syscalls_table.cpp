// Which system calls are looked at, and how: the one table for BPF and ptrace.
#include <array>

#include "evidence/collectors/syscalls_decode.hpp"

namespace lab::evidence {
namespace {

constexpr raw_look look(int kind, int fd = RAW_NONE, int data = RAW_NONE, int second = RAW_NONE) {
  return {static_cast<__u8>(kind), static_cast<__u8>(fd), static_cast<__u8>(data), static_cast<__u8>(second)};
}

constexpr int none = RAW_NONE;
constexpr raw_look io = look(CALL_IO, 0), of_fd = look(CALL_FD, 0), doubles = look(CALL_DUP, 0),
                   address = look(CALL_NAME, 0, 1), option = look(CALL_FD, 0, 3), accepts = look(CALL_ACCEPT, 0),
                   fails = look(CALL_FAIL), fails_at_0 = look(CALL_FAIL, none, 0), fails_with_fd = look(CALL_FAIL, 0),
                   opens_at_0 = look(CALL_OPEN, none, 0), opens_at_1 = look(CALL_OPEN, none, 1), task = look(CALL_TASK),
                   forks = look(CALL_FORK), execs = look(CALL_TASK, none, 0), waits = look(CALL_WAIT),
                   polls = look(CALL_POLL, none, 0, 2), selects = look(CALL_SELECT, none, 1, 4),
                   epolls = look(CALL_POLL, none, 1), interest = look(CALL_POLL, 2, 3);

// Letters: n signed, u unsigned, U the same of 32 bits, s a size, x hexadecimal, a socket address, v level and name and
// value of a socket option, p path, o open's flags, d protocol family, t socket type and flags, m MSG_*, h shutdown's
// how, g signal, w wake-up flags of clone, k the same in clone3's struct, r resource, l its new limit, c accept4's
// flags, f what poll, e epoll_wait and q select wait for and got, i milliseconds, j a timespec, J a timeval, F fcntl's
// command, E epoll_ctl's, y the events that it asks for.
constexpr KnownCall calls[] = {
    {SYS_read, "read", io, "n-s"},
    {SYS_write, "write", io, "n-s"},
    {SYS_readv, "readv", io, "n-u"},
    {SYS_writev, "writev", io, "n-u"},
    {SYS_pread64, "pread64", io, "n-s"},
    {SYS_pwrite64, "pwrite64", io, "n-s"},
    {SYS_recvfrom, "recvfrom", io, "n-sm"},
    {SYS_sendto, "sendto", io, "n-sm"},
    {SYS_recvmsg, "recvmsg", io, "n-m"},
    {SYS_sendmsg, "sendmsg", io, "n-m"},
    {SYS_recvmmsg, "recvmmsg", io, "n-um"},
    {SYS_sendmmsg, "sendmmsg", io, "n-um"},
    {SYS_sendfile, "sendfile", io, "nn-s"},
    {SYS_splice, "splice", look(CALL_SPLICE, 2), "n-n-s"},
    {SYS_close, "close", of_fd, "n"},
    {SYS_shutdown, "shutdown", of_fd, "nh"},
    {SYS_listen, "listen", of_fd, "nn"},
    {SYS_dup, "dup", of_fd, "n"},
    {SYS_dup3, "dup3", doubles, "nn"},
    {SYS_close_range, "close_range", task, "UUx"},
    {SYS_fcntl, "fcntl", look(CALL_FCNTL, 0), "nFn"},
    {SYS_connect, "connect", address, "na"},
    {SYS_bind, "bind", address, "na"},
    {SYS_setsockopt, "setsockopt", option, "nv"},
    {SYS_getsockopt, "getsockopt", option, "nv"},
    {SYS_accept, "accept", accepts, "n"},
    {SYS_accept4, "accept4", accepts, "n--c"},
    {SYS_socket, "socket", look(CALL_SOCKET), "dt"},
    {SYS_socketpair, "socketpair", fails, "dt"},
    {SYS_pipe2, "pipe2", fails, "-o"},
    {SYS_epoll_create1, "epoll_create1", fails, ""},
    {SYS_eventfd2, "eventfd2", fails, "u"},
    {SYS_timerfd_create, "timerfd_create", fails, "n"},
    {SYS_memfd_create, "memfd_create", fails_at_0, "p"},
    {SYS_openat, "openat", opens_at_1, "-po"},
    {SYS_openat2, "openat2", opens_at_1, "-p"},
    {SYS_truncate, "truncate", fails_at_0, "ps"},
    {SYS_ftruncate, "ftruncate", fails_with_fd, "ns"},
    {SYS_fallocate, "fallocate", fails_with_fd, "nxss"},
    {SYS_mmap, "mmap", look(CALL_MAP), "-s"},
    {SYS_mremap, "mremap", fails, "-ss"},
    {SYS_mprotect, "mprotect", fails, "-s"},
    {SYS_brk, "brk", look(CALL_BRK), "x"},
    {SYS_clone, "clone", forks, "w"},
    {SYS_clone3, "clone3", look(CALL_FORK, none, 0), "k"},
    {SYS_execve, "execve", execs, "p"},
    {SYS_execveat, "execveat", look(CALL_TASK, none, 1), "-p"},
    {SYS_exit, "exit", look(CALL_EXIT), "n"},
    {SYS_exit_group, "exit_group", look(CALL_EXIT), "n"},
    {SYS_kill, "kill", task, "ng"},
    {SYS_tkill, "tkill", task, "ng"},
    {SYS_tgkill, "tgkill", task, "nng"},
    {SYS_rt_sigqueueinfo, "rt_sigqueueinfo", task, "ng"},
    {SYS_pidfd_send_signal, "pidfd_send_signal", task, "ng"},
    {SYS_setrlimit, "setrlimit", look(CALL_TASK, none, none, 1), "rl"},
    {SYS_prlimit64, "prlimit64", look(CALL_GIVEN, none, none, 2), "nrl"},
    {SYS_io_uring_setup, "io_uring_setup", task, "u"},
    {SYS_ppoll, "ppoll", polls, "fuj"},
    {SYS_pselect6, "pselect6", selects, "-q--j"},
    {SYS_epoll_ctl, "epoll_ctl", interest, "nEny"},
    {SYS_epoll_pwait, "epoll_pwait", epolls, "nesi"},
    {SYS_epoll_pwait2, "epoll_pwait2", epolls, "nes"},
    {SYS_restart_syscall, "restart_syscall", look(CALL_POLL, none, 0), "n"},
    {SYS_nanosleep, "nanosleep", waits, ""},
    {SYS_clock_nanosleep, "clock_nanosleep", waits, "n"},
    {SYS_futex, "futex", waits, ""},
    {SYS_wait4, "wait4", waits, "n"},
    {SYS_waitid, "waitid", waits, "nn"},
    {SYS_flock, "flock", waits, "n"},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait", waits, ""},
    {SYS_rt_sigsuspend, "rt_sigsuspend", waits, ""},
    {SYS_msgrcv, "msgrcv", waits, "n"},
    {SYS_semtimedop, "semtimedop", waits, "n"},
    {SYS_io_uring_enter, "io_uring_enter", waits, "n"},
#ifdef SYS_open  // the older calls, which newer architectures never had
    {SYS_dup2, "dup2", doubles, "nn"},
    {SYS_pipe, "pipe", fails, ""},
    {SYS_epoll_create, "epoll_create", fails, "n"},
    {SYS_eventfd, "eventfd", fails, "u"},
    {SYS_open, "open", opens_at_0, "po"},
    {SYS_creat, "creat", opens_at_0, "p"},
    {SYS_fork, "fork", forks, ""},
    {SYS_vfork, "vfork", forks, ""},
    {SYS_poll, "poll", look(CALL_POLL, none, 0), "fui"},
    {SYS_select, "select", selects, "-q--J"},
    {SYS_epoll_wait, "epoll_wait", epolls, "nesi"},
    {SYS_pause, "pause", waits, ""},
    {SYS_semop, "semop", waits, "n"},
#endif
};

constexpr auto index_by_number = [] {
  std::array<const KnownCall*, RAW_CALLS> index{};
  for (const auto& call : calls) index.at(static_cast<std::size_t>(call.nr)) = &call;
  return index;
}();

}  // namespace

const KnownCall* known_call(unsigned nr) { return nr < RAW_CALLS ? index_by_number[nr] : nullptr; }

void fill_looks(raw_look* looks) {
  for (const auto& call : calls) looks[call.nr] = call.look;
}

}  // namespace lab::evidence
