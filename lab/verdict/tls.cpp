#include "verdict/tls.hpp"

#include <string_view>

namespace lab::verdict {
namespace {

// Content type 22, and 21 with two bytes of which the first says fatal; any version (RFC 8446, 5.1 and 6).
bool speaks(const Stream& stream) { return stream.head.starts_with("1603"); }
bool fatal_alert(std::string_view head) { return head.starts_with("1503") && head.substr(6, 6) == "000202"; }

}  // namespace

bool refused(const Conn& conn, Who who) {
  return speaks(conn.stream[other(who)]) && fatal_alert(conn.stream[who].head);
}

}  // namespace lab::verdict
