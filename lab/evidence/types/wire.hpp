// What packet sockets saw.
#pragma once

#include <cstdint>
#include <string>

#include "evidence/address.hpp"

namespace lab::evidence {

// ---- wire: a segment that a packet socket saw. On loopback each is seen once, behind the output hooks and
// before the input hooks: one that an output hook ate is never seen, one that an input hook ate is.
struct Segment {
  std::string netns;      // "" on loopback topology; "client", "router", "server" where routed
  std::string device;     // interface name
  bool outgoing = false;  // leaving by this device (routed: each link is watched in both directions)
  Address source, target;
  std::string flags;  // letters of SYN FIN RST PSH ACK URG ECE CWR, in the order "SFRPAUEC"
  std::uint32_t seq = 0, ack = 0;
  std::uint32_t length = 0;  // TCP payload bytes
  std::uint32_t window = 0;  // as in the header, unscaled
  std::uint16_t ip_id = 0;
  std::uint8_t ttl = 0;
  bool mptcp = false;  // carries an MPTCP option
  bool md5 = false;    // carries an MD5 signature option
  std::string head;    // first bytes of the payload (at most 16), as hex
  std::uint32_t folded =
      0;  // this many plain in-order segments of its flow and direction went before it and were left out (bulk)
  std::string
      frame;  // the packet from its IP header on, as hex, as far as captured; "" unless a capture file is wanted
  bool operator==(const Segment&) const = default;
  template <class A>
  void fields(A& a) {
    a("netns", netns);
    a("dev", device);
    a("out", outgoing);
    a("src", source);
    a("dst", target);
    a("flags", flags);
    a("seq", seq);
    a("ack", ack);
    a("len", length);
    a("win", window);
    a("id", ip_id);
    a("ttl", ttl);
    a("mptcp", mptcp);
    a("md5", md5);
    a("head", head);
    a("folded", folded);
    a("frame", frame);
  }
};

// ---- wire: an ICMP error that quotes a segment of a TCP flow.
struct IcmpError {
  std::string netns, device;
  bool outgoing = false;
  Address source, target;  // of the ICMP packet itself; ports 0
  std::uint8_t type = 0, code = 0;
  std::uint32_t mtu = 0;  // of a "fragmentation needed" / "packet too big"
  Address quoted_source, quoted_target;
  std::uint32_t quoted_seq = 0;
  std::string frame;  // as in Segment
  bool operator==(const IcmpError&) const = default;
  template <class A>
  void fields(A& a) {
    a("netns", netns);
    a("dev", device);
    a("out", outgoing);
    a("src", source);
    a("dst", target);
    a("type", type);
    a("code", code);
    a("mtu", mtu);
    a("qsrc", quoted_source);
    a("qdst", quoted_target);
    a("qseq", quoted_seq);
    a("frame", frame);
  }
};

}  // namespace lab::evidence
