#include "commands/unseen.hpp"

#include <algorithm>

namespace lab::commands {
namespace {

bool is_beneath(const std::filesystem::path& file, const std::filesystem::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), file.begin(), file.end()).first == folder.end();
}

bool is_unseen(const std::string& word, const std::filesystem::path& working) {
  if (word.empty() || word[0] != '/') return false;
  std::error_code error;
  const auto file = std::filesystem::canonical(word, error);
  return !error && is_beneath(file, "/tmp") && !is_beneath(file, working);
}

}  // namespace

std::vector<std::string> unseen_files(const scenario::Scenario& scenario, const std::filesystem::path& working) {
  std::vector<std::string> all;
  for (const auto& actor : scenario.actors)
    for (const auto& word : actor.run)
      if (is_unseen(word, working) && std::find(all.begin(), all.end(), word) == all.end()) all.push_back(word);
  return all;
}

}  // namespace lab::commands
