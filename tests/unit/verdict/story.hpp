// Timelines written by hand. One connection, 127.0.0.1:45000 to 127.0.0.1:8080, unless at() says otherwise; sequence
// numbers are relative to each end's first. The clock moves on by 20 µs with each event, and where wait() says so.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "verdict/verdict.hpp"

namespace lab::verdict {

constexpr int kClientPid = 10, kServerPid = 20, kProxyPid = 30;

class Story {
 public:
  enum class Acts { steps, calls, none };  // how programs' acts are known

  // Every collector on, both processes started, the server listening.
  explicit Story(Acts acts = Acts::steps);

  // ---- collectors
  Story& off(const std::string& source);
  Story& lose(const std::string& source, std::uint64_t events);
  Story& drop_source(const std::string& source);  // off, and its events forgotten: what a run without it leaves

  // ---- time, and which connection
  Story& wait(std::int64_t ms);
  Story& to(const std::string& server);  // "127.0.0.1:9090"
  Story& from(const std::string& client);
  Story& netns(const std::string& name, const std::string& device, bool outgoing);

  // ---- wire: "C>S PA 1:7", "S>C FA", "S>C R 1", "C>S A ack=5 win=0 ttl=63 md5 mptcp". Without numbers the next ones;
  // the acknowledgement is what the other end has sent so far.
  Story& wire(const std::string& text);
  Story& icmp(char about, int type, int code);      // about 'C': quotes a segment of the client's
  Story& handshake();                               // on the wire, with connect and accept
  Story& connected();                               // the same without accept
  Story& exchange(int request = 6, int reply = 5);  // both written, acknowledged and read

  // ---- acts: by 'C', 'S' or 'P'; `ms` is how long they took
  struct Act {
    int error = 0;
    std::int64_t bytes = -1, ms = 0;
    std::int64_t ago = 0;  // ms; it began that long before, while others acted
    int tid = 0, fd = -1;
    bool pending = false, linger_reset = false, bare = false;  // bare: no addresses
    bool answered = false;  // a system call that a filter answered: only its return is told
    std::string outcome;    // steps: overrides the one derived
  };
  Story& act(char who, const std::string& step, Act act);
  Story& act(char who, const std::string& step) { return act(who, step, Act()); }
  Story& send(char who, int bytes);  // act and acknowledged segment
  Story& recv(char who, int bytes);
  Story& recv_eof(char who) { return act(who, "recv 64", {.bytes = 0}); }
  Story& recv_timeout(char who, std::int64_t ms) { return act(who, "recv 64", {.ms = ms, .outcome = "timeout"}); }
  Story& recv_fails(char who, int error) { return act(who, "recv 64", {.error = error}); }
  Story& waiting(char who, const std::string& step, bool bare = false) {
    return act(who, step, {.pending = true, .bare = bare});
  }
  Story& close(char who) { return act(who, "close"); }

  // ---- processes
  Story& started(int pid, const std::string& role, std::vector<std::string> limits = {},
                 const std::string& program = "");
  Story& exits(int pid, int status);
  Story& killed(int pid, int signal);
  Story& signal(int signal, int target, int sender, bool by_kernel = false);
  Story& process(int pid, const std::string& state);
  Story& limit(int pid, const std::string& name, std::uint64_t limit, std::uint64_t used, bool hit = false);
  Story& filter(int pid, const std::string& call, const std::string& action, int error = 0, int fd = -1);

  // ---- between the two
  struct Rule {
    std::string hook = "output", action = "drop", text = "tcp dport 8080 counter drop", name = "some-rule";
    std::uint64_t handle = 4;
    std::string verdict = "drop", type = "rule";
    bool icmp = false;
  };
  // As wire(), but a rule met it and it is not on the wire unless the caller says so too.
  Story& traced(const std::string& segment, const Rule& rule);
  Story& traced(const std::string& segment) { return traced(segment, Rule()); }
  Story& rule(const Rule& rule, std::uint64_t packets, bool counted = true);
  Story& dropped(const std::string& segment, const std::string& reason);        // the kernel's own word
  Story& built(char who, const std::string& reason, const std::string& state);  // TCP of that end built a reset
  Story& changed(const std::string& kind, const std::string& object, const std::string& detail = "");
  Story& counter(const std::string& name, std::int64_t change);
  Story& fact(const std::string& kind, const std::string& object, const std::string& value);
  struct Socket {
    std::string state = "ESTABLISHED", when = "end", timer;
    std::uint32_t rq = 0, unacked = 0, not_sent = 0, retransmits = 0, backoff = 0, inode = 1;
    std::vector<int> pids;
    std::string options;
    std::uint32_t timer_ms = 0, send_window = 0;
  };
  Story& socket(char who, const Socket& socket);
  Story& socket(char who) { return socket(who, Socket()); }
  Story& listener(const std::string& local, std::uint32_t waiting, std::uint32_t limit,
                  std::vector<int> pids = {kServerPid}, const std::string& options = "",
                  const std::string& when = "change");
  Story& flow(const std::string& kind, const std::string& osrc, const std::string& odst, const std::string& rsrc,
              const std::string& rdst);

  Story& put(evidence::What what, bool read_time = false);
  std::int64_t now() const { return now_; }
  Story& end();  // the run stops: what comes later is the lab's own

  const evidence::Timeline& timeline();
  Judgement judge();
  Verdict verdict() { return judge().run; }

 private:
  struct Ends {
    std::uint32_t next[2] = {0, 0};
  };
  evidence::Segment parse(const std::string& text, bool count);
  std::int64_t tick();
  evidence::Address local_of(char who) const, peer_of(char who) const;

  Acts acts_;
  std::int64_t now_ = 1'000'000'000;
  std::string client_ = "127.0.0.1:45000", server_ = "127.0.0.1:8080";
  std::string netns_, device_ = "lo";
  bool outgoing_ = false;
  std::map<std::string, Ends> flows_;
  std::map<int, std::uint32_t> taken_;  // steps, by thread
  evidence::Timeline timeline_;
};

// A segment by its own numbers and under any addresses; on lo, or on the one device of a namespace.
evidence::Segment segment(const std::string& source, const std::string& target, const std::string& flags,
                          std::uint32_t seq, std::uint32_t ack, std::uint32_t length = 0, const std::string& netns = "",
                          bool outgoing = false);

// For failure messages: what was decided and why.
std::string told(const Verdict& verdict);

#define EXPECT_VERDICT(story, expected_cause, expected_status)                           \
  do {                                                                                   \
    const auto verdict_ = (story).verdict();                                             \
    EXPECT_EQ(verdict_.cause, expected_cause) << told(verdict_);                         \
    EXPECT_EQ(std::string(name_of(verdict_.status)), expected_status) << told(verdict_); \
  } while (false)

// The verdict may be weaker, but a confirmed one must be this.
#define EXPECT_NOT_WRONGLY_CONFIRMED(story, right_cause)        \
  do {                                                          \
    const auto verdict_ = (story).verdict();                    \
    if (verdict_.status == Status::confirmed) {                 \
      EXPECT_EQ(verdict_.cause, right_cause) << told(verdict_); \
    }                                                           \
  } while (false)

}  // namespace lab::verdict
