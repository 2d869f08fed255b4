#include <fmt/format.h>

#include <algorithm>

#include "report/ladder.hpp"
#include "report/lines.hpp"
#include "report/style.hpp"

namespace lab::report {
namespace {

constexpr int kTime = 9, kMostWidth = 132, kMostLines = 3;

// time, what the client did, its life line, the wire, the server's life line, what the server did.
struct Columns {
  int side, middle;
};

Columns columns(int width) {
  const int room = std::min(width, kMostWidth) - kTime - 1 - 2;
  const int middle = std::max(18, room * 36 / 100);
  return {std::max(8, (room - middle) / 2), middle};
}

class Drawing {
 public:
  Drawing(const Ladder& ladder, const TextOptions& options)
      : ladder_(ladder), options_(options), glyphs_(glyphs(options)), columns_(columns(options.width)) {}

  std::string text() {
    beside(pad_left("ms", kTime), sides("client", ladder_.client), sides("server", ladder_.server), Paint::strong);
    for (const auto& row : ladder_.rows) add(row);
    if (!ladder_.client_end.empty() || !ladder_.server_end.empty()) {
      beside(pad_left("at last", kTime), lines(ladder_.client_end), lines(ladder_.server_end), Paint::dim);
    }
    return std::move(out_);
  }

 private:
  using Lines = std::vector<std::string>;

  // A blank on the side of the life line belongs to the column.
  Lines lines(const std::string& text) const {
    if (text.empty()) return {};
    auto all = wrap_hard(printable(text), columns_.side - 1);
    if (all.size() > kMostLines) {
      all.resize(kMostLines);
      all.back() = cut(all.back() + "~~~", columns_.side - 1);
    }
    return all;
  }
  Lines sides(const char* who, const std::string& address) const {
    Lines all{who};
    if (!address.empty()) all.push_back(cut(address, columns_.side - 1));
    return all;
  }

  std::string time(const Row& row) const {
    const auto ms = static_cast<double>(row.t_ns - ladder_.rows.front().t_ns) / 1e6;
    return pad_left(fmt::format("{}{:.3f}", row.about ? "~" : "", ms), kTime);
  }

  void put(const std::string& time, const std::string& left, const std::string& middle, const std::string& right,
           Paint text) {
    const auto life = paint(options_, Paint::dim, glyphs_.life);
    std::string line = paint(options_, Paint::dim, pad_right(time, kTime)) + ' ';
    line += paint(options_, text, pad_left(left.empty() ? left : left + " ", columns_.side)) + life + middle + life;
    if (!right.empty()) line += paint(options_, text, " " + right);
    out_ += line + '\n';
  }

  std::string blank() const { return std::string(static_cast<std::size_t>(columns_.middle), ' '); }

  void beside(const std::string& time, const Lines& left, const Lines& right, Paint how) {
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
      put(i == 0 ? time : "", i < left.size() ? left[i] : "", blank(), i < right.size() ? right[i] : "", how);
    }
  }

  void add(const Row& row) {
    switch (row.kind) {
      case Row::Kind::at_client:
        return beside(time(row), lines(row.text), {}, Paint::wire);
      case Row::Kind::at_server:
        return beside(time(row), {}, lines(row.text), Paint::wire);
      case Row::Kind::note:
        return add_note(row);
      default:
        return add_arrow(row);
    }
  }

  // Over the whole ladder, where its middle is too narrow for it.
  void add_note(const Row& row) {
    const auto text = printable(row.text);
    if (cells(text) + 4 <= columns_.middle) {
      const int left = (columns_.middle - cells(text)) / 2;
      const auto dots = std::string(glyphs_.more);
      auto middle = " " + dots + std::string(static_cast<std::size_t>(left - 2), ' ') + text;
      middle = pad_right(middle, columns_.middle - 2) + dots + " ";
      put("", "", paint(options_, Paint::dim, middle), "", Paint::dim);
      return;
    }
    const int indent = kTime + 1 + columns_.side / 2;
    for (const auto& line : wrap(text, std::min(options_.width, kMostWidth) - indent)) {
      out_ += std::string(static_cast<std::size_t>(indent), ' ') + paint(options_, Paint::dim, line) + '\n';
    }
  }

  std::string dashes(int count) const {
    std::string text;
    for (int i = 0; i < count; ++i) text += glyphs_.line;
    return text;
  }

  // The label sits in the middle of what the segment came through; its head is the last cell of that.
  std::string shaft(const Row& row) const {
    const int needed = std::min(columns_.middle, cells(row.text) + 4);
    const bool lost = !row.stop.empty();
    const int length = lost ? std::max(needed, columns_.middle * row.reach / 100) : columns_.middle;
    const auto label = cut(row.text, length - 3);
    const int before = (length - 1 - cells(label)) / 2, after = length - 1 - cells(label) - before;
    const bool right = row.kind == Row::Kind::to_server;
    const auto head = std::string(lost ? glyphs_.stop : right ? glyphs_.right : glyphs_.left);
    auto text = right ? dashes(before) + label + dashes(after) + head : head + dashes(after) + label + dashes(before);
    const std::string rest(static_cast<std::size_t>(columns_.middle - length), ' ');
    const auto painted = paint(options_,
                               lost                                       ? Paint::bad
                               : row.flags.find('R') != std::string::npos ? Paint::warn
                                                                          : Paint::good,
                               text);
    return right ? painted + rest : rest + painted;
  }

  // What ate it stands where it did not arrive.
  void add_arrow(const Row& row) {
    const auto why = lines(row.stop);
    const bool right = row.kind == Row::Kind::to_server;
    for (std::size_t i = 0; i < std::max<std::size_t>(1, why.size()); ++i) {
      const auto text = i < why.size() ? why[i] : std::string();
      put(i == 0 ? time(row) : "", right ? "" : text, i == 0 ? shaft(row) : blank(), right ? text : "", Paint::bad);
    }
  }

  const Ladder& ladder_;
  const TextOptions& options_;
  const Glyphs& glyphs_;
  Columns columns_;
  std::string out_;
};

}  // namespace

std::string draw(const Ladder& ladder, const TextOptions& options) { return Drawing(ladder, options).text(); }

}  // namespace lab::report
