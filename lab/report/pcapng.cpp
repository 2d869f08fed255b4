// A capture file of what was on the wire. pcapng blocks by hand: draft-ietf-opsawg-pcapng, sections 4.1 to 4.3.
#include <map>
#include <ostream>
#include <string>
#include <utility>

#include "report/packet.hpp"
#include "report/report.hpp"

namespace lab::report {
namespace {

constexpr std::uint16_t kLinkRaw = 101;  // LINKTYPE_RAW: begins with an IPv4 or IPv6 header
constexpr std::uint32_t kSection = 0x0A0D0D0A, kInterface = 1, kPacket = 6;
constexpr std::uint16_t kUserApplication = 4, kName = 2, kResolution = 9, kFlags = 2;

// Little-endian, as the section's magic number then says.
class Bytes {
 public:
  Bytes& u16(std::uint16_t v) { return put(v, 2); }
  Bytes& u32(std::uint32_t v) { return put(v, 4); }
  Bytes& u64(std::uint64_t v) { return put(v, 8); }
  Bytes& padded(std::string_view data) {
    text_ += data;
    text_.append((4 - data.size() % 4) % 4, '\0');
    return *this;
  }
  Bytes& option(std::uint16_t code, std::string_view value) {
    return u16(code).u16(static_cast<std::uint16_t>(value.size())).padded(value);
  }
  Bytes& end_of_options() { return u32(0); }
  const std::string& text() const { return text_; }

 private:
  Bytes& put(std::uint64_t v, int bytes) {
    for (int i = 0; i < bytes; ++i) text_ += static_cast<char>(v >> (8 * i));
    return *this;
  }
  std::string text_;
};

void write_block(std::ostream& out, std::uint32_t type, const Bytes& body) {
  const auto length = static_cast<std::uint32_t>(body.text().size() + 12);
  out << Bytes().u32(type).u32(length).text() << body.text() << Bytes().u32(length).text();
}

class Writer {
 public:
  Writer(std::ostream& out, std::int64_t realtime_offset_ns) : out_(out), offset_(realtime_offset_ns) {
    write_block(
        out_, kSection,
        Bytes().u32(0x1A2B3C4D).u16(1).u16(0).u64(~std::uint64_t{0}).option(kUserApplication, "lab").end_of_options());
  }

  void write(std::int64_t t_ns, const std::string& netns, const std::string& device, bool outgoing,
             const Packet& packet) {
    if (packet.bytes.empty()) return;
    const auto id = interface(netns, device);
    const auto at = static_cast<std::uint64_t>(t_ns + offset_);
    const std::string direction{static_cast<char>(outgoing ? 2 : 1), 0, 0, 0};
    write_block(out_, kPacket,
                Bytes()
                    .u32(id)
                    .u32(static_cast<std::uint32_t>(at >> 32U))
                    .u32(static_cast<std::uint32_t>(at))
                    .u32(static_cast<std::uint32_t>(packet.bytes.size()))
                    .u32(packet.length)
                    .padded(packet.bytes)
                    .option(kFlags, direction)
                    .end_of_options());
  }

 private:
  // Described when first used: a reader needs it before its first packet only.
  std::uint32_t interface(const std::string& netns, const std::string& device) {
    const auto [at, made] = interfaces_.try_emplace({netns, device}, static_cast<std::uint32_t>(interfaces_.size()));
    if (made) {
      const auto name = netns.empty() ? device : netns + ":" + device;
      const std::string nanoseconds(1, 9);
      write_block(
          out_, kInterface,
          Bytes().u16(kLinkRaw).u16(0).u32(0).option(kName, name).option(kResolution, nanoseconds).end_of_options());
    }
    return at->second;
  }
  std::ostream& out_;
  std::int64_t offset_;
  std::map<std::pair<std::string, std::string>, std::uint32_t> interfaces_;
};

}  // namespace

void write_pcapng(std::ostream& out, const evidence::Timeline& timeline) {
  Writer writer(out, timeline.provenance.realtime_offset_ns);
  for (const auto& event : timeline.events) {
    if (const auto* s = std::get_if<evidence::Segment>(&event.what)) {
      writer.write(event.t_ns, s->netns, s->device, s->outgoing, packet_of(*s));
    } else if (const auto* e = std::get_if<evidence::IcmpError>(&event.what)) {
      writer.write(event.t_ns, e->netns, e->device, e->outgoing, packet_of(*e));
    }
  }
}

}  // namespace lab::report
