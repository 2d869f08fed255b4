// What TLS says in the clear.
#pragma once

#include <string_view>

#include "verdict/case.hpp"

namespace lab::verdict {

// A record of content type 21 in the clear, two bytes, of which the first says fatal (RFC 8446, 5.1 and 6). In hex.
bool fatal_alert(std::string_view head);

// That end answered the other's hello with a fatal alert: it takes part no longer.
bool refused(const Conn& conn, Who who);

// That it sent one later, while both spoke TLS and before that moment: what the other end does then follows from it.
bool broke_off(const Conn& conn, Who who, std::int64_t until);

// Either of the two by then.
bool alerted(const Conn& conn, Who who, std::int64_t until);

// All that this end sent behind the other's FIN is of a close_notify's length, and it had read everything: the reset in
// answer takes nothing from it.
bool only_took_leave(const Case& one, Who who);

}  // namespace lab::verdict
