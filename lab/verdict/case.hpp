// One connection's case: who was let down, which segment closed it, who closed it and why, what is missing between the
// two ends. What several causes ask for; each cause then looks for its own records.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "verdict/facts.hpp"
#include "verdict/verdict.hpp"

namespace lab::verdict {

// The clocks of a packet's capture and of a program's own reading agree to a fraction of this, in ns.
inline constexpr std::int64_t kSlack = 300'000;

// One record: what was seen, where in the timeline.
struct Record {
  std::string source, text;
  std::vector<std::size_t> events;
  std::int64_t t = 0;
};
Record record(std::string source, std::string text, const Mark& mark);
Record record(std::string source, std::string text, const Mark& first, const Mark& last);

// A closing segment behind the handshake.
struct Closing {
  enum class Builder : std::uint8_t {
    unknown,
    tcp,
    firewall,
    injected,
    foreign
  };  // foreign: not TCP, rule or injection not told
  bool any = false, fin = false;
  Who from = Who::client;  // by its address
  Mark at;
  bool both = false;  // a reset behind a FIN of its own that had ended one direction
  Builder builder = Builder::unknown;
  bool certain = false;        // of the builder
  const Hits* rule = nullptr;  // of a firewall's
  bool no_socket = false;      // of TCP's: it answered for a socket that was no more
  std::vector<Record> why;     // what says who built it
  bool foreign() const { return builder != Builder::tcp && builder != Builder::unknown; }
};

// Why an end's socket was closed by its holder.
struct Closer {
  enum class How : std::uint8_t { unknown, call, shutdown, reset, exec, exited, signalled };
  How how = How::unknown;
  bool sure = false;  // nothing that is known could have closed it otherwise
  const Process* process = nullptr;
  std::optional<Deed> deed;
  std::optional<std::uint64_t> unread;  // bytes that had arrived and were not read by then
};

// Bytes of one direction that did not get through.
struct Gap {
  bool any = false;
  bool on_wire = false;  // they were seen, and seen again
  Mark since;
  std::vector<Record> records;
};

class Case {
 public:
  Case(const Facts& facts, const Conn& conn);

  const Facts& facts;
  const Conn& conn;
  std::optional<Complaint> complaint;  // the first that was never made good; none: it went well
  std::vector<Hits> hits;              // as they stood then
  Closing first;                       // of either end
  Closing closing;                     // that which took the connection from the victim: mostly the first
  bool wire_complete = false;

  bool gone() const;  // the complaint is that the connection was taken away
  bool starved() const;
  bool unconnected() const;  // there was no handshake to speak of
  Who victim() const { return complaint ? complaint->victim : Who::client; }
  // The end whose doing has to be explained: the one that closed, or the one that let the other wait.
  Who doer() const;
  std::int64_t until() const;  // nothing later matters

  std::set<int> holders(Who who) const;  // processes that held that end, or the listener it waited in
  std::optional<Deed> reading() const;   // the read that the other end was in when the victim complained
  // That end was inside a read, its queue had been seen empty behind earlier bytes, and the last look met what had come
  // a moment before: its thread had only not been woken yet.
  bool just_reached(Who reader) const;
  bool accepted() const;  // the server's program took it out of the queue, as far as can be known
  // When the server's end was past SYN_RECV, as late as what is known of it allows; nothing: not seen.
  std::optional<std::int64_t> opened_at() const;
  bool kept_in_syn_recv() const;           // it was in SYN_RECV yet when the victim gave up, behind the handshake
  std::optional<bool> unaccepted() const;  // when the victim gave up; true or false where it is known
  bool acts_known(Who who) const;          // every call of its holders would have been seen
  Closer closer(Who who) const;
  const SocketFacts* held_open(Who who, const Deed& closing_call) const;  // close() returned, and the socket lives on
  // The last of those who read or wrote there: all had ended by t, and somebody else was seen to hold the socket.
  const Process* deserted_by(Who who, std::int64_t t) const;
  Gap gap(Who from) const;   // as it stood when the victim complained
  bool shut(Who who) const;  // its window, by then
  // When what that end had sent was last acknowledged by then, in ns; 0 for never.
  std::int64_t acked_at(Who from) const;
  std::int64_t last_progress() const { return std::max(acked_at(Who::client), acked_at(Who::server)); }
  const Listener* listener() const;
  bool loopback() const;

  // The last failed call of a holder that was never made good and lies on the way to the end.
  struct Snag {
    const Process* process = nullptr;
    const Trouble* trouble = nullptr;
  };
  std::vector<Snag> snags(Who who) const;
  // How it came out for the victim: the effect that every chain must end in.
  std::vector<Record> effects() const;
  std::vector<Record> closing_records() const;
};

const char* told_by(const Deed& deed);  // the collector
std::string deed_text(Who who, const Deed& deed);
Record deed_record(Who who, const Deed& deed);
// On that address, or on any of that port.
bool listens_for(const Address& listener, const Address& wanted);
std::string closes_text(const Closing& closing, const Case& one);
std::string process_text(const Process* process);

std::vector<Complaint> complaints(const Case& one);  // of all who were let down, in no order
std::optional<Complaint> first_complaint(const Case& one);
Closing first_closing(const Case& one);
Closing decisive_closing(const Case& one);  // once the complaint is known
// Makes it of no socket where the reset answered for one that had expired; false: it did not, or that is not told.
bool answers_for_nobody(const Case& one, Closing& closing);

// "client to server", by the sending end.
std::string way(Who from);

}  // namespace lab::verdict
