// What the kernel's drop reasons say of a segment.
#pragma once

#include <string_view>

namespace lab::verdict {

// False for reasons that end no data's life: the segment had been delivered, was a repetition or the answer to it is a
// reset, or its socket was on its way out.
bool takes_segment(std::string_view reason);

}  // namespace lab::verdict
