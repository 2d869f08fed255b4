// Socket diagnostics beside `ss`.
#include <algorithm>

#include "system/clock.hpp"
#include "watched.hpp"

namespace lab::test {
namespace {

using evidence::SocketState;
using testing::HasSubstr;

// When the first event of a snapshot reached the sink: every answer was asked for before.
class Arrival : public Kept {
 public:
  void put(evidence::Event event) override {
    if (first_ns == 0) first_ns = sys::now_ns();
    Kept::put(std::move(event));
  }
  std::int64_t first_ns = 0;
};

TEST(SocketsCollector, StampsAnAnswerWithItsQuestion) {
  in_namespace([] {
    const Pair pair;
    const auto sockets = evidence::make_sockets("");
    Arrival kept;
    const auto before = sys::now_ns();
    sockets->snapshot(kept, "change");
    ASSERT_EQ(kept.events.size(), 3u) << "a listener and both ends";
    for (const auto& event : kept.events) {
      EXPECT_GE(event.t_ns, before);
      EXPECT_LE(event.t_ns, kept.first_ns) << "a state is older than its reading: it can't be said to hold later";
    }
  });
}

// "ESTAB 0 12 127.0.0.1:8080 127.0.0.1:40000": state, queues, ends.
std::string as_ss(const SocketState& socket) {
  const auto state = socket.state == "ESTABLISHED" ? "ESTAB" : socket.state;
  return state + " " + std::to_string(socket.receive_queue) + " " + std::to_string(socket.send_queue) + " " +
         to_string(socket.local) + (socket.state == "LISTEN" ? "" : " " + to_string(socket.peer));
}

class BothFamilies : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(SocketsCollector, BothFamilies, testing::Values(4, 6));

TEST_P(BothFamilies, SaysWhatSsSays) {
  in_namespace([] {
    const Pair pair(GetParam());
    pair.send("Hello Server");
    const auto sockets = evidence::make_sockets("");
    Kept kept;
    ASSERT_TRUE(wait_until([&] {
      kept.events.clear();
      sockets->snapshot(kept, "end");
      const auto all = kept.all<SocketState>();
      return std::any_of(all.begin(), all.end(),
                         [](const auto& s) { return s.state == "ESTABLISHED" && s.receive_queue == 12; });
    }));
    const auto witness = output_of("ss -Htan | tr -s ' '");
    for (const auto& socket : kept.all<SocketState>()) EXPECT_THAT(witness, HasSubstr(as_ss(socket)));
    EXPECT_EQ(std::count(witness.begin(), witness.end(), '\n'), 3);
  });
}

TEST(SocketsCollector, KeepsASocketsLastWord) {
  in_namespace([] {
    const auto sockets = evidence::make_sockets("");
    Kept kept;
    std::string client, server;
    {
      const Pair pair;
      pair.send("unread");
      client = pair.client_address;
      server = pair.server_address;
    }  // the server's end is closed last, with bytes unread
    ASSERT_TRUE(wait_until([&] {
      sockets->drain(kept);
      return kept.events.size() >= 3;
    }));
    std::uint64_t received = 0;
    for (const auto& socket : kept.all<SocketState>()) {
      EXPECT_EQ(socket.when, "destroyed");
      if (to_string(socket.local) == server && to_string(socket.peer) == client) received = socket.bytes_received;
    }
    EXPECT_EQ(received, 6u);
  });
}

}  // namespace
}  // namespace lab::test
