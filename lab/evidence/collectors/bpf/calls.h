/* System calls of outside programs: tasks of a sandbox that have called execve since its init was made. Init itself,
 * the step interpreter and what runs between fork and exec have init's exec number still (task_struct.self_exec_id,
 * which fork copies and execve counts up).
 */
#ifndef LAB_BPF_CALLS_H
#define LAB_BPF_CALLS_H

#include "common.h"

/* The call a task is in. Storage goes with the task. */
struct inside {
  __u64 start_ns; /* 0: in none */
  __u64 socket;
  struct raw_ends ends;
  __u32 nr;
  __u32 tcp;
};
struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct inside);
} tasks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 8192);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct raw_repeat_key);
  __type(value, struct raw_repeat);
} repeats SEC(".maps");

#define TCP_PROTOCOL 6
#define MPTCP_PROTOCOL 262
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define COMPAT_TASK 2 /* TS_COMPAT, arch/x86/include/asm/thread_info.h: a 32-bit call, with other numbers */
#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030
#define ENOENT 2
#define EINTR 4
#define EBADF 9
#define EAGAIN 11
#define ENOTDIR 20
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516
#define PENDING(sig) (1ul << ((sig)-1))
#define SIGKILL 9
#define SIGSYS 31

#if defined(__TARGET_ARCH_x86)
#define CALL_NUMBER(regs) BPF_CORE_READ(regs, orig_ax)
static __always_inline void arguments(struct pt_regs* regs, __u64* args) {
  args[0] = BPF_CORE_READ(regs, di);
  args[1] = BPF_CORE_READ(regs, si);
  args[2] = BPF_CORE_READ(regs, dx);
  args[3] = BPF_CORE_READ(regs, r10);
  args[4] = BPF_CORE_READ(regs, r8);
  args[5] = BPF_CORE_READ(regs, r9);
}
#elif defined(__TARGET_ARCH_arm64)
#define CALL_NUMBER(regs) BPF_CORE_READ(regs, syscallno)
static __always_inline void arguments(struct pt_regs* regs, __u64* args) {
  bpf_core_read(args, 48, &regs->regs);
  args[0] = BPF_CORE_READ(regs, orig_x0);
}
#endif

static __always_inline const volatile struct raw_look* look_at(__u64 nr) {
  return nr < RAW_CALLS ? &config.looks[nr & (RAW_CALLS - 1)] : 0;
}

static __always_inline bool other_abi(struct task_struct* task) {
#if defined(__TARGET_ARCH_x86)
  return BPF_CORE_READ(task, thread_info.status) & COMPAT_TASK;
#else
  return false;
#endif
}

static __always_inline bool followed(struct task_struct* task, struct place* place) {
  struct pid_namespace* ns;
  if (!place_of(BPF_CORE_READ(task, thread_pid), place)) return false;
  ns = place->ns;
  return BPF_CORE_READ(task, self_exec_id) != BPF_CORE_READ(ns, child_reaper, self_exec_id) && !other_abi(task);
}

/* Fills in the connection that `fd` of the current task is, if it is TCP's. */
static __always_inline void find_socket(struct task_struct* task, __u32 fd, struct inside* inside) {
  struct fdtable* table = BPF_CORE_READ(task, files, fdt);
  struct file **slot, *file = 0;
  struct socket* socket;
  struct sock* sk;
  __u16 protocol;
  inside->socket = 0;
  inside->tcp = 0;
  inside->ends.family = 0;
  if (!table || fd >= BPF_CORE_READ(table, max_fds)) return;
  slot = BPF_CORE_READ(table, fd) + fd;
  if (bpf_probe_read_kernel(&file, sizeof file, slot) || !file) return;
  if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK) return;
  socket = BPF_CORE_READ(file, private_data);
  sk = BPF_CORE_READ(socket, sk);
  if (!sk) return;
  protocol = BPF_CORE_READ(sk, sk_protocol);
  if (protocol != TCP_PROTOCOL && protocol != MPTCP_PROTOCOL) return;
  ends_of(sk, &inside->ends);
  inside->tcp = inside->ends.family != 0;
  inside->socket = (__u64)sk;
}

static __always_inline __u64 argument(const __u64* args, __u32 index) {
  switch (index) {
    case 0:
      return args[0];
    case 1:
      return args[1];
    case 2:
      return args[2];
    case 3:
      return args[3];
    case 4:
      return args[4];
    default:
      return args[5];
  }
}

