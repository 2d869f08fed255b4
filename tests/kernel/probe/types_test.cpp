// The running kernel's types, thinned out.
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <memory>

#include "evidence/collectors/kernel_object.hpp"
#include "evidence/collectors/kernel_types.hpp"
#include "played.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::test {
namespace {

using evidence::KernelFacts;

evidence::RawTypes thinned() {
  const auto object = evidence::bpf_object_file();
  const std::unique_ptr<bpf_object, void (*)(bpf_object*)> opened(
      bpf_object__open_mem(object.data(), object.size(), nullptr), bpf_object__close);
  return evidence::thin_types(*bpf_object__btf(opened.get()));
}

TEST(ThinTypes, SayWhatTheWholeBtfSays) {
  NEEDS_BPF();
  const auto thin = thinned();
  const auto whole = sys::read_file("/sys/kernel/btf/vmlinux", std::size_t{256} << 20);
  EXPECT_LT(thin.size(), 64u << 10);
  EXPECT_GT(whole.size(), 1u << 20);
  const auto few = KernelFacts::of(thin), all = KernelFacts::of(whole);
  EXPECT_EQ(few.drops, all.drops);
  EXPECT_EQ(few.resets, all.resets);
  for (const auto& [tracepoint, arguments] : few.tracepoints)
    EXPECT_EQ(arguments, all.arguments(tracepoint)) << tracepoint;
  EXPECT_EQ(few.layout.daddr, all.layout.daddr);
  EXPECT_EQ(few.layout.num, all.layout.num);
  EXPECT_EQ(few.layout.state, all.layout.state);
  EXPECT_EQ(few.layout.v6_rcv_saddr, all.layout.v6_rcv_saddr);
  EXPECT_EQ(few.layout.end_seq, all.layout.end_seq);
}

TEST(ThinTypes, KnowTheTracepointsEveryKernelHas) {
  NEEDS_BPF();
  const auto facts = KernelFacts::of(thinned());
  EXPECT_GE(facts.arguments("kfree_skb"), 2);
  EXPECT_EQ(facts.arguments("sys_enter"), 2);
  EXPECT_EQ(facts.arguments("inet_sock_set_state"), 3);
  EXPECT_EQ(facts.arguments("no_such_tracepoint"), 0);
  EXPECT_GE(facts.layout.v6_rcv_saddr, 0);
}

TEST(ThinTypes, OfAKernelWithoutBtfAreUnavailable) {
  NEEDS_BPF();
  const auto object = evidence::bpf_object_file();
  const std::unique_ptr<bpf_object, void (*)(bpf_object*)> opened(
      bpf_object__open_mem(object.data(), object.size(), nullptr), bpf_object__close);
  EXPECT_THROW(evidence::thin_types(*bpf_object__btf(opened.get()), "/nowhere"), sys::Unavailable);
}

}  // namespace
}  // namespace lab::test
