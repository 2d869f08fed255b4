/* Maps that packets and calls share, and who belongs to which sandbox. */
#ifndef LAB_BPF_COMMON_H
#define LAB_BPF_COMMON_H

#include "../kernel_raw.h"
#include "core.h"

/* By namespace inode numbers. All kinds of namespace draw from one pool of numbers. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4 * RAW_SANDBOXES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, struct raw_sandbox);
} sandboxes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, RAW_RING);
} ring SEC(".maps");

const volatile struct raw_config config SEC(".rodata.config") = {};
struct raw_counts counts SEC(".data.counts") = {};

static __always_inline void submit(void* record) {
  /* Waking lab for every event would take time from what is watched; it drains at the end of each run anyway. */
  __u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
  bpf_ringbuf_submit(record, waiting >= config.wake_at ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

static __always_inline void count_lost(__u64* counters, __u32 sandbox) {
  __sync_fetch_and_add(&counters[sandbox % RAW_SANDBOXES], 1);
}

static __always_inline const struct raw_sandbox* sandbox_by(__u32 inode) {
  return bpf_map_lookup_elem(&sandboxes, &inode);
}

/* Where a task is numbered: in the innermost of its pid namespaces that is a sandbox's. */
struct place {
  struct pid_namespace* ns;
  __u32 inode;
  __u32 level;
  __u32 sandbox;
};

static __always_inline struct upid* upid_at(struct pid* pid, __u32 level) {
  char* numbers = (char*)__builtin_preserve_access_index(&pid->numbers);
  return (struct upid*)(numbers + level * bpf_core_type_size(struct upid));
}

/* Looks `nested` levels up: a program may have made pid namespaces of its own. Level 0 is the machine's. */
static __always_inline bool find_place(struct task_struct* task, struct place* place, int nested) {
  struct pid* pid = BPF_CORE_READ(task, thread_pid);
  place->level = BPF_CORE_READ(pid, level);
  for (int up = 0; up <= nested && place->level; up++, place->level--) {
    struct upid* upid = upid_at(pid, place->level);
    struct pid_namespace* ns = BPF_CORE_READ(upid, ns);
    place->ns = ns;
    place->inode = BPF_CORE_READ(ns, ns.inum);
    const struct raw_sandbox* sandbox = sandbox_by(place->inode);
    place->sandbox = sandbox ? sandbox->number : 0;
    if (sandbox) return true;
  }
  return false;
}

/* A process's number where `place` is; 0 when it is not there. */
static __always_inline __s32 process_number(struct task_struct* task, const struct place* place) {
  struct pid* pid = BPF_CORE_READ(task, group_leader, thread_pid);
  struct upid* upid = upid_at(pid, place->level);
  if (BPF_CORE_READ(pid, level) < place->level || BPF_CORE_READ(upid, ns) != place->ns) return 0;
  return BPF_CORE_READ(upid, nr);
}

/* The current process's number in a pid namespace that it is in itself, not in one below; else 0. One helper's call, in
 * place of many reads that the verifier has to follow. */
static __always_inline __s32 current_number(__u32 inode) {
  struct bpf_pidns_info current;
  return bpf_get_ns_current_pid_tgid(config.namespaces, inode, &current, sizeof current) ? 0 : current.tgid;
}

static __always_inline void copy_sock(const struct sock* sk, struct raw_sock* to) {
  to->address = (__u64)sk;
  to->protocol = BPF_CORE_READ(sk, sk_protocol);
  to->sport = BPF_CORE_READ((const struct inet_sock*)sk, inet_sport);
  bpf_core_read(to->common, RAW_COMMON, &sk->__sk_common);
}

#endif
