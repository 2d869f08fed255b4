// Keeps the timeline of a bulk transfer small: long runs of plain segments, in order and with nothing to say, are
// folded into the last of them. Everything a cause can hang on passes: flags, retransmissions, zero windows, firsts and
// lasts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <tuple>

#include "evidence/event.hpp"

namespace lab::evidence {

class Folding {
 public:
  using Deliver = std::function<void(std::int64_t t_ns, Segment&&)>;

  void put(std::int64_t t_ns, Segment&& segment, const Deliver& deliver);
  // The last plain segment of every flow that is still held back.
  void flush(const Deliver& deliver);
  std::uint64_t folded() const { return folded_; }

 private:
  // One direction of a flow on one device.
  struct Lane {
    bool begun = false;
    std::uint32_t next_seq = 0, last_ack = 0;
    std::uint32_t told_seq = 0;  // where the last segment that was told ended
    std::uint32_t plain = 0;     // kept so far
    std::optional<Segment> held;
    std::int64_t held_ns = 0;
  };
  using Key = std::tuple<Address, Address, std::string, bool>;

  static bool is_plain(const Lane& lane, const Segment& segment);
  void release(Lane& lane, const Deliver& deliver);

  std::map<Key, Lane> lanes_;
  std::uint64_t folded_ = 0;
};

}  // namespace lab::evidence
