// A scenario file's text. Files that it names are looked for where there are none.
#include "scenario/reader.hpp"

#include "target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = lab::scenario::parse_scenario(lab::fuzz::text(data, size), "/dev/null/none/fuzz.toml", {});
  for (const auto& mistake : read.mistakes) (void)lab::scenario::to_string(mistake);
  return 0;
}
