// A rule file's text.
#include "scenario/reading.hpp"
#include "scenario/rule.hpp"
#include "target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lab::scenario::Reading reading;
  (void)lab::scenario::read_rule_text(reading, std::string(lab::fuzz::text(data, size)), "fuzz.toml");
  lab::scenario::tidy(reading.mistakes);
  for (const auto& mistake : reading.mistakes) (void)lab::scenario::to_string(mistake);
  return 0;
}
