#include "evidence/collectors/kernel_decode.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <sys/socket.h>

#include <cstring>

namespace lab::evidence {
namespace {

// Offsets of a made-up kernel: what matters is that they are used.
KernelFacts some_kernel() {
  KernelFacts facts;
  facts.drops = {{0, "NOT_SPECIFIED"}, {8, "NETFILTER_DROP"}};
  facts.resets = {{12, "TCP_ABORT_ON_CLOSE"}};
  facts.layout = {.daddr = 0,
                  .rcv_saddr = 4,
                  .dport = 8,
                  .num = 10,
                  .family = 12,
                  .state = 14,
                  .v6_daddr = 16,
                  .v6_rcv_saddr = 32,
                  .seq = 0,
                  .end_seq = 4,
                  .tcp_flags = 12};
  return facts;
}

template <class T>
void store(unsigned char* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

raw_sock socket_of(std::uint64_t address, std::uint16_t local_port, std::uint16_t peer_port, unsigned char state) {
  raw_sock sock{};
  sock.address = address;
  sock.protocol = IPPROTO_TCP;
  store(sock.common + 0, htonl(INADDR_LOOPBACK));
  store(sock.common + 4, htonl(INADDR_LOOPBACK));
  store(sock.common + 8, htons(peer_port));
  store(sock.common + 10, local_port);
  store(sock.common + 12, std::uint16_t{AF_INET});
  sock.common[14] = state;
  return sock;
}

raw_packet packet_of(unsigned kind, const raw_sock& sock) {
  raw_packet raw{};
  raw.header = {.t_ns = 1000, .sandbox = 7, .kind = kind};
  raw.sock = sock;
  raw.reason = KernelFacts::no_reason;
  return raw;
}

template <class Raw>
std::string_view bytes(const Raw& raw) {
  return {reinterpret_cast<const char*>(&raw), sizeof raw};
}

KernelEvent only(Decoder& decoder, const raw_packet& raw) {
  const auto events = decoder.decode(bytes(raw));
  EXPECT_EQ(events.size(), 1u);
  return events.empty() ? KernelEvent{} : std::get<KernelEvent>(events[0].what);
}

// 127.0.0.1:45434 > 127.0.0.1:8080, PSH ACK, seq 1001, 5 bytes of payload.
constexpr unsigned char ipv4_segment[] = {0x45, 0,    0,    57,   0x12, 0x34, 0x40, 0,    64, 6,
                                          0,    0,    127,  0,    0,    1,    127,  0,    0,  1,  // IP, 20 bytes
                                          0xb1, 0x7a, 0x1f, 0x90, 0,    0,    3,    0xe9, 0,  0,
                                          7,    0xd1, 0x80, 0x18, 2,    0,    0,    0,    0,  0,  // TCP, 32 bytes
                                          1,    1,    8,    10,   0,    0,    0,    1,    0,  0,
                                          0,    2,    'h',  'e',  'l',  'l',  'o'};

std::string_view view(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

TEST(ParsePacket, ReadsAnIpv4Segment) {
  const auto head = parse_packet(view(ipv4_segment, sizeof ipv4_segment));
  ASSERT_TRUE(head);
  EXPECT_EQ(to_string(head->source), "127.0.0.1:45434");
  EXPECT_EQ(to_string(head->target), "127.0.0.1:8080");
  EXPECT_EQ(head->flags, "PA");
  EXPECT_EQ(head->seq, 1001u);
  EXPECT_EQ(head->length, 5u);
}

TEST(ParsePacket, ReadsAnIpv6Segment) {
  unsigned char packet[60] = {0x60, 0, 0, 0, 0, 20, 6, 64};
  packet[23] = packet[39] = 1;  // ::1 to ::1
  const unsigned char tcp[] = {0x1f, 0x90, 0xb1, 0x7a, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x14, 0, 0, 0, 0, 0, 0};
  std::memcpy(packet + 40, tcp, sizeof tcp);
  const auto head = parse_packet(view(packet, sizeof packet));
  ASSERT_TRUE(head);
  EXPECT_EQ(to_string(head->source), "[::1]:8080");
  EXPECT_EQ(to_string(head->target), "[::1]:45434");
  EXPECT_EQ(head->flags, "RA");
  EXPECT_EQ(head->length, 0u);
}

TEST(ParsePacket, AnIcmpMessageHasNoPorts) {
  unsigned char packet[60] = {0x45, 0, 0, 56, 0, 0, 0, 0, 64, IPPROTO_ICMP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 3, 3};
  const auto head = parse_packet(view(packet, sizeof packet));
  ASSERT_TRUE(head);
  EXPECT_EQ(to_string(head->source), "10.0.0.1:0");
  EXPECT_EQ(head->flags, "");
}

TEST(ParsePacket, RefusesWhatIsNoTcp) {
  unsigned char udp[60] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, IPPROTO_UDP};
  EXPECT_FALSE(parse_packet(view(udp, sizeof udp)));
  unsigned char netlink[60] = {0x14};
  EXPECT_FALSE(parse_packet(view(netlink, sizeof netlink)));
  EXPECT_FALSE(parse_packet(view(ipv4_segment, 30)));
  unsigned char options[44] = {0x4f, 0, 0, 44, 0,
                               0,    0, 0, 64, IPPROTO_TCP};  // its TCP header lies beyond what was copied
  EXPECT_FALSE(parse_packet(view(options, sizeof options)));
}

TEST(Decoder, ADropNamesItsReasonAndPlace) {
  Decoder decoder(some_kernel());
  auto raw = packet_of(RAW_DROP, {});
  raw.packet = 1;
  raw.reason = 8;
  std::memcpy(raw.headers, ipv4_segment, sizeof ipv4_segment);
  std::strcpy(raw.where, "nf_hook_slow");
  const auto event = only(decoder, raw);
  EXPECT_EQ(event.kind, "drop");
  EXPECT_EQ(event.reason, "NETFILTER_DROP");
  EXPECT_EQ(event.where, "nf_hook_slow");
  EXPECT_EQ(to_string(event.source), "127.0.0.1:45434");
  EXPECT_EQ(event.length, 5u);
}

TEST(Decoder, ACopyThatACaptureHasNoUseForIsNoDrop) {
  Decoder decoder(some_kernel());
  for (const auto* where : {"packet_rcv", "packet_rcv_fanout", "tpacket_rcv"}) {
    auto raw = packet_of(RAW_DROP, {});
    raw.packet = 1;
    raw.reason = 2;
    std::memcpy(raw.headers, ipv4_segment, sizeof ipv4_segment);
    std::strcpy(raw.where, where);
    EXPECT_TRUE(decoder.decode(bytes(raw)).empty()) << where;
  }
}

TEST(Decoder, ADropThatHoldsNoTcpIsNoEvent) {
  Decoder decoder(some_kernel());
  auto raw = packet_of(RAW_DROP, {});
  EXPECT_TRUE(decoder.decode(bytes(raw)).empty());  // its headers could not be read
  raw.packet = 1;
  EXPECT_TRUE(decoder.decode(bytes(raw)).empty());
}

TEST(Decoder, AReasonWithoutANameIsItsNumber) {
  Decoder decoder(some_kernel());
  auto raw = packet_of(RAW_SEND_RESET, socket_of(0x10, 8080, 45434, 7));
  raw.reason = 999;
  EXPECT_EQ(only(decoder, raw).reason, "999");
  raw.reason = KernelFacts::no_reason;
  EXPECT_EQ(only(decoder, raw).reason, "");
}

TEST(Decoder, AResetOnCloseKeepsTheAddressesItsSocketHad) {
  Decoder decoder(some_kernel());
  auto state = packet_of(RAW_STATE, socket_of(0x10, 8080, 45434, 1));
  state.old_state = 1;
  state.new_state = 7;
  EXPECT_EQ(only(decoder, state).state, "CLOSE");
  auto reset = packet_of(RAW_SEND_RESET, socket_of(0x10, 0, 45434, 7));
  reset.reason = 12;
  const auto event = only(decoder, reset);
  EXPECT_EQ(event.reason, "TCP_ABORT_ON_CLOSE");
  EXPECT_EQ(event.state, "CLOSE");
  EXPECT_EQ(to_string(event.source), "127.0.0.1:8080");
  EXPECT_EQ(to_string(event.target), "127.0.0.1:45434");
}

TEST(Decoder, AChangeOfItsOwnNamesTheCall) {
  constexpr int kFinWait1 = 4, kClose = 7, kLastAck = 9;
  const struct {
    int state;
    int call;
    const char* name;
  } cases[] = {{kFinWait1, SYS_execve, "execve"}, {kLastAck, SYS_close, "close"}, {kFinWait1, RAW_ENDS, "exit"},
               {kFinWait1, RAW_NO_CALL, ""},      {kClose, SYS_execve, ""},       {kLastAck, 511, "511"}};
  for (const auto& each : cases) {
    Decoder decoder(some_kernel());
    auto raw = packet_of(RAW_STATE, socket_of(0x10, 8080, 45434, 1));
    raw.new_state = each.state, raw.call = each.call;
    EXPECT_EQ(only(decoder, raw).call, each.name) << each.state << ' ' << each.call;
  }
}

TEST(Decoder, TheSameMemoryMayBecomeAnotherSocket) {
  Decoder decoder(some_kernel());
  only(decoder, packet_of(RAW_RETRANSMIT, socket_of(0x10, 8080, 45434, 1)));
  auto born = packet_of(RAW_STATE, socket_of(0x10, 0, 9090, 2));
  born.old_state = 7;
  born.new_state = 2;
  const auto event = only(decoder, born);
  EXPECT_EQ(event.old_state, "CLOSE");
  EXPECT_EQ(to_string(event.target), "127.0.0.1:9090");
  EXPECT_EQ(event.source.port, 0);
}

TEST(Decoder, SandboxesDoNotShareSockets) {
  Decoder decoder(some_kernel());
  only(decoder, packet_of(RAW_RETRANSMIT, socket_of(0x10, 8080, 45434, 1)));
  auto other = packet_of(RAW_SEND_RESET, socket_of(0x10, 0, 45434, 7));
  other.header.sandbox = 8;
  EXPECT_EQ(only(decoder, other).source.port, 0);
}

TEST(Decoder, TheAnswerToAPacketGoesWhereThatCameFrom) {
  Decoder decoder(some_kernel());
  auto raw = packet_of(RAW_SEND_RESET, {});  // no socket took it
  raw.packet = 1;
  raw.reason = 12;
  std::memcpy(raw.headers, ipv4_segment, sizeof ipv4_segment);
  const auto event = only(decoder, raw);
  EXPECT_EQ(to_string(event.source), "127.0.0.1:8080");
  EXPECT_EQ(to_string(event.target), "127.0.0.1:45434");
  EXPECT_EQ(event.socket, 0u);
  EXPECT_EQ(event.state, "");
}

TEST(Decoder, ARetransmissionCountsPayloadOnly) {
  Decoder decoder(some_kernel());
  auto raw = packet_of(RAW_RETRANSMIT, socket_of(0x10, 8080, 45434, 4));
  store(raw.cb + 0, std::uint32_t{0xfffffffe});
  store(raw.cb + 4, std::uint32_t{4});  // past the end of the number's range
  raw.cb[12] = 0x11;
  const auto event = only(decoder, raw);
  EXPECT_EQ(event.flags, "FA");
  EXPECT_EQ(event.seq, 0xfffffffeu);
  EXPECT_EQ(event.length, 5u);  // six numbers, one of them the FIN's
}

TEST(Decoder, AnUnknownLayoutGivesNoAddresses) {
  auto facts = some_kernel();
  facts.layout = {};
  Decoder decoder(facts);
  const auto event = only(decoder, packet_of(RAW_RECEIVE_RESET, socket_of(0x10, 8080, 45434, 1)));
  EXPECT_FALSE(event.source.known());
}

TEST(Decoder, ASignalOfInitIsTheLabs) {
  Decoder decoder(some_kernel());
  raw_signal raw{};
  raw.header = {.t_ns = 5, .sandbox = 7, .kind = RAW_SIGNAL};
  raw.signal = 9;
  raw.target = 3;
  raw.sender = 1;
  raw.by_kernel = raw.by_lab = 1;
  std::strcpy(raw.name, "lab");
  const auto events = decoder.decode(bytes(raw));
  ASSERT_EQ(events.size(), 1u);
  const auto& sent = std::get<SignalSent>(events[0].what);
  EXPECT_TRUE(sent.by_lab);
  EXPECT_FALSE(sent.by_kernel);
}

TEST(Decoder, TheKernelHasNoSender) {
  Decoder decoder(some_kernel());
  raw_signal raw{};
  raw.header = {.t_ns = 5, .sandbox = 7, .kind = RAW_SIGNAL};
  raw.signal = 13;
  raw.target = raw.sender = 3;  // SIGPIPE: the current task is the target itself
  raw.by_kernel = 1;
  const auto events = decoder.decode(bytes(raw));
  ASSERT_EQ(events.size(), 1u);
  const auto& sent = std::get<SignalSent>(events[0].what);
  EXPECT_TRUE(sent.by_kernel);
  EXPECT_EQ(sent.sender, 0);
}

TEST(Decoder, ShortAndUnknownRecordsAreNothing) {
  Decoder decoder(some_kernel());
  auto raw = packet_of(99, {});
  EXPECT_TRUE(decoder.decode(bytes(raw)).empty());
  raw.header.kind = RAW_STATE;
  EXPECT_TRUE(decoder.decode(bytes(raw).substr(0, 40)).empty());
  EXPECT_TRUE(decoder.decode("x").empty());
}

TEST(TcpNames, CoverFlagsAndStates) {
  EXPECT_EQ(tcp_flag_letters(0x02), "S");
  EXPECT_EQ(tcp_flag_letters(0xff), "SFRPAUEC");
  EXPECT_EQ(tcp_state_name(1), "ESTABLISHED");
  EXPECT_EQ(tcp_state_name(12), "NEW_SYN_RECV");
  EXPECT_EQ(tcp_state_name(77), "77");
}

}  // namespace
}  // namespace lab::evidence
