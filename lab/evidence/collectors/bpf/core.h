/* The kernel's structs as far as the programs read them: names matter, offsets are relocated when they are loaded
 * (CO-RE), so no vmlinux.h of one kernel is built in. Tracepoints' arguments are raw: their number is asked of the
 * running kernel's BTF and given to the programs as constants.
 */
#ifndef LAB_BPF_CORE_H
#define LAB_BPF_CORE_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
  unsigned int inum;
};
struct user_namespace {
  struct ns_common ns;
};
struct net {
  struct ns_common ns;
  struct user_namespace* user_ns;
};
typedef struct {
  struct net* net;
} possible_net_t;

struct in6_addr {
  __u8 unused;
};
struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
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
  unsigned int len;
  __u16 transport_header;
  __u16 network_header;
  unsigned char* head;
  unsigned char* data;
};
struct tcp_skb_cb {
  __u32 seq;
  __u32 end_seq;
  __u16 tcp_flags; /* 8 bits before 6.15: the low byte is what is read */
};

struct upid {
  int nr;
  struct pid_namespace* ns;
};
struct pid {
  unsigned int level;
  struct upid numbers[1];
};
struct pid_namespace {
  struct ns_common ns;
  struct task_struct* child_reaper;
};
struct sigset {
  unsigned long sig[1];
};
struct sigpending {
  struct sigset signal;
};
struct signal_struct {
  unsigned int flags;
};
struct thread_info {
  __u32 status;
};
struct task_struct {
  struct thread_info thread_info;
  int exit_code;
  int tgid;
  struct task_struct* real_parent;
  struct task_struct* group_leader;
  struct pid* thread_pid;
  struct files_struct* files;
  struct signal_struct* signal;
  struct sigpending pending;
  __u32 self_exec_id; /* 64 bits since 5.7: the low half is what is read */
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
