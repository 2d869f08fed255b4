// What the tests of the reader share.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "scenario/reader.hpp"
#include "support/tree.hpp"

namespace lab::scenario::test {

inline const std::filesystem::path kSource = lab::test::kSourceDir;

inline Read<Scenario> parse(const std::string& text, const Overrides& overrides = {}) {
  return parse_scenario(text, "x.toml", {kSource / "rules"}, overrides);
}

template <class T>
std::string told(const Read<T>& read) {
  std::string text;
  for (const auto& mistake : read.mistakes) text += to_string(mistake) + "\n";
  return text;
}

// Every mistake as a user sees it, one after the other.
inline std::string told(const std::string& text, const Overrides& overrides = {}) {
  return told(parse(text, overrides));
}

// Lines 1 to 5 of a whole scenario; what a test adds starts in line 6.
inline const std::string kWhole = R"(summary = "x"
[client]
steps = ["connect"]
[server]
steps = ["accept", "recv 64", "recv 64"]
)";

inline std::string with(const std::string& more) { return kWhole + more + "\n"; }

inline Scenario good(const std::string& text, const Overrides& overrides = {}) {
  auto read = parse(text, overrides);
  EXPECT_EQ(told(read), "");
  return std::move(read.value);
}

inline const Actor& actor(const Scenario& scenario, const std::string& name) {
  for (const auto& actor : scenario.actors) {
    if (actor.name == name) return actor;
  }
  throw std::runtime_error("no actor " + name);
}

// A folder of its own that is gone with it.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "lab-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
    return path / name;
  }

  std::filesystem::path path;
};

}  // namespace lab::scenario::test
