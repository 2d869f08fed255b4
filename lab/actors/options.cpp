#include "actors/options.hpp"

#include <netinet/in.h>
// After the libc's own.
#include <fcntl.h>
#include <linux/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace lab::actors {
namespace {

struct Row {
  const char* name;
  int level, option;            // for sockets of either family,
  int level6 = 0, option6 = 0;  // unless IPv6 has its own
};

// Options whose value is an int as it stands.
constexpr Row kPlain[] = {
    {"rcvbuf", SOL_SOCKET, SO_RCVBUF},
    {"sndbuf", SOL_SOCKET, SO_SNDBUF},
    {"defer-accept", IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {"keepalive", SOL_SOCKET, SO_KEEPALIVE},
    {"keepidle", IPPROTO_TCP, TCP_KEEPIDLE},
    {"keepintvl", IPPROTO_TCP, TCP_KEEPINTVL},
    {"keepcnt", IPPROTO_TCP, TCP_KEEPCNT},
    {"user-timeout", IPPROTO_TCP, TCP_USER_TIMEOUT},
    {"nodelay", IPPROTO_TCP, TCP_NODELAY},
    {"v6only", IPPROTO_IPV6, IPV6_V6ONLY},
    {"reuseport", SOL_SOCKET, SO_REUSEPORT},
    {"min-ttl", IPPROTO_IP, IP_MINTTL, IPPROTO_IPV6, IPV6_MINHOPCOUNT},
};

template <class Value>
int set(int fd, int level, int option, const Value& value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : errno;
}

int set_linger(int fd, int, const scenario::SocketOption& option, bool) {
  return set(fd, SOL_SOCKET, SO_LINGER, linger{1, static_cast<int>(option.number)});
}

// A listener: the length of its queue of pending opens. A client: send data with the SYN (Linux 4.11).
int set_fastopen(int fd, int, const scenario::SocketOption& option, bool listening) {
  return set(fd, IPPROTO_TCP, listening ? TCP_FASTOPEN : TCP_FASTOPEN_CONNECT, static_cast<int>(option.number));
}

// One key for every peer: a prefix of length 0 (TCP_MD5SIG_EXT, Linux 4.13).
int set_md5(int fd, int family, const scenario::SocketOption& option, bool) {
  tcp_md5sig key{};
  key.tcpm_addr.ss_family = static_cast<__kernel_sa_family_t>(family);
  key.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
  key.tcpm_keylen = static_cast<std::uint16_t>(std::min<std::size_t>(option.text.size(), TCP_MD5SIG_MAXKEYLEN));
  std::memcpy(key.tcpm_key, option.text.data(), key.tcpm_keylen);
  return set(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, key);
}

// Decided when the socket is made: see protocol_of().
int set_mptcp(int, int, const scenario::SocketOption&, bool) { return 0; }

// Not the socket's but the process's: whether a write to a connection that was reset kills it.
int set_sigpipe(int, int, const scenario::SocketOption& option, bool) {
  return ::signal(SIGPIPE, option.number ? SIG_DFL : SIG_IGN) == SIG_ERR ? errno : 0;
}

int set_cloexec(int fd, int, const scenario::SocketOption& option, bool) {
  return ::fcntl(fd, F_SETFD, option.number ? FD_CLOEXEC : 0) == 0 ? 0 : errno;
}

struct Special {
  const char* name;
  int (*set)(int fd, int family, const scenario::SocketOption& option, bool listening);
};
constexpr Special kSpecial[] = {{"linger", set_linger}, {"fastopen", set_fastopen}, {"md5", set_md5},
                                {"mptcp", set_mptcp},   {"sigpipe", set_sigpipe},   {"cloexec", set_cloexec}};

}  // namespace

int set_option(int fd, int family, const scenario::SocketOption& option, bool listening) {
  for (const auto& row : kPlain) {
    if (option.name != row.name) continue;
    const bool own = family == AF_INET6 && row.option6;
    return set(fd, own ? row.level6 : row.level, own ? row.option6 : row.option, static_cast<int>(option.number));
  }
  for (const auto& row : kSpecial) {
    if (option.name == row.name) return row.set(fd, family, option, listening);
  }
  return ENOPROTOOPT;
}

scenario::SocketOption option_of(const scenario::Step& step) {
  scenario::SocketOption option;
  if (!step.words.empty()) option.name = step.words[0];
  option.text = step.text;
  option.place = step.place;
  if (step.size) {
    option.number = static_cast<std::int64_t>(*step.size);
  } else if (step.words.size() > 1) {
    const auto& word = step.words[1];
    std::from_chars(word.data(), word.data() + word.size(), option.number);
    if (option.text.empty()) option.text = word;
  }
  return option;
}

int protocol_of(const std::vector<scenario::SocketOption>& options) {
  for (const auto& option : options) {
    if (option.name == "mptcp" && option.number) return IPPROTO_MPTCP;
  }
  return IPPROTO_TCP;
}

bool asks_for_reset(const scenario::SocketOption& option) { return option.name == "linger" && option.number == 0; }

int linger_zero(int fd) { return set(fd, SOL_SOCKET, SO_LINGER, linger{1, 0}); }

}  // namespace lab::actors
