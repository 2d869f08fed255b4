#!/usr/bin/env python3
"""kills.py COUNT [SEED]: COUNT runs of the lab, each disturbed at an instant drawn from SEED; the host as before after each.

Re-starts itself as process 1 of namespaces of its own (hoststate.alone), as root: whatever a run leaves becomes its child.
A run has a deadline; what is compared is the state after its end. Prints what differed, and a count of endings."""

import collections
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import time

import hoststate

PATIENCE = 90  # seconds until a run, or what it left, counts as hanging
# From the contract; 128+n: lab ended by a signal that it catches.
STATUSES = {0, 1, 2, 3, 5, 77, 124, 125}
NOBODY = int(os.environ.get("LAB_USER", "1000"))
LOADER = 127  # the program's libraries found no memory or no descriptor: lab never began

ROUTED = """
summary = "Through a router"
tags = ["firewall"]
[network]
topology = "routed"
[[firewall.rule]]
hook = "forward"
after = "handshake"
action = "drop"
[server]
steps = ["accept", "recv 64", "close"]
[client]
steps = ["connect", "send 'x'", "recv 64 timeout=100ms"]
"""
BUSY = """
summary = "Programs, forks, threads, a filter that counts"
tags = ["application"]
timeout = "3s"
[server]
steps = ["accept", "start-thread 'sleep 50ms'", "fork 'sleep 60s'", "recv 64", "sleep 30ms", "close"]
[[server.seccomp.rule]]
syscall = "recvfrom"
action = "errno EINTR"
when = "5+"
[[client]]
name = "one"
steps = ["connect", "send 'x'", "recv-until-eof"]
[[client]]
name = "two"
run = ["sh", "-c", "sleep 0.1; true"]
"""
LIMITED = """
summary = "In a control group"
tags = ["limits"]
[server]
cgroup = { pids = 8 }
steps = ["accept", "recv 64", "close"]
[client]
steps = ["connect", "send 'x'", "recv-until-eof"]
"""


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def victims(lab):
    """By generation: lab, its children (a sandbox's first process, the guardian of its groups), their children."""
    first = children(lab)
    return {"lab": [lab], "init": first, "actor": [c for p in first for c in children(p)]}


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def kill(who, number):
    def disturb(run, draw):
        run.wait_a_moment(draw)
        pids = victims(run.process.pid)[who]
        if pids:
            send(draw.choice(pids), number)
    disturb.__name__ = f"{signal.Signals(number).name} to {who}"
    return disturb


def stop(who):
    """Longer than the run's own deadline, which is 300 ms in these runs."""
    def disturb(run, draw):
        run.wait_a_moment(draw)
        pids = victims(run.process.pid)[who]
        if not pids:
            return
        pid = draw.choice(pids)
        send(pid, signal.SIGSTOP)
        time.sleep(0.5)
        send(pid, signal.SIGCONT)
    disturb.__name__ = f"SIGSTOP to {who}"
    disturb.words = ["--timeout", "300ms"]
    return disturb


def limited(which, low, high):
    def prepare(draw):
        value = draw.randint(low, high)
        return lambda: resource.setrlimit(which, (value, value))
    return prepare


