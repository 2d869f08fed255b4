#include "actors/records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "system/clock.hpp"

namespace lab::actors {
namespace {

constexpr std::uint64_t kMostRecords = 65536;
constexpr std::uint64_t kFewestTurns = 2;
constexpr std::size_t kOutcomes = 16;  // different ones of a step that are counted apart; the rest share the last

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// The outcome is written last and read first, so that what it promises is there.
std::atomic_ref<std::uint8_t> outcome_of(StepRecord& record) { return std::atomic_ref<std::uint8_t>(record.outcome); }

}  // namespace

// A slot for one turn; `owner` is the turn's number plus one.
struct Records::Turn {
  std::atomic<std::uint64_t> owner;
  StepRecord* steps() { return reinterpret_cast<StepRecord*>(this + 1); }
};

struct Records::Count {
  Word key;  // outcome and errno, 0: free
  std::atomic<std::uint64_t> times;
};

Records::Records(std::uint32_t instances, std::uint32_t steps, std::optional<std::uint64_t> repeat)
    : instances_(instances), steps_(steps) {
  const auto room = std::max(kFewestTurns, kMostRecords / std::max<std::uint64_t>(1, std::uint64_t{instances} * steps));
  const bool all = repeat && *repeat <= room;
  first_turns_ = all ? *repeat : room / 2;
  last_turns_ = all ? 0 : room - first_turns_;
  turn_bytes_ = aligned(sizeof(Turn) + steps * sizeof(StepRecord));
  instance_bytes_ = aligned(sizeof(InstanceFront)) + turn_bytes_ * (first_turns_ + last_turns_);
  instances_at_ = aligned(sizeof(Front));
  counts_at_ = instances_at_ + instance_bytes_ * instances;
  memory_ =
      Mapping(Mapping::Kind::shared, counts_at_ + sizeof(Count) * kOutcomes * steps + 1, "shared memory of an actor");
}

InstanceFront& Records::instance(std::uint32_t number) const {
  return *reinterpret_cast<InstanceFront*>(memory_.data() + instances_at_ + instance_bytes_ * number);
}

std::byte* Records::turn_address(std::uint32_t number, std::uint64_t turn) const {
  const auto slot =
      turn < first_turns_ ? turn : first_turns_ + (turn - first_turns_) % std::max<std::uint64_t>(1, last_turns_);
  return reinterpret_cast<std::byte*>(&instance(number)) + aligned(sizeof(InstanceFront)) + turn_bytes_ * slot;
}

void Records::begin_turn(std::uint32_t number, std::uint64_t turn) {
  auto& kept = *reinterpret_cast<Turn*>(turn_address(number, turn));
  kept.owner.store(0, std::memory_order_release);
  std::fill_n(kept.steps(), steps_, StepRecord{});
  kept.owner.store(turn + 1, std::memory_order_release);
  instance(number).turns.store(turn + 1, std::memory_order_release);
}

StepRecord* Records::at(std::uint32_t number, std::uint64_t turn, std::uint32_t index) const {
  auto& kept = *reinterpret_cast<Turn*>(turn_address(number, turn));
  if (kept.owner.load(std::memory_order_acquire) != turn + 1) return nullptr;
  return kept.steps() + index;
}

std::vector<std::uint64_t> Records::kept_turns(std::uint32_t number) const {
  const auto begun = instance(number).turns.load(std::memory_order_acquire);
  std::vector<std::uint64_t> turns;
  for (std::uint64_t turn = 0; turn < std::min(begun, first_turns_); ++turn) turns.push_back(turn);
  const auto last = begun > first_turns_ ? std::min(begun - first_turns_, last_turns_) : 0;
  for (std::uint64_t turn = begun - last; turn < begun; ++turn) turns.push_back(turn);
  return turns;
}

Records::Count* Records::counts(std::uint32_t index) const {
  return reinterpret_cast<Count*>(memory_.data() + counts_at_) + kOutcomes * index;
}

// Several threads and processes count at once; a slot belongs to the first key that is put there.
void Records::count(const StepRecord& record, int by) {
  const auto key = static_cast<std::uint32_t>(record.outcome) << 16 | static_cast<std::uint16_t>(record.error);
  Count* slots = counts(record.index);
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    std::uint32_t held = 0;
    const bool mine = slots[i].key.compare_exchange_strong(held, key) || held == key || i + 1 == kOutcomes;
    if (!mine) continue;
    slots[i].times.fetch_add(static_cast<std::uint64_t>(by), std::memory_order_relaxed);
    return;
  }
}

