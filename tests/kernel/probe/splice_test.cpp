// splice(2): on one of its two sides is a pipe, on the other may be a socket.
#include <gmock/gmock.h>

#include "played.hpp"
#include "strace.hpp"

namespace lab::test {
namespace {

using evidence::Call;

// A relay of two connections through a pipe, as proxies make them. The bytes come in many small pieces.
constexpr const char* relays = R"(
import os, socket
l = socket.create_server(('127.0.0.1', 8080))
def pair(): return socket.create_connection(('127.0.0.1', 8080)), l.accept()[0]
a, near = pair()
far, b = pair()
r, w = os.pipe()
def relay(bytes):
    a.send(b'x' * bytes)
    n = os.splice(near.fileno(), w, 4096)
    os.splice(r, far.fileno(), n)
for i in range(3000): relay(2)
relay(7)
a.close()
os.splice(near.fileno(), w, 4096)
)";

struct Side {
  std::int64_t bytes = 0;
  std::size_t calls = 0, ends = 0;
};
Side side_of(const Played& played, const evidence::Address& local, bool reads) {
  Side side;
  for (const auto& call : played.calls("splice")) {
    if (call.local != local) continue;
    EXPECT_EQ(call.args.starts_with(std::to_string(call.fd) + ", "), reads) << call.args;
    const auto more = call.args.find(" more like it, ");
    if (more != std::string::npos) side.bytes += std::atoll(call.args.c_str() + more + 15);
    side.bytes += call.result;
    ++side.calls;
    side.ends += reads && call.result == 0;
  }
  return side;
}

void tells_both_sides(const Played& played) {
  const auto accepted = played.calls("accept4"), connected = played.calls("connect");
  ASSERT_EQ(accepted.size(), 2u);
  ASSERT_EQ(connected.size(), 2u);
  const auto near =
      side_of(played, accepted[0].local == connected[0].peer ? accepted[0].local : connected[0].peer, true);
  EXPECT_EQ(near.bytes, 6007);
  EXPECT_EQ(near.ends, 1u);
  EXPECT_LT(near.calls, 3002u) << "repetitions are thinned out";
  const auto far = side_of(played, connected[1].local, false);
  EXPECT_EQ(far.bytes, 6007);
}

TEST(Splice, ByBpf) {
  NEEDS_BPF();
  tells_both_sides(by_bpf(script(relays)));
}

TEST(Splice, ByPtrace) { tells_both_sides(by_ptrace(script(relays))); }

}  // namespace
}  // namespace lab::test
