/* What happened to segments and sockets: kernel/trace/events of skb, tcp, sock and signal. */
#ifndef LAB_BPF_PACKETS_H
#define LAB_BPF_PACKETS_H

#include "common.h"

#define TCP 6
#define ICMP 1
#define ICMP6 58

static __always_inline struct raw_packet* begin(__u32 sandbox, __u32 kind) {
  struct raw_packet* event = bpf_ringbuf_reserve(&ring, sizeof *event, 0);
  struct task_struct* task;
  struct place place;
  if (!event) {
    count_lost(counts.lost_packets, sandbox);
    return 0;
  }
  __builtin_memset(event, 0, sizeof *event);
  event->header.t_ns = bpf_ktime_get_ns();
  event->header.sandbox = sandbox;
  event->header.kind = kind;
  event->reason = ~0u;
  task = current_task();
  if (place_of(BPF_CORE_READ(task, thread_pid), &place) && place.sandbox == sandbox)
    event->pid = process_number(task, &place);
  return event;
}

static __always_inline void add_socket(struct raw_packet* event, const struct sock* sk) {
  event->socket = (__u64)sk;
  event->state = BPF_CORE_READ(sk, __sk_common.skc_state);
  ends_of(sk, &event->ends);
}

/* Of the IP packet in `skb`, from its network header on. False when it holds neither TCP nor ICMP. */
static __always_inline bool parse(const struct sk_buff* skb, struct raw_packet* event) {
  const unsigned char* ip = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
  __u8 h[40] = {}, t[20] = {};
  __u32 offset, total;
  __u8 protocol;
  if (bpf_probe_read_kernel(h, 20, ip)) return false;
  if (h[0] >> 4 == 4) {
    event->ends.family = 4;
    offset = (h[0] & 15) * 4;
    total = h[2] << 8 | h[3];
    protocol = h[9];
    __builtin_memcpy(event->ends.local, h + 12, 4);
    __builtin_memcpy(event->ends.peer, h + 16, 4);
  } else if (h[0] >> 4 == 6) {
    if (bpf_probe_read_kernel(h, 40, ip)) return false;
    event->ends.family = 6;
    offset = 40;
    total = (h[4] << 8 | h[5]) + 40;
    protocol = h[6];
    __builtin_memcpy(event->ends.local, h + 8, 16);
    __builtin_memcpy(event->ends.peer, h + 24, 16);
  } else {
    return false;
  }
  if (protocol == ICMP || protocol == ICMP6) {
    event->icmp = 1;
    return true;
  }
  if (protocol != TCP || bpf_probe_read_kernel(t, 20, ip + offset)) return false;
  event->ends.local_port = t[0] << 8 | t[1];
  event->ends.peer_port = t[2] << 8 | t[3];
  event->seq = (__u32)t[4] << 24 | t[5] << 16 | t[6] << 8 | t[7];
  event->tcp_flags = t[13];
  offset += (t[12] >> 4) * 4;
  event->length = total > offset ? total - offset : 0;
  return true;
}

/* skb->dev shares its place with list heads while a socket queues the packet: whose namespace it is, is asked of the
 * sockets first and of the route last (TCP clears skb->dev before it looks at a segment's state). */
static __always_inline __u32 sandbox_of_packet(const struct sk_buff* skb, const struct sock* receiver) {
  __u32 sandbox = sandbox_of_sock(receiver);
  struct net_device* device;
  struct dst_entry* route;
  if (sandbox) return sandbox;
  sandbox = sandbox_of_sock(BPF_CORE_READ(skb, sk));
  if (sandbox) return sandbox;
  device = BPF_CORE_READ(skb, dev);
  if (device) sandbox = sandbox_of_net(BPF_CORE_READ(device, nd_net.net));
  if (sandbox) return sandbox;
  route = (struct dst_entry*)(BPF_CORE_READ(skb, _skb_refdst) & ~1ul);
  return route ? sandbox_of_net(BPF_CORE_READ(route, dev, nd_net.net)) : 0;
}

SEC("raw_tp/kfree_skb")
int drop(struct bpf_raw_tracepoint_args* ctx) {
  const struct sk_buff* skb = (void*)ctx->args[0];
  const struct sock* receiver = config.drop_has_socket ? (void*)ctx->args[3] : 0;
  __u32 sandbox = sandbox_of_packet(skb, receiver);
  struct raw_packet* event;
  __u64 location[1] = {ctx->args[1]};
  if (!sandbox || !(event = begin(sandbox, RAW_DROP))) return 0;
  if (!parse(skb, event)) {
    bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
    return 0;
  }
  if (config.drop_has_reason) event->reason = ctx->args[2];
  event->socket = (__u64)(receiver ? receiver : BPF_CORE_READ(skb, sk));
  static const char symbol[] = "%ps";
  bpf_snprintf(event->where, sizeof event->where, symbol, location, sizeof location);
  submit(event);
  return 0;
}

/* From tcp_v4_send_reset: the answer to `skb`, with a listener, a dying socket or none. From tcp_send_active_reset:
 * the socket's own, without skb. */
