#include "evidence/collectors/kernel.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "evidence/collectors/kernel_object.hpp"
#include "system/error.hpp"

namespace lab::evidence {

Namespaces namespaces_of(pid_t pid) {
  const auto inode = [pid](const char* name) {
    struct stat s {};
    const auto path = fmt::format("/proc/{}/ns/{}", pid, name);
    sys::check(::stat(path.c_str(), &s), path);
    return static_cast<std::uint32_t>(s.st_ino);
  };
  return {.user = inode("user"), .pid = inode("pid")};
}

#ifdef LAB_BPF_MISSING
std::unique_ptr<KernelProbe> KernelProbe::load(Wanted) { throw sys::Unavailable(why_not()); }
std::string KernelProbe::why_not() { return bpf_missing(); }
#endif

}  // namespace lab::evidence
