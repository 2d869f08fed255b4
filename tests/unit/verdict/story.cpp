#include "unit/verdict/story.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace lab::verdict {

namespace ev = evidence;

namespace {

constexpr std::uint32_t kIsn[2] = {100'000, 900'000};
constexpr std::uint16_t kFirstPort = 45000;
const char* const kSources[] = {"wire",   "nft-trace", "changes",  "counters", "conntrack", "sockets", "processes",
                                "kernel", "signals",   "syscalls", "filters",  "limits",    "actors",  "system"};

ev::Address address(const std::string& text) { return ev::parse_address(text).value(); }
int pid_of(char who) { return who == 'C' ? kClientPid : who == 'S' ? kServerPid : kProxyPid; }
const char* role_of(char who) { return who == 'C' ? "client" : who == 'S' ? "server" : "proxy"; }

std::string call_of(const std::string& verb) {
  static const std::map<std::string, std::string> calls = {
      {"connect", "connect"},   {"accept", "accept4"},        {"send", "sendto"},
      {"recv", "recvfrom"},     {"recv-exactly", "recvfrom"}, {"recv-until-eof", "recvfrom"},
      {"expect", "recvfrom"},   {"close", "close"},           {"reset", "close"},
      {"shutdown", "shutdown"}, {"open-files", "openat"},     {"spawn-threads", "clone3"},
      {"allocate", "mmap"},     {"write-file", "write"},      {"sleep", "clock_nanosleep"},
      {"exit", "exit_group"},   {"close-listener", "close"},  {"exec", "execve"},
      {"fork", "clone"}};
  const auto at = calls.find(verb);
  return at == calls.end() ? verb : at->second;
}

const char* errno_text(int error) { return ::strerrorname_np(error); }

}  // namespace

Story::Story(Acts acts) : acts_(acts) {
  for (const auto* source : kSources) timeline_.provenance.collectors.push_back({.name = source, .on = true});
  const std::string program = acts == Acts::steps ? "" : "/usr/bin/program";
  started(kServerPid, "server", {}, program);
  listener(server_, 0, 16);
  started(kClientPid, "client", {}, program);
}

Story& Story::off(const std::string& source) {
  for (auto& c : timeline_.provenance.collectors)
    if (c.name == source) c.on = false;
  return *this;
}
Story& Story::lose(const std::string& source, std::uint64_t events) {
  for (auto& c : timeline_.provenance.collectors)
    if (c.name == source) c.lost = events;
  return *this;
}
Story& Story::drop_source(const std::string& source) {
  off(source);
  std::erase_if(timeline_.events, [&](const ev::Event& e) {
    const auto name = ev::source_of(e.what);
    return name == source || (source == "nft-trace" && name == "rules");
  });
  return *this;
}