class Run:
    labs = set()  # the numbers of all of them

    def __init__(self, lab, words, rootless, prepare=None, stdout=subprocess.DEVNULL):
        def before():
            if rootless:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
            if prepare:
                prepare()  # behind the change of user, which would have execve(2) say EAGAIN
        self.process = subprocess.Popen([lab, "run", *words], cwd="/tmp/work", preexec_fn=before, stdin=subprocess.DEVNULL,
                                        stdout=stdout, stderr=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"})

        Run.labs.add(self.process.pid)

    def wait_a_moment(self, draw):
        """The instant: most of them early, where set-up is."""
        time.sleep(draw.expovariate(8) if draw.random() < 0.8 else draw.uniform(0, 1))

    def end(self):
        return reap_all(self.process)


def reap_all(process):
    """Until the last process that it made is gone; this is process 1, whose children they become. Its exit status."""
    status = None
    signal.alarm(PATIENCE)
    while True:
        try:
            pid, ended = os.waitpid(-1, 0)
        except ChildProcessError:
            signal.alarm(0)
            return status
        if pid == process.pid:
            status = process.returncode = os.waitstatus_to_exitcode(ended)


def hang(*_):
    print(subprocess.run(["ps", "-ef"], capture_output=True, text=True, check=False).stdout)
    raise TimeoutError("hangs")


DISTURBANCES = (
    [kill("lab", signal.SIGKILL)] * 6 + [kill("init", signal.SIGKILL)] * 5 + [kill("actor", signal.SIGKILL)] * 4 +
    [kill("lab", n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGSEGV)] + [stop("lab"), stop("init"), stop("actor")])
LIMITS = {
    "no memory": (resource.RLIMIT_AS, 8 << 20, 200 << 20),
    "no descriptors": (resource.RLIMIT_NOFILE, 3, 48),
    "no process slots": (resource.RLIMIT_NPROC, 0, 4),
    "no file bytes": (resource.RLIMIT_FSIZE, 0, 4000),
}


def one(lab, draw, scenarios):
    """Returns what was done, and how lab ended."""
    rootless = draw.random() < 0.5
    words = [draw.choice(scenarios), *draw.choice(([], ["-j", "2", "--repeat", "3"], ["--control"], ["--evidence", f"/tmp/out/{rootless}.jsonl"]))]
    kind = draw.random()
    if kind < 0.6:
        disturb = draw.choice(DISTURBANCES)
        run = Run(lab, [*words, *getattr(disturb, "words", [])], rootless)
        disturb(run, draw)
        return disturb.__name__, run.end()
    if kind < 0.85:
        name = draw.choice(list(LIMITS))
        run = Run(lab, words, rootless, limited(*LIMITS[name])(draw))
        return name, run.end()
    if kind < 0.93:
        with open("/dev/full", "wb") as full:
            return "full disk", Run(lab, [*words, "--junit", "/tmp/full/x.xml"], rootless, stdout=full).end()
    read, write = os.pipe()
    os.close(read)
    run = Run(lab, words, rootless, stdout=write)
    os.close(write)
    return "closed pipe", run.end()


def is_right(what, status):
    if what.startswith("SIG") and " to lab" in what and status in (-signal.Signals[what.split()[0]], 128 + signal.Signals[what.split()[0]]):
        return True
    return status in STATUSES or (what.startswith("no ") and status == LOADER)


def folder(path, mode=0o777):
    os.makedirs(path, exist_ok=True)
    os.chmod(path, mode)


def set_up():
    """Scenario files, and a disk that is full."""
    for path in ("/tmp/work", "/tmp/out", "/tmp/full"):
        folder(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=1777", "tmpfs", "/tmp/full"], check=True)
    pathlib.Path("/tmp/full/filler").write_bytes(bytes(4096))
    pathlib.Path("/tmp/full/x.xml").write_bytes(b"")
    os.chmod("/tmp/full/x.xml", 0o666)
    for rootless in (False, True):
        pathlib.Path(f"/tmp/out/{rootless}.jsonl").write_text("")
        os.chmod(f"/tmp/out/{rootless}.jsonl", 0o666)
    for name, text in (("routed", ROUTED), ("busy", BUSY), ("limited", LIMITED)):
        pathlib.Path(f"/tmp/work/{name}.toml").write_text(text)
    return ["./routed.toml", "./busy.toml", "./limited.toml", "firewall-drop", "close-unread", "seccomp-nth-call", "descriptors-exhausted"]


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    if os.getpid() != 1:
        os.execvp("unshare", hoststate.alone([sys.executable, "-B", os.path.abspath(__file__), str(count), str(seed)]))
    from lab import LAB  # makes a copy where the program can't be reached: in this /tmp
    signal.signal(signal.SIGALRM, hang)
    draw = random.Random(seed)
    scenarios = set_up()
    Run(LAB, ["./busy.toml"], False).end()  # what a first run alone does: modules, caches
    before = hoststate.host_state(True)
    endings, bad = collections.Counter(), 0
    for number in range(count):
        what, status = one(LAB, draw, scenarios)
        endings[f"{what}: {status}"] += 1
        tools = number % 10 == 9 or number == count - 1  # what stays, stays: ten runs are looked at at once
        wrong = hoststate.difference(before, hoststate.host_state(tools, Run.labs))
        if not is_right(what, status):
            wrong.append(f"exit status {status}")
        if number % 25 == 24:
            print(f"{number + 1} of {count}, {bad} bad", file=sys.stderr, flush=True)
        if wrong:
            bad += 1
            print(f"run {number} of seed {seed}, {what}:", *wrong, sep="\n  ", flush=True)
            before = hoststate.host_state(True)
    for ending, times in sorted(endings.items()):
        print(f"{times:6} {ending}")
    print(f"{count - bad} of {count} left the host as it was")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
