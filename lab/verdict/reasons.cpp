#include "verdict/reasons.hpp"

#include <algorithm>
#include <iterator>

namespace lab::verdict {

// Names as in include/net/dropreason-core.h, without their prefix.
bool takes_segment(std::string_view reason) {
  static constexpr std::string_view ordinary[] = {"NOT_SPECIFIED",
                                                  "NO_SOCKET",
                                                  "CONSUMED",
                                                  "SKB_CONSUMED",
                                                  "QUEUE_PURGE",
                                                  "TCP_OLD_DATA",
                                                  "TCP_OLD_ACK",
                                                  "TCP_OLD_SEQUENCE",
                                                  "TCP_CLOSE",
                                                  "TCP_FLAGS",
                                                  "TCP_RESET",
                                                  "TCP_ABORT_ON_DATA",
                                                  "TCP_FASTOPEN",
                                                  "TCP_INVALID_SYN",
                                                  "TCP_ACK_UNSENT_DATA",
                                                  "TCP_OVERWINDOW",
                                                  "TCP_INVALID_SEQUENCE",
                                                  "TCP_TOO_OLD_ACK",
                                                  "TCP_INVALID_ACK_SEQUENCE",
                                                  "TCP_RFC7323_PAWS",
                                                  "TCP_OFOMERGE"};
  return !reason.empty() && std::find(std::begin(ordinary), std::end(ordinary), reason) == std::end(ordinary);
}

}  // namespace lab::verdict
