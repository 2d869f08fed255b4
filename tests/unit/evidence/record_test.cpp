#include <gtest/gtest.h>

#include <cstring>

#include "evidence/file.hpp"
#include "unit/evidence/samples.hpp"

namespace lab::evidence {
namespace {

struct Taken {
  std::vector<Event> events;
  std::vector<Collector> collectors;
  RecordSink sink() {
    return {[this](Event&& e) { events.push_back(std::move(e)); },
            [this](Collector&& c) { collectors.push_back(std::move(c)); }};
  }
};

TEST(Record, EveryFieldOfEveryTypeComesBack) {
  const auto events = samples::one_of_each();
  const auto collector = samples::filled<Collector>(3);
  std::string stream;
  for (const auto& event : events) stream += to_record(event);
  stream += to_record(collector);
  Taken taken;
  EXPECT_EQ(take_records(stream, taken.sink()), stream.size());
  EXPECT_EQ(taken.events, events);
  EXPECT_EQ(taken.collectors, std::vector{collector});
}

TEST(Record, AnIncompleteOneIsLeftForLater) {
  std::string stream;
  for (const auto& event : samples::one_of_each()) stream += to_record(event);
  Taken whole;
  take_records(stream, whole.sink());
  Taken pieces;
  std::string buffer;
  for (const char byte : stream) {
    buffer += byte;
    buffer.erase(0, take_records(buffer, pieces.sink()));
  }
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(pieces.events, whole.events);
}

TEST(Record, ABrokenOneIsRefusedNotRead) {
  Taken taken;
  EXPECT_THROW(take_records(std::string("\xff\xff\xff\x7f"
                                        "x"),
                            taken.sink()),
               BadFile);                                                                // too long
  EXPECT_THROW(take_records(std::string("\x01\0\0\0\xf0", 5), taken.sink()), BadFile);  // no such type
  auto record = to_record(samples::one_of_each().front());
  for (std::size_t cut = 1; cut + 5 < record.size(); cut += 3) {
    auto shorter = record.substr(0, record.size() - cut);
    const auto size = static_cast<std::uint32_t>(shorter.size() - 4);
    std::memcpy(shorter.data(), &size, 4);
    EXPECT_THROW(take_records(shorter, taken.sink()), BadFile) << cut;
  }
  EXPECT_TRUE(taken.events.empty());
}

}  // namespace
}  // namespace lab::evidence
