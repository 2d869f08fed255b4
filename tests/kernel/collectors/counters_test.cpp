// The namespace's counters beside `nstat`, which in a new namespace starts at nothing too.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <map>
#include <sstream>

#include "system/descriptor.hpp"
#include "system/error.hpp"
#include "watched.hpp"

namespace lab::test {
namespace {

using evidence::Counter;

std::map<std::string, std::int64_t> by_nstat() {
  std::map<std::string, std::int64_t> values;
  std::istringstream lines(output_of("nstat -as"));
  std::string name, rest;
  for (std::int64_t value = 0; lines >> name;) {
    if (name.starts_with('#')) {
      std::getline(lines, rest);
      continue;
    }
    lines >> value >> rest;
    values[name] = value;
  }
  return values;
}

TEST(CountersCollector, MovesAsNstatDoes) {
  in_namespace([] {
    const auto counters = evidence::make_counters("");
    Kept kept;
    counters->start(kept);
    {
      Pair pair;
      pair.send("never read");
      pair.server.reset();  // a reset, for bytes are unread
    }
    counters->finish(kept);
    const auto witness = by_nstat();
    std::map<std::string, std::int64_t> seen;
    for (const auto& counter : kept.all<Counter>()) seen[counter.name] = counter.change;
    EXPECT_EQ(seen["TcpExtTCPAbortOnClose"], 1);
    EXPECT_EQ(seen["TcpOutRsts"], 1);
    for (const char* name : {"TcpActiveOpens", "TcpPassiveOpens", "TcpInSegs", "TcpOutSegs", "TcpEstabResets",
                             "TcpOutRsts", "TcpExtTCPAbortOnClose", "IpInReceives"})
      EXPECT_EQ(seen[name], witness.contains(name) ? witness.at(name) : 0) << name;
  });
}

const sockaddr_in kNobody{
    .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};

int refused(int type) {
  const sys::Descriptor socket(sys::check(::socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket"));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&kNobody), sizeof kNobody) == 0)
    ::send(socket.get(), "x", 1, 0);
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

// The kernel lists a kind of ICMP from its first message on, before the counters of TCP and UDP.
TEST(CountersCollector, TakesNamesThatComeInBetween) {
  in_namespace([] {
    refused(SOCK_STREAM);
    const auto counters = evidence::make_counters("");
    Kept kept;
    counters->start(kept);
    EXPECT_EQ(output_of("nstat -as | grep IcmpMsg"), "");
    EXPECT_EQ(refused(SOCK_DGRAM), ECONNREFUSED);
    { const Pair pair; }
    counters->finish(kept);
    std::map<std::string, std::int64_t> seen;
    for (const auto& counter : kept.all<Counter>()) seen[counter.name] = counter.change;
    EXPECT_EQ(seen["IcmpMsgOutType3"], 1);
    EXPECT_EQ(seen["UdpNoPorts"], 1);
    EXPECT_EQ(seen["TcpActiveOpens"], 1) << "and not the refused one";
    EXPECT_EQ(seen["TcpPassiveOpens"], 1);
  });
}

TEST(CountersCollector, IsSilentAboutWhatWasBeforeTheStart) {
  in_namespace([] {
    const auto counters = evidence::make_counters("");
    Kept kept;
    { const Pair before; }
    counters->start(kept);
    counters->finish(kept);
    for (const auto& counter : kept.all<Counter>()) EXPECT_FALSE(counter.name.starts_with("Tcp")) << counter.name;
  });
}

// A file that is there and can't be read is no file without counts: a verdict would take them for zero.
TEST(CountersCollector, IsNotThereWhereItsFilesCannotBeRead) {
  in_namespace([] {
    sock_filter refuse[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog filter{static_cast<unsigned short>(std::size(refuse)), refuse};
    sys::check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
    sys::check(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), "a filter of this test");
    EXPECT_THROW(evidence::make_counters(""), sys::KernelError);
  });
}

}  // namespace
}  // namespace lab::test
