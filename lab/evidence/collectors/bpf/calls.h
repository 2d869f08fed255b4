/* System calls of outside programs: tasks of a sandbox that have called execve since its init was made. Init itself,
 * the step interpreter and what runs between fork and exec have init's exec number still (task_struct.self_exec_id,
 * which fork copies and execve counts up).
 */
#ifndef LAB_BPF_CALLS_H
#define LAB_BPF_CALLS_H

#include "../syscalls_judge.h"
#include "task.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct raw_repeat_key);
  __type(value, struct raw_repeat);
} repeats SEC(".maps");

#define EBADF 9
#define PENDING(sig) (1ul << ((sig)-1))
#define SIGKILL 9
#define SIGSYS 31

/* What an event is made of, on the stack of the program that saw it. */
struct seen {
  struct place place;
  __u64 args[6];
  __s64 result;
  __u64 start_ns;
  __s64 start_queued_ns;
  __u64 folded, folded_bytes;
  __u32 kind; /* RAW_CALL, RAW_FILTER */
  __u32 nr;
  __s32 fd;
  __s32 outcome;
  __u32 returned;
};

static __always_inline __s32 thread_number(struct task_struct* task, const struct place* place) {
  struct pid* pid = BPF_CORE_READ(task, thread_pid);
  struct upid* upid = upid_at(pid, place->level);
  return BPF_CORE_READ(upid, nr);
}

/* In all its life: what /proc/PID/task/TID/schedstat tells second. The compiler must not put off the load until after a
   branch that picks another object: the verifier of Linux 6.1 wants one kind of pointer for each instruction. */
static __always_inline __s64 queued(void) {
  struct task_struct* task = bpf_get_current_task_btf();
  __s64 delay = -1;
  if (bpf_core_field_exists(task->sched_info.run_delay)) delay = (__s64)task->sched_info.run_delay;
  barrier_var(delay);
  return delay;
}

/* As much as can be read: the object may be short and end with its page. */
static __always_inline __u8 copy_user(__u8* to, __u64 from) {
  if (!from) return 0;
  if (!bpf_probe_read_user(to, 64, (void*)from)) return 64;
  if (!bpf_probe_read_user(to, 32, (void*)from)) return 32;
  return bpf_probe_read_user(to, 8, (void*)from) ? 0 : 8;
}

__noinline int emit(const struct seen* seen, const struct inside* inside) {
  struct task_struct* task = (void*)bpf_get_current_task();
  const volatile struct raw_look* look;
  struct raw_call* call;
  if (!seen) return 0;
  call = bpf_ringbuf_reserve(&ring, sizeof *call, 0);
  if (!call) {
    count_lost(counts.lost_calls, seen->place.sandbox);
    return 0;
  }
  look = &config.looks[seen->nr & (RAW_CALLS - 1)];
  call->header.kind = seen->kind;
  call->header.sandbox = seen->place.sandbox;
  call->header.t_ns = seen->returned || !seen->start_ns ? bpf_ktime_get_ns() : seen->start_ns;
  call->start_ns = seen->start_ns;
  call->start_queued_ns = seen->start_ns ? seen->start_queued_ns : queued();
  call->queued_ns = seen->returned ? queued() : call->start_queued_ns;
  call->result = seen->result;
  call->returned = seen->returned;
  call->nr = seen->nr;
  call->folded = seen->folded;
  call->folded_bytes = seen->folded_bytes;
  __builtin_memcpy(call->args, seen->args, sizeof call->args);
  call->pid = process_number(task, &seen->place);
  call->tid = thread_number(task, &seen->place);
  bpf_core_read(call->name, sizeof call->name, &task->comm);
  call->sock.address = 0;
  if (inside && inside->tcp) call->sock = inside->sock;
  call->other = inside ? inside->other : 0;
  call->data_length = look->data < 6 ? copy_user(call->data, seen->args[look->data & 7]) : 0;
  if (look->kind == CALL_SELECT && inside && seen->start_ns && seen->result >= 0 &&
      call->data_length >= sizeof inside->asked)
    __builtin_memcpy(call->data, &inside->asked, sizeof inside->asked);
  call->second_length = 0;
  if (look->second < 6 && !bpf_probe_read_user(call->second, RAW_SECOND, (void*)seen->args[look->second & 7]))
    call->second_length = RAW_SECOND;
  submit(call);
  return 0;
}

