#include "firewall/batch.hpp"

#include <algorithm>
#include <string>

#include "firewall/netfilter.hpp"

namespace lab::firewall {
namespace {

// Above the largest message: a rule of some twenty expressions with 256 bytes of user data.
constexpr std::size_t kRoom = 16 * 1024;
// Batches of up to so many messages have each one acknowledged.
constexpr std::size_t kAcknowledged = 128;

// The attributes from `at` on within `length` bytes.
template <class Each>
void for_each(const void* at, std::size_t length, const Each& each) {
  const auto* end = static_cast<const char*>(at) + length;
  const auto left = [&](const nlattr* a) { return static_cast<int>(end - reinterpret_cast<const char*>(a)); };
  for (const auto* a = static_cast<const nlattr*>(at); mnl_attr_ok(a, left(a)); a = mnl_attr_next(a)) each(a);
}
template <class Each>
void for_each_in(const nlattr* nest, const Each& each) {
  for_each(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), each);
}

// The name of the expression that holds the byte at `offset` of a NEWRULE message.
std::string expression_at(const nlmsghdr* message, std::uint32_t offset) {
  if ((message->nlmsg_type & 0xff) != NFT_MSG_NEWRULE) return "";
  std::string name;
  const auto look = [&](const nlattr* element) {
    const auto from = reinterpret_cast<const char*>(element) - reinterpret_cast<const char*>(message);
    if (offset < from || offset >= from + element->nla_len) return;
    for_each_in(element, [&](const nlattr* part) {
      if (mnl_attr_get_type(part) == NFTA_EXPR_NAME) name = mnl_attr_get_str(part);
    });
  };
  constexpr std::size_t kFixed = MNL_ALIGN(sizeof(nfgenmsg));
  for_each(mnl_nlmsg_get_payload_offset(message, kFixed), mnl_nlmsg_get_payload_len(message) - kFixed,
           [&](const nlattr* a) {
             if (mnl_attr_get_type(a) == NFTA_RULE_EXPRESSIONS) for_each_in(a, look);
           });
  return name;
}

}  // namespace

Batch::Batch(sys::Netlink& socket) : socket_(&socket) {
  auto* begin = begin_message(NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 0);
  first_ = begin->nlmsg_seq;
  end_message(begin);
  entries_.push_back({0, kNowhere});
}

nlmsghdr* Batch::begin_message(std::uint16_t type, std::uint8_t family, std::uint16_t resource, std::uint16_t flags) {
  if (bytes_.size() < used_ + kRoom) bytes_.resize(used_ + 4 * kRoom);
  auto* message = mnl_nlmsg_put_header(bytes_.data() + used_);
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  message->nlmsg_seq = socket_->next_sequence();
  auto* fixed = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  fixed->nfgen_family = family;
  fixed->version = NFNETLINK_V0;
  fixed->res_id = htons(resource);
  return message;
}

void Batch::end_message(nlmsghdr* message) { used_ += MNL_ALIGN(message->nlmsg_len); }

void Batch::put(std::uint16_t type, std::uint16_t flags, std::size_t origin,
                const std::function<void(nlmsghdr*)>& fill) {
  auto* message = begin_message(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), NFPROTO_INET, 0,
                                static_cast<std::uint16_t>(flags | NLM_F_ACK));
  fill(message);
  entries_.push_back({used_, origin});
  end_message(message);
}

// Messages are worked off in order, a refused one is answered in any case, and the last one's acknowledgement comes
// behind all refusals: it stands for those in front of it, where an answer each would cost as much as the rules
// themselves.
void Batch::acknowledge() {
  if (entries_.size() <= kAcknowledged) return;
  for (std::size_t i = 1; i + 1 < entries_.size(); ++i)
    message_at(i)->nlmsg_flags &= static_cast<std::uint16_t>(~NLM_F_ACK);
}

nlmsghdr* Batch::message_at(std::size_t index) {
  return reinterpret_cast<nlmsghdr*>(bytes_.data() + entries_[index].at);
}

std::vector<Denied> Batch::commit() {
  acknowledge();
  end_message(begin_message(NFNL_MSG_BATCH_END, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 0));
  std::vector<Denied> refusals;
  for (auto& refused : socket_->batch(bytes_.data(), used_, "nftables")) {
    Denied refusal{refused, kNowhere, ""};
    if (const std::size_t index = refused.sequence - first_; index > 0 && index < entries_.size()) {
      refusal.origin = entries_[index].origin;
      if (refused.offset) refusal.expression = expression_at(message_at(index), refused.offset);
    }
    refusals.push_back(std::move(refusal));
  }
  return refusals;
}

}  // namespace lab::firewall
