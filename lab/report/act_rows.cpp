#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "report/rows.hpp"

namespace lab::report {
namespace {

constexpr const char* kBegins = " ...";
constexpr std::string_view kAnswer = "SO_ERROR, E";  // what became of a connect that did not wait
constexpr std::int64_t kLong = 5'000'000;            // ns: a step that takes longer is shown where it begins, too

std::string errno_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name ? name : fmt::format("errno {}", error);
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> set) {
  return std::find(set.begin(), set.end(), text) != set.end();
}

// These cause what follows on the wire; the rest wait for it.
bool acts(std::string_view call) {
  return one_of(call,
                {"connect", "sendto", "sendmsg", "send", "write", "writev", "close", "shutdown", "reset", "exit"});
}

class Acts {
 public:
  explicit Acts(const FlowFilter& flow) : flow_(flow) {}

  void see(const evidence::Milestone& milestone, std::int64_t t_ns) {
    if (milestone.what == "stopping") stopping_ = t_ns;
  }

  void see(const evidence::StepDone& s, std::int64_t t_ns) {
    if (s.start_ns == 0 || s.outcome == "not reached") return;
    auto side = flow_.socket(s.local, s.peer);
    if (side == Side::none && !(s.local.known() && s.peer.known())) side = flow_.task(s.pid, s.tid);
    const bool waiting = s.outcome == "stopped" && s.end_ns == 0;
    span(side, s.start_ns, waiting ? t_ns : s.end_ns, acts(s.call) || acts(s.verb), s.step,
         waiting ? "still waiting" : s.outcome);
  }

  void see(const evidence::Call& c, std::int64_t t_ns) {
    auto side = flow_.socket(c.local, c.peer);
    // A call on no connection of ours matters when it failed; EAGAIN is an event loop's daily bread.
    if (c.error == EAGAIN || (c.name == "epoll_ctl" && !c.error)) return;
    // What it came back with is the lab's end of the other program.
    if (stopping_ && t_ns > stopping_ && c.returned && c.result <= 0) {
      if (c.start_ns < stopping_ && side != Side::none) put(side, c.start_ns, c.name + ": still waiting");
      return;
    }
    const bool disconnects = c.name == "connect" && c.linger_reset;  // it leaves the socket without a peer
    if (side == Side::none && (c.error != 0 || disconnects) && !(c.local.known() && c.peer.known()))
      side = flow_.task(c.pid, c.tid);
    if (c.name == "execve" && searches(c, side, t_ns)) return;
    span(side, c.start_ns, c.returned ? t_ns : 0, acts(c.name), c.name, result(c));
  }

  void see(const evidence::FilterAct& f, std::int64_t t_ns) {
    auto side = flow_.socket(f.local, f.peer);
    if (side == Side::none) side = flow_.task(f.pid, f.tid);
    put(side, t_ns, fmt::format("seccomp: {} {}{}", f.call, f.action, f.error ? " " + errno_name(f.error) : ""));
  }

  void see(const evidence::SignalSent& s, std::int64_t t_ns) {
    if (s.by_lab) return;
    const auto sender = s.by_kernel             ? std::string("the kernel")
                        : s.sender_name.empty() ? fmt::format("process {}", s.sender)
                                                : s.sender_name;
    put(flow_.task(s.target, s.target), t_ns, fmt::format("{} from {}", signal_name(s.signal), sender));
  }

  void see(const evidence::ProcessExit& e, std::int64_t t_ns) {
    if (e.by_lab) return;
    put(flow_.task(e.pid, e.pid), t_ns,
        e.signal ? fmt::format("dies of {}", signal_name(e.signal)) : fmt::format("exits with {}", e.status));
  }

  std::vector<Row> take() {
    for (auto& [task, tried] : searching_) rows_.insert(rows_.end(), tried.begin(), tried.end());
    return std::move(rows_);
  }

 private:
  static std::string result(const evidence::Call& c) {
    if (!c.returned) return "never returned";
    if (c.error) return errno_name(c.error);
    if (const auto at = c.args.find(kAnswer); c.name == "getsockopt" && at != c.args.npos)
      return c.args.substr(at + kAnswer.size() - 1);
    const bool reads = one_of(c.name, {"read", "readv", "recvfrom", "recvmsg", "recv"});
    if (reads && c.result == 0) return "eof";
    const bool counts = reads || one_of(c.name, {"write", "writev", "sendto", "sendmsg", "send", "sendfile"});
    return counts ? fmt::format("{} byte{}", c.result, c.result == 1 ? "" : "s") : "ok";
  }

  static Row row(Side side, std::int64_t t_ns, std::string text) {
    return {.t_ns = t_ns,
            .kind = side == Side::client ? Row::Kind::at_client : Row::Kind::at_server,
            .text = std::move(text)};
  }
  void put(Side side, std::int64_t t_ns, std::string text) {
    if (side != Side::none) rows_.push_back(row(side, t_ns, std::move(text)));
  }

  // execvp tries one folder of PATH after the other: what failed on the way to one that has the program is no failure.
  bool searches(const evidence::Call& c, Side side, std::int64_t t_ns) {
    if (!c.error) searching_.erase(c.tid);
    if (c.error != ENOENT && c.error != EACCES && c.error != ENOTDIR) return false;
    if (side != Side::none)
      searching_[c.tid].push_back(row(side, t_ns, fmt::format("{}: {}", c.name, errno_name(c.error))));
    return true;
  }

  void span(Side side, std::int64_t start, std::int64_t end, bool causes, const std::string& what,
            const std::string& outcome) {
    if (end == 0) {
      put(side, start, fmt::format("{}: {}", what, outcome));
    } else if (end - start > kLong) {
      put(side, start, what + kBegins);
      put(side, end, fmt::format("{}: {}", what, outcome));
    } else {
      put(side, causes ? start : end, fmt::format("{}: {}", what, outcome));
    }
  }

  const FlowFilter& flow_;
  std::int64_t stopping_ = 0;
  std::map<int, std::vector<Row>> searching_;  // by thread
  std::vector<Row> rows_;
};

}  // namespace

std::vector<Row> act_rows(const evidence::Timeline& timeline, const FlowFilter& flow) {
  Acts acts_of_both(flow);
  for (const auto& event : timeline.events) {
    std::visit(
        [&](const auto& what) {
          if constexpr (requires { acts_of_both.see(what, event.t_ns); }) acts_of_both.see(what, event.t_ns);
        },
        event.what);
  }
  return acts_of_both.take();
}

std::vector<Row> change_rows(const evidence::Timeline& timeline, std::int64_t from, std::int64_t to) {
  std::vector<Row> rows;
  for (const auto& event : timeline.events) {
    const auto* change = std::get_if<evidence::Change>(&event.what);
    if (!change || event.t_ns < from || event.t_ns > to) continue;
    std::string who;
    if (!change->process.empty()) who = fmt::format(" (by {}[{}])", change->process, change->pid);
    rows.push_back({.t_ns = event.t_ns,
                    .kind = Row::Kind::note,
                    .text = fmt::format("{} {}{}{}", change->kind, change->object,
                                        change->detail.empty() ? "" : " " + change->detail, who)});
  }
  return rows;
}

}  // namespace lab::report
