// limits/, seccomp/
#include <cerrno>
#include <csignal>

#include "unit/verdict/trials.hpp"

namespace lab::verdict {
namespace {

Story accept_fails(bool filtered) {
  Story s;
  s.connected().send('C', 12);
  if (filtered) s.filter(kServerPid, "accept4", "errno", EMFILE);
  s.act('S', "accept", {.error = EMFILE});
  if (!filtered) s.limit(kServerPid, "nofile", 16, 16);
  s.built('S', "TCP_STATE", "CLOSE").wire("S>C RA").exits(kServerPid, 0).recv_fails('C', ECONNRESET);
  return s.counter("TcpOutRsts", 1).end();
}
Story descriptors() { return accept_fails(false); }
Story descriptors_faked() { return accept_fails(true); }

Story read_by_server() {
  Story s;
  return s.handshake().send('C', 6).recv('S', 6);
}
Story closes(Story s) { return s.close('S').wire("S>C FA").recv_eof('C').close('C').wire("C>S FA").end(); }
Story dies(Story s, int signal) { return s.wire("S>C FA").killed(kServerPid, signal).recv_eof('C').close('C').end(); }

Story want(const char* step, int error, const char* limit, std::uint64_t value) {
  return closes(read_by_server().act('S', step, {.error = error}).limit(kServerPid, limit, value, value));
}
Story filtered(const char* step, const char* call, int error) {
  return closes(read_by_server().filter(kServerPid, call, "errno", error).act('S', step, {.error = error}));
}
Story processes() { return want("spawn-threads 8", EAGAIN, "nproc", 4); }
Story processes_faked() { return filtered("spawn-threads 8", "clone3", EAGAIN); }
Story memory() { return want("allocate 1GiB", ENOMEM, "as", 64 << 20); }
Story memory_faked() { return filtered("allocate 1GiB", "mmap", ENOMEM); }
Story file_size() { return want("write-file 4KiB", EFBIG, "fsize", 1024); }
Story file_size_signal_from_outside() { return dies(read_by_server().signal(SIGXFSZ, kServerPid, 77), SIGXFSZ); }
Story cpu_time() {
  return dies(read_by_server().signal(SIGXCPU, kServerPid, 0, true).limit(kServerPid, "cpu", 1, 1, true), SIGXCPU);
}
Story cpu_time_signal_from_outside() { return dies(read_by_server().signal(SIGXCPU, kServerPid, 77), SIGXCPU); }

Story accept_queue() {
  Story s;
  s.connected().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").dropped("C>S PA 1:7", "TCP_LISTEN_OVERFLOW");
  s.wait(200).wire("C>S PA 1:7").wire("S>C SA 0 ack=1").socket('S', {.state = "SYN_RECV", .inode = 0});
  return s.listener("127.0.0.1:8080", 2, 1).recv_timeout('C', 500).counter("TcpExtListenOverflows", 2).end();
}
Story waits_in_a_queue_that_overflowed_for_others() {
  Story s;
  s.waiting('S', "sleep 5s").connected().send('C', 6).socket('S', {.rq = 6, .inode = 0});
  s.listener("127.0.0.1:8080", 1, 16).process(kServerPid, "sleeping").recv_timeout('C', 500);
  return s.counter("TcpExtListenOverflows", 3).end();
}
Story receive_buffer() {
  Story s;
  s.handshake().waiting('S', "recv-exactly 4096").act('C', "send 4096", {.bytes = 4096});
  for (int time = 0; time < 2; ++time) s.wire("C>S PA 1:1001").dropped("C>S PA 1:1001", "SOCKET_RCVBUFF").wait(210);
  s.socket('S', {.pids = {kServerPid}, .options = "rcvbuf=1"}).recv_timeout('C', 500);
  return s.counter("TcpExtTCPRcvQDrop", 2).end();
}
Story window_shut_by_a_program_that_does_not_read() {
  Story s;
  s.handshake().act('C', "send 4096", {.bytes = 4096}).wire("C>S PA 1:1001").wire("S>C A win=0").wait(210);
  s.waiting('S', "sleep 5s").socket('S', {.rq = 1000, .pids = {kServerPid}}).process(kServerPid, "sleeping");
  return s.recv_timeout('C', 500).counter("TcpExtTCPToZeroWindowAdv", 1).end();
}

Story aborted(Story s) {
  return s.built('S', "TCP_ABORT_ON_CLOSE", "ESTABLISHED")
      .wire("S>C RA")
      .exits(kServerPid, 1)
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1)
      .counter("TcpExtTCPAbortOnClose", 1)
      .end();
}
Story errno_of_a_filter() {
  Story s;
  s.handshake().send('C', 12).filter(kServerPid, "recvfrom", "errno", EPERM).recv_fails('S', EPERM);
  return aborted(s);
}
Story tried_again_with_success() {
  Story s;
  s.handshake().send('C', 6).filter(kServerPid, "recvfrom", "errno", EINTR).recv_fails('S', EINTR).recv('S', 6);
  return closes(s);
}
Story killed_by_a_filter(int sender) {
  Story s;
  s.handshake().send('C', 12).waiting('S', "recv 64");
  if (sender) s.signal(SIGSYS, kServerPid, sender);
  s.wire("S>C RA").built('S', "TCP_ABORT_ON_CLOSE", "ESTABLISHED").killed(kServerPid, SIGSYS);
  return s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
}
Story sigsys() { return killed_by_a_filter(0); }
Story sigsys_from_outside() { return killed_by_a_filter(77); }
Story held(bool by_filter) {
  Story s;
  s.handshake().send('C', 6).waiting('S', by_filter ? "recv 64" : "sleep 5s");
  if (by_filter) s.filter(kServerPid, "recvfrom", "stall");
  s.socket('S', {.rq = 6, .pids = {kServerPid}}).process(kServerPid, "sleeping");
  return s.recv_timeout('C', 500).end();
}
Story stalled() { return held(true); }
Story not_reading() { return held(false); }

}  // namespace

std::vector<Trial> limits_trials() {
  return {
      {"limits/descriptors", descriptors, "seccomp/errno", descriptors_faked},
      {"limits/processes", processes, "seccomp/errno", processes_faked},
      {"limits/memory", memory, "seccomp/errno", memory_faked},
      {"limits/file-size", file_size, "application/killed", file_size_signal_from_outside},
      {"limits/cpu-time", cpu_time, "application/killed", cpu_time_signal_from_outside},
      {"limits/accept-queue", accept_queue, "application/not-accepting", waits_in_a_queue_that_overflowed_for_others},
      {"limits/receive-buffer", receive_buffer, "application/not-reading", window_shut_by_a_program_that_does_not_read},
      {"seccomp/errno", errno_of_a_filter, "application/closed", tried_again_with_success},
      {"seccomp/killed", sigsys, "application/killed", sigsys_from_outside},
      {"seccomp/stalled", stalled, "application/not-reading", not_reading},
  };
}

}  // namespace lab::verdict
