// lab list: the catalogue, grouped by layer.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "commands/catalogue.hpp"
#include "commands/commands.hpp"
#include "commands/output.hpp"
#include "commands/terminal.hpp"
#include "report/lines.hpp"
#include "report/style.hpp"

namespace lab::commands {
namespace {

using Entry = scenario::Catalogue::Entry;

nlohmann::ordered_json object(const Entry& entry) {
  nlohmann::ordered_json j = {{"name", entry.name},
                              {"layer", entry.layer},
                              {"summary", entry.summary},
                              {"tags", entry.tags},
                              {"path", entry.path.string()}};
  for (const auto& mistake : entry.mistakes) j["mistakes"].push_back(scenario::to_string(mistake));
  return j;
}

void write_json(std::ostream& out, const std::vector<Entry>& entries, bool lines) {
  using Json = nlohmann::ordered_json;
  auto all = Json::array();
  for (const auto& entry : entries) all.push_back(object(entry));
  if (!lines) out << all.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  for (const auto& one : all) {
    if (lines) out << one.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
}

std::string summary_of(const Entry& entry) {
  if (entry.mistakes.empty()) return entry.summary;
  return fmt::format("(can't be read: lab check {})", entry.path.string());
}

// The folder that most entries come from needs no telling at each of them.
std::string home_of(const std::vector<Entry>& entries) {
  std::map<std::string, int> count;
  for (const auto& entry : entries) ++count[entry.path.parent_path().string()];
  const auto most =
      std::max_element(count.begin(), count.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == count.end() ? "" : most->first;
}

void write_text(std::ostream& out, const std::vector<Entry>& entries, const report::TextOptions& options) {
  const auto home = home_of(entries);
  int name = 0;
  for (const auto& entry : entries) name = std::max(name, report::cells(entry.name));
  name = std::min(name, options.width / 2);
  std::string layer;
  for (const auto& entry : entries) {
    if (entry.layer != layer) {
      out << (layer.empty() ? "" : "\n") << report::paint(options, report::Paint::strong, entry.layer) << '\n';
      layer = entry.layer;
    }
    const auto left = "  " + report::pad_right(entry.name, name) + "  ";
    const auto folder = entry.path.parent_path().string();
    const auto origin = folder == home ? "" : fmt::format(" (from {})", folder);
    out << report::paragraph(left, report::printable(summary_of(entry) + origin), options.width);
  }
}

// Where the entries come from.
void write_places(std::ostream& out, const std::vector<Entry>& entries, const report::TextOptions& options) {
  std::vector<std::string> places;
  for (const auto& entry : entries) {
    const auto folder = entry.path.parent_path().string();
    if (std::find(places.begin(), places.end(), folder) == places.end()) places.push_back(folder);
  }
  if (places.empty()) return;
  out << '\n';
  for (const auto& place : places) {
    const auto count = std::count_if(entries.begin(), entries.end(),
                                     [&](const Entry& entry) { return entry.path.parent_path() == place; });
    out << report::paint(options, report::Paint::dim, fmt::format("{} from {}\n", count, place));
  }
}

}  // namespace

int list(const ListArguments& arguments) {
  const auto where = catalogue();
  auto entries = arguments.rules ? where.rules() : where.scenarios();
  std::erase_if(entries, [&](const Entry& entry) { return !tagged(entry, arguments.tags); });
  auto output = Output::standard();
  auto& out = output.stream();
  if (arguments.names_only) {
    for (const auto& entry : entries) out << entry.name << '\n';
  } else if (arguments.format != Format::text) {
    write_json(out, entries, arguments.format == Format::jsonl);
  } else {
    const auto options = text_options(Colour::automatic, 0);
    write_text(out, entries, options);
    write_places(out, entries, options);
  }
  output.finish();
  return 0;
}

}  // namespace lab::commands
