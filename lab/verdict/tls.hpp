// What TLS says in the clear.
#pragma once

#include "verdict/case.hpp"

namespace lab::verdict {

// That end answered the other's hello with a fatal alert: it takes part no longer.
bool refused(const Conn& conn, Who who);

// All that this end sent behind the other's FIN is of a close_notify's length, and it had read everything: the reset in
// answer takes nothing from it.
bool only_took_leave(const Case& one, Who who);

}  // namespace lab::verdict
