// What the BPF programs write into the ring and the maps. Shared by bpf/*.h and kernel*.cpp: plain C, fixed widths.
// The programs copy kernel structs' bytes; kernel_decode.cpp reads the fields out of them, by the running kernel's
// offsets. That keeps the programs short, and their verification is what loading costs.
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
#define RAW_SECOND 16      /* and of another one */
#define RAW_COMMON 96      /* bytes of struct sock_common: addresses, ports, family, state */
#define RAW_HEADERS 80     /* bytes of a packet from its network header on */
#define RAW_WHERE 48
#define RAW_RING (1 << 20) /* bytes: some 3000 records */

/* How a system call is looked at; syscalls_table.cpp says which call is which. */
enum {
  CALL_NONE,
  CALL_IO,     /* data through a descriptor: on TCP sockets every call (repetitions thinned out), else failures */
  CALL_SPLICE, /* the same, but it may be args[0] that is the socket: the other one is a pipe */
  CALL_FD,     /* on TCP sockets every call, else failures */
  CALL_DUP,    /* the same; it may close the descriptor that args[1] names */
  CALL_NAME,   /* the same, and it may give the socket its addresses */
  CALL_FCNTL,  /* the same, and only what makes a descriptor */
  CALL_ACCEPT, /* the result is a connection */
  CALL_SOCKET, /* IPv4's and IPv6's, else failures */
  CALL_FAIL,   /* failures only */
  CALL_OPEN,   /* the same, but for ENOENT and ENOTDIR: programs look for their files in many places */
  CALL_BRK,    /* the same, but it fails by leaving the break where it was */
  CALL_POLL,   /* every call, repetitions thinned out */
  CALL_SELECT, /* the same; it writes over what it was asked, unless it fails: that is copied as it begins */
  CALL_TASK,   /* every call */
  CALL_FORK,   /* every call, not its return in the child */
  CALL_GIVEN,  /* when args[2] is given (prlimit64's new value) */
  CALL_EXIT,   /* never returns: reported as it begins */
  CALL_WAIT,   /* only when it never returned */
  CALL_MAP,    /* failures, but for huge pages: their pool is no limit of the program's, which then asks for others */
};
#define RAW_NONE 255

struct raw_look {
  __u8 kind;
  __u8 fd;           /* which argument is a descriptor, RAW_NONE: none */
  __u8 data, second; /* which arguments point to memory worth copying when the call returns */
};

/* Who a namespace belongs to, by its inode number. */
struct raw_sandbox {
  __u32 number;
  __u32 pid_namespace; /* inode */
};

/* Set before loading: what the running kernel's tracepoints pass, and which calls are looked at. */
struct raw_config {
  __u8 drop_has_reason, drop_has_socket, reset_has_reason, pad[5];
  __u64 namespaces;                 /* the device number of nsfs, as the kernel writes it */
  __u64 wake_at;                    /* bytes in the ring that make it readable */
  __u64 crowded_at;                 /* bytes from which on repetitions are left out */
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

struct raw_sock {
  __u64 address; /* 0: none */
  __u16 protocol;
  __u16 sport; /* network order; stays when sock_common's has gone */
  __u32 pad;
  __u8 common[RAW_COMMON]; /* struct sock_common */
};

#define RAW_NO_CALL -1 /* in none, or in one with other numbers */
#define RAW_ENDS -2    /* none any more: the task is on its way out */
struct raw_packet {
  struct raw_header header;
  struct raw_sock sock;
  __u64 packet; /* whether there is one */
  __u32 reason; /* ~0: the kernel gives none */
  __s32 pid;
  __s32 old_state, new_state;
  __s32 call; /* RAW_STATE: the current task's system call, by number, or one of these */
  __u32 pad;
  __u8 cb[48]; /* sk_buff's control block, where TCP keeps what it queued */
  __u8 headers[RAW_HEADERS];
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
  __s64 result;             /* as the kernel returns it: -4095..-1 is an error */
  __s64 queued_ns;          /* how long the thread had waited for a CPU in its life, at t_ns; -1: not told */
  __s64 start_queued_ns;    /* the same at start_ns */
  __u64 args[6];
  __u64 folded, folded_bytes; /* calls like it since the one reported before, that were not reported */
  struct raw_sock sock;       /* of the descriptor, where it is TCP's */
  __u32 nr;
  __s32 pid, tid;
  __u8 returned, data_length, second_length;
  __u8 other; /* `sock` is that of the other descriptor: the one a CALL_DUP closes, or a CALL_SPLICE reads from */
  __u8 data[RAW_DATA], second[RAW_SECOND];
  char name[16]; /* the task's, which execve sets */
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
  __u32 other; /* as raw_call's */
  __u32 pad;
  struct raw_sock sock;
};

#endif
