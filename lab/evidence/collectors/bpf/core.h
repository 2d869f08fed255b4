/* The kernel's structs as far as the programs and kernel_decode.cpp read them: names matter, offsets are relocated when
 * the programs are loaded (CO-RE), so no vmlinux.h of one kernel is built in. Tracepoints' arguments are raw: their
 * number is asked of the running kernel's BTF and given to the programs as constants.
 */
#ifndef LAB_BPF_CORE_H
#define LAB_BPF_CORE_H

#include <linux/types.h>
/* first: what the helpers' declarations are made of */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
  unsigned int inum;
};
struct user_namespace {
  struct ns_common ns;
};
struct net {
  struct user_namespace* user_ns;
};
typedef struct {
  struct net* net;
} possible_net_t;

struct sock_common {
  __be32 skc_daddr, skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  possible_net_t skc_net;
  __u8 skc_v6_daddr[16], skc_v6_rcv_saddr[16]; /* struct in6_addr */
};
struct sock {
  struct sock_common __sk_common;
  __u16 sk_protocol; /* since 5.6; a bit field before */
};
struct inet_sock {
  __be16 inet_sport;
};

struct net_device {
  possible_net_t nd_net;
};
struct dst_entry {
  struct net_device* dev;
};
struct sk_buff {
  struct net_device* dev;
  struct sock* sk;
  unsigned long _skb_refdst;
  char cb[48];
  __u16 network_header;
  unsigned char* head;
};

struct pid_namespace {
  struct ns_common ns;
  struct task_struct* child_reaper;
};
struct upid {
  int nr;
  struct pid_namespace* ns;
};
struct pid {
  unsigned int level;
  struct upid numbers[1];
};
typedef struct {
  unsigned long sig[1];
} sigset_t;
struct sigpending {
  sigset_t signal;
};
struct thread_info {
  __u32 status;
};
struct sched_info { /* CONFIG_SCHED_INFO */
  unsigned long long run_delay;
};
struct task_struct {
  struct thread_info thread_info;
  struct sched_info sched_info;
  unsigned int flags;
  int exit_code;
  int tgid;
  struct task_struct* real_parent;
  struct task_struct* group_leader;
  struct pid* thread_pid;
  struct files_struct* files;
  struct sigpending pending;
  __u64 self_exec_id; /* since 5.7; 32 bits before */
  char comm[16];
};

struct kernel_siginfo {
  int si_code;
};

struct inode {
  unsigned short i_mode;
};
struct file {
  void* private_data;
  struct inode* f_inode;
};
struct fdtable {
  unsigned int max_fds;
  struct file** fd;
};
struct files_struct {
  struct fdtable* fdt;
};
struct socket {
  struct sock* sk;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long di, si, dx, r10, r8, r9, orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
  unsigned long regs[6];
  unsigned long orig_x0;
  int syscallno;
};
#endif

#pragma clang attribute pop

#endif
