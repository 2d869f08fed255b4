// One connection: its two streams, what its ends did, and who complained.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "evidence/event.hpp"
#include "verdict/facts/acts.hpp"
#include "verdict/facts/wire.hpp"

namespace lab::verdict {

// How far a direction was when somebody complained.
struct Progress {
  std::uint64_t sent = 0, delivered = 0, written = 0, read = 0;
  bool open = false, accepted = false;
  bool writing = false;  // inside a write that had not returned: its bytes are in neither sum yet
  std::uint32_t repeats = 0;
  Mark open_since, acked_at, zero_window;
  std::uint32_t window = 0;
};

struct Complaint {
  enum class What : std::uint8_t {
    no_connect,  // connect() failed
    eof,         // the other end's FIN came where something was owed
    reset,       // a call failed because the connection is gone
    cut,         // a reset on the wire
    starved,     // it waited in vain
    failed,      // its own call failed for a reason of its own
    died         // its process was killed
  };
  What what = What::starved;
  Who victim = Who::client;
  Mark at;
  std::optional<Deed> deed;
  bool owed = false;  // something was certainly awaited
  bool weak = false;  // read off the wire alone
  bool left = false;  // it ended the connection itself, and nothing tells that it had waited
  bool made_good = false;
  Both<Progress> then;         // as it stood at that moment
  std::optional<Deed> facing;  // the other end was inside this read then
};

struct SocketFacts {
  evidence::SocketState state;
  Mark at;
};

struct KernelReset {  // TCP built a reset for this end
  std::string reason, state;
  Mark at;
};

// A state change away from ESTABLISHED or CLOSE_WAIT by that end itself, by the kernel's word.
struct KernelClosing {
  Mark at;
  int pid = 0;       // the process in which it happened
  std::string call;  // the system call that this was in, "exit" where it was ending; "": it need not be its doing
};

// When the server's socket was past SYN_RECV.
struct Opening {
  Mark at;               // of a look: not earlier than it was first asked
  bool exact = false;    // the kernel's word on the change
  bool closing = false;  // a look met it behind the client's FIN already
};

struct Conn {
  Address client, server;
  bool known_order = false;  // which end opened it is certain
  bool wire = false;         // some segment of it was seen
  bool handshake = false;
  Mark began, handshake_at;
  Mark ended;
  Both<Stream> stream;
  Both<Acts> acts;
  Both<std::optional<SocketFacts>> socket;  // as last seen
  Both<std::optional<SocketFacts>> gone;    // its last word when it was freed
  Both<std::optional<SocketFacts>> before;  // the state before the last one
  Both<std::optional<SocketFacts>> alive;   // last seen ESTABLISHED or CLOSE_WAIT: it had closed nothing yet
  Both<std::set<int>> holders;              // pids that socket diagnostics showed
  Mark in_syn_recv;                         // when the server's socket was last seen in SYN_RECV
  Opening opening;
  Both<std::vector<KernelReset>> built;  // resets that TCP built
  Both<KernelClosing> kernel_closed;
  std::vector<Hits> hits;
  std::vector<IcmpFacts> icmp;
  std::vector<Complaint> complaints;
  std::optional<Both<Progress>> at_closing;     // as it stood when the first FIN or RST came by
  Both<std::optional<Both<Progress>>> at_idle;  // and at an end's last look for bytes that found none
  // Address translation.
  bool translated = false;
  Address asked;      // what the client aimed at, where that is not `server`
  Mark flow_gone;     // conntrack forgot it
  Mark untranslated;  // a later segment under the address that translation should have changed
  Address shown;      // routed: the client as the server's end of the wire shows it
  // Segments that carry on this flow under other ports or addresses.
  std::uint32_t strays = 0;
  Mark stray;
  std::string stray_to;
  Both<Mark> retransmit;  // kernel's own word
  // A rule that writes into segments met one of this flow.
  Mark rewritten;
  Hits rewriter;

  bool mptcp() const { return stream.client.mptcp || stream.server.mptcp; }
  // The end's socket as it was seen clearly after `t`, having closed nothing: snapshots and captures are stamped by
  // different reads of the clock.
  const SocketFacts* seen_after(Who who, std::int64_t t) const {
    constexpr std::int64_t later = 1'000'000;
    return alive[who] && alive[who]->at.t > t + later ? &*alive[who] : nullptr;
  }
};

}  // namespace lab::verdict
