// Where a run happens: one clone3 with new user, net, pid, mount, ipc and uts namespaces, under sudo and
// without root alike. man clone, user_namespaces, pid_namespaces, network_namespaces.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "scenario/types.hpp"
#include "system/descriptor.hpp"

namespace lab::sandbox {

// Whom programs inside are, inside and outside: one user and one group, mapped to themselves.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  bool root_outside = false;  // lab itself runs as root: BPF and cgroups can be had
};
// SUDO_UID and SUDO_GID under sudo; 65534 (nobody) for plain root; else the caller's own. Never 0.
Identity invoker();

struct Plan {
  Identity identity;
  scenario::Network network;
  std::vector<std::string>
      visible;  // folders that stay visible beneath a private /tmp (the scenario's, the working folder)
  // Some actor starts a program: /dev is minimal and /sys read-only and of the new network namespace (0.3 ms more).
  bool programs = true;
  // Descriptors of the caller that init goes on using (its end of the evidence pipe). The others above 2 are closed in
  // init first of all: a fork without exec inherits them in spite of close-on-exec, the life lines of other sandboxes
  // too.
  std::vector<int> keep;
  // A session of its own: signals of the caller's terminal (Ctrl-C) reach the caller only. False for a shell.
  bool own_session = true;
};

// The outer side's handle. Destroying it kills everything inside and reaps.
class Sandbox {
 public:
  // Makes the namespaces and, in the new pid 1, calls `init`, whose return value is its exit status. In the child
  // every capability of the new user namespace is held, the identity is set, and the parent-death signal with the
  // life line (a pipe whose end of file means that lab is gone) is armed; nothing else is done yet: see furnish().
  // Exceptions that leave `init` become exit status 125. Throws Unavailable where user namespaces can't be had (with
  // the reason and the fix), KernelError else. The caller has one thread (fork without exec), and the parent-death
  // signal follows the thread that calls this.
  static Sandbox make(const Plan& plan, const std::function<int()>& init);
  Sandbox(Sandbox&&) noexcept;
  Sandbox& operator=(Sandbox&&) noexcept;
  ~Sandbox();

  pid_t pid() const;     // on the host
  int pidfd() const;     // readable when init has ended
  void kill() noexcept;  // SIGKILL to pid 1: the kernel kills the rest
  int wait();            // blocks until init is gone; wait status

 private:
  struct State;
  explicit Sandbox(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// ---- called by init

// In init, the descriptor to poll: readable (end of file) when lab is gone, and then init ends at once. -1 elsewhere.
int life_line();

// A network namespace of the run. On loopback topology there is one, with an empty name.
struct Netns {
  std::string name;    // "", or "client", "router", "server"
  sys::Descriptor ns;  // /proc/self/ns/net of it
};

// Own /proc, private /tmp and /dev, /sys read-only; links up, addresses, routes, mtu and offloads, sysctls
// (net.ipv4.ip_unprivileged_port_start=0 among them). Returns the namespaces, the run's own first.
std::vector<Netns> furnish(const Plan& plan);

// Calls `work` with the thread in `ns` and comes back, also when it throws.
void inside(const Netns& ns, const std::function<void()>& work);

// Why a sysctl can't be set in a sandbox: "" when it can, else the reason ("not per network namespace", "needs root
// outside", "unknown to this kernel", "the kernel refuses the value …"). Tried on this kernel, in a child with
// namespaces of its own that ends at once; remembered. Without `value` the present one is written back. Used at check
// time; runs without privileges. Where no namespaces can be had, only what the caller's own /proc/sys shows is judged.
std::string why_not_settable(const std::string& sysctl, const std::string& value = "");

}  // namespace lab::sandbox
