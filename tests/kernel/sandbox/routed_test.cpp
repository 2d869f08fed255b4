// The routed topology: its first packets cross as if it had been in use for hours.
// man 8 ip-neighbour.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "sandbox/addresses.hpp"
#include "sandbox/sandbox.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::sandbox {
namespace {

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer{};
  while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), n);
  ::pclose(pipe);
  return text;
}

const Netns& named(const std::vector<Netns>& all, const std::string& name) {
  for (const auto& one : all)
    if (one.name == name) return one;
  throw sys::LabError("no namespace " + name);
}

// Runs in the sandbox's init; what it returns is the test's result, 0 for good.
int inside_routed(scenario::Family family, const std::function<int(const std::vector<Netns>&)>& work) {
  Plan plan{.identity = invoker(), .network = {.family = family, .topology = scenario::Topology::routed}};
  auto sandbox = Sandbox::make(plan, [&] { return work(furnish(plan)); });
  const int status = sandbox.wait();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

int datagram_crosses(const std::vector<Netns>& all, scenario::Family family) {
  const auto at = ends(scenario::Topology::routed, family);
  const bool v4 = family == scenario::Family::ipv4;
  sockaddr_in6 six{
      .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_flowinfo = 0, .sin6_addr = {}, .sin6_scope_id = 0};
  sockaddr_in four{.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {}, .sin_zero = {}};
  ::inet_pton(v4 ? AF_INET : AF_INET6, at.server, v4 ? static_cast<void*>(&four.sin_addr) : &six.sin6_addr);
  const auto* address = v4 ? reinterpret_cast<const sockaddr*>(&four) : reinterpret_cast<const sockaddr*>(&six);
  const socklen_t length = v4 ? sizeof four : sizeof six;
  int received = 9;
  inside(named(all, kServer), [&] {
    const sys::Descriptor server(sys::check(::socket(address->sa_family, SOCK_DGRAM, 0), "socket"));
    sys::check(::bind(server.get(), address, length), "bind");
    inside(named(all, kClient), [&] {
      const sys::Descriptor client(sys::check(::socket(address->sa_family, SOCK_DGRAM, 0), "socket"));
      sys::check(::sendto(client.get(), "x", 1, 0, address, length), "send");
    });
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    sys::check(::setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "receive timeout");
    char byte = 0;
    received = ::recv(server.get(), &byte, 1, 0) == 1 ? 0 : 1;
  });
  return received;
}

class RoutedLinks : public ::testing::TestWithParam<scenario::Family> {};
INSTANTIATE_TEST_SUITE_P(Families, RoutedLinks, ::testing::Values(scenario::Family::ipv4, scenario::Family::ipv6),
                         [](const auto& family) { return std::string(scenario::name_of(family.param)); });

TEST_P(RoutedLinks, TheFirstPacketCrosses) {
  EXPECT_EQ(inside_routed(GetParam(), [](const auto& all) { return datagram_crosses(all, GetParam()); }), 0);
}

// `ip` as the witness: every hop knows the next, and the router can ask for its IPv6 neighbours.
TEST_P(RoutedLinks, EveryHopKnowsTheNext) {
  EXPECT_EQ(inside_routed(GetParam(),
                          [](const auto& all) {
                            for (const char* end : {kClient, kServer}) {
                              std::string known;
                              inside(named(all, end), [&] { known = output_of("ip neigh show"); });
                              if (known.find("REACHABLE") == std::string::npos) return 1;
                            }
                            std::string router;
                            inside(named(all, kRouter),
                                   [&] { router = output_of("ip neigh show; ip -6 address show scope link"); });
                            if (router.find("dev router0 lladdr 02:00:00:00:00:02") == std::string::npos) return 2;
                            if (router.find("dev router1 lladdr 02:00:00:00:00:05") == std::string::npos) return 3;
                            const bool link_local = router.find("fe80::1") != std::string::npos;
                            return link_local == (GetParam() == scenario::Family::ipv6) ? 0 : 4;
                          }),
            0);
}

}  // namespace
}  // namespace lab::sandbox
