// The one gate for system calls, and the lab's own failures.
//
// Every system call of the lab goes through check(): it captures errno at once and throws KernelError,
// which names the object acted on ("bind 127.0.0.1:8080") and keeps the kernel's text. What happens to the
// subject (a client's ECONNRESET) is data and never passes through here.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace lab::sys {

// A system call of the lab's own failed. code() is the errno, what() "OBJECT: the kernel's text".
class KernelError : public std::system_error {
 public:
  KernelError(int error, const std::string& object) : std::system_error(error, std::generic_category(), object) {}
  // The name, for messages and exit statuses: "EPERM".
  std::string name() const;
};

// The lab itself cannot go on, for a reason that is no errno. Exit status 125.
class LabError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// This machine lacks a feature. Exit status 77; what() is the reason and, where known, the fix.
class Unavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws KernelError(errno, object) when `result` is -1 (MAP_FAILED for a pointer), else passes it on.
template <class Result>
Result check(Result result, std::string_view object) {
  Result failed;
  if constexpr (std::is_pointer_v<Result>)
    failed = reinterpret_cast<Result>(-1);
  else
    failed = static_cast<Result>(-1);
  if (result == failed) throw KernelError(errno, std::string(object));
  return result;
}

// "ECONNRESET" for 104; "errno 999" for a number without a name. errno_number is its inverse (0: unknown).
std::string errno_name(int error);
int errno_number(std::string_view name);

// "SIGKILL" for 9; signal_number knows "KILL" and "SIGKILL" (0: unknown).
std::string signal_name(int signal);
int signal_number(std::string_view name);

}  // namespace lab::sys
