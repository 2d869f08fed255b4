// One function a command; each takes what the command line said and returns the exit status of contract and man page.
// UsageError and the lab's own failures leave as exceptions: main() turns them into a message and a status.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace lab::commands {

// What the user asked for can't be meant: exit status 2. what() is the message, hint() something that can be typed.
class UsageError : public std::runtime_error {
 public:
  explicit UsageError(const std::string& message, std::string hint = {})
      : std::runtime_error(message), hint_(std::move(hint)) {}
  const std::string& hint() const { return hint_; }

 private:
  std::string hint_;
};

enum class Format { text, json, jsonl };
enum class Colour { automatic, always, never };

// How and where a result is told; shared by the commands that make reports.
struct Telling {
  Format format = Format::text;
  Colour colour = Colour::automatic;
  int verbosity = 0;                  // -1 with -q, 1 with -v
  bool tap = false;                   // TAP on standard output in place of the report
  std::string junit, pcap, evidence;  // files (pcap, evidence: also folders); empty: not asked for
  bool tells_timing() const { return verbosity > 0 || format != Format::text || tap || !junit.empty(); }
};

// What is left out of a run although the machine could do it.
struct Machine {
  bool rootless = false;
  std::vector<std::string> without;  // collectors by their source's name
  std::string command;               // as typed, for the evidence file's first line
};

struct RunArguments {
  std::vector<std::string> names, tags, set;
  bool all = false, until_fail = false, control = false, dry_run = false, ipv4 = false, ipv6 = false;
  std::optional<std::uint64_t> repeat;
  unsigned jobs = 0;  // 0: one for each CPU
  std::string timeout;
  Telling telling;
  Machine machine;
};
int run(const RunArguments& arguments);

struct ListArguments {
  std::vector<std::string> tags;
  bool rules = false, names_only = false;  // names_only: for completion
  Format format = Format::text;
};
int list(const ListArguments& arguments);

struct ShowArguments {
  std::string name;
  bool nft = false;
};
int show(const ShowArguments& arguments);

struct CheckArguments {
  std::vector<std::string> files;
};
int check(const CheckArguments& arguments);

struct NewArguments {
  std::string name, from;
};
int make_new(const NewArguments& arguments);

struct NoArguments {};
int causes(const NoArguments&);

struct SchemaArguments {
  bool rules = false;  // of rule files, in place of scenario files
};
int schema(const SchemaArguments& arguments);

struct ExplainArguments {
  std::string what;  // an evidence file, "-" for standard input, or a cause
  Telling telling;
};
int explain(const ExplainArguments& arguments);

struct DiagnoseArguments {
  std::string server, client;        // shell words
  std::vector<std::string> command;  // behind "--": the client, as it is
  std::string ruleset, save, timeout;
  std::vector<std::string> limits, seccomp, sysctl;  // [ROLE.]NAME=VALUE, [ROLE.]CALL=ACTION, KEY=VALUE
  unsigned port = 8080;
  bool lenient = false, ipv4 = false, ipv6 = false;
  Telling telling;
  Machine machine;
};
int diagnose(const DiagnoseArguments& arguments);

struct ShellArguments {
  std::string name;
  std::vector<std::string> command, set;
  Machine machine;
};
int shell(const ShellArguments& arguments);

struct DoctorArguments {
  bool rootless = false;
  Format format = Format::text;
};
int doctor(const DoctorArguments& arguments);

}  // namespace lab::commands
