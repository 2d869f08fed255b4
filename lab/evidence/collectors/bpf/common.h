/* Maps that packets and calls share, and who belongs to which sandbox. */
#ifndef LAB_BPF_COMMON_H
#define LAB_BPF_COMMON_H

#include "../kernel_raw.h"
#include "core.h"

/* Namespace inode numbers to sandbox numbers. All kinds of namespace draw from one pool of numbers. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4 * RAW_SANDBOXES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, __u32);
} sandboxes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4 << 20);
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

static __always_inline __u32 sandbox_by(__u32 inode) {
  __u32* found = bpf_map_lookup_elem(&sandboxes, &inode);
  return found ? *found : 0;
}

/* A network namespace belongs to the sandbox that named it, or whose user namespace owns it. */
static __always_inline __u32 sandbox_of_net(struct net* net) {
  __u32 sandbox;
  if (!net) return 0;
  sandbox = sandbox_by(BPF_CORE_READ(net, ns.inum));
  return sandbox ? sandbox : sandbox_by(BPF_CORE_READ(net, user_ns, ns.inum));
}

static __always_inline __u32 sandbox_of_sock(const struct sock* sk) {
  return sk ? sandbox_of_net(BPF_CORE_READ(sk, __sk_common.skc_net.net)) : 0;
}

/* A task's number in the sandbox's pid namespace, which may lie some levels above its own. */
struct place {
  __u32 sandbox;
  __u32 depth; /* of the sandbox's pid namespace */
  struct pid_namespace* ns;
};

static __always_inline struct upid* upid_at(struct pid* pid, __u32 depth) {
  char* numbers = (char*)__builtin_preserve_access_index(&pid->numbers);
  return (struct upid*)(numbers + depth * bpf_core_type_size(struct upid));
}

#define NESTED 3 /* pid namespaces that a program may have stacked inside the sandbox */

static __always_inline bool place_of(struct pid* pid, struct place* place) {
  __u32 level = pid ? BPF_CORE_READ(pid, level) : 0;
  place->sandbox = 0;
#pragma unroll
  for (__u32 up = 0; up <= NESTED; up++) {
    struct pid_namespace* ns;
    struct upid* upid;
    if (level < 1 + up) return false; /* level 0 is the machine's own */
    upid = upid_at(pid, level - up);
    ns = BPF_CORE_READ(upid, ns);
    place->sandbox = sandbox_by(BPF_CORE_READ(ns, ns.inum));
    place->depth = level - up;
    place->ns = ns;
    if (place->sandbox) return true;
  }
  return false;
}

static __always_inline __s32 number_at(struct pid* pid, __u32 depth, struct pid_namespace* ns) {
  struct upid* upid;
  if (!pid || BPF_CORE_READ(pid, level) < depth) return 0;
  upid = upid_at(pid, depth);
  return BPF_CORE_READ(upid, ns) == ns ? BPF_CORE_READ(upid, nr) : 0;
}

static __always_inline __s32 process_number(struct task_struct* task, const struct place* place) {
  return number_at(BPF_CORE_READ(task, group_leader, thread_pid), place->depth, place->ns);
}

static __always_inline __s32 thread_number(struct task_struct* task, const struct place* place) {
  return number_at(BPF_CORE_READ(task, thread_pid), place->depth, place->ns);
}

static __always_inline struct task_struct* current_task(void) { return (void*)bpf_get_current_task(); }

/* TCP's ends as a socket names them. A closed one has lost its number in skc_num, not in inet_sport. */
static __always_inline void ends_of(const struct sock* sk, struct raw_ends* ends) {
  __u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
  ends->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
  if (!ends->local_port) ends->local_port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock*)sk, inet_sport));
  ends->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
  if (family == 2) {
    ends->family = 4;
    bpf_core_read(ends->local, 4, &sk->__sk_common.skc_rcv_saddr);
    bpf_core_read(ends->peer, 4, &sk->__sk_common.skc_daddr);
  } else if (family == 10) {
    ends->family = 6;
    bpf_core_read(ends->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
    bpf_core_read(ends->peer, 16, &sk->__sk_common.skc_v6_daddr);
  }
}

#endif