static __always_inline void copy_data(struct raw_call* call, const volatile struct raw_look* look) {
  const void* from = (void*)argument(call->args, look->arg);
  __u64 n;
  switch (look->data) {
    case DATA_BYTES:
      n = look->length;
      if (n > RAW_DATA) n = RAW_DATA;
      if (!bpf_probe_read_user(call->data, n, from))
        call->data_length = n;
      else if (!bpf_probe_read_user(call->data, 8, from))
        call->data_length = 8;
      else if (!bpf_probe_read_user(call->data, 4, from))
        call->data_length = 4;
      break;
    case DATA_STRING:
      if (bpf_probe_read_user_str(call->data, RAW_DATA, from) > 0) call->data_length = RAW_DATA;
      break;
    case DATA_POLL:
      n = call->args[1];
      if (n > 6) n = 6;
      bpf_probe_read_user(call->data, n * 8, (void*)call->args[0]);
      bpf_probe_read_user(call->data + 48, 16, (void*)call->args[2]);
      call->data_length = RAW_DATA;
      break;
    case DATA_EPOLL:
      n = call->result;
      if (n > 5) n = call->result < 0 ? 0 : 5;
      bpf_probe_read_user(call->data, n * 12, (void*)call->args[1]);
      call->data_length = n * 12;
      break;
    case DATA_SELECT:
      bpf_probe_read_user(call->data, 8, (void*)call->args[1]);
      bpf_probe_read_user(call->data + 8, 8, (void*)call->args[2]);
      bpf_probe_read_user(call->data + 16, 8, (void*)call->args[3]);
      bpf_probe_read_user(call->data + 48, 16, (void*)call->args[4]);
      call->data_length = RAW_DATA;
      break;
  }
}

/* Name services are asked over such sockets, mostly in vain. */
static __always_inline bool unix_domain(const __u64* args) {
  __u16 family = 0;
  bpf_probe_read_user(&family, sizeof family, (void*)args[1]);
  return family == 1;
}

struct report {
  struct task_struct* task;
  struct place place;
  const volatile struct raw_look* look;
  struct inside* inside;
  struct raw_repeat* repeat;
  __u64 nr;
  __s64 result;
  bool returned;
};

static __always_inline void emit(struct report* what, __u32 kind, const __u64* args) {
  struct raw_call* call = bpf_ringbuf_reserve(&ring, sizeof *call, 0);
  struct inside* inside = what->inside;
  struct task_struct* task = what->task;
  __u64 now = bpf_ktime_get_ns();
  if (!call) {
    count_lost(counts.lost_calls, what->place.sandbox);
    return;
  }
  __builtin_memset(call, 0, sizeof *call);
  call->header.kind = kind;
  call->header.sandbox = what->place.sandbox;
  call->nr = what->nr;
  call->pid = process_number(task, &what->place);
  call->tid = thread_number(task, &what->place);
  call->result = what->result;
  call->returned = what->returned;
  __builtin_memcpy(call->args, args, sizeof call->args);
  if (inside) {
    call->start_ns = inside->start_ns;
    call->socket = inside->socket;
    call->ends = inside->ends;
  }
  call->header.t_ns = what->returned || !call->start_ns ? now : call->start_ns;
  if (what->repeat) {
    call->folded = what->repeat->folded;
    call->folded_bytes = what->repeat->folded_bytes;
    what->repeat->folded = what->repeat->folded_bytes = 0;
  }
  if (kind == RAW_CALL) copy_data(call, what->look);
  if (what->look->kind == CALL_EXEC && what->result == 0 && what->returned) {
    bpf_core_read(call->data, 16, &task->comm);
    call->data_length = 16;
  }
  submit(call);
}

/* Whether this repetition is to be left out; what->repeat is set when it is not. */
static __always_inline bool fold(struct report* what, __s32 fd, __s32 outcome) {
  struct raw_repeat_key key = {
      .tgid = bpf_get_current_pid_tgid() >> 32, .fd = outcome == EBADF ? -1 : fd, .nr = what->nr, .outcome = outcome};
  struct raw_repeat* repeat;
  __u64 now = bpf_ktime_get_ns(), fresh;
  if (what->inside) key.socket = what->inside->socket;
  repeat = bpf_map_lookup_elem(&repeats, &key);
  if (!repeat) {
    struct raw_repeat first = {.refilled_ns = now, .tokens = RAW_BURST - 1, .sandbox = what->place.sandbox};
    bpf_map_update_elem(&repeats, &key, &first, BPF_NOEXIST);
    return false;
  }
  fresh = (now - repeat->refilled_ns) / RAW_REFILL_NS;
  if (fresh) {
    repeat->refilled_ns = now;
    fresh += repeat->tokens;
    repeat->tokens = fresh > RAW_BURST ? RAW_BURST : fresh;
  }
  if (repeat->tokens) {
    repeat->tokens--;
    what->repeat = repeat;
    return false;
  }
  repeat->folded++;
  if (what->result > 0) repeat->folded_bytes += what->result;
  repeat->end_ns = now;
  repeat->result = what->result;
  if (what->inside) {
    repeat->start_ns = what->inside->start_ns;
    repeat->ends = what->inside->ends;
  }
  repeat->pid = process_number(what->task, &what->place);
  repeat->tid = thread_number(what->task, &what->place);
  return true;
}

