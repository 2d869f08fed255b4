/* What happened to segments and sockets: kernel/trace/events of skb, tcp, sock and signal. */
#ifndef LAB_BPF_PACKETS_H
#define LAB_BPF_PACKETS_H

#include "task.h"

/* By the user namespace that owns it: a sandbox may have several. */
static __always_inline const struct raw_sandbox* sandbox_of_net(struct net* net) {
  return sandbox_by(BPF_CORE_READ(net, user_ns, ns.inum));
}

static __always_inline const struct raw_sandbox* sandbox_of_sock(const struct sock* sk) {
  return sk ? sandbox_of_net(BPF_CORE_READ(sk, __sk_common.skc_net.net)) : 0;
}

static __always_inline struct raw_packet* begin(const struct raw_sandbox* sandbox, __u32 kind, const struct sock* sk) {
  struct raw_packet* event = bpf_ringbuf_reserve(&ring, sizeof *event, 0);
  if (!event) {
    count_lost(counts.lost_packets, sandbox->number);
    return 0;
  }
  event->header.t_ns = bpf_ktime_get_ns();
  event->header.sandbox = sandbox->number;
  event->header.kind = kind;
  event->packet = 0;
  event->pid = current_number(sandbox->pid_namespace); /* 0: in another's time */
  copy_sock(sk, &event->sock);                         /* reading through a null pointer gives zeros */
  return event;
}

static __always_inline void copy_packet(const struct sk_buff* skb, struct raw_packet* event) {
  const unsigned char* ip = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
  event->packet = bpf_probe_read_kernel(event->headers, RAW_HEADERS, ip) == 0;
}

/* skb->dev shares its place with list heads while a socket queues the packet: whose namespace it is, is asked of the
 * sockets first and of the route last (TCP clears skb->dev before it looks at a segment's state). */
static __always_inline const struct raw_sandbox* sandbox_of_packet(const struct sk_buff* skb, const struct sock* sk) {
  struct net_device* device;
  struct dst_entry* route;
  const struct raw_sandbox* sandbox = sandbox_of_sock(sk);
  if (sandbox) return sandbox;
  device = BPF_CORE_READ(skb, dev);
  sandbox = sandbox_of_net(BPF_CORE_READ(device, nd_net.net));
  if (sandbox) return sandbox;
  route = (struct dst_entry*)(BPF_CORE_READ(skb, _skb_refdst) & ~1ul);
  return sandbox_of_net(BPF_CORE_READ(route, dev, nd_net.net));
}

SEC("raw_tp/kfree_skb")
int drop(struct bpf_raw_tracepoint_args* ctx) {
  static const char symbol[] = "%ps";
  const struct sk_buff* skb = (void*)ctx->args[0];
  const struct sock* receiver = config.drop_has_socket ? (void*)ctx->args[3] : 0;
  const struct sock* sk = receiver ? receiver : BPF_CORE_READ(skb, sk);
  const struct raw_sandbox* sandbox = sandbox_of_packet(skb, sk);
  __u64 location[1] = {ctx->args[1]};
  struct raw_packet* event;
  if (!sandbox) return 0;
  event = begin(sandbox, RAW_DROP, sk);
  if (!event) return 0;
  copy_packet(skb, event);
  event->reason = config.drop_has_reason ? ctx->args[2] : ~0u;
  bpf_snprintf(event->where, sizeof event->where, symbol, location, sizeof location);
  submit(event);
  return 0;
}

/* From tcp_v4_send_reset: the answer to the packet, with a listener, a dying socket or none. From
 * tcp_send_active_reset: the socket's own, without a packet. */
SEC("raw_tp/tcp_send_reset")
int send_reset(struct bpf_raw_tracepoint_args* ctx) {
  const struct sock* sk = (void*)ctx->args[0];
  const struct sk_buff* skb = (void*)ctx->args[1];
  const struct raw_sandbox* sandbox = sandbox_of_packet(skb, sk ? sk : BPF_CORE_READ(skb, sk)); /* either may be null */
  struct raw_packet* event;
  if (!sandbox) return 0;
  event = begin(sandbox, RAW_SEND_RESET, sk);
  if (!event) return 0;
  event->reason = config.reset_has_reason ? ctx->args[2] : ~0u;
  copy_packet(skb, event);
  submit(event);
  return 0;
}

