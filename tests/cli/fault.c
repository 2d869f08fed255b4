// Preloaded into lab by a test: the n-th system call that the program makes through the C library fails. The count is
// in a file that all of lab's processes share, and what failed is written there. Programs that lab starts are left
// alone.
//
// LAB_FAULT names the file: struct fault below, the test fills `at` (0: count only), `error`, and `only` where calls of
// one name alone are to be counted.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct fault {
  unsigned long count, at;
  int error, pid;
  char call[32], only[32];
};
static struct fault* shared;

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("LAB_FAULT");
  if (!path) return;
  // By number: the wrappers below are not ready yet.
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) abort();
  void* memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) abort();
  syscall(SYS_close, fd);
  unsetenv("LD_PRELOAD");
  unsetenv("LAB_FAULT");
  shared = memory;
}

static int fails(const char* call) {
  if (!shared || (shared->only[0] && strcmp(shared->only, call) != 0)) return 0;
  if (__atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST) != shared->at) return 0;
  shared->pid = (int)getpid();
  strncpy(shared->call, call, sizeof shared->call - 1);
  errno = shared->error;
  return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRAP(result, name, parameters, arguments)      \
  result name parameters {                             \
    static __typeof__(&name) next;                     \
    if (!next) next = NEXT(name);                      \
    return fails(#name) ? (result)-1 : next arguments; \
  }

WRAP(ssize_t, read, (int f, void* b, size_t n), (f, b, n))
WRAP(ssize_t, pread, (int f, void* b, size_t n, off_t o), (f, b, n, o))
WRAP(ssize_t, write, (int f, const void* b, size_t n), (f, b, n))
WRAP(ssize_t, send, (int f, const void* b, size_t n, int g), (f, b, n, g))
WRAP(ssize_t, sendto, (int f, const void* b, size_t n, int g, const struct sockaddr* a, socklen_t l),
     (f, b, n, g, a, l))
WRAP(ssize_t, sendmsg, (int f, const struct msghdr* m, int g), (f, m, g))
WRAP(ssize_t, recvfrom, (int f, void* b, size_t n, int g, struct sockaddr* a, socklen_t* l), (f, b, n, g, a, l))
WRAP(ssize_t, recvmsg, (int f, struct msghdr* m, int g), (f, m, g))
WRAP(int, socket, (int d, int t, int p), (d, t, p))
WRAP(int, socketpair, (int d, int t, int p, int f[2]), (d, t, p, f))
WRAP(int, bind, (int f, const struct sockaddr* a, socklen_t l), (f, a, l))
WRAP(int, listen, (int f, int n), (f, n))
WRAP(int, connect, (int f, const struct sockaddr* a, socklen_t l), (f, a, l))
WRAP(int, accept4, (int f, struct sockaddr* a, socklen_t* l, int g), (f, a, l, g))
WRAP(int, getsockname, (int f, struct sockaddr* a, socklen_t* l), (f, a, l))
WRAP(int, setsockopt, (int f, int v, int o, const void* p, socklen_t l), (f, v, o, p, l))
WRAP(int, getsockopt, (int f, int v, int o, void* p, socklen_t* l), (f, v, o, p, l))
WRAP(int, poll, (struct pollfd * f, nfds_t n, int t), (f, n, t))
WRAP(int, pipe2, (int f[2], int g), (f, g))
WRAP(int, dup2, (int a, int b), (a, b))
WRAP(int, memfd_create, (const char* n, unsigned g), (n, g))
WRAP(int, eventfd, (unsigned n, int g), (n, g))
WRAP(int, signalfd, (int f, const sigset_t* s, int g), (f, s, g))
WRAP(int, close_range, (unsigned a, unsigned b, int g), (a, b, g))
WRAP(int, unshare, (int g), (g))
WRAP(int, setns, (int f, int g), (f, g))
WRAP(int, mount, (const char* s, const char* t, const char* y, unsigned long g, const void* d), (s, t, y, g, d))
WRAP(int, mkdir, (const char* p, mode_t m), (p, m))
WRAP(int, symlink, (const char* a, const char* b), (a, b))
WRAP(int, chmod, (const char* p, mode_t m), (p, m))
WRAP(int, chdir, (const char* p), (p))
WRAP(int, stat, (const char* p, struct stat* s), (p, s))
WRAP(int, fstat, (int f, struct stat* s), (f, s))
WRAP(int, ftruncate, (int f, off_t n), (f, n))
WRAP(off_t, lseek, (int f, off_t o, int w), (f, o, w))
WRAP(int, access, (const char* p, int m), (p, m))
WRAP(pid_t, fork, (void), ())
WRAP(pid_t, waitpid, (pid_t p, int* s, int o), (p, s, o))
WRAP(pid_t, setsid, (void), ())
WRAP(int, kill, (pid_t p, int s), (p, s))
WRAP(int, sigprocmask, (int h, const sigset_t* a, sigset_t* b), (h, a, b))
WRAP(int, getgroups, (int n, gid_t* g), (n, g))
WRAP(int, waitid, (idtype_t t, id_t i, siginfo_t* s, int o), (t, i, s, o))
WRAP(int, setrlimit, (__rlimit_resource_t r, const struct rlimit* l), (r, l))
WRAP(int, getrlimit, (__rlimit_resource_t r, struct rlimit* l), (r, l))
WRAP(void*, mmap, (void* a, size_t n, int p, int g, int f, off_t o), (a, n, p, g, f, o))
WRAP(ssize_t, getrandom, (void* b, size_t n, unsigned g), (b, n, g))

// The descriptor is gone also when close(2) fails.
int close(int f) {
  static int (*next)(int);
  if (!next) next = NEXT(close);
  const int result = next(f);
  return fails("close") ? -1 : result;
}

#define OPEN(name, before, pass)                                                    \
  int name(before, int flags, ...) {                                                \
    static int (*next)(before, int, ...);                                           \
    va_list more;                                                                   \
    va_start(more, flags);                                                          \
    const mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
    va_end(more);                                                                   \
    if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, #name);                    \
    return fails(#name) ? -1 : next pass;                                           \
  }
#define COMMA ,
OPEN(open, const char* path, (path, flags, mode))
OPEN(openat, int at COMMA const char* path, (at, path, flags, mode))

#define VARIADIC(result, name, first, number, pass)        \
  result name(first, ...) {                                \
    static __typeof__(&name) next;                         \
    long w[6];                                             \
    va_list more;                                          \
    va_start(more, number);                                \
    for (int i = 0; i < 6; ++i) w[i] = va_arg(more, long); \
    va_end(more);                                          \
    if (!next) next = NEXT(name);                          \
    return fails(#name) ? -1 : next pass;                  \
  }
VARIADIC(int, fcntl, int f COMMA int c, c, (f, c, w[0]))
VARIADIC(int, prctl, int o, o, (o, w[0], w[1], w[2], w[3]))

// Counted under the name of the call it stands for is more than a test needs: its number.
long syscall(long number, ...) {
  static long (*next)(long, ...);
  char name[32] = "syscall ";
  long w[6];
  va_list more;
  va_start(more, number);
  for (int i = 0; i < 6; ++i) w[i] = va_arg(more, long);
  va_end(more);
  if (!next) next = NEXT(syscall);
  char* at = name + 8;
  for (long unit = 100; unit; unit /= 10) *at++ = (char)('0' + number / unit % 10);
  // Those that can't fail in the kernel either (man gettid).
  if (number == SYS_exit_group || number == SYS_gettid) return next(number, w[0], w[1], w[2], w[3], w[4], w[5]);
  return fails(name) ? -1 : next(number, w[0], w[1], w[2], w[3], w[4], w[5]);
}
