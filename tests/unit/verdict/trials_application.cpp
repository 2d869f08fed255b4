// none, application/
#include <cerrno>
#include <csignal>

#include "unit/verdict/trials.hpp"

namespace lab::verdict {
namespace {

Story asked() {
  Story s;
  s.handshake().send('C', 6);
  return s;
}
Story read_by_server() { return asked().recv('S', 6); }
Story server_closes(Story s) {
  return s.close('S').wire("S>C FA").recv_eof('C').close('C').wire("C>S FA").wire("S>C A").exits(kServerPid, 0).end();
}
Story healthy() {
  Story s;
  s.handshake().exchange().close('C').wire("C>S FA").wire("S>C A").close('S').wire("S>C FA").wire("C>S A");
  return s.exits(kServerPid, 0).exits(kClientPid, 0).end();
}
Story closed() { return server_closes(read_by_server()); }
Story answered_and_closed() {
  Story s;
  s.handshake().exchange();
  return server_closes(s);
}
Story closed_unread() {
  return asked()
      .close('S')
      .built('S', "TCP_ABORT_ON_CLOSE", "ESTABLISHED")
      .wire("S>C RA")
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1)
      .counter("TcpExtTCPAbortOnClose", 1)
      .end();
}
Story reset() {
  return read_by_server()
      .act('S', "reset", {.linger_reset = true})
      .built('S', "TCP_STATE", "CLOSE")
      .wire("S>C RA")
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1)
      .counter("TcpExtTCPAbortOnData", 1)
      .end();
}
Story ended(int signal, int sender, bool by_kernel) {
  auto s = read_by_server();
  if (signal)
    s.signal(signal, kServerPid, sender, by_kernel);
  else
    s.waiting('S', "exit 3");
  s.wire("S>C FA").wire("C>S A");
  if (signal)
    s.killed(kServerPid, signal);
  else
    s.exits(kServerPid, 3);
  return s.recv_eof('C').close('C').wire("C>S FA").end();
}
Story exited() { return ended(0, 0, false); }
Story crashed() { return ended(SIGSEGV, 0, true); }
Story shot() { return ended(SIGSEGV, 77, false); }
Story killed() { return ended(SIGKILL, 77, false); }
Story sigpipe() { return ended(SIGPIPE, kServerPid, false); }
Story stopped() {
  Story s;
  s.handshake().exchange().signal(SIGSTOP, kServerPid, 77).process(kServerPid, "stopped").send('C', 6);
  return s.socket('S', {.rq = 6, .pids = {kServerPid}}).recv_timeout('C', 500).end();
}
Story stopped_and_continued() {
  Story s;
  s.handshake().exchange().signal(SIGSTOP, kServerPid, 77).process(kServerPid, "stopped").send('C', 6);
  s.signal(SIGCONT, kServerPid, 77).process(kServerPid, "sleeping").recv('S', 6).waiting('S', "sleep 5s");
  return s.socket('S', {.pids = {kServerPid}}).recv_timeout('C', 500).process(kServerPid, "sleeping").end();
}
Story left_alone(bool accepted, bool reads) {
  Story s;
  if (!accepted) s.waiting('S', "sleep 5s").connected();
  if (accepted) s.handshake();
  s.send('C', 6);
  if (reads) s.recv('S', 6);
  if (accepted) s.waiting('S', "sleep 5s");
  s.socket('S', {.rq = reads ? 0U : 6U,
                 .inode = accepted ? 1U : 0U,
                 .pids = accepted ? std::vector{kServerPid} : std::vector<int>{}});
  if (!accepted) s.listener("127.0.0.1:8080", 1, 16);
  return s.process(kServerPid, "sleeping").recv_timeout('C', 500).end();
}
Story not_accepting() { return left_alone(false, false); }
Story not_reading() { return left_alone(true, false); }
Story not_answering() { return left_alone(true, true); }
Story answer_eaten() {
  auto s = read_by_server().act('S', "send 5", {.bytes = 5}).traced("S>C PA 1:6").waiting('S', "recv 64");
  s.socket('S', {.timer = "probe", .not_sent = 5, .backoff = 1, .pids = {kServerPid}});
  return s.process(kServerPid, "sleeping").recv_timeout('C', 500).end();
}
Story listener_closed() {
  Story s;
  s.connected().send('C', 6).act('S', "close-listener").listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed");
  return s.built('S', "TCP_STATE", "CLOSE").wire("S>C RA").recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
}
Story listener_closed_behind_it() {
  return asked()
      .act('S', "close-listener")
      .close('S')
      .wire("S>C RA")
      .built('S', "TCP_ABORT_ON_CLOSE", "ESTABLISHED")
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1)
      .counter("TcpExtTCPAbortOnClose", 1)
      .end();
}

// The proxy accepts on 8080 and tries a backend on 9999.
evidence::StepDone proxys(const char* verb, const char* call, const char* outcome, std::int64_t bytes) {
  return {.role = "proxy",
          .pid = kProxyPid,
          .tid = kProxyPid,
          .verb = verb,
          .step = verb,
          .call = call,
          .outcome = outcome,
          .bytes = bytes,
          .start_ns = 1,
          .end_ns = 2,
          .local = *evidence::parse_address("127.0.0.1:8080"),
          .peer = *evidence::parse_address("127.0.0.1:45000")};
}
Story behind_a_proxy(bool refused) {
  Story s;
  s.started(kProxyPid, "proxy").wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect");
  s.put(proxys("accept", "accept4", "ok", -1)).send('C', 6).from("127.0.0.1:45001").to("127.0.0.1:9999");
  if (refused) s.wire("C>S S 0").wire("S>C RA 0").act('P', "connect", {.error = ECONNREFUSED});
  s.from("127.0.0.1:45000")
      .to("127.0.0.1:8080")
      .put(proxys("recv", "recvfrom", "6 bytes", 6))
      .put(proxys("close", "close", "ok", -1));
  s.wire("S>C FA").exits(kProxyPid, 0).recv_eof('C');
  if (refused) s.counter("TcpOutRsts", 1);
  return s.end();
}
Story backend_refused() { return behind_a_proxy(true); }
Story backend_never_tried() { return behind_a_proxy(false); }

}  // namespace

std::vector<Trial> application_trials() {
  return {
      {"none", healthy, "application/closed", closed},
      {"application/closed", closed, "none", answered_and_closed},
      {"application/closed-unread", closed_unread, "application/reset", reset},
      {"application/reset", reset, "application/closed-unread", closed_unread},
      {"application/exited", exited, "application/closed", closed},
      {"application/crashed", crashed, "application/killed", shot},
      {"application/killed", killed, "application/exited", sigpipe},
      {"application/stopped", stopped, "application/not-answering", stopped_and_continued},
      {"application/not-accepting", not_accepting, "application/not-reading", not_reading},
      {"application/not-reading", not_reading, "application/not-answering", not_answering},
      {"application/not-answering", not_answering, "firewall/drop", answer_eaten},
      {"application/listener-closed", listener_closed, "application/closed-unread", listener_closed_behind_it},
      {"application/backend-refused", backend_refused, "application/closed", backend_never_tried},
  };
}

}  // namespace lab::verdict
