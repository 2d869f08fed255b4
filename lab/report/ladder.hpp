// One connection as a ladder: client left, server right, time down the side. Three stages: climb() makes rows of the
// evidence, fold() makes the long ones short, draw() lays them out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/report.hpp"

namespace lab::report {

struct Row {
  enum class Kind {
    to_server,  // a segment or an ICMP message
    to_client,
    at_client,  // what an end did, beside it
    at_server,
    note,  // what happened to both, or was folded
  };
  std::int64_t t_ns = 0;  // CLOCK_MONOTONIC
  bool about = false;     // the source has no timestamps: it was read then
  Kind kind = Kind::note;
  std::string text;
  std::string stop;  // an arrow that did not arrive: what ate it, and where
  int reach = 100;   // how far it came, in hundredths of the way
  // A segment's, to tell a retransmission: 0 and empty for all else.
  std::string flags;
  std::uint32_t seq = 0, ack = 0, length = 0;
  std::uint16_t ip_id = 0;

  bool arrow() const { return kind == Kind::to_server || kind == Kind::to_client; }
};

struct Ladder {
  std::string client, server;          // addresses
  std::string client_end, server_end;  // how each end was last seen
  std::vector<Row> rows;               // in order of time
};

// `only_one`: there is no other connection. `notes`: rows from elsewhere, in any order.
Ladder climb(const evidence::Timeline& timeline, const verdict::Connection& connection, bool only_one,
             std::vector<Row> notes = {});
void fold(Ladder& ladder, std::size_t most_rows);
std::string draw(const Ladder& ladder, const TextOptions& options);

}  // namespace lab::report
