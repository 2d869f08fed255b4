"""Run inside a sandbox: tries to get out of it, one way after the other, and prints each that worked.

Each attempt is a function that returns what it reached, or raises OSError. OUTSIDE: what the test made on the host,
as JSON: a process, a listener, an abstract socket, a key, a file of root's, a message queue, a file in /tmp."""

import ctypes
import json
import os
import signal
import socket
import sys

OUTSIDE = json.loads(os.environ["OUTSIDE"])
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
# x86_64 and aarch64 differ.
NUMBERS = dict(zip(("mount", "umount2", "ptrace", "bpf", "perf_event_open", "init_module", "kexec_load", "reboot", "swapon",
                    "settimeofday", "open_by_handle_at", "keyctl", "request_key", "setns", "pidfd_open", "process_vm_readv", "msgget",
                    "unshare", "pivot_root", "chroot", "mknodat", "sethostname", "syslog", "acct", "quotactl", "add_key"),
                   (165, 166, 101, 321, 298, 175, 246, 169, 167, 164, 304, 250, 249, 308, 434, 310, 68, 272, 155, 161, 259, 170,
                    103, 163, 179, 248) if os.uname().machine == "x86_64" else
                   (40, 39, 117, 280, 241, 105, 104, 142, 224, 170, 265, 219, 218, 268, 434, 270, 186, 97, 41, 51, 33, 161, 116,
                    89, 60, 217)))
NEWNS, NEWUSER = 0x20000, 0x10000000