/* Whether this repetition is to be left out. */
__noinline int fold(struct seen* seen, struct inside* inside) {
  struct raw_repeat_key key = {.tgid = bpf_get_current_pid_tgid() >> 32};
  struct task_struct* task = (void*)bpf_get_current_task();
  struct raw_repeat* repeat;
  __u64 now = bpf_ktime_get_ns(), fresh;
  if (!seen || !inside) return 0;
  key.fd = seen->outcome == EBADF ? -1 : seen->fd;
  key.nr = seen->nr;
  key.outcome = seen->outcome;
  key.socket = inside->tcp ? inside->sock.address : 0;
  repeat = bpf_map_lookup_elem(&repeats, &key);
  if (!repeat) {
    struct raw_repeat first = {.refilled_ns = now, .tokens = RAW_BURST - 1, .sandbox = seen->place.sandbox};
    bpf_map_update_elem(&repeats, &key, &first, BPF_NOEXIST);
    return 0;
  }
  fresh = (now - repeat->refilled_ns) / RAW_REFILL_NS;
  if (fresh) {
    repeat->refilled_ns = now;
    fresh += repeat->tokens;
    repeat->tokens = fresh > RAW_BURST ? RAW_BURST : fresh;
  }
  /* Where lab does not keep up, the room that is left is for what repeats nothing. */
  if (repeat->tokens && bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) < config.crowded_at) {
    repeat->tokens--;
    seen->folded = repeat->folded;
    seen->folded_bytes = repeat->folded_bytes;
    repeat->folded = repeat->folded_bytes = 0;
    return 0;
  }
  repeat->folded++;
  if (seen->result > 0) repeat->folded_bytes += seen->result;
  repeat->start_ns = seen->start_ns;
  repeat->end_ns = now;
  repeat->result = seen->result;
  repeat->pid = process_number(task, &seen->place);
  repeat->tid = thread_number(task, &seen->place);
  repeat->other = inside->other;
  if (inside->tcp) repeat->sock = inside->sock;
  inside->folded_ns = now;
  return 1;
}

static __always_inline __s32 descriptor(const volatile struct raw_look* look, const __u64* args) {
  return look->fd == RAW_NONE ? -1 : look->fd == 2 ? args[2] : args[0];
}

/* In bulk the connection is the one of the call before. Whoever closes the descriptor in this very thread calls
 * something else in between. */
static __always_inline bool same_as_before(const struct inside* inside, const volatile struct raw_look* look,
                                           __s32 fd) {
  return look->kind == CALL_IO && inside->fd == fd && inside->start_ns - inside->folded_ns < RAW_REFILL_NS;
}

/* The connection that a call is about. */
static __always_inline void find_end(struct inside* inside, const volatile struct raw_look* look, const __u64* args) {
  __s32 fd = descriptor(look, args);
  inside->tcp = 0;
  inside->other = 0;
  if (look->kind == CALL_DUP && (__u32)args[1] != (__u32)fd) {
    find_socket(inside, args[1]);
    inside->other = inside->tcp;
  }
  if (fd >= 0 && !inside->other) find_socket(inside, fd);
  if (look->kind == CALL_SPLICE && !inside->tcp) {
    find_socket(inside, args[0]);
    inside->other = inside->tcp;
  }
}

