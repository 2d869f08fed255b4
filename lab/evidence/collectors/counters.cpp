// How far the namespace's counters moved: /proc/net/netstat, snmp, snmp6 and conntrack's, by nstat's names.
#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include "evidence/collectors/collector.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::evidence {
namespace {

// One value as the file tells it; nstat's name is both names joined.
struct Value {
  std::string_view prefix, name;
  std::int64_t value = 0;
  bool same_name(const Value& other) const { return name == other.name && prefix == other.prefix; }
};
using Values = std::vector<Value>;  // in the file's order

// Cuts the next line, or the next word, off the front.
std::string_view cut(std::string_view& text, char at) {
  const auto end = std::min(text.find(at), text.size());
  const auto piece = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return piece;
}
std::string_view word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const auto piece = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(piece.size());
  return piece;
}
std::int64_t number(std::string_view text, int base = 10) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// netstat and snmp: pairs of lines, "Tcp: name name …" and "Tcp: value value …".
void read_pairs(std::string_view text, Values& values) {
  while (!text.empty()) {
    auto names = cut(text, '\n'), numbers = cut(text, '\n');
    auto prefix = word(names);
    word(numbers);
    if (!prefix.empty()) prefix.remove_suffix(1);
    for (auto name = word(names); !name.empty(); name = word(names))
      values.push_back({prefix, name, number(word(numbers))});
  }
}

// snmp6: a name and a value a line.
void read_singles(std::string_view text, Values& values) {
  while (!text.empty()) {
    auto line = cut(text, '\n');
    const auto name = word(line);
    if (!name.empty()) values.push_back({"", name, number(word(line))});
  }
}

// A header of names, then a line of hexadecimal values for each CPU. "entries" and "clashres…" are gauges or settings.
void read_conntrack(std::string_view text, Values& values) {
  const auto header = cut(text, '\n');
  while (!text.empty()) {
    auto names = header, numbers = cut(text, '\n');
    for (auto name = word(names); !name.empty(); name = word(names)) {
      const auto value = word(numbers);
      if (name != "entries" && !value.empty()) values.push_back({"Conntrack", name, number(value, 16)});
    }
  }
}

// What changed, by nstat's name; conntrack's CPUs add up.
using Changes = std::map<std::string, std::int64_t>;

// A kind of ICMP is listed from its first message on (net/ipv4/proc.c, icmpmsg_put): names come in between, in order.
void compare(const Values& before, const Values& after, Changes& changes) {
  auto then = before.begin();
  for (const auto& now : after) {
    const auto same = std::find_if(then, before.end(), [&](const auto& one) { return one.same_name(now); });
    const bool known = same != before.end();
    if (const auto change = now.value - (known ? same->value : 0))
      changes[std::string(now.prefix) + std::string(now.name)] += change;
    if (known) then = same + 1;
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
  void (*parse)(std::string_view, Values&);
  std::string before;  // its text at the start: taken apart when it is needed
};

class Counters : public Source {
 public:
  explicit Counters(std::string netns) : netns_(std::move(netns)) {
    open("netstat", read_pairs, Needed::always);
    open("snmp", read_pairs, Needed::always);
    open("snmp6", read_singles, Needed::if_there);
    open("stat/nf_conntrack", read_conntrack, Needed::if_there);
  }

  std::vector<int> descriptors() const override { return {}; }
  void drain(Sink&) override {}
  void start(Sink&) override {
    for (auto& file : files_) file.before = text_of(file);
  }
  void finish(Sink& sink) override {
    const auto now = sys::now_ns();
    Changes changes;
    for (const auto& file : files_) {
      const auto text = text_of(file);
      if (text == file.before) continue;
      Values before, after;
      file.parse(file.before, before);
      file.parse(text, after);
      compare(before, after, changes);
    }
    for (const auto& [name, change] : changes) {
      if (!change || !is_counter(name)) continue;
      sink.put({.t_ns = now, .read_time = true, .what = Counter{.netns = netns_, .name = name, .change = change}});
      ++events_;
    }
  }
  Collector account() const override { return {.name = "counters", .on = true, .why = "", .events = events_}; }

 private:
  enum class Needed { always, if_there };

  // A file that is there and not read would be taken for counters that did not move: then there is no such collector.
  void open(const std::string& name, void (*parse)(std::string_view, Values&), Needed needed) {
    try {
      files_.push_back({sys::open_file("/proc/thread-self/net/" + name, O_RDONLY), parse, ""});
    } catch (const sys::KernelError& error) {
      // No IPv6, no conntrack: nothing of it is counted.
      if (needed == Needed::always || error.code().value() != ENOENT) throw;
    }
  }
  static std::string text_of(const File& file) {
    sys::check(::lseek(file.descriptor.get(), 0, SEEK_SET), "rewind the counters");
    return sys::read_all(file.descriptor.get(), "the namespace's counters");
  }

  std::string netns_;
  std::vector<File> files_;
  std::uint64_t events_ = 0;
};

}  // namespace

std::unique_ptr<Source> make_counters(const std::string& netns) { return std::make_unique<Counters>(netns); }

}  // namespace lab::evidence
