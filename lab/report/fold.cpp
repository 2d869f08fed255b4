// What a reader need not see one by one: a wait that nothing interrupts, the same segment again, bulk, long silences.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "report/ladder.hpp"

namespace lab::report {
namespace {

using Rows = std::vector<Row>;

constexpr std::int64_t kSilence = 150'000'000;  // ns
constexpr std::size_t kAgain = 3, kBulk = 8;    // rows from which on they are folded

std::string duration(std::int64_t ns) {
  const auto ms = static_cast<double>(ns) / 1e6;
  return ms < 1000 ? fmt::format("{:.0f} ms", ms) : fmt::format("{:.1f} s", ms / 1000);
}

std::string size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 4> units = {"bytes", "KiB", "MiB", "GiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 10240 && unit + 1 < units.size(); ++unit) value /= 1024;
  return fmt::format("{:.0f} {}", value, units[unit]);
}

// "recv 64 ..." with its own end right behind it.
void join_waits(Rows& rows) {
  Rows kept;
  for (auto& row : rows) {
    const bool open = !kept.empty() && kept.back().kind == row.kind && kept.back().text.ends_with(" ...");
    if (open && row.text.starts_with(kept.back().text.substr(0, kept.back().text.size() - 4) + ":")) kept.pop_back();
    kept.push_back(std::move(row));
  }
  rows = std::move(kept);
}

bool again(const Row& a, const Row& b) {
  const bool worth = b.length > 0 || b.flags.find_first_of("SFR") != std::string::npos || !b.stop.empty();
  return a.arrow() && a.kind == b.kind && a.flags == b.flags && a.seq == b.seq && a.length == b.length &&
         a.stop == b.stop && worth;
}

Row note(std::int64_t t_ns, std::string text) {
  return {.t_ns = t_ns, .kind = Row::Kind::note, .text = std::move(text)};
}

// A segment and its retransmissions, with nothing but time between them: the first, and how many more until when.
void fold_again(Rows& rows) {
  Rows kept;
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t end = i + 1;
    while (end < rows.size() && again(rows[i], rows[end])) ++end;
    const auto more = end - i - 1;
    if (more + 1 < kAgain) {
      for (; i < end; ++i) kept.push_back(std::move(rows[i]));
      continue;
    }
    const auto last = rows[end - 1].t_ns, first = rows[i].t_ns;
    kept.push_back(std::move(rows[i]));
    kept.push_back(note(last, fmt::format("{} more over {}", more, duration(last - first))));
    i = end;
  }
  rows = std::move(kept);
}

bool plain(const Row& row) {
  return row.arrow() && row.stop.empty() && !row.flags.empty() &&
         row.flags.find_first_not_of("PA") == std::string::npos;
}

std::string bulk_text(const Rows& rows, std::size_t from, std::size_t to) {
  std::uint64_t up = 0, down = 0;
  for (auto i = from; i < to; ++i) (rows[i].kind == Row::Kind::to_server ? up : down) += rows[i].length;
  auto text = fmt::format("{} segments", to - from);
  if (up) text += fmt::format(", {} to the server", size(up));
  if (down) text += fmt::format(", {} to the client", size(down));
  return text;
}

void fold_bulk(Rows& rows) {
  Rows kept;
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t end = i;
    while (end < rows.size() && plain(rows[end])) ++end;
    if (end - i < kBulk) {
      for (end = std::max(end, i + 1); i < end; ++i) kept.push_back(std::move(rows[i]));
      continue;
    }
    const auto middle = note(rows[end - 2].t_ns, bulk_text(rows, i + 1, end - 1));
    kept.push_back(std::move(rows[i]));
    kept.push_back(middle);
    kept.push_back(std::move(rows[end - 1]));
    i = end;
  }
  rows = std::move(kept);
}

void cut_middle(Rows& rows, std::size_t most) {
  if (rows.size() <= most) return;
  const auto head = most * 3 / 5, tail = most - head - 1;
  const auto out = rows.size() - head - tail;
  rows[head] = note(rows[head].t_ns, fmt::format("{} more rows", out));
  rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(head) + 1, rows.end() - static_cast<std::ptrdiff_t>(tail));
}

void mark_silence(Rows& rows) {
  Rows kept;
  for (auto& row : rows) {
    const bool told = row.kind == Row::Kind::note ||
                      (!kept.empty() && kept.back().kind == Row::Kind::note && kept.back().flags == "-");
    if (!kept.empty() && !told && row.t_ns - kept.back().t_ns >= kSilence) {
      kept.push_back(note(row.t_ns, fmt::format("{} of silence", duration(row.t_ns - kept.back().t_ns))));
    }
    kept.push_back(std::move(row));
  }
  rows = std::move(kept);
}

}  // namespace

void fold(Ladder& ladder, std::size_t most_rows) {
  auto& rows = ladder.rows;
  join_waits(rows);
  fold_again(rows);
  fold_bulk(rows);
  join_waits(rows);
  cut_middle(rows, most_rows);
  mark_silence(rows);
}

}  // namespace lab::report
