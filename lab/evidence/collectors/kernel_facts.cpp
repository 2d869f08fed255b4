#include "evidence/collectors/kernel_types.hpp"

namespace lab::evidence {
namespace {

std::string named(const KernelFacts::Table& names, std::uint32_t value) {
  if (value == KernelFacts::no_reason) return "";
  const auto found = names.find(value);
  return found == names.end() ? std::to_string(value) : found->second;
}

}  // namespace

int KernelFacts::arguments(const std::string& tracepoint) const {
  const auto found = tracepoints.find(tracepoint);
  return found == tracepoints.end() ? 0 : found->second;
}
std::string KernelFacts::drop_reason(std::uint32_t reason) const { return named(drops, reason); }
std::string KernelFacts::reset_reason(std::uint32_t reason) const { return named(resets, reason); }

}  // namespace lab::evidence
