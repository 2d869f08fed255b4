#include "system/netlink.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>
#include <system_error>

#include "system/error.hpp"
#include "system/parting.hpp"

namespace lab::sys {
namespace {

// The kernel fills at most 32 KiB of a dump into one datagram (netlink_dump), other messages are smaller.
constexpr std::size_t kDatagram = 64 * 1024;
// Requests are worked off inside sendmsg(2); this only bounds a kernel that does not answer at all.
constexpr std::int64_t kPatience_ns = 10'000'000'000;
// What one acknowledgement takes of a receive buffer (skb->truesize, with room for an extended ack's text).
constexpr std::size_t kAckCost = 1280;

void set(int socket, int level, int option, int value, const char* object) {
  check(::setsockopt(socket, level, option, &value, sizeof value), object);
}

std::size_t grow(int socket, int forced, int plain, std::size_t bytes) {
  const int wanted = static_cast<int>(std::min<std::size_t>(bytes, 1u << 30));
  if (::setsockopt(socket, SOL_SOCKET, forced, &wanted, sizeof wanted) == -1)
    check(::setsockopt(socket, SOL_SOCKET, plain, &wanted, sizeof wanted), "netlink socket buffer");
  int granted = 0;
  socklen_t size = sizeof granted;
  check(::getsockopt(socket, SOL_SOCKET, plain, &granted, &size), "netlink socket buffer");
  return static_cast<std::size_t>(granted);
}

// Calls `each` for every message of a datagram.
template <class Each>
void walk(const char* data, long length, const Each& each) {
  int left = static_cast<int>(length);
  const void* at = data;
  while (mnl_nlmsg_ok(static_cast<const nlmsghdr*>(at), left)) {
    const auto* message = static_cast<const nlmsghdr*>(at);
    each(*message);
    at = mnl_nlmsg_next(message, &left);
  }
}

}  // namespace

Message::Message(std::uint16_t type, std::uint16_t flags, std::size_t room) : room_(new char[room]) {
  header_ = mnl_nlmsg_put_header(room_.get());
  header_->nlmsg_type = type;
  header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
}

Netlink::Netlink(int bus, const std::vector<unsigned>& groups)
    : socket_(check(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, bus), "netlink socket")),
      sequence_(static_cast<std::uint32_t>(now_ns() / 1'000'000)),
      buffer_(new char[kDatagram]) {
  set(descriptor(), SOL_NETLINK, NETLINK_EXT_ACK, 1, "netlink extended acks");
  set(descriptor(), SOL_NETLINK, NETLINK_CAP_ACK, 1, "netlink short acks");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  check(::bind(descriptor(), reinterpret_cast<sockaddr*>(&address), sizeof address), "bind netlink socket");
  socklen_t size = sizeof address;
  check(::getsockname(descriptor(), reinterpret_cast<sockaddr*>(&address), &size), "address of netlink socket");
  port_ = address.nl_pid;
  for (const unsigned group : groups) join(group);
}

Netlink::~Netlink() {
  if (!hurry_ || !socket_.valid()) return;
  std::vector<Descriptor> alone;
  alone.push_back(std::move(socket_));
  leave_to_kernel(std::move(alone));
}

