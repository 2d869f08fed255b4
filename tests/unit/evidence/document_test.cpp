// docs/evidence-format.md lists every event type and every key of it, and none that isn't there.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>

#include "evidence/event.hpp"
#include "support/tree.hpp"
#include "unit/evidence/samples.hpp"

namespace lab::evidence {
namespace {

struct Row {
  std::string unit, meaning;
};
using Section = std::map<std::string, Row>;

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// Rows "| `key` | unit | meaning |" under the nearest heading of any level; a lead like "A collector:" is one too.
std::map<std::string, Section> document() {
  std::ifstream in(std::string(test::kSourceDir) + "/docs/evidence-format.md");
  std::map<std::string, Section> all;
  std::string line, heading;
  while (std::getline(in, line)) {
    if (line.starts_with("#")) heading = trimmed(line.substr(line.find_first_not_of('#')));
    if (line == "A collector:") heading = "A collector";
    if (!line.starts_with("| `")) continue;
    const auto key_end = line.find("` |", 3), unit_end = line.find(" | ", key_end + 3);
    if (key_end == std::string::npos || unit_end == std::string::npos) continue;
    const auto key = line.substr(3, key_end - 3);
    const auto last = line.rfind('|');
    all[heading][key] = {trimmed(line.substr(key_end + 3, unit_end - key_end - 3)),
                         trimmed(line.substr(unit_end + 3, last - unit_end - 3))};
  }
  return all;
}

struct Keys {
  std::set<std::string> names;
  template <class T>
  Keys& operator()(const char* name, T&) {
    names.insert(name);
    return *this;
  }
};

template <class T>
std::set<std::string> keys_of(T object) {
  Keys keys;
  object.fields(keys);
  return keys.names;
}

void expect_same(const std::map<std::string, Section>& all, const std::string& heading,
                 const std::set<std::string>& keys) {
  const auto at = all.find(heading);
  ASSERT_NE(at, all.end()) << "no section " << heading;
  std::set<std::string> written;
  for (const auto& [key, row] : at->second) {
    written.insert(key);
    EXPECT_FALSE(row.unit.empty()) << heading << " " << key << " has no unit";
    EXPECT_FALSE(row.meaning.empty()) << heading << " " << key << " has no meaning";
  }
  EXPECT_EQ(written, keys) << "in " << heading;
}

TEST(Document, HasEveryTypeAndEveryKeyOfIt) {
  const auto all = document();
  std::set<std::string> types;
  for (auto& event : samples::defaults_of_each()) {
    const auto heading = "`" + std::string(kind_of(event.what)) + "`";
    types.insert(heading);
    std::visit([&](auto& what) { expect_same(all, heading, keys_of(what)); }, event.what);
  }
  for (const auto& [heading, section] : all)
    if (heading.starts_with("`")) {
      EXPECT_EQ(types.count(heading), 1U) << heading << " is no type";
    }
}

TEST(Document, HasTheProvenanceAndItsCollectors) {
  const auto all = document();
  expect_same(all, "Provenance", keys_of(Provenance{}));
  expect_same(all, "A collector", keys_of(Collector{}));
  expect_same(all, "Events", {"t_ns", "source", "kind", "read_time"});
}

TEST(Document, NamesTheSourceOfEveryType) {
  std::ifstream in(std::string(test::kSourceDir) + "/docs/evidence-format.md");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  for (auto& event : samples::defaults_of_each()) {
    const auto at = text.find("### `" + std::string(kind_of(event.what)) + "`");
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(text.find("Source `" + std::string(source_of(event.what)) + "`", at), text.find("Source `", at))
        << kind_of(event.what);
  }
}

}  // namespace
}  // namespace lab::evidence
