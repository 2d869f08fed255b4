// One step; the first byte chooses its role and address family.
#include "scenario/reader.hpp"
#include "target.hpp"

using namespace lab::scenario;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr Role roles[] = {Role::server, Role::client, Role::proxy, Role::op};
  const auto text = lab::fuzz::text(data + 1, size - 1);
  const auto read =
      parse_step(text, {"fuzz.toml", 1, 1}, roles[data[0] % 4], data[0] & 4 ? Family::ipv6 : Family::ipv4);
  for (const auto& mistake : read.mistakes) (void)to_string(mistake);
  (void)parse_range(text);
  (void)parse_duration(text);
  (void)parse_size(text);
  return 0;
}
