// A captured packet from its IP header on.
#include "evidence/collectors/packet.hpp"

#include "evidence/collectors/kernel_decode.hpp"
#include "target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)lab::evidence::read_packet(lab::fuzz::text(data, size));
  (void)lab::evidence::parse_packet(lab::fuzz::text(data, size));
  return 0;
}
