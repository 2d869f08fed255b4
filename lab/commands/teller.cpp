#include "commands/teller.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "commands/invoker.hpp"
#include "commands/terminal.hpp"
#include "evidence/file.hpp"
#include "system/error.hpp"

namespace lab::commands {

using report::Report;
using report::Result;

namespace {

std::optional<Output> create(const std::string& path) {
  if (path.empty()) return std::nullopt;
  return Output::create(path);
}

}  // namespace

std::optional<Teller::Store> Teller::store(const std::string& path, const char* option, const char* suffix,
                                           std::size_t count) {
  if (path.empty()) return std::nullopt;
  Store store{.path = path, .suffix = suffix, .file = std::nullopt};
  const AsInvoker rights;
  if (std::error_code none; std::filesystem::is_directory(path, none)) {
    sys::check(::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS), "write in " + path);
    return store;
  }
  if (count > 1) {
    throw UsageError(fmt::format("{} {}: one file can't hold {} scenarios", option, path, count),
                     fmt::format("name a folder that exists: {} {}", option,
                                 std::filesystem::path(path).parent_path().empty()
                                     ? "."
                                     : std::filesystem::path(path).parent_path().string()));
  }
  store.file = Output::create(path);
  return store;
}

Output Teller::Store::open(const std::string& scenario) {
  if (file) return std::move(*file);
  return Output::create((std::filesystem::path(path) / (scenario + suffix)).string());
}

Teller::Teller(const Telling& how, std::size_t count)
    : how_(how), count_(count), options_(text_options(how.colour, how.verbosity)), standard_(Output::standard()) {
  if (how.tap && how.format != Format::text) {
    throw UsageError("--tap and -o both say what standard output is to hold", "use --junit FILE beside -o");
  }
  junit_ = create(how.junit);
  pcap_ = store(how.pcap, "--pcap", ".pcapng", count);
  evidence_ = store(how.evidence, "--evidence", ".jsonl", count);
}

void Teller::tell(const Report& report) {
  status_ = report::worst(status_, report::exit_status(report.result));
  write(report);
  standard_.flush();
  if (how_.tap || junit_) cases_.push_back(report::case_of(report));
  if (pcap_) {
    auto file = pcap_->open(report.scenario);
    report::write_pcapng(file.stream(), report.timeline);
    file.finish();
  }
  if (evidence_) {
    auto file = evidence_->open(report.scenario);
    evidence::write_file(file.stream(), report.timeline);
    file.finish();
  }
  ++totals_[std::string(report::name_of(report.result))];
  ++told_;
}

void Teller::write(const Report& report) {
  if (how_.tap) return;
  auto& out = standard_.stream();
  switch (how_.format) {
    case Format::text:
      write_text(report);
      break;
    case Format::jsonl:
      out << report::to_json(report, false) << '\n';
      break;
    case Format::json:
      if (count_ > 1) out << (told_ == 0 ? "[\n" : ",\n");
      out << report::to_json(report, true);
      if (count_ == 1) out << '\n';
      break;
  }
}

// Of many, those that went as they should are one line each.
void Teller::write_text(const Report& report) {
  auto options = options_;
  const bool quiet = report.result == Result::pass || report.result == Result::skipped;
  if (count_ > 1 && quiet && options.verbosity == 0 && !report.distribution) options.verbosity = -1;
  report::write_text(standard_.stream(), report, options);
  if (count_ > 1 && options.verbosity >= 0) standard_.stream() << '\n';
}

void Teller::write_totals() {
  if (count_ < 2 || how_.verbosity < 0) return;
  standard_.stream() << fmt::format("{} of {} scenarios", told_, count_);
  const char* between = ": ";
  for (const auto& [name, count] : totals_) {
    standard_.stream() << std::exchange(between, ", ") << count << ' ' << name;
  }
  standard_.stream() << '\n';
}

void Teller::finish() {
  if (how_.tap) {
    report::write_tap(standard_.stream(), cases_);
  } else if (how_.format == Format::text) {
    write_totals();
  } else if (how_.format == Format::json && count_ != 1) {
    standard_.stream() << (told_ == 0 ? "[]\n" : "\n]\n");
  }
  standard_.finish();
  if (junit_) {
    report::write_junit(junit_->stream(), cases_);
    junit_->finish();
  }
}

}  // namespace lab::commands
