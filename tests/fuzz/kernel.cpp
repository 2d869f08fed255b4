// Records of the kernel probe's ring: each a length of two bytes and as many bytes.
#include "evidence/collectors/kernel_decode.hpp"
#include "target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lab::evidence::Decoder decoder({});
  auto rest = lab::fuzz::text(data, size);
  while (rest.size() >= 2) {
    const auto length =
        static_cast<std::size_t>(static_cast<unsigned char>(rest[0]) | static_cast<unsigned char>(rest[1]) << 8);
    (void)decoder.decode(rest.substr(2, length));
    rest.remove_prefix(std::min(rest.size(), 2 + length));
  }
  (void)decoder.finish(0);
  return 0;
}
