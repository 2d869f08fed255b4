// What the steps of one process share: the listener, its threads, the instances that run in it.
#pragma once

#include <pthread.h>

#include <functional>
#include <mutex>
#include <vector>

#include "actors/plan.hpp"
#include "actors/records.hpp"

namespace lab::actors {

// A connection as steps know it. The number stays after close: a later step meets the kernel's EBADF, or, as in a
// program with that bug, whatever got the number next.
struct Connection {
  int fd = -1;
  int family = 0;  // AF_INET, AF_INET6
  End local, peer;
  // SO_RCVTIMEO and SO_SNDTIMEO as last set, in ns; kUnknown: inherited, or another thread's business.
  std::int64_t receive_timeout = 0, send_timeout = 0;
  bool linger_zero = false;
};
inline constexpr std::int64_t kUnknown = -1;

// One of `parallel`: its connections by name, shared by its threads.
struct Instance {
  std::uint32_t number = 0;
  std::mutex lock;  // of `named`; never held over a system call of a step
  std::vector<Connection> named;
  std::vector<int> open;  // what its end shall close, where it is a thread in place of a process
};

// Threads that have to be waited for.
class Threads {
 public:
  // 0 or the errno. The thread runs with the kernel's and libc's usual attributes, as a program's would.
  int start(std::function<void()> work);
  void join();  // until all have ended, those started meanwhile too
  std::unique_lock<std::mutex> hold() { return std::unique_lock(lock_); }
  void forget();  // in a forked child: they were the parent's

 private:
  std::mutex lock_;
  std::vector<pthread_t> all_;
};

struct Process {
  const scenario::Actor& actor;
  const Plan& plan;
  Records& records;
  const std::vector<char*>& environment;
  std::byte* buffer = nullptr;         // plan.buffer bytes: what recv overwrites; nobody reads it
  const std::byte* pattern = nullptr;  // plan.buffer bytes: what send SIZE sends
  int channel = -1;                    // an operator's way to wake init
  pid_t pid = 0;
  Connection listener;
  bool listens_everywhere = false;  // on a wildcard address: a connection has another than the listener
  // business.
  bool close_at_end = false;
  Threads threads;
};

// Opens the listener: socket, options, bind, listen. Recorded only when it fails.
bool open_listener(Process& process);

// A socket with the actor's options set; in `connection`, its number. 0 or the errno, and in `via` the call that
// failed.
int make_socket(Process& process, int family, bool listening, Connection& connection, Via& via);

}  // namespace lab::actors
