// Folds events, in order of time, into facts. One function for each kind of event.
#pragma once

#include <map>
#include <set>
#include <utility>

#include "verdict/deeds.hpp"
#include "verdict/facts.hpp"

namespace lab::verdict {

class Ledger {
 public:
  explicit Ledger(const evidence::Provenance& provenance);
  void see(const evidence::Event& event);
  const Facts& facts() const { return facts_; }
  // What can only be known when everything was seen: hits of eaters that were made good, filters without a call.
  void close();

 private:
  struct Found {
    Conn* conn = nullptr;
    Who from = Who::client;  // the end that `source` is
  };
  using Tuple = std::pair<Address, Address>;

  // ledger.cpp
  Found find(const Address& source, const Address& target);
  Found make(const Address& client, const Address& server, Mark mark);
  void alias(const Address& source, const Address& target, std::size_t conn, Who from);
  bool listens(const Address& local) const;
  std::size_t index_of(const Conn& conn) const;
  Process& process(int pid);

  // ledger_wire.cpp
  void take(const evidence::Segment& segment, Mark mark);
  void take(const evidence::IcmpError& icmp, Mark mark);
  Found place(const evidence::Segment& segment, Mark mark);
  Found astray(const Address& source, const Address& target, std::uint32_t seq);
  bool stray(const evidence::Segment& segment, Mark mark);
  void sent(Conn& conn, Who from, const evidence::Segment& segment, Mark mark);
  void arrived(Conn& conn, Who from, const evidence::Segment& segment, Mark mark);
  void note_translation(Conn& conn, Who from, const evidence::Segment& segment, Mark mark);

  // ledger_rules.cpp
  void take(const evidence::TraceHit& hit, Mark mark);
  void take(const evidence::RuleState& rule, Mark mark);
  void take(const evidence::KernelEvent& event, Mark mark);
  void too_big_eaten(const evidence::TraceHit& hit, Mark mark);
  void note_mended(Conn& conn, Mark mark);
  // `ack`: where it is told; the kernel's own drops don't say.
  void eaten(Conn& conn, Hits&& hit, const std::string& flags, std::uint32_t seq, std::optional<std::uint32_t> ack,
             std::uint32_t length, Mark mark);
  void reset_built(const evidence::KernelEvent& event, Mark mark);

  // ledger_flows.cpp
  void take(const evidence::Flow& flow, Mark mark);
  Found adopt_answer(const evidence::Segment& segment);
  Found adopt_shell(const Conn& shell, const evidence::Segment& segment);
  void join(std::size_t shell, std::size_t whole);

  // ledger_sockets.cpp
  void take(const evidence::SocketState& socket, Mark mark);
  void listening(const evidence::SocketState& socket, Mark mark);

  // ledger_acts.cpp
  bool swept_away(Deed& deed) const;
  void take(const evidence::StepDone& step, Mark mark);
  void take(const evidence::Call& call, Mark mark);
  void take(const evidence::FilterAct& act, Mark mark);
  void act(Deed deed, const Address& local, const Address& peer);
  Found place(const Deed& deed, const Address& local, const Address& peer);
  Found place_connect(const Deed& deed, const Address& local, const Address& peer);
  void note_trouble(Process& process, const Deed& deed, const Address& local, const Address& peer, Found on);
  void note_failed_connect(Process& process, const Deed& deed, const Conn* conn);
  void note_sequel(Process& process, const Deed& deed, const Conn& conn);
  void note_next(Process& process, const Deed& step);

  // ledger_ends.cpp
  void on_connection(Conn& conn, Who who, const Deed& deed);
  bool lets_go(const Conn& conn, Who who, const Deed& deed) const;
  void on_read(Conn& conn, Who who, const Deed& deed);
  void on_write(Conn& conn, Who who, const Deed& deed);
  void on_connect(Conn& conn, const Deed& deed);
  void complain(Conn& conn, Complaint::What what, Who victim, const Deed& deed, bool owed,
                const std::optional<Both<Progress>>& then = {});
  void forgive(Conn& conn, Who who, Kind kind);

  // ledger_looks.cpp
  void note_room(const evidence::Call& call, Deed& write);
  void looked(const Deed& poll, const evidence::Call& call);
  void note_idle(Conn& conn, Who who, Deed look, bool elsewhere = false);
  void give_up(Conn& conn, Who who, const Deed& deed);  // it closed, or its program ended
  void withdraw(Conn& conn, Who who, Kind kind);        // what it complained of after a look
  void answered(const evidence::Call& getsockopt, Mark mark);

  // ledger_descriptors.cpp
  void note_socket(const evidence::Call& call);
  void note_interest(const evidence::Call& call);
  void inherit_linger(const evidence::Call& call, Deed& deed);
  void sweep(const Deed& deed, Range range);
  void note_double(Conn& conn, Who who, const Deed& deed);

  // ledger_system.cpp
  void killed(const evidence::Call& kill, Mark mark);
  void take(const evidence::Counter& counter, Mark mark);
  void take(const evidence::ProcessStart& start, Mark mark);
  void take(const evidence::ProcessExit& exit, Mark mark);
  void take(const evidence::SignalSent& sent, Mark mark);
  void take(const evidence::ProcessState& state, Mark mark);
  void take(const evidence::LimitState& limit, Mark mark);
  void take(const evidence::Change& change, Mark mark);
  void take(const evidence::SystemFact& fact, Mark mark);
  void take(const evidence::Milestone& milestone, Mark mark);
  void take(const evidence::Output&, Mark) {}
  void presume_dead(const Conn& conn, Who who);

  // Told of before its connection was known: a drop on no wire, before the step that connected was written down.
  template <class Told>
  void put_off(const Told& told, Mark mark);
  void catch_up(const Tuple& tuple);

  Facts facts_;
  std::size_t seen_ = 0, put_off_ = 0;
  std::map<Tuple, std::vector<std::pair<evidence::What, Mark>>> early_;
  std::map<Tuple, std::pair<std::size_t, Who>> by_tuple_;
  std::map<std::pair<int, int>, std::pair<std::size_t, Who>> by_fd_;  // (pid, descriptor)
  bool limits_waiting_ = false;         // some program gave a socket SO_RCVTIMEO or SO_SNDTIMEO
  std::set<std::pair<int, int>> full_;  // descriptors whose last write found no room for all it had
  // By process and epoll descriptor: the descriptors that it waits for bytes from.
  std::map<std::pair<int, int>, std::set<int>> interest_;
  std::set<std::pair<int, int>> resetting_;  // descriptors of sockets without a peer that SO_LINGER 0 was set on
  std::set<std::pair<int, int>> datagrams_;  // descriptors of sockets without connections
  std::set<std::pair<int, int>> local_;      // and of AF_UNIX ones with
  std::map<std::uint64_t, std::pair<std::size_t, Who>> by_socket_;  // the kernel's socket
  std::map<std::uint32_t, std::size_t> by_isn_;                     // client's first sequence number
};

// What of an eater's work was never made good: data that was never acknowledged, an ACK that was never replaced.
bool still_missing(const Conn& conn, const Hits& hits);

// A closing segment with this end's address closed nothing (outlived.cpp).
bool outlived_reset(const Conn& conn, Who from);
bool outlived_fin(const Conn& conn, Who from);
void forget_outlived(Conn& conn);

}  // namespace lab::verdict
