#include <fmt/format.h>

#include <charconv>
#include <concepts>
#include <iterator>

#include "evidence/archive.hpp"
#include "evidence/file.hpp"
#include "evidence/json.hpp"

namespace lab::evidence::json {
namespace {

// Length of the UTF-8 sequence at the front of `text`, 0 when there is none (RFC 3629, table 3-7 of the Unicode
// standard).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xbf; };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const auto low = first == 0xe0 ? 0xa0u : 0x80u, high = first == 0xed ? 0x9fu : 0xbfu;
    return byte(1) >= low && byte(1) <= high && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const auto low = first == 0xf0 ? 0x90u : 0x80u, high = first == 0xf4 ? 0x8fu : 0xbfu;
    return byte(1) >= low && byte(1) <= high && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_quoted(std::string& out, std::string_view utf8) {
  out += '"';
  for (const char c : utf8) {
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string hex_of(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

class Writer {
 public:
  Writer(std::string& out, const std::vector<const void*>& defaults) : out_(out), default_(defaults.begin()) {}

  template <class T>
  Writer& operator()(const char* key, const T& value) {
    if (value == *static_cast<const T*>(*default_++)) return *this;
    if constexpr (std::is_same_v<T, std::string>)
      text_member(key, value);
    else
      named(key, [&] { put(value); });
    return *this;
  }

 private:
  void named(std::string_view key, const auto& value) {
    if (out_.back() != '{') out_ += ',';
    ((out_ += '"') += key) += "\":";
    value();
  }
  void text_member(std::string_view key, const std::string& text) {
    if (is_utf8(text))
      named(key, [&] { put(text); });
    else
      named(std::string(key) + ".hex", [&] { append_quoted(out_, hex_of(text)); });
  }

  void put(bool value) { out_ += value ? "true" : "false"; }
  template <std::integral T>
  void put(T value) {
    char digits[24];
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  void put(const Address& value) { append_quoted(out_, to_string(value)); }
  // In a list a string has no name to carry the ".hex": no collector puts one there that is not its own text.
  void put(const std::string& value) { append_quoted(out_, is_utf8(value) ? value : hex_of(value)); }
  template <class T>
  void put(const std::vector<T>& values) {
    out_ += '[';
    for (const auto& value : values) {
      if (&value != values.data()) out_ += ',';
      put(value);
    }
    out_ += ']';
  }
  void put(const Collector& value) {
    out_ += '{';
    Writer nested(out_, defaults_of<Collector>());
    each_field(value, nested);
    out_ += '}';
  }

  std::string& out_;
  std::vector<const void*>::const_iterator default_;
};

void append_number(std::string& out, auto value) { out += std::to_string(value); }

}  // namespace

void append_event(std::string& out, const Event& event) {
  out += "{\"t_ns\":";
  append_number(out, event.t_ns);
  ((out += ",\"source\":\"") += source_of(event.what)) += "\",\"kind\":\"";
  (out += kind_of(event.what)) += '"';
  if (event.read_time) out += ",\"read_time\":true";
  std::visit(
      [&]<class T>(const T& what) {
        Writer writer(out, defaults_of<T>());
        each_field(what, writer);
      },
      event.what);
  out += '}';
}

void append_provenance(std::string& out, const Provenance& provenance) {
  // The format's number is always there: its default is what this version writes.
  out += "{\"kind\":\"lab-evidence\",\"format\":";
  append_number(out, provenance.format);
  Provenance rest = provenance;
  rest.format = Provenance{}.format;
  Writer writer(out, defaults_of<Provenance>());
  each_field(rest, writer);
  if (provenance.clock == Provenance{}.clock) ((out += ",\"clock\":\"") += provenance.clock) += '"';
  out += '}';
}

void append_end(std::string& out, std::uint64_t events) {
  out += "{\"kind\":\"end\",\"events\":";
  append_number(out, events);
  out += '}';
}

}  // namespace lab::evidence::json
