#include "evidence/collectors/ptrace_tracee.hpp"

#include <arpa/inet.h>
#include <elf.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::evidence {
namespace {

constexpr int mptcp = 262;  // IPPROTO_MPTCP, linux/in.h

std::string read_proc(pid_t tid, const char* file) {
  try {
    return sys::read_file(fmt::format("/proc/{}/{}", tid, file));
  } catch (const sys::KernelError&) {
    return {};  // gone
  }
}

// The value of a line "Name:\tvalue".
std::string status_field(pid_t tid, const std::string& name) {
  const auto text = read_proc(tid, "status");
  const auto at = text.find("\n" + name + ":\t");
  if (at == text.npos) return {};
  const auto from = at + name.size() + 3;
  return text.substr(from, text.find('\n', from) - from);
}

Address address_of(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    return make_address(4, &v4.sin_addr, ntohs(v4.sin_port));
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    return make_address(6, &v6.sin6_addr, ntohs(v6.sin6_port));
  }
  return {};
}

using NameOf = int (*)(int, sockaddr*, socklen_t*);
Address name_by(NameOf call, int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (call(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  const auto address = address_of(storage);
  const bool nowhere =
      !address.port && std::all_of(address.ip.begin(), address.ip.end(), [](auto b) { return b == 0; });
  return nowhere ? Address{} : address;
}

}  // namespace

bool still_there(long result, const char* what) {
  if (result == -1 && errno == ESRCH) return false;
  sys::check(result, what);
  return true;
}

std::optional<CallStop> call_stop(pid_t tid) {
  __ptrace_syscall_info info{};
  const auto got = ::ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info);
  if (!still_there(got, "PTRACE_GET_SYSCALL_INFO")) return {};
  CallStop stop;
  stop.foreign = info.arch != native_arch;
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY || info.op == PTRACE_SYSCALL_INFO_SECCOMP) {
    stop.where = CallStop::entry;
    stop.nr = info.entry.nr;
    std::copy(std::begin(info.entry.args), std::end(info.entry.args), stop.args);
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
    stop.where = CallStop::exit;
    stop.result = info.exit.rval;
  }
  return stop;
}

std::optional<CallStop> registers(pid_t tid) {
  user_regs_struct regs{};
  iovec vector{&regs, sizeof regs};
  if (!still_there(::ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &vector), "PTRACE_GETREGSET")) return {};
  CallStop stop;
#if defined(__x86_64__)
  stop.nr = regs.orig_rax;
  const std::uint64_t args[] = {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9};
#else
  stop.nr = regs.regs[8];
  const std::uint64_t args[] = {regs.regs[0], regs.regs[1], regs.regs[2], regs.regs[3], regs.regs[4], regs.regs[5]};
#endif
  std::copy(std::begin(args), std::end(args), stop.args);
  return stop;
}

std::optional<std::uint64_t> event_message(pid_t tid) {
  unsigned long message = 0;
  if (!still_there(::ptrace(PTRACE_GETEVENTMSG, tid, nullptr, &message), "PTRACE_GETEVENTMSG")) return {};
  return message;
}

std::optional<siginfo_t> signal_info(pid_t tid) {
  siginfo_t info{};
  if (!still_there(::ptrace(PTRACE_GETSIGINFO, tid, nullptr, &info), "PTRACE_GETSIGINFO")) return {};
  return info;
}

// What is wanted may be shorter than `most` and end with its page.
std::size_t read_memory(pid_t tid, std::uint64_t address, void* to, std::size_t most) {
  if (!address) return 0;
  for (std::size_t length = most; length >= 4; length /= 2) {
    iovec local{to, length}, remote{};
    std::memcpy(&remote.iov_base, &address, sizeof remote.iov_base);
    remote.iov_len = length;
    const auto n = ::process_vm_readv(tid, &local, 1, &remote, 1, 0);
    if (n == static_cast<ssize_t>(length)) return length;
  }
  return 0;
}

// The copy is closed before the task goes on: it never outlives the call that is looked at.
std::optional<Ends> connection_of(int process, int fd, int& error) {
  if (process < 0 || fd < 0) return {};
  const sys::Descriptor copy(static_cast<int>(::syscall(SYS_pidfd_getfd, process, fd, 0)));
  if (!copy.valid()) {
    error = errno;
    return {};
  }
  int protocol = 0;
  socklen_t length = sizeof protocol;
  if (::getsockopt(copy.get(), SOL_SOCKET, SO_PROTOCOL, &protocol, &length) != 0) {
    error = errno;
    return {};
  }
  if (protocol != IPPROTO_TCP && protocol != mptcp) return {};
  return Ends{name_by(::getsockname, copy.get()), name_by(::getpeername, copy.get()), true};
}

pid_t process_of(pid_t tid) { return std::atoi(status_field(tid, "Tgid").c_str()); }

std::string name_of_task(pid_t tid) {
  auto name = read_proc(tid, "comm");
  if (!name.empty()) name.pop_back();
  return name;
}

bool ignores(pid_t tid, int signal) {
  const auto mask = std::strtoull(status_field(tid, "SigIgn").c_str(), nullptr, 16);
  return signal > 0 && signal <= 64 && mask >> (signal - 1) & 1;
}

// man 5 proc: "running", or the call's number (-1: in none), its arguments, stack and program counter.
std::optional<CallStop> sleeping_in(pid_t tid) {
  std::istringstream text(read_proc(tid, "syscall"));
  long nr = -1;
  if (!(text >> std::dec >> nr) || nr < 0) return {};
  CallStop stop;
  stop.where = CallStop::entry;
  stop.nr = static_cast<std::uint64_t>(nr);
  text >> std::hex;
  for (auto& arg : stop.args) text >> arg;
  return stop;
}

}  // namespace lab::evidence