std::vector<Tally> Records::tallies() const {
  std::vector<Tally> all;
  for (std::uint32_t index = 0; index < steps_; ++index) {
    for (std::size_t i = 0; i < kOutcomes; ++i) {
      const auto& slot = counts(index)[i];
      const auto key = slot.key.load();
      if (!key) break;
      if (!slot.times.load()) continue;
      StepRecord like;
      like.outcome = static_cast<std::uint8_t>(key >> 16);
      like.error = static_cast<std::int32_t>(key & 0xffff);
      const bool bytes = like.outcome == static_cast<std::uint8_t>(Outcome::bytes);
      all.push_back({nullptr, index, bytes ? "bytes" : text_of(like), slot.times.load()});
    }
  }
  return all;
}

void Records::fail(Failed kind, std::string_view text) {
  auto& f = front();
  std::uint32_t none = 0;
  if (!f.failed.compare_exchange_strong(none, static_cast<std::uint32_t>(Failed::writing))) return;
  const auto length = std::min(text.size(), sizeof f.failure - 1);
  std::memcpy(f.failure, text.data(), length);
  f.failure[length] = 0;
  f.failed.store(static_cast<std::uint32_t>(kind), std::memory_order_release);
}

std::string Records::failure() const {
  const auto kind = failed();
  return kind == Failed::lab || kind == Failed::program ? front().failure : "";
}

void Records::arrive(std::uint32_t number) {
  auto& f = front();
  if (instance(number).arrived.exchange(1)) return;
  if (f.arrived.fetch_add(1) + 1 < instances_) return;
  f.go.store(1, std::memory_order_release);
  futex_wake_all(f.go);
}

std::string text_of(const StepRecord& record) {
  switch (static_cast<Outcome>(record.outcome)) {
    case Outcome::not_reached:
      return "not reached";
    case Outcome::running:
      return "stopped";
    case Outcome::ok:
      return "ok";
    case Outcome::bytes:
      return fmt::format("{} bytes", record.bytes);
    case Outcome::eof:
      return "eof";
    case Outcome::timeout:
      return "timeout";
    case Outcome::mismatch:
      return "mismatch";
    case Outcome::error:
      return sys::errno_name(record.error);
  }
  return "";
}

Entry::Entry(Records& records, std::uint32_t instance, std::uint64_t turn, const StepRecord& beginning)
    : records_(records), record_(records.at(instance, turn, beginning.index)) {
  if (!record_) record_ = &spare_;
  *record_ = beginning;
  record_->turn = static_cast<std::uint32_t>(turn);
  record_->start_ns = sys::now_ns();
  outcome_of(*record_).store(static_cast<std::uint8_t>(Outcome::running), std::memory_order_release);
}

void Entry::end(Outcome outcome, int error, std::int64_t bytes) {
  record_->end_ns = sys::now_ns();
  record_->error = error;
  record_->bytes = bytes;
  outcome_of(*record_).store(static_cast<std::uint8_t>(outcome), std::memory_order_release);
  records_.count(*record_);
}

void Entry::failed(int error, Via via) {
  record_->via = via;
  end(Outcome::error, error);
}

void Entry::came_back(int error) {
  records_.count(*record_, -1);
  failed(error);
}

}  // namespace lab::actors