SEC("raw_tp/sys_enter")
int enter(struct bpf_raw_tracepoint_args* ctx) {
  struct seen seen = {.kind = RAW_CALL, .nr = ctx->args[1]};
  const volatile struct raw_look* look;
  struct inside* inside;
  __s32 fd;
  if (ctx->args[1] >= RAW_CALLS) return 0;
  look = &config.looks[seen.nr & (RAW_CALLS - 1)];
  if (look->kind == CALL_NONE || !followed(&seen.place)) return 0;
  arguments(registers(), seen.args);
  if (look->kind == CALL_EXIT) return emit(&seen, 0);
  inside = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!inside) return 0;
  fd = descriptor(look, seen.args);
  inside->start_ns = bpf_ktime_get_ns();
  inside->queued_ns = queued();
  inside->nr = seen.nr;
  if (same_as_before(inside, look, fd)) return 0;
  inside->folded_ns = 0;
  inside->fd = fd;
  inside->asked = 0;
  if (look->kind == CALL_SELECT) bpf_probe_read_user(&inside->asked, sizeof inside->asked, (void*)seen.args[1]);
  find_end(inside, look, seen.args);
  if (look->kind == CALL_SPLICE && inside->other) inside->fd = seen.args[0];
  return 0;
}

static __always_inline bool unix_domain(const struct seen* seen) {
  __u16 family = 0;
  bpf_probe_read_user(&family, sizeof family, (void*)seen->args[1]);
  return family == 1;
}

/* What to do with a call that returned. */
__noinline int judge(const struct seen* seen, struct inside* inside, __u32 kind) {
  if (!seen || !inside) return LEAVE_OUT;
  if (kind == CALL_NAME || (kind == CALL_ACCEPT && seen->result >= 0))
    find_socket(inside, kind == CALL_NAME ? seen->args[0] : seen->result);
  return judge_call(kind, seen->args, seen->result, inside->tcp, kind == CALL_NAME && unix_domain(seen));
}

/* A call that a seccomp filter answered or killed never began: it is seen here alone. */
SEC("raw_tp/sys_exit")
int leave(struct bpf_raw_tracepoint_args* ctx) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct pt_regs* regs = registers();
  __u64 nr = CALL_NUMBER(regs), pending;
  struct seen seen = {.kind = RAW_CALL, .nr = nr, .result = ctx->args[1], .returned = 1};
  const volatile struct raw_look* look;
  struct inside* inside;
  int report;
  if (nr >= RAW_CALLS) return 0;
  look = &config.looks[nr & (RAW_CALLS - 1)];
  if (look->kind == CALL_NONE || !followed(&seen.place)) return 0;
  arguments(regs, seen.args);
  inside = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!inside) return 0;
  seen.fd = descriptor(look, seen.args);
  if (inside->nr == nr) {
    seen.start_ns = inside->start_ns;
    seen.start_queued_ns = inside->queued_ns;
  }
  if (!seen.start_ns) find_end(inside, look, seen.args);
  if (look->kind == CALL_SPLICE && inside->other) seen.fd = seen.args[0];
  inside->start_ns = 0;

  pending = task->pending.signal.sig[0];
  seen.outcome = call_error(seen.result);
  if ((seen.outcome >= ERROR_RESTART_FIRST && seen.outcome <= ERROR_RESTART_LAST && pending & PENDING(SIGKILL)) ||
      (!seen.start_ns && pending & PENDING(SIGSYS))) {
    seen.returned = 0; /* it dies in this call */
    seen.result = 0;
    return emit(&seen, inside);
  }
  report = judge(&seen, inside, look->kind);
  if (report == LEAVE_OUT) return 0;
  if (!seen.result) seen.outcome = -1;
  if ((report == THIN_OUT || seen.outcome > 0) && fold(&seen, inside)) return 0;
  return emit(&seen, inside);
}

/* RET_KILL_THREAD and RET_KILL_PROCESS end a task inside seccomp(), and RET_TRAP's signal ends it too: its registers
 * still hold the call. */
SEC("raw_tp/sched_process_exit")
int task_exit(struct bpf_raw_tracepoint_args* ctx) {
  struct task_struct* task = bpf_get_current_task_btf();
  struct seen seen = {.kind = RAW_FILTER, .fd = -1};
  struct pt_regs* regs = registers();
  struct inside* inside;
  (void)ctx;
  if ((task->exit_code & 0x7f) != SIGSYS || !followed(&seen.place)) return 0;
  seen.nr = CALL_NUMBER(regs);
  arguments(regs, seen.args);
  inside = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (inside) find_socket(inside, seen.args[0]);
  return emit(&seen, inside);
}

#endif
