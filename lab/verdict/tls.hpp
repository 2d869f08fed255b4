// What TLS says in the clear.
#pragma once

#include "verdict/facts.hpp"

namespace lab::verdict {

// That end answered the other's hello with a fatal alert: it takes part no longer.
bool refused(const Conn& conn, Who who);

}  // namespace lab::verdict
