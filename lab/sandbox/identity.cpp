#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "sandbox/sandbox.hpp"

namespace lab::sandbox {
namespace {

constexpr uid_t kNobody = 65534;

// A variable that sudo set. Neither root nor "no change" (-1) is anybody to run programs as.
std::optional<uid_t> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text) return {};
  uid_t number = 0;
  const auto* end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, number);
  if (read.ec != std::errc() || read.ptr != end || number == 0 || number == static_cast<uid_t>(-1)) return {};
  return number;
}

}  // namespace

Identity invoker() {
  if (::geteuid() != 0) return {::geteuid(), ::getegid(), false};
  const auto uid = number_in("SUDO_UID");
  if (!uid) return {kNobody, kNobody, true};
  return {*uid, number_in("SUDO_GID").value_or(kNobody), true};
}

}  // namespace lab::sandbox
