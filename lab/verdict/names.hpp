// Numbers as people know them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lab::verdict {

std::string error_name(int error);                                                          // "ECONNRESET"
std::string signal_title(int signal);                                                       // "SIGKILL"
std::string span_text(std::int64_t ns);                                                     // "350 ms", "1.2 s"
std::string plural(std::uint64_t count, std::string_view one, std::string_view many = {});  // "1 segment", "3 segments"

}  // namespace lab::verdict
