// A limit was hit, and the connection ended or hung for it.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "verdict/cause.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

struct Limit {
  std::string_view cause, what;         // "limits/descriptors", "descriptors"
  std::vector<std::string_view> names;  // of LimitState
  bool (*matches)(const Deed& deed);
  std::string_view change;  // of Change, "" for none
};

const LimitFacts* limit_of(const Process& process, const Limit& limit) {
  const LimitFacts* found = nullptr;
  for (const auto name : limit.names)
    if (const auto at = process.limits.find(std::string(name)); at != process.limits.end())
      if (!found || at->second.state.hit) found = &at->second;
  return found;
}

std::string limit_text(const Process& process, const Limit& limit) {
  if (const auto* known = limit_of(process, limit))
    return fmt::format("{} = {}, {} used", known->state.name, known->state.limit, known->state.used);
  for (const auto& given : process.given)
    for (const auto name : limit.names)
      if (given.starts_with(fmt::format("{}=", name))) return given;
  return {};
}

const ChangeFacts* told(const Facts& facts, std::string_view kind, std::int64_t until) {
  for (const auto& one : facts.changes)
    if (one.change.kind == kind && one.at.t <= until) return &one;
  return nullptr;
}

// The kernel fails calls with these errors for no other reason than the limit; a filter can fake them.
void part_from_filters(const Case& one, const Process& process, const Limit& limit, const Trouble& trouble,
                       Finding& result) {
  if (one.facts.complete("filters")) return;
  const auto* known = limit_of(process, limit);
  const bool used_up = known && known->state.limit && (known->state.hit || known->state.used >= known->state.limit);
  const bool full =
      trouble.deed.error == EMFILE && known && process.at_end && process.at_end->descriptors >= known->state.limit;
  if (!used_up && !full)
    result.doubts.push_back(
        fmt::format("a filter can fail {} with {} too (filters: off), and the limit was not seen used up",
                    trouble.deed.call, error_name(trouble.deed.error)));
}

std::optional<Finding> by_failed_call(const Case& one, const Limit& limit) {
  const Who who = one.doer();
  for (const auto& snag : one.snags(who)) {
    const auto& trouble = *snag.trouble;
    if (trouble.filtered || !limit.matches(trouble.deed)) continue;
    auto result = finding(one, limit.cause, trouble.deed.end);
    result.by = by_text(one, who);
    const auto deed = deed_text(snag.process, who, trouble.deed);
    result.mechanism.push_back(record(trouble.deed.step ? "actors" : "syscalls", deed, trouble.deed.mark));
    const auto value = limit_text(*snag.process, limit);
    if (const auto* known = limit_of(*snag.process, limit))
      result.mechanism.push_back(record("limits", value, known->at));
    part_from_filters(one, *snag.process, limit, trouble, result);
    result.culprit = {.kind = "limit",
                      .name = limit_of(*snag.process, limit) ? limit_of(*snag.process, limit)->state.name
                                                             : std::string(limit.names.front()),
                      .pid = snag.process->pid,
                      .detail = fmt::format("{} → {}{}{}", trouble.deed.call, error_name(trouble.deed.error),
                                            value.empty() ? "" : "; ", value)};
    result.summary = fmt::format("The {} had no {} left: {} failed with {}{}; {}", name_of(who), limit.what,
                                 trouble.deed.call, error_name(trouble.deed.error),
                                 value.empty() ? "" : fmt::format(" ({})", value), outcome_text(one));
    return result;
  }
  return std::nullopt;
}

// A signal that stands for a limit, or SIGKILL where the limit's own record says that it was hit.
std::optional<Finding> by_signal(const Case& one, const Limit& limit, int signal) {
  if (!one.gone() || one.closing.foreign()) return std::nullopt;
  const Who who = one.doer();
  const auto closer = one.closer(who);
  if (closer.how != Closer::How::signalled || !closer.process) return std::nullopt;
  const auto& process = *closer.process;
  const auto* known = limit_of(process, limit);
  const auto* change = limit.change.empty() ? nullptr : told(one.facts, limit.change, process.exited.t);
  const bool hit = (known && known->state.hit) || change;
  if (process.signal != signal && !(process.signal == SIGKILL && hit)) return std::nullopt;
  for (const auto& sent : process.signals)
    if (sent.sent.signal == process.signal && !sent.sent.by_kernel && sent.sent.sender &&
        sent.sent.sender != process.pid)
      return std::nullopt;
  auto result = finding(one, limit.cause, one.closing.any ? one.closing.at.t : process.exited.t);
  result.by = by_text(one, who);
  result.mechanism.push_back(
      record("actors", fmt::format("{} was killed by {}", process_text(&process), signal_title(process.signal)),
             process.exited));
  if (known) result.mechanism.push_back(record("limits", limit_text(process, limit), known->at));
  if (change)
    result.mechanism.push_back(
        record("changes", fmt::format("{} {}", change->change.kind, change->change.object), change->at));
  if (!closer.sure) result.doubts = closing_doubts(one, who, closer);
  const auto value = limit_text(process, limit);
  result.culprit = {.kind = "limit",
                    .name = known ? known->state.name : std::string(limit.names.front()),
                    .pid = process.pid,
                    .detail = value};
  result.summary =
      fmt::format("The {}'s process hit its limit on {}{} and was killed by {}; {}", name_of(who), limit.what,
                  value.empty() ? "" : fmt::format(" ({})", value), signal_title(process.signal), outcome_text(one));
  return result;
}

