#include "commands/foreign.hpp"

#include <algorithm>
#include <initializer_list>

namespace lab::commands {
namespace {

constexpr std::string_view kLink = "lo", kNowhere = "lab-none";

// A word of a ruleset that can be an interface's name, and where it stands.
struct Use {
  std::size_t keyword = 0;         // "iif", …
  std::size_t begin = 0, end = 0;  // the name, without quotes
  bool fatal = false;
  std::uint32_t line = 0;
  bool taken = false;  // of a map that leads another foreign name somewhere: a key can be there once only
};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == '*' || c == '@' || c == '$';
}

// "lo" and what a wildcard makes of it.
bool here(std::string_view name) {
  return name == kLink || name == "*" || (name.ends_with("*") && kLink.starts_with(name.substr(0, name.size() - 1)));
}

// Just enough of nft's lexer: words, strings, comments.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<Use> uses() {
    while (skip()) {
      const auto word = next();
      keyword_ = begin_;
      // iif and oif are resolved to an index when a rule is loaded, devices of a chain or flowtable likewise; the
      // names of iifname and oifname are only compared.
      const bool index = word == "iif" || word == "oif" || word == "device" || word == "devices";
      if (word == "type" || word == "typeof")
        key();
      else if (word == "elements")
        elements();
      else if (index || word == "iifname" || word == "oifname")
        names(index);
    }
    return std::move(uses_);
  }

 private:
  bool skip() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size()) - 1;
      } else if (is_word(c) || c == '"' || c == '{' || c == '}' || c == ',' || c == '!' || c == '=' || c == ':') {
        return true;
      }
    }
    return false;
  }
  std::string_view next() {
    begin_ = at_;
    if (text_[at_] == '"') {
      const auto close = std::min(text_.find('"', at_ + 1), text_.size());
      at_ = std::min(close + 1, text_.size());
      ++begin_;
      return text_.substr(begin_, close - begin_);
    }
    if (!is_word(text_[at_])) return text_.substr(at_++, 1);
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin_, at_ - begin_);
  }
  // Which fields of a set's or map's key are names: "type ifname . ipv4_addr : verdict" (man nft, SETS).
  void key() {
    named_.assign(1, false);
    while (at_ < text_.size() && (is_word(text_[at_]) || text_[at_] == ' ')) {
      if (text_[at_] == ' ') {
        ++at_;
        continue;
      }
      const auto word = next();
      if (word == "hook") return;  // of a chain
      if (word == ".")
        named_.push_back(false);
      else if (word == "ifname" || word == "iifname" || word == "oifname")
        named_.back() = true;
    }
    leads_ = at_ < text_.size() && text_[at_] == ':';
  }
  // Of an element only the first word of each field counts: what follows are its data, timeout, counter and comment.
  void elements() {
    std::size_t field = 0;
    bool taken = false;
    for (bool first = true; skip();) {
      const auto word = next();
      if (word == "}") return;
      if (word == ":") {
        while (skip() && text_[at_] != ',' && text_[at_] != '}') next();
      } else if (word == "," || word == ".") {
        field = word == "," ? 0 : field + 1;
        first = true;
      } else if (word != "=" && word != "{") {
        if (first && field < named_.size() && named_[field]) {
          uses_.push_back(
              {keyword_, begin_, begin_ + word.size(), false, line_, leads_ && named_.size() == 1 && taken});
          taken = taken || !here(word);
        }
        first = false;
      }
    }
  }
  void names(bool fatal) {
    bool set = false, map = false, first = true;
    const bool devices = text_.substr(keyword_, 7) == "devices";
    while (skip()) {
      const auto word = next();
      if (word == "!" || word == "=" || word == "==" || word == ",") continue;
      if (word == "vmap" || word == "map") {
        map = true;
        continue;
      }
      if (word == "{") {
        set = true;
        continue;
      }
      if (word == "}") return;
      if (word == ":") {  // of a map: what the name leads to
        while (skip() && text_[at_] != ',' && text_[at_] != '}') next();
        continue;
      }
      // "@set" and "$variable" hold names that are not here; "." begins a concatenation.
      if (word.find_first_of("@$") == word.npos && word != ".") {
        uses_.push_back({keyword_, begin_, begin_ + word.size(), fatal, line_, (map || devices) && !first});
        first = first && here(word) && !devices;
      }
      if (!set) return;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0, begin_ = 0, keyword_ = 0;
  std::uint32_t line_ = 1;
  std::vector<bool> named_;  // of the last key seen
  bool leads_ = false;       // it is a map's
  std::vector<Use> uses_;
};

bool says(std::string_view line, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](auto word) { return line.find(word) != line.npos; });
}

// A list's element and the comma before it; lines stay where they are.
void blank(std::string& text, const Use& use) {
  const auto end = use.end < text.size() && text[use.end] == '"' ? use.end + 1 : use.end;
  const auto begin = std::min(text.rfind(',', use.begin), use.begin);
  std::replace_if(
      text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end),
      [](char c) { return c != '\n'; }, ' ');
}

std::string_view line_at(std::string_view text, std::size_t at) {
  const auto begin = text.rfind('\n', at);
  const auto from = begin == text.npos ? 0 : begin + 1;
  return text.substr(from, text.find('\n', at) - from);
}

}  // namespace

std::vector<ForeignName> foreign_names(std::string_view ruleset) {
  std::vector<ForeignName> names;
  for (const auto& use : Scanner(ruleset).uses()) {
    const auto name = ruleset.substr(use.begin, use.end - use.begin);
    if (!here(name)) names.push_back({std::string(name), use.line, use.fatal});
  }
  return names;
}

Adapted match_to_sandbox(std::string_view ruleset) {
  Adapted adapted{std::string(ruleset), 0};
  const auto uses = Scanner(ruleset).uses();
  const auto name = [&](const Use& use) { return ruleset.substr(use.begin, use.end - use.begin); };
  if (std::all_of(uses.begin(), uses.end(), [&](const Use& use) { return here(name(use)); })) return adapted;
  // From the end, so that places before stay what they are.
  for (auto use = uses.rbegin(); use != uses.rend(); ++use) {
    const auto line = line_at(ruleset, use->begin);
    const bool local = here(name(*use));
    const bool hides = local && says(line, {"accept"});
    // What leaves the machine by another link is translated there; loopback's own addresses must not be.
    const bool translates = !local && says(line, {"masquerade", "snat"});
    // Each device of a flowtable or chain may be named once (nf_tables_parse_netdev_hooks).
    if (use->taken && ruleset.substr(use->keyword, 7) == "devices") {
      blank(adapted.text, *use);
      continue;
    }
    if (local && !hides) continue;
    adapted.text.replace(use->begin, use->end - use->begin, hides || translates || use->taken ? kNowhere : kLink);
    adapted.hidden += hides ? 1 : 0;
    adapted.untranslated += translates ? 1 : 0;
    // A name that no interface has can't be resolved to an index, only compared.
    const auto keyword = ruleset.substr(use->keyword, 4);
    if ((hides || translates) && (keyword == "iif " || keyword == "oif "))
      adapted.text.insert(use->keyword + 3, "name");
  }
  return adapted;
}

}  // namespace lab::commands
