/* A task of a sandbox in a system call: whether it is followed, its registers, and the socket it names. */
#ifndef LAB_BPF_TASK_H
#define LAB_BPF_TASK_H

#include "common.h"

/* The call a task is in. Storage goes with the task. */
struct inside {
  __u64 start_ns;  /* 0: in none */
  __s64 queued_ns; /* how long it had waited for a CPU in its life, at start_ns */
  __u64 folded_ns; /* when its last call was left out as a repetition, on this same descriptor */
  __u32 nr;
  __u32 tcp;
  __s32 fd;
  __u32 other; /* as raw_call's */
  __u64 asked; /* CALL_SELECT: the descriptors below 64 that it is to look at for bytes */
  struct raw_sock sock;
};
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct inside);
} tasks SEC(".maps");

#define TCP_PROTOCOL 6
#define MPTCP_PROTOCOL 262
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define COMPAT_TASK 2    /* TS_COMPAT, arch/x86/include/asm/thread_info.h: a 32-bit call, with other numbers */
#define COMPAT_EXECVE 11 /* __NR_ia32_execve */
#define SYS_EXECVE 59
#define PF_EXITING 4 /* include/linux/sched.h */
#define NESTED 3

/* Of the current task: read in place, as the verifier knows what these pointers are. */
static __always_inline struct pt_regs* registers(void) {
  return (struct pt_regs*)bpf_task_pt_regs(bpf_get_current_task_btf());
}
#if defined(__TARGET_ARCH_x86)
#define CALL_NUMBER(regs) ((regs)->orig_ax)
static __always_inline void arguments(struct pt_regs* regs, __u64* args) {
  args[0] = regs->di;
  args[1] = regs->si;
  args[2] = regs->dx;
  args[3] = regs->r10;
  args[4] = regs->r8;
  args[5] = regs->r9;
}
#elif defined(__TARGET_ARCH_arm64)
#define CALL_NUMBER(regs) ((regs)->syscallno)
static __always_inline void arguments(struct pt_regs* regs, __u64* args) {
  args[0] = regs->orig_x0;
  args[1] = regs->regs[1];
  args[2] = regs->regs[2];
  args[3] = regs->regs[3];
  args[4] = regs->regs[4];
  args[5] = regs->regs[5];
}
#endif

/* Functions that are not static are verified once for each program, not at each use and for each way to it; the
 * verifier passes only numbers and memory to them. bpf_get_current_task_btf()'s pointers are read without a helper's
 * call: every system call of the machine comes through here. */
__noinline int followed(struct place* place) {
  struct task_struct* task = bpf_get_current_task_btf();
  __u32 level = task->thread_pid->level;
  struct pid_namespace* ns;
  if (!level || !place) return 0; /* the machine's own */
#if defined(__TARGET_ARCH_x86)
  if (task->thread_info.status & COMPAT_TASK) return 0;
#endif
  if (!find_place((struct task_struct*)bpf_get_current_task(), place, NESTED)) return 0;
  ns = place->ns;
  return task->self_exec_id != BPF_CORE_READ(ns, child_reaper, self_exec_id);
}

/* Notes the connection that descriptor `fd` of the current task is, if it is TCP's. */
__noinline int find_socket(struct inside* inside, __u32 fd) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct file* file = 0;
  struct socket* socket;
  struct sock* sk;
  __u16 protocol;
  if (!inside) return 0;
  inside->sock.address = 0;
  inside->tcp = 0;
  if (!task->files || fd >= task->files->fdt->max_fds) return 0;
  bpf_probe_read_kernel(&file, sizeof file, task->files->fdt->fd + fd);
  if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK) return 0;
  socket = BPF_CORE_READ(file, private_data);
  sk = BPF_CORE_READ(socket, sk);
  protocol = BPF_CORE_READ(sk, sk_protocol);
  if (protocol != TCP_PROTOCOL && protocol != MPTCP_PROTOCOL) return 0;
  copy_sock(sk, &inside->sock);
  inside->tcp = 1;
  return 0;
}

#endif