const Limit kDescriptors{"limits/descriptors",
                         "descriptors",
                         {"nofile"},
                         [](const Deed& d) { return d.error == EMFILE || d.error == ENFILE; },
                         ""};
const Limit kProcesses{"limits/processes",
                       "processes or threads",
                       {"nproc", "cgroup.pids"},
                       [](const Deed& d) { return d.error == EAGAIN && d.kind == Kind::spawn; },
                       ""};
const Limit kMemory{"limits/memory",
                    "memory",
                    {"as", "cgroup.memory", "data"},
                    [](const Deed& d) { return d.error == ENOMEM; },
                    "cgroup-oom-kill"};
const Limit kFileSize{"limits/file-size", "file size", {"fsize"}, [](const Deed& d) { return d.error == EFBIG; }, ""};
const Limit kCpuTime{"limits/cpu-time", "CPU time", {"cpu"}, [](const Deed&) { return false; }, ""};

std::optional<Finding> find_descriptors(const Case& one) { return by_failed_call(one, kDescriptors); }
std::optional<Finding> find_processes(const Case& one) { return by_failed_call(one, kProcesses); }
std::optional<Finding> find_memory(const Case& one) {
  if (auto found = by_failed_call(one, kMemory)) return found;
  return by_signal(one, kMemory, -1);
}
std::optional<Finding> find_file_size(const Case& one) {
  if (auto found = by_failed_call(one, kFileSize)) return found;
  return by_signal(one, kFileSize, SIGXFSZ);
}

// A group's share of CPU time is handed out anew in each period (kernel/sched/fair.c, default_cfs_period).
constexpr std::int64_t kPeriod = 100'000'000;

bool inside_a_wait(const Process& process) {
  return std::any_of(process.inside.begin(), process.inside.end(), [](const auto& in) {
    const auto kind = in.second.kind;
    return kind == Kind::read || kind == Kind::write || kind == Kind::accept || kind == Kind::poll;
  });
}

// It worked on the answer and was held back for most of the time that the other end waited.
std::optional<Finding> find_throttled(const Case& one) {
  if (!one.starved() || one.gap(one.victim()).any || !one.complaint->deed) return std::nullopt;
  const Who who = one.doer();
  const auto& work = one.conn.acts[who].last_read;
  const auto waited = one.complaint->deed->end - one.complaint->deed->start;
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    if (!process || !work || inside_a_wait(*process)) continue;
    const auto at = process->limits.find("cgroup.cpu");
    if (at == process->limits.end() || !at->second.state.hit || work.t > one.until()) continue;
    const auto& state = at->second.state;
    const auto share = static_cast<std::int64_t>(std::min<std::uint64_t>(state.limit, 100));
    const auto held = static_cast<std::int64_t>(state.used) * kPeriod * (100 - share) / 100;
    // The count is read at intervals, the last time after the other end gave up.
    if (held < std::max(waited, at->second.at.t - work.t) / 2) continue;
    auto result = finding(one, "limits/cpu-time", work.t);
    result.by = by_text(one, who);
    const auto value = fmt::format("cgroup.cpu = {} %, used up in {}", state.limit, plural(state.used, "period"));
    result.mechanism.push_back(record("limits", value + " of 100 ms", at->second.at));
    result.culprit = {.kind = "limit", .name = "cgroup.cpu", .pid = pid, .detail = value};
    result.summary = fmt::format("The {} was at work, but its control group had no CPU time left ({}); {}", name_of(who),
                                 value, outcome_text(one));
    return result;
  }
  return std::nullopt;
}

std::optional<Finding> find_cpu_time(const Case& one) {
  if (auto found = find_throttled(one)) return found;
  return by_signal(one, kCpuTime, SIGXCPU);
}

// ---- the kernel's own room

bool overflow_reason(const std::string& reason) { return reason.find("LISTEN_OVERFLOW") != std::string::npos; }

