#include "commands/excerpt.hpp"

#include <algorithm>
#include <iterator>

namespace lab::commands {
namespace {

using evidence::Address;

constexpr std::size_t kHead = 4000, kTail = 4000;

bool between(const Address& a, const Address& b, const verdict::Connection& c) {
  return (a == c.client && b == c.server) || (a == c.server && b == c.client);
}

}  // namespace

bool Excerpt::wanted(const evidence::Event& event) const {
  if (!of_) return false;
  return std::visit(
      [&](const auto& what) {
        if constexpr (requires { what.quoted_source; }) {
          return between(what.quoted_source, what.quoted_target, *of_);
        } else if constexpr (requires {
                               what.source;
                               what.target.port;
                             }) {
          return between(what.source, what.target, *of_);
        } else if constexpr (requires {
                               what.local;
                               what.peer;
                             }) {
          return !what.local.known() || !what.peer.known() || between(what.local, what.peer, *of_);
        } else {
          return true;
        }
      },
      event.what);
}

void Excerpt::see(evidence::Event&& event) {
  if (!wanted(event)) return;
  if (head_.size() < kHead) {
    head_.push_back(std::move(event));
    return;
  }
  if (tail_.size() == kTail) tail_.pop_front();
  tail_.push_back(std::move(event));
}

std::vector<evidence::Event> Excerpt::take() {
  head_.insert(head_.end(), std::make_move_iterator(tail_.begin()), std::make_move_iterator(tail_.end()));
  return std::move(head_);
}

}  // namespace lab::commands
