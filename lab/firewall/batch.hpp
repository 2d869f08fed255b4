// One nfnetlink transaction: messages between BATCH_BEGIN and BATCH_END, of which either all hold or none.
// net/netfilter/nfnetlink.c: nfnetlink_rcv_batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "system/netlink.hpp"

namespace lab::firewall {

struct Denied {
  sys::Refused refused;
  std::size_t origin = 0;  // what put() was told
  std::string expression;  // of a rule: the one that the kernel pointed at, "" where it didn't
};

class Batch {
 public:
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  explicit Batch(sys::Netlink& socket);

  // Adds a message of NFT_MSG_… for the inet family; `fill` puts its attributes. `origin` names it should it be
  // refused.
  void put(std::uint16_t type, std::uint16_t flags, std::size_t origin, const std::function<void(nlmsghdr*)>& fill);
  std::size_t size() const { return used_; }  // bytes
  void expect(std::size_t bytes) { bytes_.reserve(bytes); }

  // In one sendmsg(2): the kernel takes no transaction in pieces. Empty: committed.
  std::vector<Denied> commit();

 private:
  nlmsghdr* begin_message(std::uint16_t type, std::uint8_t family, std::uint16_t resource, std::uint16_t flags);
  void end_message(nlmsghdr* message);
  nlmsghdr* message_at(std::size_t index);
  void acknowledge();

  sys::Netlink* socket_;
  std::vector<char> bytes_;
  std::size_t used_ = 0;
  std::uint32_t first_ = 0;  // sequence number of the begin
  struct Entry {
    std::size_t at, origin;
  };
  std::vector<Entry> entries_;  // by sequence number
};

}  // namespace lab::firewall
