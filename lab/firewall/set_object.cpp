// Sets as libnftnl's objects.
#include <endian.h>
#include <libnftnl/set.h>

#include <cstring>

#include "firewall/bytecode.hpp"
#include "firewall/compiler.hpp"
#include "firewall/netfilter.hpp"
#include "system/error.hpp"

namespace lab::firewall {
namespace {

// nft's own numbers of data types (include/datatype.h); the kernel only keeps them. A concatenation's are six bits
// each.
enum Type : std::uint32_t { kIpv4 = 7, kIpv6 = 8, kService = 13 };
constexpr std::uint32_t kPorts = kService << 6 | kService;

nftnl_set* make(const char* name, std::uint32_t id, std::uint32_t flags, std::uint32_t type, std::uint32_t length) {
  auto* set = nftnl_set_alloc();
  if (!set) throw sys::LabError("libnftnl: no memory for a set");
  nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
  nftnl_set_set_str(set, NFTNL_SET_TABLE, kTable);
  nftnl_set_set_str(set, NFTNL_SET_NAME, name);
  nftnl_set_set_u32(set, NFTNL_SET_ID, id);
  nftnl_set_set_u32(set, NFTNL_SET_FLAGS, flags);
  nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, type);
  nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, length);
  return set;
}

// A key of a concatenation: each field fills whole 4-byte slots.
struct Key {
  std::vector<std::uint8_t> bytes;
  void put(const void* data, std::size_t length) {
    const auto at = bytes.size();
    bytes.resize(at + (length + 3) / 4 * 4);
    std::memcpy(bytes.data() + at, data, length);
  }
  void port(std::uint16_t number) {
    const std::uint16_t big = htobe16(number);
    put(&big, sizeof big);
  }
  void end(const std::optional<IpAddress>& address, std::uint16_t number) {
    if (address) put(address->bytes.data(), address->size());
    port(number);
  }
  void any(const std::optional<IpAddress>& address, bool last, std::uint16_t highest) {
    if (address) {
      const std::vector<std::uint8_t> limit(address->size(), last ? 0xff : 0);
      put(limit.data(), limit.size());
    }
    port(last ? highest : 0);
  }
};

void put_range(nftnl_set* set, const Key& from, const Key& to) {
  auto* element = nftnl_set_elem_alloc();
  if (!element) throw sys::LabError("libnftnl: no memory for a set's element");
  nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, from.bytes.data(), static_cast<std::uint32_t>(from.bytes.size()));
  nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY_END, to.bytes.data(), static_cast<std::uint32_t>(to.bytes.size()));
  nftnl_set_elem_add(set, element);
}

}  // namespace

void FreeSet::operator()(nftnl_set* set) const { nftnl_set_free(set); }

// Without a size: rules that fill it give it 65535 (nft_dynset_init, net/netfilter/nft_dynset.c), and its table grows
// with what is in it. A size that is stated takes the table for as many at once: a megabyte, and milliseconds.
SetObject to_set(const Set& set, std::uint32_t set_id) {
  const std::uint32_t flags = set.timeout_ms ? NFT_SET_EVAL | NFT_SET_TIMEOUT : NFT_SET_EVAL;
  SetObject object(make(set.name.c_str(), set_id, flags, kPorts, 8));
  if (set.timeout_ms) nftnl_set_set_u64(object.get(), NFTNL_SET_TIMEOUT, set.timeout_ms);
  return object;
}

SetObject anonymous(const Line& line, std::uint32_t set_id) {
  const auto* either = line.statements.empty() ? nullptr : std::get_if<nft::Either>(&line.statements.front());
  if (!either) return {};
  const auto& address = either->address;
  std::vector<std::uint8_t> fields{2, 2};
  std::uint32_t type = kPorts, length = 8;
  if (address) {
    const auto size = static_cast<std::uint8_t>(address->size());
    const std::uint32_t ip = address->family == Family::ipv4 ? kIpv4 : kIpv6;
    fields = {size, 2, size, 2};
    type = ((ip << 6 | kService) << 6 | ip) << 6 | kService;
    length = 2u * size + 8;
  }
  SetObject set(
      make("__set%d", set_id, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL | NFT_SET_CONCAT, type, length));
  nftnl_set_set_u32(set.get(), NFTNL_SET_DESC_SIZE, 2);
  nftnl_set_set_data(set.get(), NFTNL_SET_DESC_CONCAT, fields.data(), static_cast<std::uint32_t>(fields.size()));
  for (const bool from_server : {true, false}) {
    Key first, last;
    const auto server = [&](Key& key) { key.end(address, either->port); };
    if (from_server) server(first), server(last);
    const auto highest = from_server ? std::uint16_t{65535} : either->last_client_port();
    first.any(address, false, highest), last.any(address, true, highest);
    if (!from_server) server(first), server(last);
    put_range(set.get(), first, last);
  }
  return set;
}

}  // namespace lab::firewall
