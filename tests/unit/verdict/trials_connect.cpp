// connect/
#include <cerrno>

#include "unit/verdict/trials.hpp"

namespace lab::verdict {
namespace {

Story refused() {
  Story s;
  s.to("127.0.0.1:9999").wire("C>S S 0").wire("S>C RA 0").act('C', "connect", {.error = ECONNREFUSED});
  return s.counter("TcpOutRsts", 1).end();
}
Story wrong_family() {
  Story s;
  s.listener("[::1]:9999", 0, 16, {kServerPid}, "v6only").to("127.0.0.1:9999").wire("C>S S 0").wire("S>C RA 0");
  return s.act('C', "connect", {.error = ECONNREFUSED}).counter("TcpOutRsts", 1).end();
}
Story unanswered() {
  Story s;
  const Story::Rule rule{.hook = "input"};
  s.wire("C>S S 0").traced("C>S S 0", rule).wait(1000).wire("C>S S 0").traced("C>S S 0", rule);
  return s.act('C', "connect", {.ms = 500, .outcome = "timeout"}).end();
}
Story queue_full() {
  Story s;
  s.wire("C>S S 0").wait(1000).wire("C>S S 0").listener("127.0.0.1:8080", 2, 1);
  return s.act('C', "connect", {.ms = 500, .outcome = "timeout"}).counter("TcpExtListenOverflows", 2).end();
}
Story unreachable() {
  Story s;
  s.changed("route-added", "unreachable 127.0.0.1");
  return s.act('C', "connect", {.error = EHOSTUNREACH}).counter("IpOutNoRoutes", 1).end();
}
Story connect_fails_by_a_filter() {
  Story s;
  s.filter(kClientPid, "connect", "errno", EHOSTUNREACH).act('C', "connect", {.error = EHOSTUNREACH});
  return s.exits(kClientPid, 1).end();
}
Story never_tried() {
  Story s;
  return s.act('C', "sleep 10ms", {.ms = 10}).exits(kClientPid, 1).end();
}

}  // namespace

std::vector<Trial> connect_trials() {
  return {
      {"connect/refused", refused, "connect/wrong-family", wrong_family},
      {"connect/no-answer", unanswered, "connect/queue-full", queue_full},
      {"connect/wrong-family", wrong_family, "connect/refused", refused},
      {"connect/unreachable", unreachable, "seccomp/errno", connect_fails_by_a_filter},
      {"connect/queue-full", queue_full, "connect/no-answer", unanswered},
      {"connect/never-tried", never_tried, "connect/refused", refused},
  };
}

}  // namespace lab::verdict