std::optional<Finding> find_accept_queue(const Case& one) {
  if (!one.complaint || one.unconnected() || one.victim() != Who::client || one.conn.acts.server.accepted)
    return std::nullopt;
  const auto& server = one.conn.socket.server;
  const bool never_open = !one.conn.left_syn_recv.server && (!server || server->state.state == "SYN_RECV");
  const Hits* told_by = nullptr;
  for (const auto& hits : one.conn.hits)
    if (!hits.rule && overflow_reason(hits.reason)) told_by = &hits;
  const auto counted = one.facts.counter("TcpExtListenOverflows");
  if (!told_by && (counted <= 0 || !never_open)) return std::nullopt;
  if (one.gone() && (one.closing.fin || one.conn.stream.server.rst_acks)) return std::nullopt;
  if (one.starved() && !one.gap(Who::client).any && !told_by) return std::nullopt;
  auto result = finding(one, "limits/accept-queue", one.conn.handshake_at ? one.conn.handshake_at.t : one.conn.began.t);
  result.by = "server";
  if (told_by)
    result.mechanism.push_back(record(
        "kernel", fmt::format("{} dropped: {}", plural(told_by->count, "segment"), told_by->reason), told_by->first));
  if (counted > 0)
    result.mechanism.push_back(record("counters", fmt::format("TcpExtListenOverflows moved by {}", counted),
                                      one.facts.counter_mark("TcpExtListenOverflows")));
  const auto* queue = one.listener();
  if (queue) {
    result.mechanism.push_back(
        record("sockets", fmt::format("the listener's queue held {} of {}", queue->most_waiting, queue->limit),
               queue->last_seen));
    result.culprit = {
        .kind = "limit", .name = "accept queue", .detail = fmt::format("{} of {}", queue->most_waiting, queue->limit)};
  }
  if (!told_by && one.facts.conns.size() > 1 && !one.conn.stream.client.repeats)
    result.doubts.push_back("the counter does not say which connection overflowed");
  result.summary = fmt::format(
      "The listen queue was full when the handshake's last ACK came, so the server never opened the connection that "
      "the client holds; {}",
      outcome_text(one));
  return result;
}

bool buffer_reason(const std::string& reason) {
  return reason == "SOCKET_RCVBUFF" || reason == "TCP_ZEROWINDOW" || reason == "TCP_RCVQ" ||
         reason == "SOCKET_BACKLOG" || reason == "PROTO_MEM" || reason == "RCVQ_FULL";
}

std::optional<Finding> find_receive_buffer(const Case& one) {
  if (!one.starved()) return std::nullopt;
  for (const Who receiver : {other(one.victim()), one.victim()}) {
    const auto& conn = one.conn;
    const Who sender = other(receiver);
    const bool shut = conn.stream[receiver].zero_window && conn.stream[receiver].window == 0;
    // More to send than the window holds, and nothing under way: the sender waits for it to open.
    const auto& sending = conn.socket[sender];
    const bool slit = sending && sending->state.timer == "probe" &&
                      sending->state.not_sent > sending->state.send_window && sending->state.send_window > 0 &&
                      sending->state.unacked == 0;
    const bool narrow = shut || slit;
    const bool lacking =
        one.gap(sender).any || narrow || one.complaint->then[sender].written > one.complaint->then[sender].delivered;
    if (!lacking) continue;
    const auto& seen = conn.socket[receiver];
    const bool drained =
        (seen && seen->state.receive_queue == 0) ||
        (one.acts_known(receiver) && one.complaint->then[sender].read >= one.complaint->then[sender].delivered);
    if (!drained) continue;
    const Hits* told_by = nullptr;
    for (const auto& hits : conn.hits)
      if (!hits.rule && buffer_reason(hits.reason) && hits.from == sender && hits.open_first) told_by = &hits;
    std::string_view counter;
    for (const auto* name : {"TcpExtTCPRcvQDrop", "TcpExtTCPZeroWindowDrop", "TcpExtTCPToZeroWindowAdv",
                             "TcpExtTCPWantZeroWindowAdv", "TcpExtTCPRcvCollapsed", "TcpExtRcvPruned"})
      if (counter.empty() && one.facts.counter(name) > 0) counter = name;
    if (!told_by && counter.empty() && !narrow) continue;
    if (!told_by && !narrow && !open_hits(one, true).empty()) continue;
    auto result = finding(one, "limits/receive-buffer", conn.handshake_at ? conn.handshake_at.t : conn.began.t);
    result.by = by_text(one, receiver);
    if (told_by)
      result.mechanism.push_back(
          record("kernel",
                 fmt::format("{} of the {} dropped at the receiver: {}", plural(told_by->count, "segment"),
                             name_of(sender), told_by->reason),
                 told_by->first));
    if (!counter.empty())
      result.mechanism.push_back(record("counters", fmt::format("{} moved by {}", counter, one.facts.counter(counter)),
                                        one.facts.counter_mark(counter)));
    if (slit)
      result.mechanism.push_back(
          record("sockets",
                 fmt::format("the {} has {} to send and a window of {}", name_of(sender),
                             plural(sending->state.not_sent, "byte"), sending->state.send_window),
                 sending->at));
    if (shut)
      result.mechanism.push_back(
          record("wire", fmt::format("the {} advertises a window of 0 although its program reads", name_of(receiver)),
                 conn.stream[receiver].zero_window));
    if (!told_by && !narrow) result.doubts.push_back("the counter does not say which connection it was");
    result.culprit = {.kind = "limit", .name = "receive buffer", .detail = seen ? seen->state.options : std::string()};
    result.summary =
        fmt::format("The {}'s receive buffer is too small to take what the {} sends, though its program reads; {}",
                    name_of(receiver), name_of(sender), outcome_text(one));
    return result;
  }
  return std::nullopt;
}

