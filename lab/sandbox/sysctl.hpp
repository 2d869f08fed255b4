// Sysctls of the network namespace that the calling thread is in. man 5 proc (/proc/sys/net).
#pragma once

#include <string>

namespace lab::sandbox {

// "net.ipv4.tcp_retries2", "net/ipv4/conf/client0/rp_filter" (slashes where a device's name has dots).
// Throws KernelError that names key and value; LabError for a key outside net.
void set_sysctl(const std::string& key, const std::string& value);
std::string get_sysctl(const std::string& key);
bool has_sysctl(const std::string& key);

}  // namespace lab::sandbox
