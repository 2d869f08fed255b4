// The one owner of a netlink socket, and of the messages put through it. libmnl builds and walks messages;
// this adds what every user needs: extended acks, acknowledgements checked to the last, receive with a deadline.
// man 7 netlink, rtnetlink; net/netlink/af_netlink.c, net/netfilter/nfnetlink.c.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "system/clock.hpp"
#include "system/descriptor.hpp"

namespace lab::sys {

// One message with room for its attributes: build with mnl_attr_put…(message.header(), …).
class Message {
 public:
  // NLM_F_REQUEST is always set. `room`: bytes for header, fixed part and attributes.
  explicit Message(std::uint16_t type, std::uint16_t flags = 0, std::size_t room = 4096);
  nlmsghdr* header() { return header_; }
  const nlmsghdr* header() const { return header_; }
  // The family's fixed part (ifinfomsg, nfgenmsg, …), zeroed. Once, before any attribute.
  template <class Fixed>
  Fixed& fixed() {
    return *static_cast<Fixed*>(mnl_nlmsg_put_extra_header(header_, sizeof(Fixed)));
  }

 private:
  std::unique_ptr<char[]> room_;
  nlmsghdr* header_;
};

// A message that the kernel refused.
struct Refused {
  std::uint32_t sequence = 0;
  int error = 0;             // errno
  std::string text;          // of the extended ack, "" where the kernel gave none
  std::uint32_t offset = 0;  // of the offending attribute from the message's start; 0: not told
};

class Netlink {
 public:
  using Handler = std::function<void(const nlmsghdr&)>;

  // NETLINK_ROUTE, NETLINK_NETFILTER, … in the calling thread's network namespace, subscribed to `groups` (numbers such
  // as RTNLGRP_LINK, not bits). Extended acks on, acks without a copy of the request, non-blocking, close-on-exec.
  explicit Netlink(int bus, const std::vector<unsigned>& groups = {});
  ~Netlink();
  Netlink(Netlink&&) = default;
  Netlink& operator=(Netlink&&) = default;
  // The destructor shall not wait for what goes with the socket (system/parting.hpp).
  void hurry() { hurry_ = true; }

  int descriptor() const { return socket_.get(); }  // for poll(2)
  std::uint32_t port() const { return port_; }      // this socket's address (nlmsg_pid of its answers)
  void join(unsigned group);
  void strict_dumps();  // NETLINK_GET_STRICT_CHK: dumps filtered by the kernel (5.0)

  // Bytes wanted; returns what the kernel granted. Above net.core.rmem_max or wmem_max only root on the outside gets
  // more. A message or batch larger than the send buffer fails with EMSGSIZE.
  std::size_t receive_buffer(std::size_t bytes);
  std::size_t send_buffer(std::size_t bytes);

  // Sends one message and reads until its ack, or the end of its dump. Each answer goes to `each`. Sets the sequence
  // number and, for anything but a dump, NLM_F_ACK. Throws KernelError(object, with the extended ack's text).
  // False: a dump that a change tore (NLM_F_DUMP_INTR): what `each` got is no snapshot, ask again.
  bool request(Message& message, std::string_view object, const Handler& each = {});

  // Sends `length` bytes of whole messages in one piece and reads to the last ack; returns those refused, in order
  // (nfnetlink batches are atomic: any refusal undoes all; a refusal with the sequence number of the batch's begin is
  // the commit's). Sequence numbers are the caller's, with NLM_F_ACK where an answer is wanted; where more are wanted
  // than the receive buffer holds, only the last keeps the flag: refusals are answered in any case.
  std::vector<Refused> batch(void* messages, std::size_t length, std::string_view object);

  // The next number for a message of a batch.
  std::uint32_t next_sequence() { return ++sequence_; }

  // Reads what is there without waiting. Returns how often the kernel dropped messages for want of buffer (ENOBUFS).
  std::uint64_t drain(const Handler& each);
  // Waits for one datagram and hands out its messages; false when the deadline passed first. ENOBUFS throws.
  bool receive(const Deadline& deadline, const Handler& each);

 private:
  long read_once();  // bytes in buffer_, 0: nothing there, -1: ENOBUFS
  bool wait_readable(const Deadline& deadline) const;

  Descriptor socket_;
  std::uint32_t port_ = 0;
  std::uint32_t sequence_ = 0;
  bool hurry_ = false;
  std::unique_ptr<char[]> buffer_;
};

// The error in an NLMSG_ERROR message; error 0 is an acknowledgement.
Refused parse_error(const nlmsghdr& message);
// "Operation not supported", or with the extended ack's text "Operation not supported (Chain of type …)".
std::string describe(const Refused& refused);

}  // namespace lab::sys
