#include "evidence/file.hpp"

#include <fmt/format.h>

#include <istream>
#include <ostream>

#include "evidence/json.hpp"

namespace lab::evidence {
namespace {

constexpr std::string_view foreign = "not an evidence file of lab (its first line is no \"lab-evidence\" record)";

Provenance first_line(const std::string& text) {
  json::Line line;
  try {
    line = json::parse_line(text);
  } catch (const BadFile& problem) {
    if (text.starts_with("{\"kind\":\"lab-evidence\"")) throw;
    throw BadFile(fmt::format("{}: {}", foreign, problem.what()));
  }
  if (line.kind != json::Line::Kind::provenance) throw BadFile(std::string(foreign));
  const int format = line.provenance.format;
  if (format < 1) throw BadFile(fmt::format("no evidence format {}", format));
  if (format > Provenance{}.format)
    throw BadFile(
        fmt::format("written in format {}, this lab reads up to {}: use the lab that wrote it ({}) or a newer one",
                    format, Provenance{}.format, line.provenance.version));
  return line.provenance;
}

}  // namespace

std::string to_json_line(const Event& event) {
  std::string line;
  json::append_event(line, event);
  return line;
}

Event from_json_line(const std::string& line) {
  auto parsed = json::parse_line(line);
  if (parsed.kind != json::Line::Kind::event) throw BadFile("no event");
  return std::move(parsed.event);
}

void write_file(std::ostream& out, const Timeline& timeline) {
  std::string line;
  const auto flush_line = [&] {
    line += '\n';
    out.write(line.data(), static_cast<std::streamsize>(line.size()));
    line.clear();
  };
  json::append_provenance(line, timeline.provenance);
  flush_line();
  for (const auto& event : timeline.events) {
    json::append_event(line, event);
    flush_line();
  }
  json::append_end(line, timeline.events.size());
  flush_line();
}

void read_file(std::istream& in, const std::function<void(const Provenance&)>& provenance,
               const std::function<void(Event&&)>& event) {
  std::uint64_t number = 0, events = 0;
  bool ended = false;
  std::string text;
  while (std::getline(in, text)) {
    ++number;
    try {
      if (ended) throw BadFile("something behind the end mark");
      if (number == 1) {
        provenance(first_line(text));
        continue;
      }
      // A last line that was cut off is told by its missing newline, whatever its text looks like.
      if (in.eof()) throw BadFile(fmt::format("the file is truncated in this line, after {} events", events));
      auto line = json::parse_line(text);
      if (line.kind == json::Line::Kind::provenance) throw BadFile("a second \"lab-evidence\" record");
      if (line.kind == json::Line::Kind::event) {
        ++events;
        event(std::move(line.event));
        continue;
      }
      ended = true;
      if (line.events != events)
        throw BadFile(fmt::format("the end mark counts {} events, the file has {}", line.events, events));
    } catch (const BadFile& problem) {
      throw BadFile(fmt::format("line {}: {}", number, problem.what()));
    }
  }
  if (in.bad()) throw BadFile(fmt::format("line {}: reading failed", number + 1));
  if (number == 0) throw BadFile("line 1: the file is empty");
  if (!ended) throw BadFile(fmt::format("line {}: the file is truncated: no end mark after {} events", number, events));
}

}  // namespace lab::evidence