std::int64_t Story::tick() { return now_ += 20'000; }
Story& Story::wait(std::int64_t ms) {
  now_ += ms * 1'000'000;
  return *this;
}
Story& Story::to(const std::string& server) {
  server_ = server;
  return *this;
}
Story& Story::from(const std::string& client) {
  client_ = client;
  return *this;
}
Story& Story::netns(const std::string& name, const std::string& device, bool outgoing) {
  netns_ = name;
  device_ = device;
  outgoing_ = outgoing;
  return *this;
}
Story& Story::put(ev::What what, bool read_time) {
  timeline_.events.push_back({.t_ns = tick(), .read_time = read_time, .what = std::move(what)});
  return *this;
}

ev::Address Story::local_of(char who) const { return address(who == 'S' ? server_ : client_); }
ev::Address Story::peer_of(char who) const { return address(who == 'S' ? client_ : server_); }

ev::Segment Story::parse(const std::string& text, bool count) {
  std::istringstream words(text);
  std::string way, flags, word;
  words >> way >> flags;
  const int from = way[0] == 'C' ? 0 : 1;
  auto& ends = flows_[client_ + server_];
  ev::Segment s{.netns = netns_, .device = device_, .outgoing = outgoing_, .flags = flags, .window = 512, .ttl = 64};
  s.source = local_of(from ? 'S' : 'C');
  s.target = peer_of(from ? 'S' : 'C');
  std::uint32_t seq = ends.next[from], end = seq, ack = ends.next[1 - from];
  while (words >> word) {
    if (word.starts_with("ack="))
      ack = static_cast<std::uint32_t>(std::stoul(word.substr(4)));
    else if (word.starts_with("win="))
      s.window = static_cast<std::uint32_t>(std::stoul(word.substr(4)));
    else if (word.starts_with("ttl="))
      s.ttl = static_cast<std::uint8_t>(std::stoul(word.substr(4)));
    else if (word.starts_with("head="))
      s.head = word.substr(5);
    else if (word == "mptcp")
      s.mptcp = true;
    else if (word == "md5")
      s.md5 = true;
    else {
      seq = end = static_cast<std::uint32_t>(std::stoul(word));
      if (const auto colon = word.find(':'); colon != std::string::npos)
        end = static_cast<std::uint32_t>(std::stoul(word.substr(colon + 1)));
    }
  }
  // Each connection has first numbers of its own.
  const auto isn = [&](int whose) { return kIsn[whose] + 10'000'000U * (address(client_).port - kFirstPort); };
  s.seq = isn(from) + seq;
  s.length = end - seq;
  if (flags.find('A') != std::string::npos) s.ack = isn(1 - from) + ack;
  end += (flags.find('S') != std::string::npos) + (flags.find('F') != std::string::npos);
  if (count && flags.find('R') == std::string::npos) ends.next[from] = std::max(ends.next[from], end);
  return s;
}

Story& Story::wire(const std::string& text) { return put(parse(text, true)); }

Story& Story::icmp(char about, int type, int code) {
  ev::IcmpError error{.netns = netns_,
                      .device = device_,
                      .type = static_cast<std::uint8_t>(type),
                      .code = static_cast<std::uint8_t>(code)};
  error.quoted_source = local_of(about);
  error.quoted_target = peer_of(about);
  return put(error);
}

Story& Story::connected() { return wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect"); }
Story& Story::handshake() { return connected().act('S', "accept"); }
Story& Story::exchange(int request, int reply) {
  return send('C', request).recv('S', request).send('S', reply).recv('C', reply);
}

Story& Story::send(char who, int bytes) {
  const int from = who == 'S';
  const auto next = flows_[client_ + server_].next[from];
  const std::string way = from ? "S>C" : "C>S", back = from ? "C>S" : "S>C";
  return act(who, fmt::format("send {}", bytes), {.bytes = bytes})
      .wire(fmt::format("{} PA {}:{}", way, next, next + static_cast<unsigned>(bytes)))
      .wire(back + " A");
}
Story& Story::recv(char who, int bytes) { return act(who, "recv 64", {.bytes = bytes}); }

Story& Story::act(char who, const std::string& step, Act a) {
  if (acts_ == Acts::none) return wait(a.ms);
  const auto verb = step.substr(0, step.find(' '));
  const auto start = tick() - a.ago * 1'000'000;
  now_ += a.ms * 1'000'000;
  const auto t = a.pending ? start : tick();
  const bool alone = a.bare || (verb == "accept" && (a.error || a.pending)) || verb == "open-files" ||
                     verb == "spawn-threads" || verb == "allocate" || verb == "write-file" || verb == "sleep" ||
                     verb == "exit" || verb == "wait" || verb == "fork" || verb == "raise";
  const auto local = alone ? ev::Address{} : local_of(who);
  const auto peer = alone || verb == "close-listener" ? ev::Address{} : peer_of(who);
  const int pid = pid_of(who), tid = a.tid ? a.tid : pid;
  if (acts_ == Acts::steps) {
    ev::StepDone done{.role = role_of(who),
                      .actor = role_of(who),
                      .index = taken_[tid]++,
                      .pid = pid,
                      .tid = tid,
                      .verb = verb,
                      .step = step,
                      .call = call_of(verb),
                      .error = a.error,
                      .bytes = a.bytes,
                      .start_ns = start,
                      .end_ns = a.pending ? 0 : t,
                      .fd = a.fd,
                      .local = local,
                      .peer = peer,
                      .linger_reset = a.linger_reset};
    done.outcome = !a.outcome.empty() ? a.outcome
                   : a.pending        ? "stopped"
                   : a.error          ? errno_text(a.error)
                   : a.bytes == 0     ? "eof"
                   : a.bytes > 0      ? fmt::format("{} bytes", a.bytes)
                                      : "ok";
    if (done.outcome == "timeout") done.error = EAGAIN;
    timeline_.events.push_back({.t_ns = t, .what = done});
    return *this;
  }
  const int error = a.outcome == "timeout" ? EAGAIN : a.error;
  ev::Call call{.pid = pid,
                .tid = tid,
                .name = call_of(verb),
                .args = verb == "shutdown" ? "4, SHUT_WR" : "",
                .result = error || a.pending ? 0 : std::max<std::int64_t>(a.bytes, 0),
                .error = error,
                .returned = !a.pending,
                .start_ns = a.answered ? t : start,
                .fd = a.fd,
                .local = local,
                .peer = peer,
                .linger_reset = a.linger_reset,
                .began = !a.answered};
  if (a.outcome == "timeout")
    timeline_.events.push_back({.t_ns = start,
                                .what = ev::Call{.pid = pid,
                                                 .tid = tid,
                                                 .name = "setsockopt",
                                                 .args = "4, SOL_SOCKET, SO_RCVTIMEO, 0.300000s",
                                                 .start_ns = start}});
  timeline_.events.push_back({.t_ns = t, .what = call});
  return *this;
}

Story& Story::end() {
  return put(ev::Milestone{"clients-ended"}).put(ev::Milestone{"stopping"}).put(ev::Milestone{"end"});
}

const ev::Timeline& Story::timeline() {
  std::stable_sort(timeline_.events.begin(), timeline_.events.end(),
                   [](const auto& a, const auto& b) { return a.t_ns < b.t_ns; });
  return timeline_;
}
Judgement Story::judge() { return lab::verdict::judge(timeline()); }

evidence::Segment segment(const std::string& source, const std::string& target, const std::string& flags,
                          std::uint32_t seq, std::uint32_t ack, std::uint32_t length, const std::string& netns,
                          bool outgoing) {
  return {.netns = netns,
          .device = netns.empty() ? "lo" : netns + "0",
          .outgoing = outgoing,
          .source = *evidence::parse_address(source),
          .target = *evidence::parse_address(target),
          .flags = flags,
          .seq = seq,
          .ack = ack,
          .length = length,
          .window = 512,
          .ttl = 64};
}

std::string told(const Verdict& v) {
  std::string text = fmt::format("{} ({}): {}\n", v.cause, name_of(v.status), v.summary);
  for (const auto& b : v.because) text += fmt::format("  because [{}] {}\n", b.source, b.text);
  for (const auto& r : v.ruled_out) text += fmt::format("  not {}: {}\n", r.cause, r.because);
  return text;
}

}  // namespace lab::verdict
