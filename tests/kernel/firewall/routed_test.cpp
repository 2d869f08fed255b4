// Rules on a router between two namespaces: addresses tell the direction there, and the forward hook is where it
// happens.
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.hpp"
#include "rules.hpp"
#include "system/error.hpp"
#include "wire.hpp"

namespace lab::test {
namespace {

using firewall::Ruleset;

struct Addresses {
  const char *client, *client_router, *server, *server_router;
  int length;
};
const Addresses kV4{"10.0.1.2", "10.0.1.1", "10.0.2.2", "10.0.2.1", 24},
    kV6{"fd00:1::2", "fd00:1::1", "fd00:2::2", "fd00:2::1", 64};
const Addresses& addresses(Family family) { return family == Family::ipv4 ? kV4 : kV6; }

// An address that is being looked for twice takes no packets for a second.
const char* const kNoDad =
    "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad";

std::string hardware(std::string_view link, int end) {
  return fmt::format("02:00:00:00:{:02x}:{:02x}", link == "left" ? 1 : 2, end);
}

// Behind a cold neighbour cache IPv6 may repeat a connection's first segments, and a handshake's last ACK that comes
// twice is "behind the handshake" to a rule.
std::string known(const char* address, const std::string& hardware, const char* link) {
  return fmt::format(" && ip neigh add {} lladdr {} dev {} nud permanent", address, hardware, link);
}

// A process in a network namespace of its own, which is joined to this one by a veth pair.
class Neighbour {
 public:
  Neighbour(Family family, const char* link, const char* own, const char* router, const std::function<void()>& body) {
    int ready[2], go[2];
    sys::check(::pipe(ready), "pipe");
    sys::check(::pipe(go), "pipe");
    std::fflush(nullptr);
    child_ = sys::check(::fork(), "fork");
    char byte = 0;
    if (child_ == 0) {
      ::close(go[1]);
      try {
        sys::check(::unshare(CLONE_NEWNET), "unshare");
        sys::check(::write(ready[1], "", 1), "write");
        if (::read(go[0], &byte, 1) == 1) body();
      } catch (const std::exception& error) {
        ADD_FAILURE() << link << ": " << error.what();
      }
      std::fflush(nullptr);
      ::_exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    ::close(ready[1]), ::close(go[0]);
    sys::check(::read(ready[0], &byte, 1), "read");
    ::close(ready[0]);
    go_ = go[1];
    const auto prefix = addresses(family).length;
    const auto in = fmt::format("nsenter -t {} -n ", child_);
    const auto* nodad = family == Family::ipv4 ? "" : " nodad";
    output_of(in + "sh -c '" + kNoDad + "'");
    const auto ours = hardware(link, 1), theirs = hardware(link, 2);
    const auto said = output_of(fmt::format("ip link add {0} address {5} type veth peer name eth0 address {6} netns "
                                            "{1} && ip addr add {2}/{3} dev {0}{4} && ip link set {0} up",
                                            link, child_, router, prefix, nodad, ours, theirs) +
                                " && " + in + fmt::format("ip addr add {}/{} dev eth0{}", own, prefix, nodad) + " && " +
                                in + "ip link set eth0 up && " + in + "ip link set lo up && " + in +
                                fmt::format("ip route add default via {}", router) + known(own, theirs, link) + " && " +
                                in + known(router, ours, "eth0").substr(4));
    if (!said.empty()) throw sys::LabError("veth pair: " + said);
  }
  ~Neighbour() {
    if (child_ > 0) ::kill(child_, SIGKILL), ::waitpid(child_, nullptr, 0);
    ::close(go_);
  }
  void start() const { sys::check(::write(go_, "", 1), "write"); }
  void wait() {
    int status = 0;
    sys::check(::waitpid(child_, &status, 0), "waitpid");
    child_ = -1;
    EXPECT_EQ(status, 0);
  }

 private:
  pid_t child_ = -1;
  int go_ = -1;
};

class Routed : public ::testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Families, Routed, ::testing::Values(Family::ipv4, Family::ipv6),
                         [](const auto& of) { return std::string(scenario::name_of(of.param)); });

firewall::Flow routed(Family family) { return {family, addresses(family).server, addresses(family).client, 8080}; }

// The router, with both neighbours; the server listens before the client is told to go.
void on_router(Family family, const std::function<void(Server&)>& server, const std::function<void()>& client,
               const std::function<void(const std::function<void()>& play)>& router) {
  in_namespace([&] {
    output_of("echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
    output_of(kNoDad);
    const auto& at = addresses(family);
    int listening[2];
    sys::check(::pipe(listening), "pipe");
    Neighbour right(family, "right", at.server, at.server_router, [&] {
      Server listener(family, 8080, at.server);
      sys::check(::write(listening[1], "", 1), "write");
      server(listener);
    });
    Neighbour left(family, "left", at.client, at.client_router, client);
    router([&] {
      char byte = 0;
      right.start();
      sys::check(::read(listening[0], &byte, 1), "read");
      left.start();
      left.wait();
    });
  });
}

SocketOptions to_the_server(Family family) { return {.host = addresses(family).server}; }

TEST_P(Routed, CountsAtForward) {
  const auto family = GetParam();
  on_router(
      family,
      [](Server& listener) {
        const auto server = listener.accept();
        hear(server, 5);
        say(server, "HELLO");
        hear_end(server);
      },
      [&] {
        const auto client = dial(family, 8080, to_the_server(family));
        say(client, "hello");
        hear(client, 5);
      },
      [&](const auto& play) {
        Ruleset ruleset(family, routed(family));
        const auto at_forward = [](const char* name, Direction direction,
                                   const std::function<void(Rule&)>& change = {}) {
          return counting(name, [&](Rule& r) {
            r.hook = Hook::forward, r.direction = direction;
            if (change) change(r);
          });
        };
        ruleset.add(
            {at_forward("request", Direction::to_server, [](Rule& r) { r.match.payload = "hello"; }),
             at_forward("answer", Direction::to_client, [](Rule& r) { r.match.payload = "HELLO"; }),
             at_forward("no-answer", Direction::to_server, [](Rule& r) { r.match.payload = "HELLO"; }),
             at_forward("either", Direction::both,
                        [](Rule& r) { r.match.flags_set = kPsh, r.match.after = after_handshake(); }),
             at_forward("handshake", Direction::both, [](Rule& r) { r.negated.emplace().after = after_handshake(); }),
             at_forward("first", Direction::to_server,
                        [](Rule& r) {
                          r.match.connections = {Comparison::Op::more, 0}, r.match.flags_set = kPsh;
                        }),
             counting("here", [](Rule& r) { r.hook = Hook::input, r.direction = Direction::both; })});
        play();
        EXPECT_TRUE(wait_for_hits(ruleset, "answer", 1));
        EXPECT_EQ(hits(ruleset, "request"), 1u);
        EXPECT_EQ(hits(ruleset, "no-answer"), 0u);
        EXPECT_EQ(hits(ruleset, "either"), 2u);
        EXPECT_GE(hits(ruleset, "handshake"), 3u);
        EXPECT_EQ(hits(ruleset, "first"), 1u);
        EXPECT_EQ(hits(ruleset, "here"), 0u);
      });
}

TEST_P(Routed, ResetAtForward) {
  const auto family = GetParam();
  on_router(
      family, [](Server& listener) { read_error(listener.accept()); },
      [&] {
        const auto client = dial(family, 8080, to_the_server(family));
        say(client, "hello");
        EXPECT_EQ(read_error(client), ECONNRESET);
      },
      [&](const auto& play) {
        Ruleset ruleset(family, routed(family));
        auto rule = counting("it", [](Rule& r) { r.hook = Hook::forward, r.match.after = after_handshake(); });
        rule.action = RuleAction::reject_tcp_reset;
        ruleset.add({rule});
        play();
        EXPECT_EQ(hits(ruleset, "it"), 1u);
      });
}

// A narrow link behind the router makes it send the answer that path-MTU discovery lives on.
TEST_P(Routed, FragNeededOfTheRouter) {
  const auto family = GetParam();
  on_router(
      family, [](Server& listener) { hear(listener.accept(), 1); },
      [&] {
        const auto client = dial(family, 8080, to_the_server(family));
        say(client, std::string(20'000, 'x'));
        read_error(client);
      },
      [&](const auto& play) {
        EXPECT_EQ(output_of("ip link set right mtu 1300"), "");
        Ruleset ruleset(family, routed(family));
        const auto at_output = [](const char* name, Direction direction) {
          return counting(name, [&](Rule& r) { r.direction = direction, r.match.icmp = "frag-needed"; });
        };
        ruleset.add({at_output("to-client", Direction::to_client), at_output("to-server", Direction::to_server)});
        play();
        EXPECT_GE(hits(ruleset, "to-client"), 1u);
        EXPECT_EQ(hits(ruleset, "to-server"), 0u);
      });
}

}  // namespace
}  // namespace lab::test
