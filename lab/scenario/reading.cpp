#include "scenario/reading.hpp"

#include <algorithm>
#include <tuple>

namespace lab::scenario {
namespace {

void clean(std::string& text) {
  for (auto& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
  }
}

}  // namespace

void tidy(std::vector<Mistake>& mistakes) {
  std::vector<std::string> files;
  const auto rank = [&](const Mistake& mistake) {
    auto at = std::find(files.begin(), files.end(), mistake.place.file);
    if (at == files.end()) at = files.insert(files.end(), mistake.place.file);
    return at - files.begin();
  };
  for (auto& mistake : mistakes) {
    rank(mistake);
    clean(mistake.message);
    clean(mistake.hint);
  }
  std::stable_sort(mistakes.begin(), mistakes.end(), [&](const Mistake& a, const Mistake& b) {
    return std::tuple(rank(a), a.place.line, a.place.column) < std::tuple(rank(b), b.place.line, b.place.column);
  });
}

void Reading::mistake(const Place& place, std::string message, std::string hint) {
  mistakes.push_back({place, std::move(message), std::move(hint)});
}

void Reading::about(const Node& node, const std::string& what, std::string hint) {
  mistake(node.place(), path.empty() ? what : path + ": " + what, std::move(hint));
}

void Reading::wrong(const Node& node, const std::string& expected, std::string hint) {
  about(node, "expected " + expected + ", found " + found(node), std::move(hint));
}

std::string to_string(const Mistake& mistake) {
  std::string text = mistake.place.file;
  if (mistake.place.line > 0) {
    text += ":" + std::to_string(mistake.place.line) + ":" + std::to_string(mistake.place.column);
  }
  text += (text.empty() ? "" : ": ") + mistake.message;
  if (!mistake.hint.empty()) text += "\n  hint: " + mistake.hint;
  return text;
}

}  // namespace lab::scenario
