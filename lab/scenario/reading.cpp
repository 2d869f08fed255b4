#include "scenario/reading.hpp"

namespace lab::scenario {

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
  text += ": " + mistake.message;
  if (!mistake.hint.empty()) text += "\n  hint: " + mistake.hint;
  return text;
}

}  // namespace lab::scenario