/* A file is closed for good on the way out of the call that gave it up (task work): the registers still tell which, for
 * execve, too, whose new program has not begun then. */
static __always_inline __s32 current_call(void) {
  struct task_struct* task = bpf_get_current_task_btf();
  if (task->flags & PF_EXITING) return RAW_ENDS;
#if defined(__TARGET_ARCH_x86)
  /* A task that becomes a 32-bit program has that one's number for execve (set_personality_ia32) already. */
  if (task->thread_info.status & COMPAT_TASK)
    return CALL_NUMBER(registers()) == COMPAT_EXECVE ? SYS_EXECVE : RAW_NO_CALL;
#endif
  return CALL_NUMBER(registers());
}

static __always_inline int of_socket(const struct sock* sk, __u32 kind, int old_state, int new_state) {
  const struct raw_sandbox* sandbox = sandbox_of_sock(sk);
  struct raw_packet* event;
  if (!sandbox) return 0;
  event = begin(sandbox, kind, sk);
  if (!event) return 0;
  event->old_state = old_state;
  event->new_state = new_state;
  event->call = event->pid ? current_call() : RAW_NO_CALL;
  submit(event);
  return 0;
}

SEC("raw_tp/tcp_receive_reset")
int receive_reset(struct bpf_raw_tracepoint_args* ctx) {
  return of_socket((void*)ctx->args[0], RAW_RECEIVE_RESET, 0, 0);
}

SEC("raw_tp/inet_sock_set_state")
int set_state(struct bpf_raw_tracepoint_args* ctx) {
  return of_socket((void*)ctx->args[0], RAW_STATE, ctx->args[1], ctx->args[2]);
}

SEC("raw_tp/tcp_retransmit_skb")
int retransmit(struct bpf_raw_tracepoint_args* ctx) {
  const struct sock* sk = (void*)ctx->args[0];
  const struct sk_buff* skb = (void*)ctx->args[1];
  const struct raw_sandbox* sandbox = sandbox_of_sock(sk);
  struct raw_packet* event;
  if (!sandbox) return 0;
  event = begin(sandbox, RAW_RETRANSMIT, sk);
  if (!event) return 0;
  bpf_core_read(event->cb, sizeof event->cb, &skb->cb);
  submit(event);
  return 0;
}

#define SIGCHLD 17
#define SI_USER 0
#define SI_QUEUE -1
#define SI_TKILL -6
#define SI_KERNEL 0x80
#define IGNORED 1 /* TRACE_SIGNAL_IGNORED, include/trace/events/signal.h */

/* signal, info, task, group, result. info is 0 or 1 for a signal of the kernel's own (SEND_SIG_NOINFO, _PRIV). */
SEC("raw_tp/signal_generate")
int signal(struct bpf_raw_tracepoint_args* ctx) {
  const struct kernel_siginfo* info = (void*)ctx->args[1];
  struct task_struct *target = (void*)ctx->args[2], *init;
  struct pid_namespace* ns;
  struct raw_signal* event;
  struct place place;
  int code;
  if (ctx->args[0] == SIGCHLD || ctx->args[4] == IGNORED) return 0;
  if (!find_place(target, &place, 0)) return 0;
  event = bpf_ringbuf_reserve(&ring, sizeof *event, 0);
  if (!event) {
    count_lost(counts.lost_packets, place.sandbox);
    return 0;
  }
  event->header.t_ns = bpf_ktime_get_ns();
  event->header.sandbox = place.sandbox;
  event->header.kind = RAW_SIGNAL;
  event->signal = ctx->args[0];
  event->target = process_number(target, &place);
  /* A process sends with kill, sigqueue or tgkill; all else is the kernel's: SI_KERNEL, SI_TIMER, SEGV_MAPERR, ... (man
   * sigaction) */
  code = (__u64)info <= 1 ? SI_KERNEL : BPF_CORE_READ(info, si_code);
  event->by_kernel = code != SI_USER && code != SI_QUEUE && code != SI_TKILL;
  event->sender = current_number(place.inode); /* whoever is in a namespace below can't reach the target */
  ns = place.ns;
  init = BPF_CORE_READ(ns, child_reaper);
  event->by_lab =
      event->sender == 1 || BPF_CORE_READ(init, real_parent, tgid) == (int)(bpf_get_current_pid_tgid() >> 32);
  bpf_get_current_comm(event->name, sizeof event->name);
  submit(event);
  return 0;
}

#endif
