#include <cstring>

#include "actors/actor.hpp"
#include "actors/futex.hpp"
#include "system/shared.hpp"

namespace lab::actors {
namespace {

constexpr std::size_t kMostNames = 1024;
constexpr std::size_t kLongestName = 59;

struct Entry {
  Word set{};
  char name[kLongestName + 1]{};
};

}  // namespace

// Names are declared by init before the fork of whoever uses them, so actors only ever look them up.
struct Board::State {
  sys::Shared<Entry> entries{kMostNames};

  Entry* find(const std::string& name) {
    for (auto& entry : entries.all()) {
      if (!entry.name[0]) break;
      if (name == entry.name) return &entry;
    }
    return nullptr;
  }
  Entry& known(const std::string& name) {
    Entry* entry = find(name);
    if (!entry) throw sys::LabError("signal '" + name + "' was never declared");
    return *entry;
  }
};

Board::Board() : state_(std::make_unique<State>()) {}
Board::Board(Board&&) noexcept = default;
Board::~Board() = default;

Board& Board::shared() {
  static Board board;
  return board;
}

void Board::declare(const std::string& name) {
  if (name.empty() || name.size() > kLongestName)
    throw sys::LabError("the name of a signal has 1 to 59 bytes: '" + name + "'");
  if (state_->find(name)) return;
  for (auto& entry : state_->entries.all()) {
    if (entry.name[0]) continue;
    std::memcpy(entry.name, name.data(), name.size());
    return;
  }
  throw sys::LabError("a scenario has at most 1024 names of signals");
}

int Board::signal(const std::string& name) {
  auto& entry = state_->known(name);
  entry.set.store(1, std::memory_order_release);
  return futex_wake_all(entry.set, Whose::steps);
}

void Board::wait(const std::string& name) {
  auto& entry = state_->known(name);
  while (!entry.set.load(std::memory_order_acquire)) futex_wait(entry.set, 0, Whose::steps);
}

void Board::clear() {
  for (auto& entry : state_->entries.all()) entry.set.store(0);
}

bool Board::is_set(const std::string& name) const {
  const Entry* entry = state_->find(name);
  return entry && entry->set.load(std::memory_order_acquire);
}

}  // namespace lab::actors