SEC("raw_tp/sys_enter")
int enter(struct bpf_raw_tracepoint_args* ctx) {
  const volatile struct raw_look* look = look_at(ctx->args[1]);
  struct pt_regs* regs = (void*)ctx->args[0];
  struct task_struct* task;
  struct report what = {.nr = ctx->args[1], .look = look};
  struct inside* inside;
  __u64 args[6];
  if (!look || look->kind == CALL_NONE) return 0;
  task = current_task();
  if (!followed(task, &what.place)) return 0;
  if (look->kind == CALL_EXIT) {
    what.task = task;
    arguments(regs, args);
    emit(&what, RAW_CALL, args);
    return 0;
  }
  inside = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!inside) return 0;
  inside->start_ns = bpf_ktime_get_ns();
  inside->nr = ctx->args[1];
  inside->tcp = 0;
  inside->socket = 0;
  inside->ends.family = 0;
  if (look->fd != RAW_NO_FD) {
    arguments(regs, args);
    find_socket(task, argument(args, look->fd), inside);
  }
  return 0;
}

/* A call that a seccomp filter answered or killed never began: it is seen here alone. */
SEC("raw_tp/sys_exit")
int leave(struct bpf_raw_tracepoint_args* ctx) {
  struct pt_regs* regs = (void*)ctx->args[0];
  __u64 nr = CALL_NUMBER(regs), pending, args[6];
  const volatile struct raw_look* look = look_at(nr);
  struct report what = {.nr = nr, .look = look, .result = ctx->args[1], .returned = true};
  struct task_struct* task = current_task();
  struct inside* inside;
  __s32 error = 0, fd = -1;
  bool began, killed, report = false, thin = false;
  if (!look || look->kind == CALL_NONE) return 0;
  if (!followed(task, &what.place)) return 0;
  what.task = task;
  arguments(regs, args);
  inside = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!inside) return 0;
  what.inside = inside;
  began = inside->start_ns && inside->nr == nr;
  if (!began) {
    inside->start_ns = 0;
    inside->tcp = 0;
    inside->socket = 0;
    inside->ends.family = 0;
    if (look->fd != RAW_NO_FD) find_socket(task, argument(args, look->fd), inside);
  }
  if (look->fd != RAW_NO_FD) fd = argument(args, look->fd);
  pending = BPF_CORE_READ(task, pending.signal.sig[0]);
  if (what.result < 0 && what.result >= -4095) error = -what.result;
  killed = error >= ERESTARTSYS && error <= ERESTART_RESTARTBLOCK && pending & PENDING(SIGKILL);
  if (!began && pending & PENDING(SIGSYS)) killed = true;
  if (killed) {
    what.returned = false;
    what.result = 0;
    report = true;
  } else {
    bool failed = error && error != EAGAIN && error != EINTR && error < ERESTARTSYS;
    switch (look->kind) {
      case CALL_IO:
        thin = true;
        report = inside->tcp || failed;
        break;
      case CALL_NAME:
        find_socket(task, fd, inside);
        report = inside->tcp || (failed && !unix_domain(args));
        break;
      case CALL_FD:
        report = inside->tcp || failed;
        break;
      case CALL_FCNTL:
        report = (args[1] == F_DUPFD || args[1] == F_DUPFD_CLOEXEC) && (inside->tcp || failed);
        break;
      case CALL_ACCEPT:
        if (what.result >= 0) find_socket(task, what.result, inside);
        report = inside->tcp || failed;
        break;
      case CALL_SOCKET:
        report = failed || args[0] == 2 || args[0] == 10;
        break;
      case CALL_FAIL:
        report = failed;
        break;
      case CALL_OPEN:
        report = failed && error != ENOENT && error != ENOTDIR;
        break;
      case CALL_BRK:
        report = args[0] && (__u64)what.result < args[0];
        thin = true;
        break;
      case CALL_POLL:
        thin = true;
        report = true;
        break;
      case CALL_TASK:
      case CALL_EXEC:
        report = true;
        break;
      case CALL_FORK:
        report = what.result != 0;
        break;
      case CALL_GIVEN:
        report = failed || args[2];
        break;
    }
    if (report && (thin || error) && fold(&what, fd, error ? error : what.result ? 0 : -1)) report = false;
  }
  if (report) emit(&what, RAW_CALL, args);
  inside->start_ns = 0;
  return 0;
}

/* RET_KILL_THREAD and RET_KILL_PROCESS end a task inside seccomp(), and RET_TRAP's signal ends it too: its registers
 * still hold the call. */
SEC("raw_tp/sched_process_exit")
int task_exit(struct bpf_raw_tracepoint_args* ctx) {
  struct task_struct* task = (void*)ctx->args[0];
  struct report what = {.task = task};
  struct pt_regs* regs;
  __u64 args[6];
  if ((BPF_CORE_READ(task, exit_code) & 0x7f) != SIGSYS || !followed(task, &what.place)) return 0;
  regs = (void*)bpf_task_pt_regs(bpf_get_current_task_btf());
  what.nr = CALL_NUMBER(regs);
  what.look = look_at(what.nr);
  if (!what.look) return 0;
  arguments(regs, args);
  what.inside = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (what.inside) what.inside->start_ns = 0;
  emit(&what, RAW_FILTER, args);
  return 0;
}

#endif
