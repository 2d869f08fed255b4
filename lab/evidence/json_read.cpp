#include <fmt/format.h>

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "evidence/archive.hpp"
#include "evidence/file.hpp"
#include "evidence/json.hpp"

namespace lab::evidence::json {
namespace {

struct Node {
  enum class Kind { null, boolean, integer, text, list, object };
  Kind kind = Kind::null;
  bool negative = false;     // of an integer: the value is int64_t(number)
  std::uint64_t number = 0;  // booleans: 0 or 1
  std::string key, text;
  std::vector<Node> children;
};

// nlohmann's event interface: an order of magnitude fewer allocations a line than its document tree.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  const Node& root() const { return root_; }
  const std::string& problem() const { return problem_; }

  bool null() override { return leaf(Node::Kind::null) != nullptr; }
  bool boolean(bool value) override { return number(Node::Kind::boolean, value ? 1 : 0, false); }
  bool number_integer(number_integer_t value) override {
    return number(Node::Kind::integer, static_cast<std::uint64_t>(value), value < 0);
  }
  bool number_unsigned(number_unsigned_t value) override { return number(Node::Kind::integer, value, false); }
  bool number_float(number_float_t, const string_t&) override { return refuse("a number is not whole"); }
  bool string(string_t& value) override {
    leaf(Node::Kind::text)->text = std::move(value);
    return true;
  }
  bool binary(binary_t&) override { return refuse("binary value"); }
  bool start_object(std::size_t) override { return open(Node::Kind::object); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Node::Kind::list); }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    // "[json.exception.parse_error.101] parse error at line 1, column 7: syntax error …": the reason alone.
    const std::string_view text = e.what();
    const auto colon = text.find(": ");
    problem_ = fmt::format("no JSON object (at byte {}: {})", position,
                           colon == std::string_view::npos ? text : text.substr(colon + 2));
    return false;
  }

 private:
  // An evidence line is an object of scalars and lists of them, the first a list of objects too.
  static constexpr std::size_t deepest = 4;

  Node* leaf(Node::Kind kind) {
    Node* node = &root_;
    if (!open_.empty()) node = &open_.back()->children.emplace_back();
    node->kind = kind;
    node->key = std::move(key_);
    key_.clear();
    return node;
  }
  bool number(Node::Kind kind, std::uint64_t value, bool negative) {
    Node* node = leaf(kind);
    node->number = value;
    node->negative = negative;
    return true;
  }
  bool open(Node::Kind kind) {
    if (open_.size() == deepest) return refuse("nested too deeply");
    open_.push_back(leaf(kind));
    if (open_.size() == 1) open_.back()->children.reserve(20);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  bool refuse(const char* why) {
    problem_ = why;
    return false;
  }

  Node root_;
  std::vector<Node*> open_;  // children of an open node are complete before its next sibling is added
  std::string key_, problem_;
};

[[noreturn]] void mismatch(const Node& node, std::string_view wanted) {
  throw BadFile(fmt::format("\"{}\" is not {}", node.key, wanted));
}

std::string bytes_of_hex(const Node& node) {
  if (node.kind != Node::Kind::text || node.text.size() % 2) mismatch(node, "bytes in hex");
  std::string bytes;
  for (std::size_t i = 0; i < node.text.size(); i += 2) {
    unsigned value = 0;
    const char* pair = node.text.data() + i;
    if (std::from_chars(pair, pair + 2, value, 16).ptr != pair + 2) mismatch(node, "bytes in hex");
    bytes += static_cast<char>(value);
  }
  return bytes;
}

class Reader {
 public:
  explicit Reader(const Node& object) : object_(object) {}

  template <class T>
  Reader& operator()(std::string_view key, T& value) {
    if (const Node* node = find(key)) {
      take(*node, value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (hex_) {
        if (const Node* bytes = find(std::string(key) + ".hex")) value = bytes_of_hex(*bytes);
      }
    }
    return *this;
  }

  // Lines are written in the order of fields(), so the search begins behind the last key found.
  const Node* find(std::string_view key) {
    const auto count = object_.children.size();
    for (std::size_t i = 0; i < count; ++i) {
      const auto at = next_ + i < count ? next_ + i : next_ + i - count;
      if (object_.children[at].key != key) continue;
      next_ = at + 1 == count ? 0 : at + 1;
      return &object_.children[at];
    }
    return nullptr;
  }

 private:
  static bool any_hex(const Node& object) {
    for (const auto& child : object.children)
      if (child.key.ends_with(".hex")) return true;
    return false;
  }

  void take(const Node& node, bool& value) {
    if (node.kind != Node::Kind::boolean) mismatch(node, "true or false");
    value = node.number != 0;
  }
  template <std::integral T>
  void take(const Node& node, T& value) {
    if (node.kind != Node::Kind::integer) mismatch(node, "a whole number");
    const auto as_signed = static_cast<std::int64_t>(node.number);
    if (node.negative ? !std::in_range<T>(as_signed) : !std::in_range<T>(node.number)) mismatch(node, "in its range");
    value = node.negative ? static_cast<T>(as_signed) : static_cast<T>(node.number);
  }
  void take(const Node& node, std::string& value) {
    if (node.kind != Node::Kind::text) mismatch(node, "a string");
    value = node.text;
  }
  void take(const Node& node, Address& value) {
    const auto address = node.kind == Node::Kind::text ? parse_address(node.text) : std::nullopt;
    if (!address) mismatch(node, "an address with a port");
    value = *address;
  }
  template <class T>
  void take(const Node& node, std::vector<T>& values) {
    if (node.kind != Node::Kind::list) mismatch(node, "a list");
    values.clear();
    for (const auto& child : node.children) take(child, values.emplace_back());
  }
  void take(const Node& node, Collector& value) {
    if (node.kind != Node::Kind::object) mismatch(node, "an object");
    Reader nested(node);
    value.fields(nested);
  }

  const Node& object_;
  std::size_t next_ = 0;
  bool hex_ = any_hex(object_);
};

const std::map<std::string_view, std::size_t>& kinds() {
  static const auto table = [] {
    std::map<std::string_view, std::size_t> made;
    for (std::size_t i = 0; i < std::variant_size_v<What>; ++i) made.emplace(kind_of(make_what(i)), i);
    return made;
  }();
  return table;
}

void read_event(Reader& reader, const std::string& kind, Event& event) {
  const auto known = kinds().find(kind);
  if (known == kinds().end())
    throw BadFile(fmt::format("no event kind \"{}\" in format {}", kind, Provenance{}.format));
  if (!reader.find("t_ns")) throw BadFile("an event without \"t_ns\"");
  reader("t_ns", event.t_ns)("read_time", event.read_time);
  event.what = make_what(known->second);
  std::visit([&](auto& what) { what.fields(reader); }, event.what);
}

}  // namespace

Line parse_line(std::string_view text) {
  Builder builder;
  if (!nlohmann::json::sax_parse(text, &builder)) throw BadFile(builder.problem());
  if (builder.root().kind != Node::Kind::object) throw BadFile("no JSON object");
  Reader reader(builder.root());
  std::string kind;
  reader("kind", kind);
  Line line;
  if (kind == "lab-evidence") {
    line.kind = Line::Kind::provenance;
    if (!reader.find("format")) throw BadFile("no \"format\"");
    line.provenance.fields(reader);
  } else if (kind == "end") {
    line.kind = Line::Kind::end;
    reader("events", line.events);
  } else {
    read_event(reader, kind, line.event);
  }
  return line;
}

}  // namespace lab::evidence::json
