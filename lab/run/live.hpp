// The last connection as the wire shows it while the run goes on: whom an operator's inject-… is about.
#pragma once

#include <optional>

#include "actors/operator.hpp"
#include "evidence/event.hpp"

namespace lab::run {

class LiveWire {
 public:
  void see(const evidence::Event& event);
  std::optional<actors::LiveConnection> connection() const { return live_; }

 private:
  std::optional<actors::LiveConnection> live_;
  evidence::Address client_, server_;
};

}  // namespace lab::run
