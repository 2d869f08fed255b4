// One JSON object a line, from and to fields(). Internal to evidence/: nlohmann stays in json_read.cpp and
// json_write.cpp.
#pragma once

#include <string>
#include <string_view>

#include "evidence/event.hpp"

namespace lab::evidence::json {

// Fields that have their default value are left out. A string that is no UTF-8 is written as hex under "NAME.hex".
void append_event(std::string& out, const Event& event);
void append_provenance(std::string& out, const Provenance& provenance);
void append_end(std::string& out, std::uint64_t events);

// Unknown keys are skipped. All throw BadFile.
struct Line {
  enum class Kind { event, provenance, end };
  Kind kind = Kind::event;
  Event event;
  Provenance provenance;
  std::uint64_t events = 0;  // of an end mark
};
Line parse_line(std::string_view line);

}  // namespace lab::evidence::json
