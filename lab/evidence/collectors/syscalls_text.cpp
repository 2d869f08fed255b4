#include "evidence/collectors/syscalls_text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "evidence/address.hpp"
#include "system/error.hpp"

namespace lab::evidence {
namespace {

using Names = std::vector<std::pair<std::uint64_t, const char*>>;

const Names message_flags = {
    {MSG_OOB, "MSG_OOB"},         {MSG_PEEK, "MSG_PEEK"},         {MSG_DONTROUTE, "MSG_DONTROUTE"},
    {MSG_WAITALL, "MSG_WAITALL"}, {MSG_DONTWAIT, "MSG_DONTWAIT"}, {MSG_NOSIGNAL, "MSG_NOSIGNAL"},
    {MSG_MORE, "MSG_MORE"},       {MSG_FASTOPEN, "MSG_FASTOPEN"}, {MSG_TRUNC, "MSG_TRUNC"}};
const Names socket_flags = {{SOCK_NONBLOCK, "SOCK_NONBLOCK"}, {SOCK_CLOEXEC, "SOCK_CLOEXEC"}};
const Names poll_bits = {{POLLIN, "POLLIN"},   {POLLPRI, "POLLPRI"},   {POLLOUT, "POLLOUT"},    {POLLERR, "POLLERR"},
                         {POLLHUP, "POLLHUP"}, {POLLNVAL, "POLLNVAL"}, {POLLRDHUP, "POLLRDHUP"}};
const Names clone_flags = {{CLONE_VM, "CLONE_VM"},       {CLONE_FS, "CLONE_FS"},
                           {CLONE_FILES, "CLONE_FILES"}, {CLONE_SIGHAND, "CLONE_SIGHAND"},
                           {CLONE_VFORK, "CLONE_VFORK"}, {CLONE_THREAD, "CLONE_THREAD"}};
const Names open_flags = {{O_CREAT, "O_CREAT"},
                          {O_EXCL, "O_EXCL"},
                          {O_TRUNC, "O_TRUNC"},
                          {O_APPEND, "O_APPEND"},
                          {O_DIRECTORY, "O_DIRECTORY"}};

std::string flags_text(std::uint64_t flags, const Names& names) {
  std::string out;
  for (const auto& [bit, name] : names)
    if (flags & bit) out += fmt::format("{}{}", out.empty() ? "" : "|", name);
  return out;
}

std::string name_text(std::uint64_t value, const Names& names) {
  for (const auto& [number, name] : names)
    if (number == value) return name;
  return std::to_string(value);
}

const Names families = {{AF_UNSPEC, "AF_UNSPEC"}, {AF_UNIX, "AF_UNIX"},       {AF_INET, "AF_INET"},
                        {AF_INET6, "AF_INET6"},   {AF_NETLINK, "AF_NETLINK"}, {AF_PACKET, "AF_PACKET"}};
const Names types = {{SOCK_STREAM, "SOCK_STREAM"},
                     {SOCK_DGRAM, "SOCK_DGRAM"},
                     {SOCK_RAW, "SOCK_RAW"},
                     {SOCK_SEQPACKET, "SOCK_SEQPACKET"}};
const Names hows = {{SHUT_RD, "SHUT_RD"}, {SHUT_WR, "SHUT_WR"}, {SHUT_RDWR, "SHUT_RDWR"}};
const Names resources = {{RLIMIT_CPU, "RLIMIT_CPU"},       {RLIMIT_FSIZE, "RLIMIT_FSIZE"},
                         {RLIMIT_DATA, "RLIMIT_DATA"},     {RLIMIT_STACK, "RLIMIT_STACK"},
                         {RLIMIT_CORE, "RLIMIT_CORE"},     {RLIMIT_NPROC, "RLIMIT_NPROC"},
                         {RLIMIT_NOFILE, "RLIMIT_NOFILE"}, {RLIMIT_AS, "RLIMIT_AS"}};
const Names levels = {
    {SOL_SOCKET, "SOL_SOCKET"}, {IPPROTO_IP, "SOL_IP"}, {IPPROTO_TCP, "SOL_TCP"}, {IPPROTO_IPV6, "SOL_IPV6"}};
const Names socket_options = {{SO_REUSEADDR, "SO_REUSEADDR"},
                              {SO_ERROR, "SO_ERROR"},
                              {SO_SNDBUF, "SO_SNDBUF"},
                              {SO_RCVBUF, "SO_RCVBUF"},
                              {SO_KEEPALIVE, "SO_KEEPALIVE"},
                              {SO_LINGER, "SO_LINGER"},
                              {SO_REUSEPORT, "SO_REUSEPORT"},
                              {SO_RCVTIMEO, "SO_RCVTIMEO"},
                              {SO_SNDTIMEO, "SO_SNDTIMEO"},
                              {SO_ACCEPTCONN, "SO_ACCEPTCONN"},
                              {SO_TYPE, "SO_TYPE"}};
const Names tcp_options = {{TCP_NODELAY, "TCP_NODELAY"},
                           {TCP_MAXSEG, "TCP_MAXSEG"},
                           {TCP_CORK, "TCP_CORK"},
                           {TCP_KEEPIDLE, "TCP_KEEPIDLE"},
                           {TCP_KEEPINTVL, "TCP_KEEPINTVL"},
                           {TCP_KEEPCNT, "TCP_KEEPCNT"},
                           {TCP_LINGER2, "TCP_LINGER2"},
                           {TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT"},
                           {TCP_WINDOW_CLAMP, "TCP_WINDOW_CLAMP"},
                           {TCP_INFO, "TCP_INFO"},
                           {TCP_QUICKACK, "TCP_QUICKACK"},
                           {TCP_MD5SIG, "TCP_MD5SIG"},
                           {TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT"},
                           {TCP_FASTOPEN, "TCP_FASTOPEN"},
                           {TCP_FASTOPEN_CONNECT, "TCP_FASTOPEN_CONNECT"},
                           {TCP_REPAIR, "TCP_REPAIR"},
                           {TCP_ULP, "TCP_ULP"}};
const Names ip_options = {{IP_RECVERR, "IP_RECVERR"},
                          {IP_TTL, "IP_TTL"},
                          {IP_MINTTL, "IP_MINTTL"},
                          {IP_MTU_DISCOVER, "IP_MTU_DISCOVER"},
                          {IP_TOS, "IP_TOS"}};
const Names ip6_options = {{IPV6_V6ONLY, "IPV6_V6ONLY"}, {IPV6_RECVERR, "IPV6_RECVERR"}};

template <class T>
T at(const raw_call& raw, std::size_t offset) {
  T value{};
  if (offset + sizeof value <= raw.data_length) std::memcpy(&value, raw.data + offset, sizeof value);
  return value;
}

template <class T>
T second(const raw_call& raw, std::size_t offset) {
  T value{};
  if (offset + sizeof value <= raw.second_length) std::memcpy(&value, raw.second + offset, sizeof value);
  return value;
}

bool went_well(const raw_call& raw) { return raw.returned && raw.result >= 0; }

std::string quoted(const raw_call& raw) {
  std::string out = "\"";
  for (const char c : path_of(raw))
    out += c >= 32 && c < 127 ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out + (out.size() > RAW_DATA - 1 ? "\"..." : "\"");
}

std::string option_text(const raw_call& raw) {
  const std::uint64_t level = raw.args[1], name = raw.args[2];
  static const std::map<std::uint64_t, const Names*> by_level = {{SOL_SOCKET, &socket_options},
                                                                 {IPPROTO_TCP, &tcp_options},
                                                                 {IPPROTO_IP, &ip_options},
                                                                 {IPPROTO_IPV6, &ip6_options}};
  const auto known = by_level.find(level);
  std::string value = raw.data_length ? std::to_string(at<std::int32_t>(raw, 0)) : "?";
  if (level == SOL_SOCKET && name == SO_LINGER)
    value = fmt::format("{{onoff={}, linger={}}}", at<std::int32_t>(raw, 0), at<std::int32_t>(raw, 4));
  if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO))
    value = fmt::format("{}.{:06}s", at<std::int64_t>(raw, 0), at<std::int64_t>(raw, 8));
  if (level == SOL_SOCKET && name == SO_ERROR && at<std::int32_t>(raw, 0) > 0)
    value = sys::errno_name(at<std::int32_t>(raw, 0));
  return fmt::format("{}, {}, {}", name_text(level, levels),
                     name_text(name, known == by_level.end() ? Names{} : *known->second), value);
}

std::string pollfds_text(const raw_call& raw) {
  const std::uint64_t all = raw.args[1], shown = std::min<std::uint64_t>(all, raw.data_length / sizeof(pollfd));
  std::string out = "[";
  for (std::size_t i = 0; i < shown; ++i) {
    const auto one = at<pollfd>(raw, i * sizeof(pollfd));
    out += fmt::format("{}{}:{}", i ? " " : "", one.fd, flags_text(static_cast<std::uint16_t>(one.events), poll_bits));
    if (one.revents && raw.result > 0) out += "=" + flags_text(static_cast<std::uint16_t>(one.revents), poll_bits);
  }
  return out + (all > shown ? " ...]" : "]");
}

// sizeof(epoll_event): the kernel's is packed on x86, 12 bytes there and 16 elsewhere; so is glibc's.
std::string epoll_text(const raw_call& raw) {
  const auto ready = static_cast<std::size_t>(went_well(raw) ? raw.result : 0);
  std::string out = "[";
  for (std::size_t i = 0; i < ready && (i + 1) * sizeof(epoll_event) <= raw.data_length; ++i)
    out += (i ? " " : "") + flags_text(at<std::uint32_t>(raw, i * sizeof(epoll_event)), poll_bits);
  return out + "]";
}

// The descriptors below 64 that it waits to read from.
std::string read_set_text(const raw_call& raw) {
  std::string out = "[";
  for (unsigned fd = 0; fd < 64 && fd < raw.args[0]; ++fd)
    if (at<std::uint64_t>(raw, 0) >> fd & 1) out += fmt::format("{}{}", out.size() > 1 ? " " : "", fd);
  return raw.args[1] ? "read=" + out + "]" : "";
}

std::string limit_text(const raw_call& raw) {
  const auto soft = second<std::uint64_t>(raw, 0), hard = second<std::uint64_t>(raw, 8);
  const auto one = [](std::uint64_t v) { return v == RLIM_INFINITY ? "unlimited" : std::to_string(v); };
  return raw.second_length ? fmt::format("{{{}, {}}}", one(soft), one(hard)) : "";
}

std::string open_text(std::uint64_t flags) {
  static constexpr const char* modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  const auto rest = flags_text(flags, open_flags);
  return std::string(modes[flags & O_ACCMODE]) + (rest.empty() ? "" : "|" + rest);
}

std::string type_text(std::uint64_t type) {
  const auto flags = flags_text(type, socket_flags);
  return name_text(type & 0xf, types) + (flags.empty() ? "" : "|" + flags);
}

// What is left of it: Linux writes that back.
std::string timeout_text(const raw_call& raw, unsigned per_ms) {
  if (!raw.second_length) return "no timeout";
  return fmt::format("{}.{:03}s left", second<std::int64_t>(raw, 0), second<std::int64_t>(raw, 8) / per_ms);
}

std::string signed_text(std::uint64_t value) { return std::to_string(static_cast<std::int32_t>(value)); }

using Printer = std::string (*)(const raw_call& raw, std::uint64_t value);

const std::map<char, Printer>& printers() {
  static const Names interests = {
      {EPOLL_CTL_ADD, "EPOLL_CTL_ADD"}, {EPOLL_CTL_MOD, "EPOLL_CTL_MOD"}, {EPOLL_CTL_DEL, "EPOLL_CTL_DEL"}};
  static const Names commands = {{F_DUPFD, "F_DUPFD"}, {F_DUPFD_CLOEXEC, "F_DUPFD_CLOEXEC"}};
  static const std::map<char, Printer> table = {
      {'n', [](const raw_call&, std::uint64_t v) { return signed_text(v); }},
      {'u', [](const raw_call&, std::uint64_t v) { return std::to_string(v); }},
      {'U', [](const raw_call&, std::uint64_t v) { return std::to_string(static_cast<std::uint32_t>(v)); }},
      {'s', [](const raw_call&, std::uint64_t v) { return std::to_string(v); }},
      {'x', [](const raw_call&, std::uint64_t v) { return fmt::format("{:#x}", v); }},
      {'i', [](const raw_call&, std::uint64_t v) { return signed_text(v) + "ms"; }},
      {'a', [](const raw_call& raw, std::uint64_t) { return socket_address_text(raw.data, raw.data_length); }},
      {'v', [](const raw_call& raw, std::uint64_t) { return option_text(raw); }},
      {'p', [](const raw_call& raw, std::uint64_t) { return quoted(raw); }},
      {'o', [](const raw_call&, std::uint64_t v) { return open_text(v); }},
      {'d', [](const raw_call&, std::uint64_t v) { return name_text(v, families); }},
      {'t', [](const raw_call&, std::uint64_t v) { return type_text(v); }},
      {'c', [](const raw_call&, std::uint64_t v) { return flags_text(v, socket_flags); }},
      {'m', [](const raw_call&, std::uint64_t v) { return flags_text(v, message_flags); }},
      {'h', [](const raw_call&, std::uint64_t v) { return name_text(v, hows); }},
      {'g', [](const raw_call&, std::uint64_t v) { return v ? sys::signal_name(static_cast<int>(v)) : "0"; }},
      {'w', [](const raw_call&, std::uint64_t v) { return flags_text(v, clone_flags); }},
      {'k', [](const raw_call& raw, std::uint64_t) { return flags_text(at<std::uint64_t>(raw, 0), clone_flags); }},
      {'r', [](const raw_call&, std::uint64_t v) { return name_text(v, resources); }},
      {'l', [](const raw_call& raw, std::uint64_t) { return limit_text(raw); }},
      {'f', [](const raw_call& raw, std::uint64_t) { return pollfds_text(raw); }},
      {'e', [](const raw_call& raw, std::uint64_t) { return epoll_text(raw); }},
      {'q', [](const raw_call& raw, std::uint64_t) { return read_set_text(raw); }},
      {'j', [](const raw_call& raw, std::uint64_t) { return timeout_text(raw, 1'000'000); }},
      {'J', [](const raw_call& raw, std::uint64_t) { return timeout_text(raw, 1'000); }},
      {'F', [](const raw_call&, std::uint64_t v) { return name_text(v, commands); }},
      {'E', [](const raw_call&, std::uint64_t v) { return name_text(v, interests); }},
      {'y',
       [](const raw_call& raw, std::uint64_t v) { return v ? flags_text(at<std::uint32_t>(raw, 0), poll_bits) : ""; }},
  };
  return table;
}

}  // namespace

std::string path_of(const raw_call& raw) {
  if (raw.nr == SYS_execve && went_well(raw)) return {raw.name, ::strnlen(raw.name, sizeof raw.name)};
  const auto* chars = reinterpret_cast<const char*>(raw.data);
  return {chars, ::strnlen(chars, raw.data_length)};
}

Address socket_address(const unsigned char* bytes, std::size_t length) {
  std::uint16_t family = 0;
  if (length >= sizeof family) std::memcpy(&family, bytes, sizeof family);
  const auto port = [&] { return static_cast<std::uint16_t>(bytes[2] << 8 | bytes[3]); };
  if (family == AF_INET && length >= 8) return make_address(4, bytes + 4, port());
  if (family == AF_INET6 && length >= 24) return make_address(6, bytes + 8, port());
  return {};
}

std::string socket_address_text(const unsigned char* bytes, std::size_t length) {
  std::uint16_t family = 0;
  if (length < sizeof family) return "?";
  std::memcpy(&family, bytes, sizeof family);
  const auto address = socket_address(bytes, length);
  return address.known() ? to_string(address) : name_text(family, families);
}

bool has_printer(char letter) { return printers().contains(letter); }

std::string argument_text(char letter, unsigned index, const raw_call& raw) {
  const auto found = printers().find(letter);
  return found == printers().end() ? "" : found->second(raw, raw.args[index]);
}

}  // namespace lab::evidence
