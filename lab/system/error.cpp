#include "system/error.hpp"

#include <fmt/format.h>
#include <string.h>

namespace lab::sys {

std::string KernelError::name() const { return errno_name(code().value()); }

// strerrorname_np and sigabbrev_np are glibc 2.32 (man strerror, man strsignal).
std::string errno_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name ? name : fmt::format("errno {}", error);
}

int errno_number(std::string_view name) {
  for (int error = 1; error < 4096; ++error) {
    const char* known = ::strerrorname_np(error);
    if (known && name == known) return error;
  }
  // glibc gives one name to each number; these are the other spellings of errno(3).
  if (name == "EWOULDBLOCK") return EWOULDBLOCK;
  if (name == "EDEADLOCK") return EDEADLOCK;
  if (name == "ENOTSUP") return ENOTSUP;
  return 0;
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

int signal_number(std::string_view name) {
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int signal = 1; signal < 65; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known && name == known) return signal;
  }
  return 0;
}

}  // namespace lab::sys
