// The operator's acts, each seen by its effect on a live connection.
#include "actors/operator.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <functional>

#include "actors/endpoint.hpp"
#include "actors/operator_kernel.hpp"
#include "system/error.hpp"
#include "troupe.hpp"

namespace lab::test {
namespace {

// What run/ does, as far as these tests go: one namespace, and sequence numbers as a test tells them.
class Acts : public actors::OperatorActs {
 public:
  void add_rules(const std::string& name) override { said.push_back("add " + name); }
  void delete_rules(const std::string& name) override { throw sys::KernelError(ENOENT, "rule " + name); }
  void freeze(const std::string& actor) override { said.push_back("freeze " + actor); }
  void thaw(const std::string& actor) override { said.push_back("thaw " + actor); }
  void attach(const std::string&) override { throw sys::LabError("no BPF here"); }
  void kill(const std::string& actor, int signal) override { said.push_back(actor + " " + std::to_string(signal)); }
  void inside(const scenario::Step&, const std::function<void()>& work) override { work(); }
  std::optional<actors::LiveConnection> connection() override { return live ? live() : std::nullopt; }
  scenario::Endpoint server() override { return {"127.0.0.1", 8080}; }
  void performed() override { said.push_back("done"); }

  std::vector<std::string> said;
  std::function<std::optional<actors::LiveConnection>()> live;
};

scenario::Actor op(const std::vector<std::string>& steps) { return acting(Role::op, steps); }

std::string run(const std::string& command) {
  std::string all;
  std::array<char, 4096> buffer{};
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  while (const auto got = std::fread(buffer.data(), 1, buffer.size(), pipe)) all.append(buffer.data(), got);
  ::pclose(pipe);
  return all;
}

long counter(const std::string& file, const std::string& name) {
  std::ifstream in("/proc/net/" + file);
  std::string names, values;
  while (std::getline(in, names) && std::getline(in, values)) {
    std::istringstream keys(names), numbers(values);
    for (std::string key, number; keys >> key && numbers >> number;) {
      if (key == name) return std::stol(number);
    }
  }
  return -1;
}

TEST(Operator, AsksInitAndGetsItsAnswer) {
  Acts acts;
  auto steps = op({"add-rules one", "freeze server", "thaw server", "kill client TERM", "delete-rules two", "exit 3"});
  Troupe troupe({steps});
  troupe[0].serve(acts);
  troupe.play();
  EXPECT_EQ(troupe.told(0), "add-rules ok, freeze ok, thaw ok, kill ok, delete-rules ENOENT, exit ok");
  EXPECT_THAT(acts.said, testing::ElementsAre("add one", "done", "freeze server", "done", "thaw server", "done",
                                              "client 15", "done", "done"));
  EXPECT_EQ(troupe.output(0), "! delete-rules two: rule two: No such file or directory\n");
  EXPECT_EQ(troupe.status(0), 3 << 8);
}

TEST(Operator, TheLabsOwnFailureIsNoOutcome) {
  Acts acts;
  Troupe troupe({op({"attach xdp-drop"})});
  troupe.may_fail = true;
  troupe[0].serve(acts);
  troupe.play();
  EXPECT_EQ(troupe[0].failure(), "operator: attach xdp-drop: no BPF here");
  EXPECT_FALSE(troupe[0].failure_of_program());
}

TEST(Operator, TakesLinksDownAndUp) {
  actors::set_link("lo", false);
  EXPECT_THAT(run("ip -br link show lo"), testing::HasSubstr("DOWN"));
  actors::set_link("lo", true);
  EXPECT_THAT(run("ip -br link show lo"), testing::Not(testing::HasSubstr("DOWN")));
  try {
    actors::set_link("eth7", false);
    FAIL();
  } catch (const sys::KernelError& error) {
    EXPECT_STREQ(error.what(), "link eth7: No such device");
  }
}

TEST(Operator, AddsAndDeletesAddresses) {
  for (const std::string address : {"10.9.8.7", "fd00::7"}) {
    actors::add_address(address);
    EXPECT_THAT(run("ip addr show lo"), testing::HasSubstr(address + (address.find(':') < 9 ? "/128" : "/32")));
    actors::delete_address(address);
    EXPECT_THAT(run("ip addr show lo"), testing::Not(testing::HasSubstr(address)));
    EXPECT_THROW(actors::delete_address(address), sys::KernelError);
  }
  actors::delete_address("127.0.0.1");
  EXPECT_THAT(run("ip addr show lo"), testing::Not(testing::HasSubstr("127.0.0.1")));
}

TEST(Operator, AddressesAreChecked) {
  EXPECT_THROW(actors::prefix_of("10.0.0"), sys::LabError);
  EXPECT_THROW(actors::prefix_of("10.0.0.0/33"), sys::LabError);
  EXPECT_THROW(actors::prefix_of("10.0.0.0/"), sys::LabError);
  EXPECT_THROW(actors::prefix_of("fd00::/12x"), sys::LabError);
  EXPECT_EQ(actors::prefix_of("fd00::/64").length, 64);
  EXPECT_EQ(actors::prefix_of("10.0.0.1").length, 32);
}

// A live connection loses its path, in the middle.
std::string after(const std::string& act, const std::string& host = "127.0.0.1") {
  Acts acts;
  auto serves = server({"accept", "recv", "recv"});
  serves.listen = scenario::Endpoint{host, 8080};
  const auto to = host.find(':') == std::string::npos ? host : "[" + host + "]";
  Troupe troupe({serves, op({"wait path-ready", act, "signal path-gone"}),
                 client({"connect " + to + ":8080", "send 'first'", "recv timeout=50ms", "signal path-ready",
                         "wait path-gone", "send 'second'", "recv timeout=300ms"})});
  troupe[1].serve(acts);
  troupe.play();
  return troupe.told(1) + " | " + troupe.told(0) + " | " + troupe.output(1);
}

TEST(Operator, DeadRoutesCutALiveConnection) {
  for (const std::string kind : {"blackhole", "unreachable", "prohibit"}) {
    EXPECT_EQ(after("route " + kind + " 127.0.0.1"),
              "wait ok, route ok, signal ok | accept ok, recv 5 bytes, recv stopped | ");
    enter_fresh_network();
  }
}

TEST(Operator, DeadRoutesCutALiveConnectionOfIPv6) {
  EXPECT_EQ(after("route unreachable ::1", "::1"),
            "wait ok, route ok, signal ok | accept ok, recv 5 bytes, recv stopped | ");
}

TEST(Operator, DeadRoutesElsewhereGoIntoTheMainTable) {
  actors::add_dead_route("prohibit", "10.1.0.0/16");
  EXPECT_THAT(run("ip route show table main"), testing::HasSubstr("prohibit 10.1.0.0/16"));
  actors::add_dead_route("blackhole", "fd01::/64");
  EXPECT_THAT(run("ip -6 route show table main"), testing::HasSubstr("blackhole fd01::/64"));
}

TEST(Operator, DeletedAddressCutsALiveConnection) {
  EXPECT_EQ(after("address delete 127.0.0.1"),
            "wait ok, address ok, signal ok | accept ok, recv 5 bytes, recv stopped | ");
}

TEST(Operator, PoliciesBlockOut) {
  EXPECT_EQ(after("ipsec block out"), "wait ok, ipsec ok, signal ok | accept ok, recv 5 bytes, recv stopped | ");
}

TEST(Operator, PoliciesBlockIn) {
  const auto before = counter("snmp", "InSegs");
  EXPECT_EQ(after("ipsec block in"), "wait ok, ipsec ok, signal ok | accept ok, recv 5 bytes, recv stopped | ");
  EXPECT_GT(counter("snmp", "InSegs"), before);
}

TEST(Operator, PoliciesBlockIPv6) {
  EXPECT_EQ(after("ipsec block out", "::1"), "wait ok, ipsec ok, signal ok | accept ok, recv 5 bytes, recv stopped | ");
}

TEST(Operator, DestroysOneEndsSockets) {
  for (const std::string end : {"client", "server"}) {
    Acts acts;
    Troupe troupe({server({"accept", "signal accepted", "recv"}), op({"wait accepted", "destroy-sockets " + end}),
                   client({"connect", "recv"})});
    troupe[1].serve(acts);
    troupe.play();
    EXPECT_EQ(troupe.told(1), "wait ok, destroy-sockets ok");
    EXPECT_EQ(troupe.outcomes(end == "client" ? 2 : 0, "recv"), std::vector<std::string>{"ECONNABORTED"});
    EXPECT_EQ(troupe.outcomes(end == "client" ? 0 : 2, "recv"), std::vector<std::string>{"ECONNRESET"});
  }
}

TEST(Operator, NothingToDestroyIsSaid) {
  try {
    actors::destroy_sockets(8080, true);
    FAIL();
  } catch (const sys::KernelError& error) {
    EXPECT_EQ(error.code().value(), ENOENT);
  }
}

TEST(Operator, FlushesConntrackAndWritesSysctls) {
  actors::set_sysctl("net.ipv4.tcp_retries2", "3");
  EXPECT_EQ(run("cat /proc/sys/net/ipv4/tcp_retries2"), "3\n");
  EXPECT_THROW(actors::set_sysctl("kernel.hostname", "x"), sys::LabError);
  EXPECT_THROW(actors::set_sysctl("net/../kernel.hostname", "x"), sys::LabError);
  EXPECT_THROW(actors::set_sysctl("net.ipv4.no_such", "1"), sys::KernelError);
  actors::flush_conntrack();
}

// The wire, as a packet socket that was open before the connection saw it.
class Tap {
 public:
  Tap() : socket_(sys::check(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0x0300), "packet socket")) {}

