// The evidence file: JSON lines, first the provenance, then events, last an end mark with their number.
// docs/evidence-format.md is its statement for users.
#pragma once

#include <functional>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>

#include "evidence/event.hpp"

namespace lab::evidence {

// A file that is truncated, foreign or of a newer format; what() says which, with the line.
class BadFile : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string to_json_line(const Event& event);   // {"t_ns":…,"source":"wire","kind":"segment",…}, no newline
Event from_json_line(const std::string& line);  // throws BadFile

void write_file(std::ostream& out, const Timeline& timeline);
// Streams: `provenance` is called once, then `event` for each in file order. Throws BadFile.
void read_file(std::istream& in, const std::function<void(const Provenance&)>& provenance,
               const std::function<void(Event&&)>& event);

// The binary form that a sandbox sends to lab: a length-prefixed record each. Machine-local, never stored.
std::string to_record(const Event& event);
std::string to_record(const Collector& collector);
// Takes complete records off the front of `buffer`; returns how many bytes were used.
struct RecordSink {
  std::function<void(Event&&)> event;
  std::function<void(Collector&&)> collector;
};
std::size_t take_records(std::string_view buffer, const RecordSink& sink);

}  // namespace lab::evidence
