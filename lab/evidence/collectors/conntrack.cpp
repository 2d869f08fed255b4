// Connection tracking's own notifications. Listens only: a rule that uses ct makes the kernel track, and that would
// change what is measured. net/netfilter/nf_conntrack_netlink.c.
#include "evidence/collectors/attributes.hpp"
#include "evidence/collectors/collector.hpp"
#include "system/clock.hpp"
#include "system/netlink.hpp"
#include "system/nftables/netfilter.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <array>
#include <cstring>

namespace lab::evidence {
namespace {

// include/uapi/linux/netfilter/nf_conntrack_tcp.h.
std::string tcp_state(std::uint8_t state) {
  static constexpr std::array names = {"NONE",       "SYN_SENT", "SYN_RECV",  "ESTABLISHED", "FIN_WAIT",
                                       "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",       "SYN_SENT2"};
  return state < names.size() ? names[state] : "";
}

std::uint16_t port(const nlattr& attribute) { return ntohs(mnl_attr_get_u16(&attribute)); }

struct Tuple {
  Address source, target;
  std::uint8_t protocol = 0;
};

void take_ip(const nlattr& attribute, Tuple& tuple) {
  const auto set = [&](Address& address, int family) {
    address = make_address(family, mnl_attr_get_payload(&attribute), address.port);
  };
  switch (mnl_attr_get_type(&attribute)) {
    case CTA_IP_V4_SRC:
      return set(tuple.source, 4);
    case CTA_IP_V4_DST:
      return set(tuple.target, 4);
    case CTA_IP_V6_SRC:
      return set(tuple.source, 6);
    case CTA_IP_V6_DST:
      return set(tuple.target, 6);
    default:
      return;
  }
}

void take_protocol(const nlattr& attribute, Tuple& tuple) {
  switch (mnl_attr_get_type(&attribute)) {
    case CTA_PROTO_NUM:
      tuple.protocol = mnl_attr_get_u8(&attribute);
      return;
    case CTA_PROTO_SRC_PORT:
      tuple.source.port = port(attribute);
      return;
    case CTA_PROTO_DST_PORT:
      tuple.target.port = port(attribute);
      return;
    default:
      return;
  }
}

Tuple tuple_of(const nlattr& nest) {
  Tuple tuple;
  each_nested(nest, [&](const nlattr& part) {
    if (mnl_attr_get_type(&part) == CTA_TUPLE_IP) each_nested(part, [&](const nlattr& ip) { take_ip(ip, tuple); });
    if (mnl_attr_get_type(&part) == CTA_TUPLE_PROTO)
      each_nested(part, [&](const nlattr& proto) { take_protocol(proto, tuple); });
  });
  return tuple;
}

std::string state_of(const nlattr& protocol_info) {
  std::string state;
  each_nested(protocol_info, [&](const nlattr& tcp) {
    if (mnl_attr_get_type(&tcp) != CTA_PROTOINFO_TCP) return;
    each_nested(tcp, [&](const nlattr& one) {
      if (mnl_attr_get_type(&one) == CTA_PROTOINFO_TCP_STATE) state = tcp_state(mnl_attr_get_u8(&one));
    });
  });
  return state;
}

class Conntrack : public Source {
 public:
  explicit Conntrack(std::string netns)
      : netns_(std::move(netns)),
        listening_(NETLINK_NETFILTER, {NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_UPDATE, NFNLGRP_CONNTRACK_DESTROY}) {
    listening_.receive_buffer(256 * 1024);
  }

  std::vector<int> descriptors() const override { return {listening_.descriptor()}; }
  void start(Sink&) override {
    listening_.drain([](const nlmsghdr&) {});
  }
  void drain(Sink& sink) override {
    lost_ += listening_.drain([&](const nlmsghdr& message) { see(message, sink); });
  }
  void finish(Sink& sink) override { drain(sink); }
  Collector account() const override {
    return {.name = "conntrack", .on = true, .why = "", .events = events_, .lost = lost_};
  }

 private:
  static const char* kind_of(const nlmsghdr& message) {
    if (NFNL_MSG_TYPE(message.nlmsg_type) == IPCTNL_MSG_CT_DELETE) return "destroy";
    return message.nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL) ? "new" : "update";
  }

  void see(const nlmsghdr& message, Sink& sink) {
    if (NFNL_SUBSYS_ID(message.nlmsg_type) != NFNL_SUBSYS_CTNETLINK) return;
    Flow flow{.netns = netns_, .kind = kind_of(message)};
    std::uint8_t protocol = 0;
    each_attribute(message, sizeof(nfgenmsg), [&](const nlattr& attribute) {
      switch (mnl_attr_get_type(&attribute)) {
        case CTA_TUPLE_ORIG: {
          const auto tuple = tuple_of(attribute);
          protocol = tuple.protocol;
          flow.original_source = tuple.source;
          flow.original_target = tuple.target;
          break;
        }
        case CTA_TUPLE_REPLY: {
          const auto tuple = tuple_of(attribute);
          flow.reply_source = tuple.source;
          flow.reply_target = tuple.target;
          break;
        }
        case CTA_PROTOINFO:
          flow.state = state_of(attribute);
          break;
        case CTA_STATUS:
          flow.status = ntohl(mnl_attr_get_u32(&attribute));
          break;
        case CTA_MARK:
          flow.mark = ntohl(mnl_attr_get_u32(&attribute));
          break;
        case CTA_TIMEOUT:
          flow.timeout_s = ntohl(mnl_attr_get_u32(&attribute));
          break;
        default:
          break;
      }
    });
    if (protocol != IPPROTO_TCP) return;
    sink.put({.t_ns = sys::now_ns(), .read_time = true, .what = std::move(flow)});
    ++events_;
  }

  std::string netns_;
  sys::Netlink listening_;
  std::uint64_t events_ = 0, lost_ = 0;
};

}  // namespace

std::unique_ptr<Source> make_conntrack(const std::string& netns) { return std::make_unique<Conntrack>(netns); }

}  // namespace lab::evidence
