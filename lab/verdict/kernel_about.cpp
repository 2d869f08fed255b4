// Whether a change of the system can have to do with a connection at all.
#include <algorithm>
#include <cstdlib>

#include "verdict/kernel.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::kernel {
namespace {

struct Prefix {
  Address base;
  unsigned bits = 0;
};

// Of "blackhole 203.0.113.9/32", "192.0.2.0/24 dev client0"; nothing where no word is one.
std::optional<Prefix> prefix_in(std::string_view text) {
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const auto slash = word.find('/');
    if (slash == word.npos) continue;
    const std::string ip(word.substr(0, slash)), bits(word.substr(slash + 1));
    const bool v6 = ip.find(':') != ip.npos;
    const auto base = evidence::parse_address(v6 ? "[" + ip + "]:1" : ip + ":1");
    if (base && base->known()) return Prefix{*base, static_cast<unsigned>(std::atoi(bits.c_str()))};
  }
  return std::nullopt;
}

bool covers(const Prefix& prefix, const Address& address) {
  if (address.family != prefix.base.family) return false;
  const auto bit = [](const Address& a, unsigned i) { return a.ip[i / 8] >> (7 - i % 8) & 1; };
  for (unsigned i = 0; i < std::min(prefix.bits, address.family == 4 ? 32U : 128U); ++i)
    if (bit(prefix.base, i) != bit(address, i)) return false;
  return true;
}

bool covers_an_end(const Case& one, const Prefix& prefix) {
  const auto& conn = one.conn;
  return covers(prefix, conn.client) || covers(prefix, conn.server) || covers(prefix, conn.asked) ||
         covers(prefix, conn.shown);
}

bool same_host(const Address& a, const Address& b) { return a.family == b.family && a.ip == b.ip; }

}  // namespace

bool about_any(const Case&, const evidence::Change&) { return true; }

// The link of the end that noticed. One further away is no fact of this machine: from here the peer fell silent.
bool about_link(const Case& one, const evidence::Change& change) {
  if (change.object == "lo" && !one.loopback()) return false;
  return change.netns.empty() || change.netns == name_of(one.victim());
}

// A plain route to somewhere is no obstacle; a deleted one, or one of these types, is: to one of the two ends.
bool about_route(const Case& one, const evidence::Change& change) {
  if (change.kind == "sysctl")
    return change.object.find("forward") != std::string::npos && !change.detail.ends_with("-> 1");
  if (const auto prefix = prefix_in(change.object); prefix && !covers_an_end(one, *prefix)) return false;
  if (change.kind == "route-deleted") return true;
  const auto text = change.object + " " + change.detail;
  return text.find("blackhole") != std::string::npos || text.find("unreachable") != std::string::npos ||
         text.find("prohibit") != std::string::npos || text.find("throw") != std::string::npos;
}

// An end's own, or 127.0.0.1/8, with which its whole network goes.
bool about_address(const Case& one, const evidence::Change& change) {
  const auto gone = prefix_in(change.object);
  if (!gone) return false;
  for (const auto* address : {&one.conn.client, &one.conn.server, &one.conn.asked})
    if (address->known() && same_host(*address, gone->base)) return true;
  return gone->bits == 8 && gone->base.ip[0] == 127 && covers(*gone, one.conn.client);
}

}  // namespace lab::verdict::kernel