  std::optional<actors::LiveConnection> read(const std::string& host) {
    actors::LiveConnection live;
    bool seen = false;
    std::array<unsigned char, 2048> packet{};
    for (ssize_t n = 0; (n = ::recv(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT)) > 0;) {
      const bool six = packet[0] >> 4 == 6;
      const auto* ip = packet.data();
      const auto* tcp = ip + (six ? 40 : (ip[0] & 15) * 4);
      const auto word = [](const unsigned char* at) {
        return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
      };
      if ((six ? ip[6] : ip[9]) != 6) continue;
      const auto from = static_cast<std::uint16_t>(tcp[0] << 8 | tcp[1]),
                 to = static_cast<std::uint16_t>(tcp[2] << 8 | tcp[3]);
      const auto total = static_cast<std::uint32_t>(six ? 40 + (ip[4] << 8 | ip[5]) : ip[2] << 8 | ip[3]);
      const auto payload = total - static_cast<std::uint32_t>(tcp - ip) - (tcp[12] >> 4) * 4U;
      const auto next = word(tcp + 4) + payload + (tcp[13] & 3 ? 1 : 0);
      seen = true;
      (from == 8080 ? live.server_next : live.client_next) = next;
      live.client = {host, from == 8080 ? to : from};
      live.server = {host, 8080};
    }
    return seen ? std::optional(live) : std::nullopt;
  }

