#include "sandbox/sysctl.hpp"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <unistd.h>

#include <algorithm>

#include "system/error.hpp"
#include "system/file.hpp"
#include "system/netlink.hpp"

namespace lab::sandbox {
namespace {

// "net.ipv4.x": "/proc/sys/net/ipv4/x". With slashes, dots belong to names (man sysctl). Nothing may climb out of net.
std::string path_of(const std::string& key) {
  auto path = key;
  if (path.find('/') == std::string::npos) std::replace(path.begin(), path.end(), '.', '/');
  const bool climbs = ("/" + path + "/").find("/../") != std::string::npos;
  if (!path.starts_with("net/") || climbs) throw sys::LabError(key + ": not a sysctl of the network (net.*)");
  return "/proc/sys/" + path;
}

// Where conntrack is a module its sysctls appear when it is loaded, and a request to its netlink interface loads it:
// no rule, so nothing that is measured changes.
void load_conntrack() {
  try {
    sys::Netlink netfilter(NETLINK_NETFILTER);
    sys::Message message((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET_STATS);
    message.fixed<nfgenmsg>();
    netfilter.request(message, "load conntrack");
  } catch (const sys::KernelError&) {
    // A kernel without conntrack: the key stays unknown, which is what the caller reports.
  }
}

}  // namespace

bool has_sysctl(const std::string& key) {
  const auto path = path_of(key);
  if (::access(path.c_str(), F_OK) == 0) return true;
  if (!path.starts_with("/proc/sys/net/netfilter/")) return false;
  load_conntrack();
  return ::access(path.c_str(), F_OK) == 0;
}

void set_sysctl(const std::string& key, const std::string& value) {
  if (!has_sysctl(key)) throw sys::KernelError(ENOENT, "sysctl " + key);
  try {
    sys::write_file(path_of(key), value);
  } catch (const sys::KernelError& error) {
    throw sys::KernelError(error.code().value(), "sysctl " + key + " = " + value);
  }
}

std::string get_sysctl(const std::string& key) {
  auto text = sys::read_file(path_of(key));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace lab::sandbox
