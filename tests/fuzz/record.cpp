// The binary form in which a sandbox sends its evidence.
#include <stdexcept>

#include "evidence/file.hpp"
#include "target.hpp"

using namespace lab::evidence;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    take_records(lab::fuzz::text(data, size), {.event = [](Event&&) {}, .collector = [](Collector&&) {}});
  } catch (const BadFile&) {
  }
  return 0;
}
