// A real connection over lo, and what a packet socket saw of it: the independent witness of what rules should match.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scenario/types.hpp"
#include "system/descriptor.hpp"

namespace lab::test {

constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;

struct Seen {
  bool icmp = false;  // an ICMP or ICMPv6 message
  std::uint8_t type = 0, code = 0;
  bool to_server = false;
  std::uint16_t client_port = 0;
  std::uint8_t flags = 0;
  std::uint32_t length = 0;  // of the IP packet
  std::string payload;
};

// Packets of lo from now on, each once, in order.
class Wire {
 public:
  Wire();
  // What came since the last call: TCP to and from `port`, and ICMP errors.
  std::vector<Seen> take(std::uint16_t port = 8080);
  std::uint64_t lost() const;

 private:
  sys::Descriptor socket_;
};

struct SocketOptions {
  std::uint32_t mark = 0;  // SO_MARK
  bool lazy_ack = false;   // the handshake's last ACK waits for data
  const char* host = "";   // another than loopback
  std::uint16_t from = 0;  // the client's port, which may have been in use before
};

class Server {
 public:
  explicit Server(scenario::Family family, std::uint16_t port = 8080, const char* host = "");
  sys::Descriptor accept();  // waits

 private:
  sys::Descriptor socket_;
};

// Connects, waiting; throws KernelError where it fails.
sys::Descriptor dial(scenario::Family family, std::uint16_t port = 8080, const SocketOptions& options = {});
void say(const sys::Descriptor& socket, const std::string& text);
// What is there to read now, without waiting; "" for nothing.
std::string peek(const sys::Descriptor& socket);
std::uint16_t local_port(const sys::Descriptor& socket);
// Its close will be a reset.
void abort_when_closed(const sys::Descriptor& socket);
// Reads exactly that much.
std::string hear(const sys::Descriptor& socket, std::size_t size);
// errno of the next read, 0 at the end or with data; waits.
int read_error(const sys::Descriptor& socket);
// Waits for the peer's end.
void hear_end(const sys::Descriptor& socket);

// Sends one ICMP error over lo that quotes a segment of the flow, as a router would.
void send_icmp(scenario::Family family, std::uint8_t type, std::uint8_t code, std::uint16_t quoted_source,
               std::uint16_t quoted_target);

// Sends one segment without data over lo. Its checksum is wrong: rules see it, TCP does not.
void send_segment(scenario::Family family, std::uint16_t source, std::uint16_t target, std::uint8_t flags);

// A request, an answer, twice; then the client closes and the server after it. Both directions have data, FIN and ACK.
void talk(scenario::Family family, const std::string& first = "GET /one", const SocketOptions& options = {});

}  // namespace lab::test
