#include "verdict/tls.hpp"

#include <string_view>

namespace lab::verdict {
namespace {

// Content type 22, any version (RFC 8446, 5.1).
bool speaks(const Stream& stream) { return stream.head.starts_with("1603"); }

// Two bytes under the suites in use (RFC 8446, 5.2; RFC 7905; RFC 5288).
bool close_notify(std::uint64_t length) { return length == 24 || length == 23 || length == 31; }

}  // namespace

bool fatal_alert(std::string_view head) {
  return head.size() >= 12 && head.starts_with("1503") && head.substr(6, 6) == "000202";
}

bool only_took_leave(const Case& one, Who who) {
  const auto &mine = one.conn.stream[who], &theirs = one.conn.stream[other(who)];
  const auto& then = one.conn.at_closing;
  if (!speaks(mine) || !speaks(theirs) || !then || !theirs.fin || !one.acts_known(who)) return false;
  const bool behind_it = !mine.fin || mine.fin.t >= theirs.fin.t;
  return behind_it && close_notify(mine.bytes - (*then)[who].sent) && one.conn.acts[who].read >= theirs.bytes;
}

bool broke_off(const Conn& conn, Who who, std::int64_t until) {
  const auto& alert = conn.stream[who].alert;
  return alert && alert.t <= until && speaks(conn.stream.client) && speaks(conn.stream.server);
}

bool refused(const Conn& conn, Who who) {
  return speaks(conn.stream[other(who)]) && fatal_alert(conn.stream[who].head);
}

bool alerted(const Conn& conn, Who who, std::int64_t until) {
  return refused(conn, who) || broke_off(conn, who, until);
}

}  // namespace lab::verdict
