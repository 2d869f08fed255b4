// Processes of the sandbox as /proc shows them: stopped or frozen, how many descriptors and threads, which limits.
// man 5 proc.
#include <dirent.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <memory>
#include <sstream>

#include "evidence/collectors/collector.hpp"
#include "evidence/collectors/holders.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::evidence {
namespace {

constexpr std::size_t kMost = 256;  // processes looked at in one snapshot

std::string path(int pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

// "" for a process that has gone meanwhile.
std::string read(int pid, const char* file) {
  try {
    return sys::read_file(path(pid, file));
  } catch (const sys::KernelError&) {
    return "";
  }
}

std::uint32_t entries(int pid, const char* folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(path(pid, folder).c_str()), ::closedir);
  std::uint32_t count = 0;
  while (open)
    if (const auto* entry = ::readdir(open.get()); !entry)
      break;
    else if (entry->d_name[0] != '.')
      ++count;
  return count;
}

struct Stat {
  char state = 0;
  std::uint64_t ticks = 0, threads = 0, address_space = 0;
};

// Fields are counted behind the command's name, which may hold anything but ends with the last ')'.
Stat parse_stat(const std::string& text) {
  Stat stat;
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return stat;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int number = 3; fields >> field; ++number) {
    std::uint64_t value = 0;
    std::from_chars(field.data(), field.data() + field.size(), value);
    if (number == 3) stat.state = field[0];
    if (number == 14 || number == 15) stat.ticks += value;
    if (number == 20) stat.threads = value;
    if (number == 23) stat.address_space = value;
  }
  return stat;
}

const char* state_name(char state, const std::string& wait) {
  // Version 2's freezer holds a process inside get_signal (do_freezer_trap, often inlined); one that a signal stopped
  // is there too, in state T.
  if (state == 'S' && wait == "get_signal") return "frozen";
  if (wait.find("freez") != std::string::npos || wait.find("refrigerator") != std::string::npos) return "frozen";
  switch (state) {
    case 'T':
      return "stopped";
    case 't':
      return "traced";
    case 'R':
      return "running";
    default:
      return "sleeping";
  }
}

// Soft limits by the name that setrlimit's users know; unlimited ones are left out.
std::map<std::string, std::uint64_t> parse_limits(const std::string& text) {
  static const std::map<std::string, std::string> known = {{"Max open files", "nofile"},
                                                           {"Max processes", "nproc"},
                                                           {"Max address space", "as"},
                                                           {"Max file size", "fsize"},
                                                           {"Max cpu time", "cpu"}};
  std::map<std::string, std::uint64_t> limits;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    for (const auto& [label, name] : known)
      if (line.starts_with(label)) {
        std::uint64_t value = 0;
        const auto at = line.find_first_not_of(' ', label.size());
        if (at != std::string::npos &&
            std::from_chars(line.data() + at, line.data() + line.size(), value).ec == std::errc{})
          limits[name] = value;
      }
  return limits;
}

class ProcFiles : public Processes {
 public:
  // What init has itself is the machine's default: only what differs was set for somebody.
  ProcFiles() : usual_(parse_limits(read(::getpid(), "limits"))), tick_ns_(1'000'000'000 / ::sysconf(_SC_CLK_TCK)) {}

  void watch(int) override {}

  // Children live in the same pid namespace: whoever is in /proc belongs to the run.
  void snapshot(Sink& sink, const std::string& when) override {
    std::size_t seen = 0;
    for (const int pid : processes()) {
      if (++seen > kMost) return;
      look_at(pid, when, sink);
    }
  }

 private:
  void look_at(int pid, const std::string& when, Sink& sink) {
    const auto asked = sys::now_ns();  // it still ran then; how long after, nobody knows
    const auto stat = parse_stat(read(pid, "stat"));
    if (!stat.state || stat.state == 'Z' || stat.state == 'X') return;
    auto wait = read(pid, "wchan");
    if (wait == "0") wait.clear();
    const auto descriptors = entries(pid, "fd");
    sink.put({.t_ns = asked,
              .read_time = true,
              .what = ProcessState{.pid = pid,
                                   .state = state_name(stat.state, wait),
                                   .wait = wait,
                                   .cpu_ns = stat.ticks * static_cast<std::uint64_t>(tick_ns_),
                                   .descriptors = descriptors,
                                   .threads = static_cast<std::uint32_t>(stat.threads),
                                   .when = when}});
    const std::map<std::string, std::uint64_t> used = {
        {"nofile", descriptors},
        {"nproc", stat.threads},
        {"as", stat.address_space},
        {"cpu", stat.ticks * static_cast<std::uint64_t>(tick_ns_) / 1'000'000'000}};
    for (const auto& [name, limit] : parse_limits(read(pid, "limits"))) {
      if (const auto usual = usual_.find(name); usual != usual_.end() && usual->second == limit) continue;
      const auto use = used.find(name);
      sink.put(
          {.t_ns = asked,
           .read_time = true,
           .what = LimitState{.pid = pid, .name = name, .limit = limit, .used = use == used.end() ? 0 : use->second}});
    }
  }

  std::map<std::string, std::uint64_t> usual_;
  std::int64_t tick_ns_;
};

}  // namespace

std::unique_ptr<Processes> make_processes() { return std::make_unique<ProcFiles>(); }

}  // namespace lab::evidence
