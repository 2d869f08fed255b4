#include "run/testimony.hpp"

#include <fmt/format.h>

namespace lab::run {
namespace {

evidence::Address address_of(std::uint8_t family, const std::uint8_t* ip, std::uint16_t port) {
  return family ? evidence::make_address(family, ip, port) : evidence::Address{};
}

}  // namespace

std::string role_name(const scenario::Actor& actor) { return std::string(scenario::name_of(actor.role)); }

std::vector<std::string> limits_of(const scenario::Actor& actor) {
  std::vector<std::string> all;
  const auto add = [&](const char* name, const auto& value) {
    if (value) all.push_back(fmt::format("{}={}", name, *value));
  };
  add("nofile", actor.limits.nofile);
  add("nproc", actor.limits.nproc);
  add("as", actor.limits.as);
  add("fsize", actor.limits.fsize);
  if (actor.limits.cpu) all.push_back(fmt::format("cpu={}s", actor.limits.cpu->count() / 1'000'000'000));
  add("cgroup.memory", actor.cgroup.memory);
  add("cgroup.pids", actor.cgroup.pids);
  if (actor.cgroup.cpu) all.push_back(fmt::format("cgroup.cpu={:g}%", *actor.cgroup.cpu * 100));
  return all;
}

evidence::StepDone step_done(const scenario::Actor& actor, const actors::Reported& step) {
  const auto& r = step.record;
  return {.role = role_name(actor),
          .actor = actor.name,
          .instance = step.instance,
          .index = r.index,
          .pid = r.pid,
          .tid = r.tid,
          .verb = step.step ? step.step->name : step.call,
          .step = step.step ? step.step->source : step.call,
          .call = step.call,
          .outcome = step.outcome,
          .error = r.error,
          .bytes = r.bytes,
          .start_ns = r.start_ns,
          .end_ns = r.end_ns,
          .got_ns = r.got_ns,
          .fd = r.fd,
          .local = address_of(r.local_family, r.local_ip, r.local_port),
          .peer = address_of(r.peer_family, r.peer_ip, r.peer_port),
          .linger_reset = r.linger_reset};
}

evidence::FilterAct filter_act(const sandbox::Answered& answered) {
  return {.pid = answered.pid,
          .tid = answered.tid,
          .call = answered.call,
          .action = answered.action,
          .error = answered.error,
          .count = answered.count,
          .fd = static_cast<int>(answered.args[0])};
}

}  // namespace lab::run
