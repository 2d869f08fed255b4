// What the BPF programs write into the ring and the maps. Shared by bpf/*.bpf.c and kernel*.cpp: plain C, fixed widths.
#ifndef LAB_KERNEL_RAW_H
#define LAB_KERNEL_RAW_H

#include <linux/types.h>

enum {
  RAW_DROP = 1,
  RAW_SEND_RESET,
  RAW_RECEIVE_RESET,
  RAW_RETRANSMIT,
  RAW_STATE,
  RAW_SIGNAL,
  RAW_CALL,
  RAW_FILTER, /* a raw_call: a thread ended by SIGSYS, with the last call it made */
};

#define RAW_SANDBOXES 1024 /* at once; a sandbox's slot is its number modulo this */
#define RAW_CALLS 512      /* system call numbers looked at */
#define RAW_DATA 64        /* bytes of a call's memory argument */
#define RAW_WHERE 48

/* How a system call is looked at; syscalls_table.cpp says which call is which. */
enum {
  CALL_NONE,
  CALL_IO,     /* data through a descriptor: on TCP sockets every call (repetitions thinned out), else failures */
  CALL_FD,     /* on TCP sockets every call, else failures */
  CALL_NAME,   /* the same, and it may give the socket its addresses */
  CALL_FCNTL,  /* the same, and only what makes a descriptor */
  CALL_ACCEPT, /* the result is a connection */
  CALL_SOCKET, /* IPv4's and IPv6's, else failures */
  CALL_FAIL,   /* failures only */
  CALL_OPEN,   /* the same, but for ENOENT and ENOTDIR: programs look for their files in many places */
  CALL_BRK,    /* the same, but it fails by leaving the break where it was */
  CALL_POLL,   /* every call, repetitions thinned out */
  CALL_TASK,   /* every call */
  CALL_FORK,   /* every call, not its return in the child */
  CALL_GIVEN,  /* when args[2] is given (prlimit64's new value) */
  CALL_EXEC,
  CALL_EXIT, /* never returns: reported as it begins */
  CALL_WAIT, /* only when it never returned */
};
/* What is copied of the caller's memory, when the call returns. */
enum {
  DATA_NONE,
  DATA_BYTES,  /* `length` of them at args[arg], or as many as can be read */
  DATA_STRING, /* at args[arg] */
  DATA_POLL,   /* args[1] pollfds at args[0], at most six, and ppoll's timespec at args[2] in the last 16 bytes */
  DATA_EPOLL,  /* as many events at args[1] as it returned, at most five */
  DATA_SELECT, /* three sets at args[1..3], 8 bytes each, and a timeval or timespec at args[4] in the last 16 bytes */
};
struct raw_look {
  __u8 kind, fd; /* fd: which argument is a descriptor, RAW_NO_FD: none */
  __u8 data, arg, length, pad[3];
};
#define RAW_NO_FD 255

/* Set before loading: what the running kernel's tracepoints pass, and which calls are looked at. */
struct raw_config {
  __u8 drop_has_reason, drop_has_socket, reset_has_reason, pad[5];
  __u64 wake_at;                    /* bytes in the ring that make it readable */
  struct raw_look looks[RAW_CALLS]; /* by system call number */
};

/* By slot, written by the programs, mapped by lab. */
struct raw_counts {
  __u64 lost_packets[RAW_SANDBOXES], lost_calls[RAW_SANDBOXES];
};

struct raw_header {
  __u64 t_ns; /* CLOCK_MONOTONIC */
  __u32 sandbox;
  __u32 kind;
};

/* Both ends of a connection as one of its sockets names them, addresses in network order, ports in host order. */
struct raw_ends {
  __u8 local[16], peer[16];
  __u16 local_port, peer_port;
  __u8 family; /* 4, 6, or 0: not TCP, or not known */
  __u8 pad[3];
};

struct raw_packet {
  struct raw_header header;
  __u64 socket;
  struct raw_ends ends; /* a drop: local is the packet's source, peer its target */
  __u32 reason;
  __u32 seq, length;
  __s32 pid;
  __u8 old_state, state, tcp_flags, icmp;
  char where[RAW_WHERE];
};

struct raw_signal {
  struct raw_header header;
  __s32 signal, target, sender;
  __u8 by_kernel, by_lab, pad[2];
  char name[16];
};

struct raw_call {
  struct raw_header header; /* t_ns: the return; the entry where it has not returned */
  __u64 start_ns;           /* 0: a filter answered, the call itself never began */
  __u64 socket;
  __s64 result; /* as the kernel returns it: -4095..-1 is an error */
  __u64 args[6];
  __u64 folded, folded_bytes; /* calls like it since the one reported before, that were not reported */
  struct raw_ends ends;
  __u32 nr;
  __s32 pid, tid;
  __u8 returned, data_length, pad[2];
  __u8 data[RAW_DATA];
};

/* Repeated calls are reported while there are tokens: a burst of RAW_BURST, then one for each RAW_REFILL_NS. What is
 * left out is counted, and the last of it kept, so that a flow's end is never missing. */
#define RAW_BURST 64
#define RAW_REFILL_NS 1000000ull

struct raw_repeat_key {
  __u64 socket;
  __u32 tgid; /* the host's */
  __s32 fd;
  __u32 nr;
  __s32 outcome; /* errno; 0: a result above zero; -1: zero */
};

struct raw_repeat {
  __u64 refilled_ns;
  __u32 tokens;
  __u32 sandbox;
  __u64 folded, folded_bytes;
  /* the last of the folded ones */
  __u64 start_ns, end_ns;
  __s64 result;
  __s32 pid, tid;
  struct raw_ends ends;
};

#endif
