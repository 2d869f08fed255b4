// How far the namespace's counters moved: /proc/net/netstat, snmp, snmp6 and conntrack's, by nstat's names.
#include <map>
#include <sstream>

#include "evidence/collectors/collector.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::evidence {
namespace {

using Values = std::map<std::string, std::int64_t>;

// netstat and snmp: pairs of lines, "Tcp: name name …" and "Tcp: value value …". nstat joins prefix and name.
void read_pairs(const std::string& text, Values& values) {
  std::istringstream lines(text);
  for (std::string names, numbers; std::getline(lines, names) && std::getline(lines, numbers);) {
    std::istringstream name(names), number(numbers);
    std::string prefix, ignored, one;
    name >> prefix;
    number >> ignored;
    if (!prefix.empty()) prefix.pop_back();
    for (std::int64_t value = 0; name >> one && number >> value;) values[prefix + one] = value;
  }
}

// snmp6: a name and a value a line.
void read_singles(const std::string& text, Values& values) {
  std::istringstream lines(text);
  std::string name;
  for (std::int64_t value = 0; lines >> name >> value;) values[name] = value;
}

// A header of names, then a line of hexadecimal values for each CPU. "entries" and "clashres…" are gauges or settings.
void read_conntrack(const std::string& text, Values& values) {
  std::istringstream lines(text);
  std::string header;
  if (!std::getline(lines, header)) return;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream names(header), numbers(line);
    std::string name, number;
    while (names >> name && numbers >> number)
      if (name != "entries") values["Conntrack" + name] += std::stoll(number, nullptr, 16);
  }
}

// Settings and gauges that stand among the counters (net/ipv4/proc.c).
bool is_counter(const std::string& name) {
  static const char* const others[] = {"IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin",
                                       "TcpRtoMax",    "TcpMaxConn",   "TcpCurrEstab"};
  for (const auto* other : others)
    if (name == other) return false;
  return true;
}

// The files are opened in the namespace they count and re-read through the descriptor: /proc/thread-self/net follows
// the thread that opened them.
struct File {
  sys::Descriptor descriptor;
  void (*read)(const std::string&, Values&);
};

class Counters : public Source {
 public:
  explicit Counters(std::string netns) : netns_(std::move(netns)) {
    open("netstat", read_pairs);
    open("snmp", read_pairs);
    open("snmp6", read_singles);
    open("stat/nf_conntrack", read_conntrack);
    before_ = read();
  }

  std::vector<int> descriptors() const override { return {}; }
  void drain(Sink&) override {}
  void start(Sink&) override { before_ = read(); }
  void finish(Sink& sink) override {
    const auto now = sys::now_ns();
    for (const auto& [name, value] : read()) {
      const auto change = value - before_[name];
      if (!change || !is_counter(name)) continue;
      sink.put({.t_ns = now, .read_time = true, .what = Counter{.netns = netns_, .name = name, .change = change}});
      ++events_;
    }
  }
  Collector account() const override { return {.name = "counters", .on = true, .why = "", .events = events_}; }

 private:
  void open(const std::string& name, void (*reader)(const std::string&, Values&)) {
    try {
      files_.push_back({sys::open_file("/proc/thread-self/net/" + name, O_RDONLY), reader});
    } catch (const sys::KernelError&) {  // no IPv6, no conntrack: nothing of it is counted
    }
  }
  Values read() const {
    Values values;
    for (const auto& file : files_) {
      sys::check(::lseek(file.descriptor.get(), 0, SEEK_SET), "rewind the counters");
      file.read(sys::read_all(file.descriptor.get(), "the namespace's counters"), values);
    }
    return values;
  }

  std::string netns_;
  std::vector<File> files_;
  Values before_;
  std::uint64_t events_ = 0;
};

}  // namespace

std::unique_ptr<Source> make_counters(const std::string& netns) { return std::make_unique<Counters>(netns); }

}  // namespace lab::evidence
