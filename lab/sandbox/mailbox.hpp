// How a filtered child gets its listener to init: a socket pair, and calls that its own filter lets pass.
#pragma once

#include <optional>

#include "system/descriptor.hpp"

namespace lab::sandbox {

class Mailbox {
 public:
  Mailbox();  // in init, before the fork
  int sending_end() const { return sender_.get(); }
  int receiving_end() const { return receiver_.get(); }

  // In the child. Both descriptors are closed in it afterwards; `listener` may be invalid (nothing is sent).
  void hand_over(sys::Descriptor listener) const;

  struct Delivery {
    sys::Descriptor listener;
    int pid = 0;  // of the sender, as the receiver sees it
  };
  std::optional<Delivery> collect();  // nothing: the mailbox is empty

 private:
  sys::Descriptor sender_, receiver_;
};

}  // namespace lab::sandbox