SEC("raw_tp/tcp_send_reset")
int send_reset(struct bpf_raw_tracepoint_args* ctx) {
  const struct sock* sk = (void*)ctx->args[0];
  const struct sk_buff* skb = (void*)ctx->args[1];
  __u32 sandbox = sandbox_of_sock(sk);
  struct raw_packet* event;
  if (!sandbox && skb) sandbox = sandbox_of_packet(skb, 0);
  if (!sandbox || !(event = begin(sandbox, RAW_SEND_RESET))) return 0;
  if (config.reset_has_reason) event->reason = ctx->args[2];
  if (skb && parse(skb, event)) {
    struct raw_ends* ends = &event->ends;
    __u8 source[16];
    __u16 port = ends->local_port;
    __builtin_memcpy(source, ends->local, 16);
    __builtin_memcpy(ends->local, ends->peer, 16);
    __builtin_memcpy(ends->peer, source, 16);
    ends->local_port = ends->peer_port;
    ends->peer_port = port;
    if (sk) {
      event->socket = (__u64)sk;
      event->state = BPF_CORE_READ(sk, __sk_common.skc_state);
    }
  } else if (sk) {
    add_socket(event, sk);
  }
  submit(event);
  return 0;
}

SEC("raw_tp/tcp_receive_reset")
int receive_reset(struct bpf_raw_tracepoint_args* ctx) {
  const struct sock* sk = (void*)ctx->args[0];
  __u32 sandbox = sandbox_of_sock(sk);
  struct raw_packet* event;
  if (!sandbox || !(event = begin(sandbox, RAW_RECEIVE_RESET))) return 0;
  add_socket(event, sk);
  submit(event);
  return 0;
}

SEC("raw_tp/tcp_retransmit_skb")
int retransmit(struct bpf_raw_tracepoint_args* ctx) {
  const struct sock* sk = (void*)ctx->args[0];
  const struct sk_buff* skb = (void*)ctx->args[1];
  __u32 sandbox = sandbox_of_sock(sk);
  struct raw_packet* event;
  if (!sandbox || !(event = begin(sandbox, RAW_RETRANSMIT))) return 0;
  add_socket(event, sk);
  if (skb) {
    const struct tcp_skb_cb* cb = (void*)__builtin_preserve_access_index(&skb->cb);
    event->seq = BPF_CORE_READ(cb, seq);
    event->length = BPF_CORE_READ(cb, end_seq) - event->seq;
    bpf_core_read(&event->tcp_flags, 1, &cb->tcp_flags);
    if (event->length && event->tcp_flags & 3) event->length--; /* SYN and FIN take a number of their own */
  }
  submit(event);
  return 0;
}

SEC("raw_tp/inet_sock_set_state")
int set_state(struct bpf_raw_tracepoint_args* ctx) {
  const struct sock* sk = (void*)ctx->args[0];
  __u32 sandbox = sandbox_of_sock(sk);
  struct raw_packet* event;
  __u16 protocol;
  if (!sandbox) return 0;
  protocol = BPF_CORE_READ(sk, sk_protocol);
  if (protocol != TCP || !(event = begin(sandbox, RAW_STATE))) return 0;
  add_socket(event, sk);
  event->old_state = ctx->args[1];
  event->state = ctx->args[2];
  submit(event);
  return 0;
}

#define SIGCHLD 17
#define IGNORED 1 /* TRACE_SIGNAL_IGNORED, include/trace/events/signal.h */

/* signal, info, task, group, result. info is 0 or 1 for a signal of the kernel's own (SEND_SIG_NOINFO, _PRIV). */
SEC("raw_tp/signal_generate")
int signal(struct bpf_raw_tracepoint_args* ctx) {
  const struct kernel_siginfo* info = (void*)ctx->args[1];
  struct task_struct *target = (void*)ctx->args[2], *sender = current_task(), *init;
  struct pid_namespace* ns;
  struct raw_signal* event;
  struct place place;
  if (ctx->args[0] == SIGCHLD || ctx->args[4] == IGNORED) return 0;
  if (!place_of(BPF_CORE_READ(target, thread_pid), &place)) return 0;
  event = bpf_ringbuf_reserve(&ring, sizeof *event, 0);
  if (!event) {
    count_lost(counts.lost_packets, place.sandbox);
    return 0;
  }
  __builtin_memset(event, 0, sizeof *event);
  event->header.t_ns = bpf_ktime_get_ns();
  event->header.sandbox = place.sandbox;
  event->header.kind = RAW_SIGNAL;
  event->signal = ctx->args[0];
  event->target = process_number(target, &place);
  /* si_code above zero is the kernel's: SI_KERNEL, SEGV_MAPERR, … (man sigaction) */
  event->by_kernel = (__u64)info <= 1 || BPF_CORE_READ(info, si_code) > 0;
  if (!event->by_kernel) {
    event->sender = process_number(sender, &place);
    ns = place.ns;
    init = BPF_CORE_READ(ns, child_reaper);
    event->by_lab = event->sender == 1 || BPF_CORE_READ(init, real_parent, tgid) == BPF_CORE_READ(sender, tgid);
    bpf_core_read(event->name, sizeof event->name, &sender->comm);
  }
  submit(event);
  return 0;
}

#endif
