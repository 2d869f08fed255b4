// The files that a scenario names, found beneath the folders where they may be.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario/reading.hpp"

namespace lab::scenario {

struct Found {
  std::string path, text;
};

// A regular file beneath `folder`: neither "..", nor a link, nor a mount trick leads out of it (openat2(2),
// RESOLVE_BENEATH), so that a scenario from a stranger can't have root read what its user couldn't. Nothing when there
// is none; a mistake at `place` for one that can't be read.
std::optional<Found> file_beneath(Reading& reading, const std::filesystem::path& folder, const std::string& name,
                                  const Place& place);

// The text of a file the user named, of at most kFileBytes. Nothing, and a mistake, when it can't be read.
std::optional<std::string> file_text(std::vector<Mistake>& mistakes, const std::filesystem::path& path);

// Names of the files in `folders` that end in `suffix`, the suffix cut off where `cut`. For hints: errors are no files.
std::vector<std::string> file_names(const std::vector<std::filesystem::path>& folders, std::string_view suffix,
                                    bool cut);

}  // namespace lab::scenario