def call(name, *arguments):
    words = [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    result = libc.syscall(ctypes.c_long(NUMBERS[name]), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def read(path):
    with open(path, "rb") as file:
        return file.read(64)


def identity():
    if 0 in os.getresuid() + os.getresgid() or os.getgroups():
        return f"is {os.getresuid()} {os.getresgid()} {os.getgroups()}"
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    held = {k: status[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[k], 16)}
    return held or (status["NoNewPrivs"] != "1" and "gains privileges by exec")


def descriptors():
    held = {int(n): os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")}
    return {n: what for n, what in held.items() if n > 2}


def processes():
    """Only init, this one and, of other roles, processes of the sandbox."""
    shown = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            shown[pid] = read(f"/proc/{pid}/cmdline").decode(errors="replace")
        except OSError:
            pass
    return len(shown) > 8 and f"{len(shown)} processes" or [c for c in shown.values() if "security_test" in c and "intruder" not in c]


def kill_host(): os.kill(OUTSIDE["pid"], 0); return "signalled"
def kill_init(): os.kill(1, signal.SIGKILL); os.kill(1, signal.SIGSTOP); return os.getppid() == 0 and "init is gone"
def trace_init(): return call("ptrace", 16, 1, 0, 0) == 0
def read_init(): return os.listdir("/proc/1/root")
def init_descriptors(): return [os.readlink(f"/proc/1/fd/{n}") for n in os.listdir("/proc/1/fd")]  # the numbers alone can be listed
def init_memory(): return read("/proc/1/mem")
def init_namespace(): return call("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0) == 0
def init_by_descriptor(): return call("setns", call("pidfd_open", 1, 0), NEWNS | 0x40000000) == 0
def become_root(): os.setuid(0); return True
def mount(): return call("mount", b"none", b"/mnt", b"tmpfs", 0, 0) == 0
def chroot(): return call("chroot", b"/") == 0
def device(): return call("mknodat", -100, b"/tmp/disk", 0o60600, 0x800) == 0
def hostname(): return call("sethostname", b"intruder", 8) == 0
def modules(): return call("init_module", b"", 0, b"") == 0
def kexec(): return call("kexec_load", 0, 0, 0, 0) == 0
def reboot(): return call("reboot", 0xfee1dead, 672274793, 0x89abcdef, 0) == 0
def swap(): return call("swapon", b"/dev/zero", 0) == 0
def clock(): return call("settimeofday", b"\0" * 16, 0) == 0
def accounting(): return call("acct", 0) == 0
def kernel_log(): return call("syslog", 5, 0, 0) == 0
def perf(): return call("perf_event_open", b"\1\0\0\0\160\0\0\0" + bytes(104), -1, 0, -1, 0) >= 0
def bpf(): return call("bpf", 5, bytes(128), 128) >= 0
def raw_socket(): return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
def packet_socket(): return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
def core_pattern(): return write("/proc/sys/kernel/core_pattern", "|/bin/sh")
def pid_max(): return write("/proc/sys/kernel/pid_max", "100")
def overcommit(): return write("/proc/sys/vm/overcommit_memory", "2")
def sysrq(): return write("/proc/sysrq-trigger", "h")
def score(): return write("/proc/self/oom_score_adj", "-1000")
def cgroup(): return write("/sys/fs/cgroup/cgroup.procs", str(os.getpid()))
def cgroup_folder(): return os.mkdir("/sys/fs/cgroup/intruder") or "made"
def sys_write(): return write("/sys/class/net/lo/mtu", "1000")
def priority(): os.nice(-5); return True
def terminal(): return os.open("/dev/tty", os.O_RDWR)
def host_devices(): return [d for d in os.listdir("/dev") if d.startswith(("sd", "vd", "mem", "kmsg", "nvme", "kvm", "loop", "fuse"))]
def roots_file(): return read(OUTSIDE["file"])
def shadow(): return read("/etc/shadow")
def host_tmp(): return os.path.exists(OUTSIDE["tmp"]) and OUTSIDE["tmp"]
def listener(): socket.create_connection(("127.0.0.1", OUTSIDE["port"]), timeout=5); return "connected"
def abstract():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect("\0" + OUTSIDE["abstract"])
    return "connected"
def links(): return [name for _, name in socket.if_nameindex() if name != "lo"]
def queue(): return call("msgget", OUTSIDE["queue"], 0) >= 0
def key_by_number(): return call("keyctl", 11, OUTSIDE["key"], bytes(64), 64) >= 0          # KEYCTL_READ
def key_by_name(): return call("request_key", b"user", OUTSIDE["abstract"].encode(), 0, 0) >= 0
def key_search(): return call("keyctl", 10, -3, b"user", OUTSIDE["abstract"].encode(), 0) >= 0  # KEYCTL_SEARCH, session


def as_root_of_own():
    """What a user namespace of its own gives: root over nothing. In a child, because there is no way back."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or False
    reached = 0
    try:
        call("unshare", NEWUSER | NEWNS)
        for number, attempt in enumerate((
                lambda: call("umount2", b"/proc", 2) == 0,                       # the mounts beneath are locked
                lambda: call("umount2", b"/tmp", 2) == 0,
                lambda: call("umount2", b"/dev", 2) == 0,
                lambda: call("mount", b"none", b"/sys", b"", 0x1020, 0) == 0 and write("/sys/class/net/lo/mtu", "1000"),
                lambda: call("mknodat", -100, b"/dev/disk", 0o60600, 0x800) == 0,
                lambda: os.path.exists(OUTSIDE["tmp"]),
                kill_host, listener, core_pattern, overcommit, sysrq, roots_file, key_by_number, modules, clock, bpf)):
            try:
                if attempt():
                    reached = number + 1
            except OSError:
                pass
    except OSError:
        pass  # this kernel or distribution does not let it
    os._exit(reached)


ATTEMPTS = [f for f in list(globals().values()) if callable(f) and getattr(f, "__module__", "") == "__main__"
            and f not in (call, write, read)]


def main():
    reached = {}
    for attempt in ATTEMPTS:
        try:
            if got := attempt():
                reached[attempt.__name__] = repr(got)
        except OSError:
            pass
    print(f"{len(ATTEMPTS)} attempts")
    for name, got in reached.items():
        print(f"REACHED {name}: {got}")
    sys.exit(1 if reached else 0)


if __name__ == "__main__":
    main()
