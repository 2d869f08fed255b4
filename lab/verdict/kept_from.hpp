// What did not reach an end, and why it need not be the other end's choice.
#pragma once

#include "verdict/case.hpp"

namespace lab::verdict {

// Something that the other end sent, or meant to send, did not come by then: lost, held back, or its process was not
// let on.
bool kept_from(const Case& one, Who victim, std::int64_t t, const Both<Progress>& then);

// When the last descriptor for that end was closed, or its process ended. Nothing where it still holds it.
Mark departure(const Case& one, Who who);

// Its own shutdown of what it reads, by then and before the other end's FIN: the end of file that it meets behind that
// is of its own making, whatever the other does (man 2 shutdown). Nothing where there was none.
const Deed* own_shutdown(const Case& one, Who who, std::int64_t t);

// A filter holds that very call: what it waits for is the filter's answer.
bool held_in(const Case& one, Who who, const Deed& pending);

}  // namespace lab::verdict
