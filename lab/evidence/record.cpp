// The binary form: length (4 bytes), tag (1 byte), fields in order. Numbers as they lie in memory, strings and lists
// with their length before them. Its reader trusts nothing: the sender has run other people's programs.
#include <fmt/format.h>

#include <cstring>

#include "evidence/archive.hpp"
#include "evidence/file.hpp"

namespace lab::evidence {
namespace {

using Length = std::uint32_t;
// Above any record a collector makes: a frame is at most 64 KiB, twice that in hex.
constexpr Length longest = 16u << 20;
constexpr std::uint8_t collector_tag = 0xff;  // other tags: the event's type
static_assert(std::variant_size_v<What> < collector_tag);

struct Packer {
  std::string& out;

  template <class T>
  Packer& operator()(const char*, const T& value) {
    put(value);
    return *this;
  }
  template <class T>
  requires std::is_arithmetic_v<T>
  void put(const T& value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out.append(bytes, sizeof value);
  }
  void put(const std::string& text) {
    put(static_cast<Length>(text.size()));
    out += text;
  }
  void put(const Address& address) {
    put(address.family);
    if (!address.known()) return;
    put(address.port);
    for (const auto byte : address.ip) put(byte);
  }
  template <class T>
  void put(const std::vector<T>& values) {
    put(static_cast<Length>(values.size()));
    for (const auto& value : values) put(value);
  }
};

struct Unpacker {
  std::string_view in;

  template <class T>
  Unpacker& operator()(const char*, T& value) {
    get(value);
    return *this;
  }
  std::string_view take(std::size_t size) {
    if (size > in.size()) throw BadFile("a record is shorter than its fields");
    const auto taken = in.substr(0, size);
    in.remove_prefix(size);
    return taken;
  }
  void get(bool& value) { value = take(1)[0] != 0; }
  template <class T>
  requires std::is_arithmetic_v<T>
  void get(T& value) { std::memcpy(&value, take(sizeof value).data(), sizeof value); }
  std::size_t length() {
    Length size = 0;
    get(size);
    return size;
  }
  void get(std::string& text) { text = take(length()); }
  void get(Address& address) {
    address = {};
    get(address.family);
    if (!address.known()) return;
    get(address.port);
    for (auto& byte : address.ip) get(byte);
  }
  template <class T>
  void get(std::vector<T>& values) {
    values.clear();
    for (auto count = length(); count > 0; --count) get(values.emplace_back());
  }
};

std::string sealed(std::string record) {
  const auto size = static_cast<Length>(record.size() - sizeof(Length));
  std::memcpy(record.data(), &size, sizeof size);
  return record;
}

void take_one(std::string_view record, const RecordSink& sink) {
  Unpacker unpack{record};
  std::uint8_t tag = 0;
  unpack.get(tag);
  if (tag == collector_tag) {
    Collector collector;
    collector.fields(unpack);
    if (sink.collector) sink.collector(std::move(collector));
    return;
  }
  if (tag >= std::variant_size_v<What>) throw BadFile(fmt::format("a record of unknown type {}", tag));
  Event event;
  unpack.get(event.t_ns);
  unpack.get(event.read_time);
  event.what = make_what(tag);
  std::visit([&](auto& what) { what.fields(unpack); }, event.what);
  if (sink.event) sink.event(std::move(event));
}

}  // namespace

std::string to_record(const Event& event) {
  std::string record(sizeof(Length), '\0');
  record.reserve(256);
  Packer pack{record};
  pack.put(static_cast<std::uint8_t>(event.what.index()));
  pack.put(event.t_ns);
  pack.put(event.read_time);
  std::visit([&](const auto& what) { each_field(what, pack); }, event.what);
  return sealed(std::move(record));
}

std::string to_record(const Collector& collector) {
  std::string record(sizeof(Length), '\0');
  Packer pack{record};
  pack.put(collector_tag);
  each_field(collector, pack);
  return sealed(std::move(record));
}

std::size_t take_records(std::string_view buffer, const RecordSink& sink) {
  std::size_t used = 0;
  while (buffer.size() - used >= sizeof(Length)) {
    Length size = 0;
    std::memcpy(&size, buffer.data() + used, sizeof size);
    if (size > longest) throw BadFile(fmt::format("a record of {} bytes", size));
    if (buffer.size() - used - sizeof(Length) < size) break;
    take_one(buffer.substr(used + sizeof(Length), size), sink);
    used += sizeof(Length) + size;
  }
  return used;
}

}  // namespace lab::evidence
