#include "sandbox/cgroup_guardian.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/file.hpp"
#include "system/process.hpp"

namespace lab::sandbox {
namespace {

// How long processes may take to die after SIGKILL.
constexpr std::int64_t kPatience_ns = 10'000'000'000;

void try_to_write(const std::string& path, const char* text) {
  try {
    sys::write_file(path, text);
  } catch (const std::exception&) {
    // Not of this version or controller, or gone already.
  }
}

void kill_members(const std::string& folder) {
  try_to_write(folder + "/cgroup.freeze", "0");
  try_to_write(folder + "/freezer.state", "THAWED");  // in version 1 a frozen process can't even be killed
  try {
    std::istringstream members(sys::read_file(folder + "/cgroup.procs"));
    for (pid_t pid; members >> pid;)
      if (pid > 0) ::kill(pid, SIGKILL);
  } catch (const std::exception&) {
  }
}

// Nothing tells when a group of version 1 has become empty: it is tried again each millisecond.
void remove(const std::string& folder, const sys::Deadline& deadline) {
  while (::rmdir(folder.c_str()) == -1 && errno == EBUSY && !deadline.passed()) {
    kill_members(folder);
    ::poll(nullptr, 0, 1);
  }
}

void clear(const std::vector<std::string>& folders) {
  const auto deadline = sys::Deadline::after_ns(kPatience_ns);
  for (const auto& folder : folders) kill_members(folder);
  for (const auto& folder : folders) remove(folder, deadline);
}

[[noreturn]] void guard(const std::vector<std::string>& folders, int life) {
  // Ctrl-C, a closed terminal and `pkill lab` end lab; this one goes when lab has.
  ::setsid();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) ::signal(signal, SIG_IGN);
  ::prctl(PR_SET_NAME, "lab-cgroups", 0, 0, 0);
  try {
    sys::close_descriptors_except({life});
    char byte;
    while (::read(life, &byte, 1) == -1 && errno == EINTR) {
    }
    clear(folders);
  } catch (const std::exception&) {
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace

CgroupGuardian::CgroupGuardian(const std::vector<std::string>& folders) : folders_(folders) {
  auto life = sys::make_pipe();
  const auto pid = sys::check(::fork(), "fork for control groups");
  if (pid == 0) {
    life.write.reset();
    guard(folders, life.read.get());
  }
  pidfd_ = sys::open_process(pid);
  life_ = std::move(life.write);
}

CgroupGuardian::~CgroupGuardian() {
  life_.reset();
  try {
    if (pidfd_.valid() && sys::reap(pidfd_.get()) != 0) clear(folders_);  // somebody has killed it
  } catch (const std::exception&) {
    // Somebody else has reaped it.
  }
}

}  // namespace lab::sandbox
