#include "scenario/actor_parts.hpp"

#include "scenario/kinds.hpp"
#include "scenario/options.hpp"

namespace lab::scenario {
namespace {

constexpr Shape kOptionValue{.what = "a number, a text, true or false",
                             .kinds = Node::string | Node::integer | Node::boolean};

std::vector<std::string_view> option_names() {
  std::vector<std::string_view> names;
  for (const auto& row : option_rows()) names.push_back(row.name);
  return names;
}

void read_option(Reading& reading, const Member& member, Actor& actor) {
  const auto* row = option_row(member.key);
  if (!row) return unknown_key(reading, member, option_names());
  Within within(reading, member.key);
  const auto& node = member.value;
  if (!(node.kind & kOptionValue.kinds)) return reading.wrong(node, described(*row));
  auto option = parse_option(*row, node.kind == Node::string ? node.text : std::to_string(node.number));
  if (!option) return reading.wrong(node, described(*row));
  option->place = member.place();
  actor.options.push_back(std::move(*option));
}

using Tasks = Whole<0, kMostCount>;

// RLIMIT_CPU counts whole seconds (man setrlimit).
struct CpuTime {
  static constexpr Shape shape{.what = "a duration of whole seconds such as \"1s\"", .pattern = "^[0-9]+(s|m|h)$"};
  static std::optional<Duration> read(Reading& reading, const Node& node) {
    const auto span = Span::read(reading, node);
    if (!span || *span % std::chrono::seconds(1) == Duration(0)) return span;
    reading.wrong(node, described(shape));
    return {};
  }
};

constexpr Key<Limits> kLimitKeys[] = {
    key<Tasks, &Limits::nofile>("nofile", "descriptors (RLIMIT_NOFILE)"),
    key<Tasks, &Limits::nproc>("nproc", "processes and threads (RLIMIT_NPROC)"),
    key<Bytes, &Limits::as>("as", "address space (RLIMIT_AS)"),
    key<Bytes, &Limits::fsize>("fsize", "size of a file it writes (RLIMIT_FSIZE)"),
    key<CpuTime, &Limits::cpu>("cpu", "CPU time (RLIMIT_CPU)"),
};

struct Share {
  static constexpr Shape shape{.what = "a share of one CPU such as \"10%\"", .pattern = "^[1-9][0-9]*%$"};
  static std::optional<double> read(Reading& reading, const Node& node) {
    if (!fits(reading, node, shape)) return {};
    const auto share = parse_share(node.text);
    if (!share) reading.wrong(node, described(shape));
    return share;
  }
};

constexpr Key<Cgroup> kCgroupKeys[] = {
    key<Bytes, &Cgroup::memory>("memory", "bytes"),
    key<Tasks, &Cgroup::pids>("pids", "processes and threads"),
    key<Share, &Cgroup::cpu>("cpu", "of one CPU"),
};

std::span<const Property> option_properties() {
  static const auto all = [] {
    std::vector<Property> list;
    for (const auto& row : option_rows()) list.push_back({row.name, &kOptionValue, row.says});
    return list;
  }();
  return all;
}

}  // namespace

const Shape kOptions{.what = "a table of socket options", .kinds = Node::table, .table = &option_properties};
const Shape kLimits{.what = "a table of limits", .kinds = Node::table, .table = &properties<kLimitKeys>};
const Shape kCgroup{.what = "a table of limits", .kinds = Node::table, .table = &properties<kCgroupKeys>};

void read_options(Reading& reading, const Node& node, Actor& actor) {
  if (!fits(reading, node, kOptions)) return;
  for (const auto& member : node.members) read_option(reading, member, actor);
}

void read_limits(Reading& reading, const Node& node, Actor& actor) {
  read_table<Limits>(reading, node, kLimitKeys, actor.limits);
}

void read_cgroup(Reading& reading, const Node& node, Actor& actor) {
  read_table<Cgroup>(reading, node, kCgroupKeys, actor.cgroup);
}

}  // namespace lab::scenario
