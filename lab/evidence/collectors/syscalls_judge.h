// Whether a call that returned is worth an event: one answer for BPF and ptrace. Plain C.
#ifndef LAB_SYSCALLS_JUDGE_H
#define LAB_SYSCALLS_JUDGE_H

#include "kernel_raw.h"

enum { LEAVE_OUT, REPORT, THIN_OUT };

#define ERROR_ENOENT 2
#define ERROR_EINTR 4
#define ERROR_EAGAIN 11
#define ERROR_ENOTDIR 20
#define FLAG_MAP_HUGETLB 0x40000
#define ERROR_RESTART_FIRST 512 /* ERESTARTSYS, include/linux/errno.h: the kernel's own, never a program's to see */
#define ERROR_RESTART_LAST 516  /* ERESTART_RESTARTBLOCK */

static inline __s32 call_error(__s64 result) {
  const __u64 value = result;
  const __s32 error = 0 - value; /* the least result has no opposite */
  return result < 0 && result >= -4095 ? error : 0;
}

/* `tcp`: its descriptor is a TCP socket. `unix_domain`: the address it was given is of that family. */
static inline int judge_call(__u32 kind, const __u64* args, __s64 result, int tcp, int unix_domain) {
  const __u64 value = result;
  const __s32 error = call_error(result);
  const int failed = error && error != ERROR_EAGAIN && error != ERROR_EINTR && error < ERROR_RESTART_FIRST;
  switch (kind) {
    case CALL_IO:
    case CALL_SPLICE:
      return tcp || failed ? THIN_OUT : LEAVE_OUT;
    case CALL_NAME: /* name services are asked over unix sockets, mostly in vain */
      return tcp || (failed && !unix_domain) ? REPORT : LEAVE_OUT;
    case CALL_FD:
    case CALL_DUP:
    case CALL_ACCEPT:
      return tcp || failed ? REPORT : LEAVE_OUT;
    case CALL_FCNTL: /* F_DUPFD and F_DUPFD_CLOEXEC */
      return (args[1] == 0 || args[1] == 1030) && (tcp || failed) ? REPORT : LEAVE_OUT;
    case CALL_SOCKET: /* AF_INET and AF_INET6 */
      return failed || args[0] == 2 || args[0] == 10 ? REPORT : LEAVE_OUT;
    case CALL_FAIL:
      return failed ? REPORT : LEAVE_OUT;
    case CALL_MAP:
      return failed && !(args[3] & FLAG_MAP_HUGETLB) ? REPORT : LEAVE_OUT;
    case CALL_OPEN:
      return failed && error != ERROR_ENOENT && error != ERROR_ENOTDIR ? REPORT : LEAVE_OUT;
    case CALL_BRK:
      return args[0] && value < args[0] ? THIN_OUT : LEAVE_OUT;
    case CALL_POLL:
    case CALL_SELECT:
      return THIN_OUT;
    case CALL_TASK:
      return REPORT;
    case CALL_FORK:
      return result ? REPORT : LEAVE_OUT;
    case CALL_GIVEN:
      return failed || args[2] ? REPORT : LEAVE_OUT;
  }
  return LEAVE_OUT;
}

#endif
