// Tells reports as the user asked: on standard output and into files, each opened before anything runs.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "commands/commands.hpp"
#include "commands/output.hpp"
#include "report/report.hpp"

namespace lab::commands {

class Teller {
 public:
  // `count`: how many scenarios there will be. Throws UsageError for what can't go together.
  Teller(const Telling& how, std::size_t count);
  void tell(const report::Report& report);  // in the order they are to appear
  void finish();                            // the rest, and every file closed
  int status() const { return status_; }    // the worst so far

 private:
  struct Store {  // --pcap, --evidence: one file, or a folder that gets one for each scenario
    std::string path, suffix;
    std::optional<Output> file;
    Output open(const std::string& scenario);
  };
  static std::optional<Store> store(const std::string& path, const char* option, const char* suffix, std::size_t count);
  void write(const report::Report& report);
  void write_text(const report::Report& report);
  void write_totals();

  Telling how_;
  std::size_t count_, told_ = 0;
  int status_ = 0;
  report::TextOptions options_;
  Output standard_;
  std::optional<Output> junit_;
  std::optional<Store> pcap_, evidence_;
  std::vector<report::CaseLine> cases_;
  std::map<std::string, std::size_t> totals_;
};

}  // namespace lab::commands
