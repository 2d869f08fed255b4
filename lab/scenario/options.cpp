#include "scenario/options.hpp"

#include "scenario/names.hpp"
#include "scenario/values.hpp"

namespace lab::scenario {
namespace {

constexpr std::int64_t kGiB = 1 << 30;

// Bounds are the kernel's: net/ipv4/tcp.c (do_tcp_setsockopt), net/core/sock.c, man tcp, man socket.
constexpr OptionRow kRows[] = {
    {"rcvbuf", Measure::bytes, 0, kGiB, "SO_RCVBUF, socket(7)", "receive buffer; the kernel doubles it"},
    {"sndbuf", Measure::bytes, 0, kGiB, "SO_SNDBUF, socket(7)", "send buffer; the kernel doubles it"},
    {"defer-accept", Measure::seconds, 0, 32767, "TCP_DEFER_ACCEPT, tcp(7)", "accept only once data has come"},
    {"fastopen", Measure::number, 0, 65535, "TCP_FASTOPEN, tcp(7)",
     "servers: length of the queue of pending opens; clients: 1 sends data with the SYN"},
    {"keepalive", Measure::toggle, 0, 1, "SO_KEEPALIVE, socket(7)", "probe an idle peer"},
    {"keepidle", Measure::seconds, 1, 32767, "TCP_KEEPIDLE, tcp(7)", "silence before the first probe"},
    {"keepintvl", Measure::seconds, 1, 32767, "TCP_KEEPINTVL, tcp(7)", "time between probes"},
    {"keepcnt", Measure::number, 1, 127, "TCP_KEEPCNT, tcp(7)", "probes before giving up"},
    {"user-timeout", Measure::milliseconds, 0, 2147483647, "TCP_USER_TIMEOUT, tcp(7)",
     "how long sent data may stay unacknowledged"},
    {"linger", Measure::seconds, 0, 65535, "SO_LINGER, socket(7)", "0: close sends a reset"},
    {"nodelay", Measure::toggle, 0, 1, "TCP_NODELAY, tcp(7)", "no Nagle"},
    {"v6only", Measure::toggle, 0, 1, "IPV6_V6ONLY, ipv6(7)", "an IPv6 socket takes no IPv4"},
    {"reuseport", Measure::toggle, 0, 1, "SO_REUSEPORT, socket(7)", "several listeners on one port"},
    {"md5", Measure::text, 1, 80, "TCP_MD5SIG, RFC 2385", "key of TCP's MD5 signatures, of at most 80 bytes"},
    {"min-ttl", Measure::number, 0, 255, "IP_MINTTL, IPV6_MINHOPCOUNT", "drop segments that come from further away"},
    {"mptcp", Measure::toggle, 0, 1, "IPPROTO_MPTCP, RFC 8684", "a multipath socket"},
    {"cloexec", Measure::toggle, 0, 1, "FD_CLOEXEC, fcntl(2)", "an `exec` closes it"},
    {"sigpipe", Measure::toggle, 0, 1, "signal(7)",
     "the process's own: whether a write to a dead connection kills it (default: no)"},
};

constexpr Named<std::int64_t> kToggles[] = {{"0", 0}, {"1", 1}, {"false", 0}, {"true", 1}, {"off", 0}, {"on", 1}};

// A count of `unit`, or a duration that is a whole number of them.
std::optional<std::int64_t> counted(std::string_view value, Duration unit) {
  if (const auto plain = parse_whole(value)) return static_cast<std::int64_t>(*plain);
  const auto span = parse_duration(value);
  if (!span || span->count() % unit.count() != 0) return {};
  return span->count() / unit.count();
}

std::optional<std::int64_t> number(Measure measure, std::string_view value) {
  switch (measure) {
    case Measure::bytes:
      if (const auto size = parse_size(value)) return static_cast<std::int64_t>(*size);
      return {};
    case Measure::seconds:
      return counted(value, std::chrono::seconds(1));
    case Measure::milliseconds:
      return counted(value, std::chrono::milliseconds(1));
    case Measure::number:
      if (const auto plain = parse_whole(value)) return static_cast<std::int64_t>(*plain);
      return {};
    case Measure::toggle:
      return value_of(kToggles, value);
    case Measure::text:
      return static_cast<std::int64_t>(value.size());
  }
  return {};
}

}  // namespace

std::span<const OptionRow> option_rows() { return kRows; }

const OptionRow* option_row(std::string_view name) {
  for (const auto& row : kRows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::string described(const OptionRow& row) {
  const auto range = " from " + std::to_string(row.least) + " to " + std::to_string(row.most);
  switch (row.measure) {
    case Measure::bytes:
      return "a size such as 64 or \"4KiB\"";
    case Measure::seconds:
      return "a number of seconds" + range + ", or a duration of whole seconds";
    case Measure::milliseconds:
      return "a number of milliseconds" + range + ", or a duration";
    case Measure::number:
      return "a whole number" + range;
    case Measure::toggle:
      return "true or false (1 or 0)";
    case Measure::text:
      return "a text of 1 to 80 bytes";
  }
  return "";
}

std::optional<SocketOption> parse_option(const OptionRow& row, std::string_view value) {
  const auto parsed = number(row.measure, value);
  if (!parsed || *parsed < row.least || *parsed > row.most) return {};
  SocketOption option;
  option.name = row.name;
  if (row.measure == Measure::text) {
    option.text = value;
  } else {
    option.number = *parsed;
  }
  return option;
}

}  // namespace lab::scenario
