// A dump (`nft list ruleset`) brings the counts of its own machine along.
#pragma once

#include <string>

namespace lab::firewall {

// "packets 123 bytes 4567" reads "packets 0   bytes 0   ": every counter begins anew, and every column stays.
std::string from_zero(std::string ruleset);

}  // namespace lab::firewall
