// The collectors by name: what --without takes.
#pragma once

#include <span>
#include <string_view>

namespace lab::run {

// `signals` is none of them: it comes and goes with `kernel`.
std::span<const std::string_view> collector_names();

}  // namespace lab::run