void Netlink::join(unsigned group) {
  set(descriptor(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, static_cast<int>(group), "netlink group");
}

void Netlink::strict_dumps() { set(descriptor(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1, "netlink strict dumps"); }

std::size_t Netlink::receive_buffer(std::size_t bytes) { return grow(descriptor(), SO_RCVBUFFORCE, SO_RCVBUF, bytes); }

std::size_t Netlink::send_buffer(std::size_t bytes) { return grow(descriptor(), SO_SNDBUFFORCE, SO_SNDBUF, bytes); }

long Netlink::read_once() {
  while (true) {
    iovec room{buffer_.get(), kDatagram};
    sockaddr_nl from{};
    msghdr envelope{};
    envelope.msg_name = &from;
    envelope.msg_namelen = sizeof from;
    envelope.msg_iov = &room;
    envelope.msg_iovlen = 1;
    const auto length = ::recvmsg(descriptor(), &envelope, 0);
    if (length == -1) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return 0;
      if (errno == ENOBUFS) return -1;
      check(length, "receive from netlink");
    }
    if (envelope.msg_flags & MSG_TRUNC) throw LabError("netlink: a datagram larger than 64 KiB");
    if (from.nl_pid == 0) return length;  // anything else was sent by a process, not by the kernel
  }
}

bool Netlink::wait_readable(const Deadline& deadline) const {
  while (true) {
    pollfd wanted{descriptor(), POLLIN, 0};
    const int ready = ::poll(&wanted, 1, deadline.poll_ms());
    if (ready > 0) return true;
    if (ready == -1 && errno != EINTR) check(ready, "wait for netlink");
    if (deadline.passed()) return false;
  }
}

bool Netlink::request(Message& message, std::string_view object, const Handler& each) {
  auto* header = message.header();
  const bool dump = (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  if (!dump) header->nlmsg_flags |= NLM_F_ACK;
  header->nlmsg_seq = next_sequence();
  check(::send(descriptor(), header, header->nlmsg_len, 0), object);

  const auto deadline = Deadline::after_ns(kPatience_ns);
  bool done = false, whole = true;
  while (!done) {
    if (!wait_readable(deadline)) throw KernelError(ETIMEDOUT, std::string(object) + " (no answer over netlink)");
    const auto length = read_once();
    if (length < 0) throw KernelError(ENOBUFS, std::string(object));
    walk(buffer_.get(), length, [&](const nlmsghdr& answer) {
      if (done || answer.nlmsg_seq != header->nlmsg_seq || answer.nlmsg_pid != port_) return;
      if (answer.nlmsg_flags & NLM_F_DUMP_INTR) whole = false;
      if (answer.nlmsg_type == NLMSG_ERROR || answer.nlmsg_type == NLMSG_DONE) {
        const auto refused = parse_error(answer);
        if (refused.error)
          throw KernelError(refused.error,
                            std::string(object) + (refused.text.empty() ? "" : " (" + refused.text + ")"));
        done = true;
      } else if (each) {
        each(answer);
      }
    });
  }
  return whole;
}

std::vector<Refused> Netlink::batch(void* messages, std::size_t length, std::string_view object) {
  std::vector<nlmsghdr*> asked;
  auto* at = static_cast<nlmsghdr*>(messages);
  for (int left = static_cast<int>(length); mnl_nlmsg_ok(at, left); at = mnl_nlmsg_next(at, &left))
    if (at->nlmsg_flags & NLM_F_ACK) asked.push_back(at);
  if (receive_buffer(asked.size() * kAckCost + kDatagram) < asked.size() * kAckCost + kDatagram && asked.size() > 1) {
    for (std::size_t i = 0; i + 1 < asked.size(); ++i) asked[i]->nlmsg_flags &= static_cast<std::uint16_t>(~NLM_F_ACK);
    asked.erase(asked.begin(), asked.end() - 1);
  }
  std::set<std::uint32_t> open;
  for (const auto* message : asked) open.insert(message->nlmsg_seq);

  send_buffer(length + 4096);
  check(::send(descriptor(), messages, length, 0), object);

  // The kernel has queued every answer by now; an error that aborted the batch early leaves acks that never come.
  const auto deadline = Deadline::after_ns(kPatience_ns);
  std::vector<Refused> refusals;
  while (true) {
    if (refusals.empty() && !open.empty() && !wait_readable(deadline))
      throw KernelError(ETIMEDOUT, std::string(object) + " (no answer over netlink)");
    const auto got = read_once();
    if (got < 0) {
      // More refusals than the buffer holds: those that were kept say enough.
      if (refusals.empty()) refusals.push_back({0, ENOBUFS, "answers were lost", 0});
      continue;
    }
    if (got == 0) break;
    walk(buffer_.get(), got, [&](const nlmsghdr& answer) {
      if (answer.nlmsg_type != NLMSG_ERROR || answer.nlmsg_pid != port_) return;
      open.erase(answer.nlmsg_seq);
      if (auto refused = parse_error(answer); refused.error) refusals.push_back(std::move(refused));
    });
  }
  return refusals;
}

std::uint64_t Netlink::drain(const Handler& each) {
  std::uint64_t lost = 0;
  while (true) {
    const auto length = read_once();
    if (length == 0) return lost;
    if (length < 0)
      ++lost;
    else
      walk(buffer_.get(), length, each);
  }
}

bool Netlink::receive(const Deadline& deadline, const Handler& each) {
  while (true) {
    const auto length = read_once();
    if (length < 0) throw KernelError(ENOBUFS, "receive from netlink");
    if (length > 0) {
      walk(buffer_.get(), length, each);
      return true;
    }
    if (!wait_readable(deadline)) return false;
  }
}

Refused parse_error(const nlmsghdr& message) {
  Refused refused;
  refused.sequence = message.nlmsg_seq;
  const auto payload = mnl_nlmsg_get_payload_len(&message);
  if (payload < sizeof(int)) {
    // An end of dump without a status is an old kernel's; a shorter error is none the kernel sends.
    refused.error = message.nlmsg_type == NLMSG_ERROR ? EBADMSG : 0;
    return refused;
  }
  int status = 0;
  std::memcpy(&status, mnl_nlmsg_get_payload(&message), sizeof status);
  refused.error = status < 0 ? -std::max(status, -std::numeric_limits<int>::max()) : 0;
  if (!(message.nlmsg_flags & NLM_F_ACK_TLVS)) return refused;

  std::size_t skip = sizeof(int);
  if (message.nlmsg_type == NLMSG_ERROR) {
    skip = sizeof(nlmsgerr);
    if (payload < skip) return refused;
    const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
    // Without NLM_F_CAPPED the whole request stands between the status and the attributes.
    if (!(message.nlmsg_flags & NLM_F_CAPPED)) skip += MNL_ALIGN(error->msg.nlmsg_len) - sizeof(nlmsghdr);
    if (skip > payload) return refused;
  }
  const auto* at = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, skip));
  // Not libmnl's tail, which is aligned: up to three bytes behind the message.
  const auto* end = reinterpret_cast<const char*>(&message) + message.nlmsg_len;
  for (; mnl_attr_ok(at, static_cast<int>(end - reinterpret_cast<const char*>(at))); at = mnl_attr_next(at)) {
    const auto* bytes = static_cast<const char*>(mnl_attr_get_payload(at));
    const std::size_t size = mnl_attr_get_payload_len(at);
    if (mnl_attr_get_type(at) == NLMSGERR_ATTR_MSG) refused.text.assign(bytes, ::strnlen(bytes, size));
    if (mnl_attr_get_type(at) == NLMSGERR_ATTR_OFFS && size >= 4) std::memcpy(&refused.offset, bytes, 4);
  }
  return refused;
}

std::string describe(const Refused& refused) {
  const auto text = std::generic_category().message(refused.error);
  return refused.text.empty() ? text : text + " (" + refused.text + ")";
}

}  // namespace lab::sys
