// The limits/ rows of the table.
#include "verdict/limits.hpp"

namespace lab::verdict {

using namespace limits;

std::span<const Cause> limits_causes() {
  static const std::vector<Cause> all = {
      {"limits/descriptors",
       "no descriptor was left (RLIMIT_NOFILE), and the connection ended or hung for it",
       find_descriptors,
       no_descriptors,
       {"ls /proc/PID/fd | wc -l against 'Max open files' in /proc/PID/limits",
        "Raise LimitNOFILE= of the unit, and look for a leak: ls -l /proc/PID/fd | sort -k11 | uniq -c -f10"}},
      {"limits/processes",
       "no process or thread could be made (RLIMIT_NPROC, cgroup pids)",
       find_processes,
       no_processes,
       {"'Max processes' in /proc/PID/limits counts all of the user's threads: ps -L -u USER | wc -l",
        "cat pids.max pids.events of its cgroup; TasksMax= of the unit"}},
      {"limits/memory",
       "memory ran out (RLIMIT_AS, cgroup memory)",
       find_memory,
       no_memory,
       {"cat memory.events memory.max of its cgroup; journalctl -k | grep -i oom",
        "'Max address space' in /proc/PID/limits; ulimit -v in the start script"}},
      {"limits/file-size",
       "a file grew beyond RLIMIT_FSIZE (EFBIG, SIGXFSZ)",
       find_file_size,
       nullptr,
       {"'Max file size' in /proc/PID/limits; LimitFSIZE= of the unit",
        "Which file: strace -f -e trace=write,pwrite64 -p PID"}},
      {"limits/cpu-time",
       "the process used up its CPU time (RLIMIT_CPU, SIGXCPU)",
       find_cpu_time,
       nullptr,
       {"'Max cpu time' in /proc/PID/limits; ulimit -t in the start script", "What burns it: perf top -p PID"}},
      {"limits/accept-queue",
       "the listen queue was full after the handshake",
       find_accept_queue,
       no_accept_queue,
       {"ss -ltn: Recv-Q above Send-Q on the listener; nstat -az TcpExtListenOverflows TcpExtListenDrops",
        "Raise the backlog of listen() and net.core.somaxconn, and accept faster"}},
      {"limits/receive-buffer",
       "a receive buffer so small that the window can't open though the program reads",
       find_receive_buffer,
       no_receive_buffer,
       {"ss -tnmi: rb of the socket; nstat -az TcpExtTCPRcvQDrop TcpExtTCPToZeroWindowAdv",
        "Leave SO_RCVBUF alone, or set it well above the MTU; check net.ipv4.tcp_rmem"}},
  };
  return all;
}

}  // namespace lab::verdict