 private:
  sys::Descriptor socket_;
};

struct Injected {
  std::string suffers, other;
};
Injected inject(const std::string& verb, const std::string& end, const std::string& host) {
  Acts acts;
  Tap tap;
  acts.live = [&] { return tap.read(host); };
  const auto to = host.find(':') == std::string::npos ? host : "[" + host + "]";
  // The end that is meant waits as long as a busy machine takes; the other has nothing to wait for.
  const std::string server_waits = end == "server" ? "5s" : "200ms", client_waits = end == "client" ? "5s" : "100ms";
  auto serves = server({"accept", "recv-exactly 5", "send 'answer'", "recv timeout=" + server_waits});
  serves.listen = scenario::Endpoint{host, 8080};
  Troupe troupe({serves, op({"wait inject-up", "inject-" + verb + " " + end, "signal inject-done"}),
                 client({"connect " + to + ":8080", "send 'first'", "recv-exactly 6", "sleep 60ms", "signal inject-up",
                         "wait inject-done", "recv timeout=" + client_waits})});
  troupe[1].serve(acts);
  troupe.play();
  EXPECT_EQ(troupe.outcomes(1, "inject-" + verb), std::vector<std::string>{"ok"}) << troupe.output(1);
  const auto client_saw = troupe.outcomes(2, "recv")[0], server_saw = troupe.outcomes(0, "recv")[0];
  return end == "client" ? Injected{client_saw, server_saw} : Injected{server_saw, client_saw};
}

TEST(Operator, InjectsAResetThatTheEndBelieves) {
  for (const std::string host : {"127.0.0.1", "::1"}) {
    const auto client = inject("reset", "client", host), server = inject("reset", "server", host);
    EXPECT_EQ(client.suffers, "ECONNRESET") << host;
    EXPECT_EQ(server.suffers, "ECONNRESET") << host;
    EXPECT_EQ(client.other, "timeout") << "the other end knows nothing of it";
  }
}

TEST(Operator, InjectsAFinThatTheEndBelieves) {
  for (const std::string host : {"127.0.0.1", "::1"}) {
    EXPECT_EQ(inject("fin", "client", host).suffers, "eof") << host;
    EXPECT_EQ(inject("fin", "server", host).suffers, "eof") << host;
  }
}

TEST(Operator, InjectingNeedsAConnection) {
  Acts acts;
  Troupe troupe({op({"inject-reset client"})});
  troupe[0].serve(acts);
  troupe.play();
  EXPECT_EQ(troupe.told(0), "inject-reset ENOTCONN");
}

}  // namespace
}  // namespace lab::test
