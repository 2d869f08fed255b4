#include "evidence/collectors/kernel_types.hpp"

namespace lab::evidence {
namespace {

std::string named(const KernelNames::Table& names, std::uint32_t value) {
  if (value == KernelNames::no_reason) return "";
  const auto found = names.find(value);
  return found == names.end() ? std::to_string(value) : found->second;
}

}  // namespace

int KernelNames::arguments(const std::string& tracepoint) const {
  const auto found = arguments_.find(tracepoint);
  return found == arguments_.end() ? 0 : found->second;
}
std::string KernelNames::drop_reason(std::uint32_t reason) const { return named(drops_, reason); }
std::string KernelNames::reset_reason(std::uint32_t reason) const { return named(resets_, reason); }

}  // namespace lab::evidence