// ---- why not

std::string no_failed_call(const Case& one, const Limit& limit) {
  if (!one.complaint || !one.acts_known(one.doer())) return {};
  for (const int pid : one.holders(one.doer())) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    if (std::any_of(process->troubles.begin(), process->troubles.end(),
                    [&](const Trouble& t) { return limit.matches(t.deed); }))
      return {};
  }
  return fmt::format("no call of the {} failed for want of {}", name_of(one.doer()), limit.what);
}
std::string no_descriptors(const Case& one) { return no_failed_call(one, kDescriptors); }
std::string no_processes(const Case& one) { return no_failed_call(one, kProcesses); }
std::string no_memory(const Case& one) { return no_failed_call(one, kMemory); }
std::string no_accept_queue(const Case& one) {
  if (!one.facts.complete("counters") || one.facts.counter("TcpExtListenOverflows") > 0) return {};
  return "TcpExtListenOverflows moved by 0";
}
std::string no_receive_buffer(const Case& one) {
  if (!one.starved() || !one.wire_complete || !one.conn.wire) return {};
  for (const Who who : {Who::client, Who::server})
    if (one.conn.stream[who].zero_window) return {};
  return fmt::format("neither end shut its window (last: {} and {})", one.conn.stream.client.window,
                     one.conn.stream.server.window);
}

}  // namespace

std::span<const Cause> limits_causes() {
  static const std::vector<Cause> all = {
      {"limits/descriptors",
       "no descriptor was left (RLIMIT_NOFILE), and the connection ended or hung for it",
       find_descriptors,
       no_descriptors,
       {"ls /proc/PID/fd | wc -l against 'Max open files' in /proc/PID/limits",
        "Raise LimitNOFILE= of the unit, and look for a leak: ls -l /proc/PID/fd | sort -k11 | uniq -c -f10"}},
      {"limits/processes",
       "no process or thread could be made (RLIMIT_NPROC, cgroup pids)",
       find_processes,
       no_processes,
       {"'Max processes' in /proc/PID/limits counts all of the user's threads: ps -L -u USER | wc -l",
        "cat pids.max pids.events of its cgroup; TasksMax= of the unit"}},
      {"limits/memory",
       "memory ran out (RLIMIT_AS, cgroup memory)",
       find_memory,
       no_memory,
       {"cat memory.events memory.max of its cgroup; journalctl -k | grep -i oom",
        "'Max address space' in /proc/PID/limits; ulimit -v in the start script"}},
      {"limits/file-size",
       "a file grew beyond RLIMIT_FSIZE (EFBIG, SIGXFSZ)",
       find_file_size,
       nullptr,
       {"'Max file size' in /proc/PID/limits; LimitFSIZE= of the unit",
        "Which file: strace -f -e trace=write,pwrite64 -p PID"}},
      {"limits/cpu-time",
       "the process used up its CPU time (RLIMIT_CPU, SIGXCPU)",
       find_cpu_time,
       nullptr,
       {"'Max cpu time' in /proc/PID/limits; ulimit -t in the start script", "What burns it: perf top -p PID"}},
      {"limits/accept-queue",
       "the listen queue was full after the handshake",
       find_accept_queue,
       no_accept_queue,
       {"ss -ltn: Recv-Q above Send-Q on the listener; nstat -az TcpExtListenOverflows TcpExtListenDrops",
        "Raise the backlog of listen() and net.core.somaxconn, and accept faster"}},
      {"limits/receive-buffer",
       "a receive buffer so small that the window can't open though the program reads",
       find_receive_buffer,
       no_receive_buffer,
       {"ss -tnmi: rb of the socket; nstat -az TcpExtTCPRcvQDrop TcpExtTCPToZeroWindowAdv",
        "Leave SO_RCVBUF alone, or set it well above the MTU; check net.ipv4.tcp_rmem"}},
  };
  return all;
}

}  // namespace lab::verdict
