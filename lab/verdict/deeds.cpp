#include "verdict/deeds.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <sstream>

namespace lab::verdict {
namespace {

struct Entry {
  std::string_view name;
  Kind kind;
};

constexpr Entry kCalls[] = {
    {"connect", Kind::connect},
    {"accept", Kind::accept},
    {"accept4", Kind::accept},
    {"recv", Kind::read},
    {"recvfrom", Kind::read},
    {"recvmsg", Kind::read},
    {"recvmmsg", Kind::read},
    {"read", Kind::read},
    {"readv", Kind::read},
    {"pread64", Kind::read},
    {"send", Kind::write},
    {"sendto", Kind::write},
    {"sendmsg", Kind::write},
    {"sendmmsg", Kind::write},
    {"write", Kind::write},
    {"writev", Kind::write},
    {"pwrite64", Kind::write},
    {"sendfile", Kind::write},
    {"sendfile64", Kind::write},
    {"splice", Kind::write},
    {"shutdown", Kind::shut},
    {"close", Kind::close},
    {"close_range", Kind::close},
    {"poll", Kind::poll},
    {"ppoll", Kind::poll},
    {"select", Kind::poll},
    {"pselect6", Kind::poll},
    {"epoll_wait", Kind::poll},
    {"epoll_pwait", Kind::poll},
    {"epoll_pwait2", Kind::poll},
    {"nanosleep", Kind::pause},
    {"clock_nanosleep", Kind::pause},
    {"futex", Kind::pause},
    {"pause", Kind::pause},
    {"wait4", Kind::pause},
    {"waitid", Kind::pause},
    {"rt_sigsuspend", Kind::pause},
    {"clone", Kind::spawn},
    {"clone3", Kind::spawn},
    {"fork", Kind::spawn},
    {"vfork", Kind::spawn},
    {"mmap", Kind::memory},
    {"brk", Kind::memory},
    {"mremap", Kind::memory},
    {"open", Kind::descriptor},
    {"openat", Kind::descriptor},
    {"openat2", Kind::descriptor},
    {"socket", Kind::descriptor},
    {"socketpair", Kind::descriptor},
    {"pipe", Kind::descriptor},
    {"pipe2", Kind::descriptor},
    {"dup", Kind::descriptor},
    {"eventfd2", Kind::descriptor},
    {"epoll_create1", Kind::descriptor},
    {"timerfd_create", Kind::descriptor},
    {"execve", Kind::exec},
    {"execveat", Kind::exec},
    {"exit", Kind::exit},
    {"exit_group", Kind::exit},
};

constexpr Entry kVerbs[] = {
    {"connect", Kind::connect},
    {"accept", Kind::accept},
    {"recv", Kind::read},
    {"recv-exactly", Kind::read},
    {"recv-until-eof", Kind::read},
    {"expect", Kind::read},
    {"wait-unread", Kind::poll},
    {"send", Kind::write},
    {"relay", Kind::poll},
    {"shutdown", Kind::shut},
    {"close", Kind::close},
    {"reset", Kind::reset},
    {"close-listener", Kind::listener_close},
    {"sleep", Kind::pause},
    {"wait", Kind::pause},
    {"burn", Kind::pause},
    {"fork", Kind::spawn},
    {"start-thread", Kind::spawn},
    {"spawn-threads", Kind::spawn},
    {"allocate", Kind::memory},
    {"open-files", Kind::descriptor},
    {"write-file", Kind::file},
    {"exec", Kind::exec},
    {"exit", Kind::exit},
    {"abort", Kind::exit},
    {"crash", Kind::exit},
    {"raise", Kind::exit},
};

template <std::size_t N>
Kind lookup(const Entry (&table)[N], std::string_view name) {
  const auto* at = std::find_if(std::begin(table), std::end(table), [&](const Entry& e) { return e.name == name; });
  return at == std::end(table) ? Kind::other : at->kind;
}

// These say ENOMEM of a range that is not mapped or an address that can't be had (man 2 of each).
bool of_a_range(std::string_view call) {
  return call == "mprotect" || call == "madvise" || call == "mremap" || call == "munmap" || call == "brk";
}

bool one_of(int error, std::initializer_list<int> list) {
  return std::find(list.begin(), list.end(), error) != list.end();
}

}  // namespace

Kind kind_of_call(std::string_view call) { return lookup(kCalls, call); }
Kind kind_of_verb(std::string_view verb) { return lookup(kVerbs, verb); }

namespace {

// "send 50MiB timeout=1s" asked for 52,428,800 bytes; "send 'text'" for what it wrote.
std::int64_t asked(const std::string& step) {
  const auto at = step.find(' ');
  if (at == std::string::npos || at + 1 >= step.size() || step[at + 1] < '0' || step[at + 1] > '9') return 0;
  char* unit = nullptr;
  const auto number = std::strtoll(step.c_str() + at + 1, &unit, 10);
  const std::string_view rest(unit);
  return rest.starts_with("KiB")   ? number << 10
         : rest.starts_with("MiB") ? number << 20
         : rest.starts_with("GiB") ? number << 30
                                   : number;
}

}  // namespace

std::optional<Deed> deed_of(const evidence::StepDone& step, Mark mark) {
  if (step.outcome == "not reached" || (step.start_ns == 0 && step.end_ns == 0)) return std::nullopt;
  Deed deed{.kind = kind_of_verb(step.verb), .shown = step.step.empty() ? step.verb : step.step, .call = step.call};
  deed.step = true;
  deed.exact = step.verb == "recv-exactly" || step.verb == "expect";
  deed.to_eof = step.verb == "recv-until-eof";
  deed.pending = step.outcome == "stopped";
  deed.timed_out = step.outcome == "timeout";
  // A blocking send that wrote less ran into its timeout.
  if (step.verb == "send" && step.bytes >= 0 && step.bytes < asked(step.step)) deed.timed_out = true;
  const bool failed = deed.pending || deed.timed_out || step.error != 0;
  deed.eof = step.outcome == "eof" || (deed.to_eof && !failed);
  deed.linger_reset = step.linger_reset;
  deed.pid = step.pid;
  deed.tid = step.tid;
  deed.fd = step.fd;
  deed.error = deed.timed_out ? 0 : step.error;
  deed.bytes = step.bytes;
  deed.start = step.start_ns;
  deed.end = step.end_ns ? step.end_ns : mark.t;
  deed.got = step.got_ns;
  deed.index = step.index;
  deed.mark = mark;
  // A step that failed in another call than its own (connect that ended in socket(2)) is that call's failure.
  if (deed.error && !step.call.empty() && deed.kind == Kind::connect && step.call != "connect")
    deed.kind = kind_of_call(step.call);
  return deed;
}

namespace {

// Calls alike that were folded into this one moved these bytes: "4, 4096 [12 more like it, 49152 bytes]".
std::int64_t folded_bytes(const std::string& args) {
  constexpr std::string_view more = " more like it, ";
  const auto at = args.rfind(more);
  return at == std::string::npos ? 0 : std::atoll(args.c_str() + at + more.size());
}

// dup2() and dup3() close what their second descriptor was; to the same one, dup2() does nothing (man dup2).
bool dups_over(const evidence::Call& call) {
  if (call.name != "dup2" && call.name != "dup3") return false;
  const auto comma = call.args.find(", ");
  const int from = std::atoi(call.args.c_str());
  return comma != std::string::npos && call.fd == std::atoi(call.args.c_str() + comma + 2) && call.fd != from;
}

// splice() reads from the descriptor that it names first (man 2 splice).
bool splices_from(const evidence::Call& call) {
  return call.name == "splice" && call.args.starts_with(std::to_string(call.fd) + ",");
}

}  // namespace

Deed deed_of(const evidence::Call& call, Mark mark) {
  Deed deed{.kind = kind_of_call(call.name), .shown = call.name, .call = call.name, .pid = call.pid, .tid = call.tid};
  deed.pending = !call.returned;
  deed.error = call.returned ? call.error : 0;
  deed.fd = call.fd;
  deed.bytes = call.error || deed.pending ? -1 : call.result;
  deed.start = call.start_ns ? call.start_ns : mark.t;
  deed.end = mark.t;
  deed.queued = call.queued_ns;
  deed.start_queued = call.start_queued_ns;
  deed.mark = mark;
  deed.linger_reset = call.linger_reset;
  deed.lingers = call.name == "setsockopt" && !call.error && call.returned && !call.linger_reset &&
                 call.args.find("SO_LINGER") != std::string::npos;
  if (dups_over(call)) {
    deed.kind = Kind::close;
    deed.shown = call.name + "(" + call.args + ")";
    deed.bytes = -1;
  }
  if (splices_from(call)) {
    deed.kind = Kind::read;
    deed.passing = deed.pending;  // for bytes, or for room in its pipe (do_splice, fs/splice.c)
  }
  // A tracer that emulates calls (PTRACE_SYSEMU) leaves ENOSYS there, as a filter may.
  deed.began = call.began || call.error == ENOSYS;
  const bool transfers = deed.kind == Kind::read || deed.kind == Kind::write;
  if (deed.kind == Kind::shut) deed.shown = call.name + "(" + call.args + ")";
  // To no address: the socket lets its connection go with a reset and may connect anew (tcp_disconnect, man connect).
  if (deed.kind == Kind::connect && call.linger_reset) {
    deed.kind = Kind::reset;
    deed.shown = "connect(AF_UNSPEC)";
  }
  if (transfers && deed.bytes > 0) deed.bytes += folded_bytes(call.args);
  deed.eof = deed.kind == Kind::read && deed.bytes == 0;
  deed.peeks = deed.kind == Kind::read && call.args.find("MSG_PEEK") != std::string::npos;
  const auto took = deed.end - deed.start;
  deed.timed_out = deed.error == EAGAIN && transfers && took >= kBlocked;
  // A blocking send returns with less than it was given when its time is over or a signal ends it. Copying alone takes
  // milliseconds.
  constexpr std::int64_t no_copying = 100'000'000;
  if (deed.kind == Kind::write && !call.error && call.result < given(call) && took >= no_copying) deed.timed_out = true;
  return deed;
}

std::int64_t given(const evidence::Call& call) {
  if (call.name != "sendto" && call.name != "send" && call.name != "write") return 0;
  const auto comma = call.args.find(", ");
  return comma == std::string::npos ? 0 : std::atoll(call.args.c_str() + comma + 2);
}

std::optional<Range> closed_range(const evidence::Call& call) {
  constexpr unsigned long only_marks = 4;  // CLOSE_RANGE_CLOEXEC, include/uapi/linux/close_range.h
  unsigned first = 0, last = 0;
  unsigned long flags = 0;
  if (call.name != "close_range" || call.error || !call.returned ||
      std::sscanf(call.args.c_str(), "%u, %u, %lx", &first, &last, &flags) != 3 || flags & only_marks)
    return std::nullopt;
  constexpr auto most = static_cast<unsigned>(std::numeric_limits<int>::max());
  return Range{static_cast<int>(std::min(first, most)), static_cast<int>(std::min(last, most))};
}

std::vector<int> awaited(const evidence::Call& call, std::string_view what) {
  std::vector<int> all;
  const auto begin = call.args.find('['), end = call.args.find(']');
  if (begin == std::string::npos || end == std::string::npos) return all;
  const bool set = call.args.find("read=[") + 6 == begin + 1;
  std::istringstream words(call.args.substr(begin + 1, end - begin - 1));
  for (std::string word; words >> word;)
    if (std::isdigit(static_cast<unsigned char>(word[0])) &&
        (set ? what == "POLLIN" : word.substr(0, word.find('=')).find(what) != std::string::npos))
      all.push_back(std::atoi(word.c_str()));
  return all;
}

bool harmless(const Deed& deed) {
  if (deed.error == EAGAIN) return deed.kind != Kind::spawn && deed.kind != Kind::memory;
  // Numbers from 512 on are the kernel's own notes to itself (ERESTARTSYS): the call is started again.
  return deed.error == 0 || deed.error >= 512 ||
         one_of(deed.error, {EINTR, EINPROGRESS, EALREADY, EISCONN, ENOTCONN, ENOENT, EEXIST, ENOTTY, ECHILD, ESRCH,
                             EAFNOSUPPORT, ENOPROTOOPT, EOPNOTSUPP, ENOTDIR, ENOEXEC, ESPIPE});
}

bool connection_gone(int error) { return one_of(error, {ECONNRESET, EPIPE, ECONNABORTED, ESHUTDOWN}); }
bool path_error(int error) {
  return one_of(error, {ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ECONNREFUSED, ENETDOWN, EHOSTDOWN, EPROTO, ENONET});
}
bool misuse(int error) { return one_of(error, {EBADF, ENOTSOCK, EFAULT, EINVAL, EDESTADDRREQ, EMSGSIZE}); }

bool reads_only(const Deed& deed) {
  return deed.kind == Kind::shut &&
         (deed.shown.find("read") != std::string::npos || deed.shown.find("SHUT_RD)") != std::string::npos);
}

bool writes_only(const Deed& deed) {
  return deed.kind == Kind::shut &&
         (deed.shown.find("write") != std::string::npos || deed.shown.find("SHUT_WR)") != std::string::npos);
}

bool shortage(const Deed& deed) {
  if (deed.error == ENOMEM) return !of_a_range(deed.call);
  if (one_of(deed.error, {EMFILE, ENFILE, EFBIG})) return true;
  return deed.error == EAGAIN && deed.kind == Kind::spawn;
}

}  // namespace lab::verdict
