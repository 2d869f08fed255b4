// What `lab new` writes.
#pragma once

#include <string>

namespace lab::scenario {

// A commented scenario that runs as it is.
std::string template_for(const std::string& name);

}  // namespace lab::scenario
