// Socket options by name, with what they take.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "scenario/types.hpp"

namespace lab::scenario {

enum class Measure { bytes, seconds, milliseconds, number, toggle, text };

struct OptionRow {
  std::string_view name;
  Measure measure;
  std::int64_t least, most;
  std::string_view kernel;  // the option's own name, and the manual page's
  std::string_view says;
};

std::span<const OptionRow> option_rows();
const OptionRow* option_row(std::string_view name);
// "a size such as 64 or \"4KiB\"", …
std::string described(const OptionRow& row);
// `value` as written: "4KiB", "1", "500ms", "true". Nothing when the row can't take it.
std::optional<SocketOption> parse_option(const OptionRow& row, std::string_view value);

}  // namespace lab::scenario
