#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <utility>

#include "sandbox/sandbox.hpp"
#include "sandbox/sysctl.hpp"
#include "system/error.hpp"

namespace lab::sandbox {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kNoNamespaces = 255;  // an exit status no errno of these calls has

// errno of setting it, 0 when the kernel took it. In the child, which then ends.
int try_to_set(const std::string& sysctl, const std::string& value) {
  try {
    // Root's right to write others' files would hide what the sandbox's user meets.
    if (::geteuid() == 0 && (::syscall(SYS_setresgid, kNobody, kNobody, kNobody) == -1 ||
                             ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) == -1))
      return kNoNamespaces;
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) == -1) return kNoNamespaces;
    if (!has_sysctl(sysctl)) return ENOENT;
    set_sysctl(sysctl, value.empty() ? get_sysctl(sysctl) : value);
    return 0;
  } catch (const sys::KernelError& error) {
    return error.code().value();
  } catch (const std::exception&) {
    return kNoNamespaces;
  }
}

int probe(const std::string& sysctl, const std::string& value) {
  const auto pid = sys::check(::fork(), "fork to try a sysctl");
  if (pid == 0) ::_exit(try_to_set(sysctl, value));
  int status = 0;
  while (::waitpid(pid, &status, 0) == -1)
    if (errno != EINTR) sys::check(-1, "wait for the try of a sysctl");
  return WIFEXITED(status) ? WEXITSTATUS(status) : kNoNamespaces;
}

// The routed topology's links are not there to try: what one link takes, lo takes too.
std::string with_a_device_that_exists(std::string sysctl) {
  for (const std::string device : {"client0", "router0", "router1", "server0"})
    if (const auto at = sysctl.find(device); at != std::string::npos) return sysctl.replace(at, device.size(), "lo");
  return sysctl;
}

std::string reason(const std::string& sysctl, const std::string& value) {
  const char* unknown = "unknown to this kernel";
  switch (const int error = probe(sysctl, value)) {
    case 0:
      return "";
    case kNoNamespaces:
      return has_sysctl(sysctl) ? "" : unknown;
    case ENOENT:
      return has_sysctl(sysctl) ? "not per network namespace" : unknown;
    case EACCES:
      return "not per network namespace";  // there, but read-only inside
    case EPERM:
      return "needs root outside";
    default:
      return "the kernel refuses the value" + (value.empty() ? "" : " " + value) + " (" + sys::errno_name(error) + ")";
  }
}

}  // namespace

std::string why_not_settable(const std::string& sysctl, const std::string& value) {
  static std::map<std::pair<std::string, std::string>, std::string> known;
  const auto key = std::make_pair(sysctl, value);
  const auto found = known.find(key);
  if (found != known.end()) return found->second;
  std::string why;
  try {
    why = reason(with_a_device_that_exists(sysctl), value);
  } catch (const sys::LabError&) {
    why = "not a sysctl of the network (net.*)";
  }
  return known[key] = why;
}

}  // namespace lab::sandbox
