// The wire: every TCP segment, and every ICMP error about one, that a device of the namespace carried.
#include <fmt/format.h>
#include <net/if.h>

#include <map>

#include "evidence/collectors/collector.hpp"
#include "evidence/collectors/folding.hpp"
#include "evidence/collectors/packet.hpp"
#include "evidence/collectors/packet_tap.hpp"
#include "system/clock.hpp"

namespace lab::evidence {
namespace {

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

class Wire : public Source {
 public:
  Wire(std::string netns, bool keep_frames, bool hurry)
      : netns_(std::move(netns)),
        keep_frames_(keep_frames),
        loopback_(static_cast<int>(::if_nametoindex("lo"))),
        tap_(netns_.empty(), hurry) {
    learn_devices();
  }

  std::vector<int> descriptors() const override { return tap_.descriptors(); }
  void start(Sink&) override {
    tap_.drain([](const PacketTap::Packet&) {});
    tap_.lost();
  }
  void drain(Sink& sink) override {
    const auto ahead = sys::realtime_ahead_ns();
    tap_.drain([&](const PacketTap::Packet& packet) { take(packet, packet.realtime_ns - ahead, sink); });
    lost_ += tap_.lost();
  }
  void finish(Sink& sink) override {
    drain(sink);
    folding_.flush([&](std::int64_t t_ns, Segment&& segment) { put(sink, t_ns, std::move(segment)); });
  }
  Collector account() const override {
    Collector account{.name = "wire", .on = true, .why = "", .events = events_, .lost = lost_};
    if (folding_.folded()) account.why = fmt::format("{} plain segments of bulk transfers folded", folding_.folded());
    return account;
  }

 private:
  // Names are asked for in the namespace: later on the thread may be in another.
  void learn_devices() {
    auto* all = ::if_nameindex();
    for (auto* one = all; one && one->if_index; ++one) devices_[static_cast<int>(one->if_index)] = one->if_name;
    ::if_freenameindex(all);
  }

  void take(const PacketTap::Packet& packet, std::int64_t t_ns, Sink& sink) {
    if (packet.outgoing && packet.device == loopback_) return;  // it comes in again
    auto parsed = read_packet(packet.bytes);
    if (!parsed) return;
    std::visit([&](auto& what) { label(what, packet); }, *parsed);
    if (auto* error = std::get_if<IcmpError>(&*parsed))
      put(sink, t_ns, std::move(*error));
    else
      folding_.put(t_ns, std::move(std::get<Segment>(*parsed)),
                   [&](std::int64_t t, Segment&& segment) { put(sink, t, std::move(segment)); });
  }
  void label(auto& what, const PacketTap::Packet& packet) const {
    const auto device = devices_.find(packet.device);
    what.netns = netns_;
    what.device = device == devices_.end() ? fmt::format("device {}", packet.device) : device->second;
    what.outgoing = packet.outgoing;
    if (keep_frames_) what.frame = hex(packet.bytes);
  }
  template <class Seen>
  void put(Sink& sink, std::int64_t t_ns, Seen&& seen) {
    sink.put({.t_ns = t_ns, .what = std::forward<Seen>(seen)});
    ++events_;
  }

  std::string netns_;
  bool keep_frames_;
  int loopback_;
  std::map<int, std::string> devices_;
  PacketTap tap_;
  Folding folding_;
  std::uint64_t events_ = 0, lost_ = 0;
};

}  // namespace

std::unique_ptr<Source> make_wire(const std::string& netns, bool keep_frames, bool hurry) {
  return std::make_unique<Wire>(netns, keep_frames, hurry);
}

}  // namespace lab::evidence
