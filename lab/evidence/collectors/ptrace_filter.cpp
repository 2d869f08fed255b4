// The filter that makes the kernel stop a task only at calls of the table (SECCOMP_RET_TRACE). man 2 seccomp.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <vector>

#include "evidence/collectors/ptrace_tracee.hpp"
#include "evidence/collectors/syscalls.hpp"
#include "evidence/collectors/syscalls_decode.hpp"
#include "system/error.hpp"

namespace lab::evidence {

bool traced_call(unsigned nr) {
  if (nr == SYS_seccomp || nr == SYS_prctl) return true;  // the program may install a filter of its own
  const KnownCall* known = known_call(nr);
  return known && known->look.kind != CALL_WAIT;  // who waits at the end is asked of /proc
}

namespace {

sock_filter statement(std::size_t code, std::size_t k) {
  return {static_cast<__u16>(code), 0, 0, static_cast<__u32>(k)};
}

sock_filter jump_if_equal(std::size_t k, std::size_t yes, std::size_t no) {
  return {BPF_JMP | BPF_JEQ | BPF_K, static_cast<__u8>(yes), static_cast<__u8>(no), static_cast<__u32>(k)};
}

// Jumps reach 255 instructions: the table has less than a hundred calls.
std::vector<sock_filter> program() {
  std::vector<unsigned> numbers;
  for (unsigned nr = 0; nr < RAW_CALLS; ++nr)
    if (traced_call(nr)) numbers.push_back(nr);
  std::vector<sock_filter> code;
  code.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  code.push_back(jump_if_equal(native_arch, 0, numbers.size() + 1));
  code.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (std::size_t i = 0; i < numbers.size(); ++i) code.push_back(jump_if_equal(numbers[i], numbers.size() - i, 0));
  code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
  return code;
}

}  // namespace

void CallTracer::load_filter() const {
  static const auto code = program();
  sock_fprog filter{static_cast<unsigned short>(code.size()), const_cast<sock_filter*>(code.data())};
  sys::check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no-new-privileges for the call tracer's filter");
  sys::check(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "the call tracer's filter");
}

}  // namespace lab::evidence
