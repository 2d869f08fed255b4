// Evaluates a compiled seccomp filter without the kernel: the classic BPF that filters are made of, over a made-up
// seccomp_data. man 2 seccomp; the kernel's Documentation/networking/filter.rst.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace lab::test {

class BpfEvaluator {
 public:
  explicit BpfEvaluator(const std::vector<std::uint8_t>& program) : code_(program.size() / sizeof(sock_filter)) {
    if (program.size() % sizeof(sock_filter)) throw std::invalid_argument("no whole number of instructions");
    std::memcpy(code_.data(), program.data(), program.size());
  }

  std::size_t size() const { return code_.size(); }

  // The SECCOMP_RET_… value. Throws for a program the kernel would refuse: an unknown instruction, a jump or load
  // beyond the end, no return.
  std::uint32_t operator()(const seccomp_data& data) const {
    std::uint32_t accumulator = 0;
    for (std::size_t at = 0; at < code_.size();) {
      const auto& now = code_[at++];
      switch (now.code) {
        case BPF_LD | BPF_W | BPF_ABS:
          if (now.k % 4 || now.k + 4 > sizeof data) throw std::out_of_range("load");
          std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + now.k, 4);
          break;
        case BPF_ALU | BPF_AND | BPF_K:
          accumulator &= now.k;
          break;
        case BPF_JMP | BPF_JA:
          at += now.k;
          break;
        case BPF_JMP | BPF_JEQ | BPF_K:
          at += accumulator == now.k ? now.jt : now.jf;
          break;
        case BPF_JMP | BPF_JGE | BPF_K:
          at += accumulator >= now.k ? now.jt : now.jf;
          break;
        case BPF_JMP | BPF_JGT | BPF_K:
          at += accumulator > now.k ? now.jt : now.jf;
          break;
        case BPF_JMP | BPF_JSET | BPF_K:
          at += accumulator & now.k ? now.jt : now.jf;
          break;
        case BPF_RET | BPF_K:
          return now.k;
        case BPF_RET | BPF_A:
          return accumulator;
        default:
          throw std::invalid_argument("instruction");
      }
    }
    throw std::out_of_range("no return");
  }

 private:
  std::vector<sock_filter> code_;
};

}  // namespace lab::test
