#!/usr/bin/env python3
"""faults.py LIBRARY STEP [KIND…]: runs a scenario of each kind with each STEP-th of lab's own system calls failing, in turn.

LIBRARY is fault.c, built. Re-starts itself as process 1 of namespaces of its own (hoststate.alone), as root. After each
run: it ended, its status is the contract's, an error says what the kernel said, nothing is left."""

import collections
import errno
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys

import hoststate
import kills

LAYOUT = "<QQii32s32s"
# An errno that nothing in these scenarios makes by itself.
ERROR = errno.EIO
# libnftables ends its process over an answer of the kernel's that it does not understand, with words of its own.
SAID = (os.strerror(ERROR), "EIO", "lab: rule.c:", "nf_tables kernel ABI is broken")

KINDS = {
    "steps": ["firewall-drop"],
    "program": ["close-on-accept-python"],
    "seccomp": ["seccomp-nth-call"],
    "limits": ["descriptors-exhausted"],
    "routed": ["./routed.toml"],
    "evidence": ["close-unread", "--evidence", "/tmp/out/False.jsonl", "--control"],
    "collectors": ["firewall-drop", "--without", "kernel"],
    "writes": ["firewall-drop"],
}
# Of these only the calls of one name: what collectors read the kernel's messages with, and what lab's processes tell each
# other with. More of them, as they are few.
ONLY = {"collectors": b"recvmsg", "writes": b"write"}
STOPPED = "stopped in the middle"
# What a run without a fault is confirmed to be; any of them.
CAUSES = {"steps": "firewall/drop", "program": "application/closed application/closed-unread", "seccomp": "seccomp/errno", "limits": "limits/descriptors", "routed": "firewall/drop", "collectors": "firewall/drop", "writes": "firewall/drop",
          "evidence": "application/closed-unread"}


class Fault:
    def __init__(self, at, only=b""):
        self.path = "/tmp/work/fault"
        pathlib.Path(self.path).write_bytes(struct.pack(LAYOUT, 0, at, ERROR, 0, b"", only))
        os.chmod(self.path, 0o666)

    def result(self):
        """How many calls there were, and which one failed."""
        count, _, _, _, call, _ = struct.unpack(LAYOUT, pathlib.Path(self.path).read_bytes())
        return count, call.rstrip(b"\0").decode()


def run(lab, library, words, rootless, fault):
    """Exit status, standard output and error."""
    def before():
        if rootless:
            os.setgroups([])
            os.setresgid(*[kills.NOBODY] * 3)
            os.setresuid(*[kills.NOBODY] * 3)
    with open("/tmp/out/stdout", "wb+") as out, open("/tmp/out/stderr", "wb+") as err:
        process = subprocess.Popen([lab, "run", "-o", "json", *words], cwd="/tmp/work", stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=before,
                                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_PRELOAD": library, "LAB_FAULT": fault.path})
        status = kills.reap_all(process)
        out.seek(0)
        err.seek(0)
        return status, out.read().decode(errors="replace"), err.read().decode(errors="replace")


def verdict(out):
    try:
        return json.loads(out)["verdict"]
    except (ValueError, KeyError, TypeError):
        return {}


def wrong(kind, call, status, out, err):
    """What is not as promised, or nothing."""
    if status not in kills.STATUSES:
        return f"exit status {status}"
    # access(2) is asked whether something is there: the error then says what is missing.
    said = any(text in out + err for text in SAID) or call == "access"
    if status == 125 and not said:
        return "125, and nothing says why"
    told = verdict(out)
    if told.get("status") == "confirmed" and told["cause"] not in [*CAUSES[kind].split(), "none"] and not said:
        return f"confirmed {told['cause']}, and nothing says what failed"
    return None


def sweep(lab, library, step, kind, rootless, endings):
    words, bad, only = KINDS[kind], 0, ONLY.get(kind, b"")
    whole = Fault(0, only)
    run(lab, library, words, rootless, whole)
    count = whole.result()[0]
    if count < (10 if only else 100):
        raise RuntimeError(f"{kind}: only {count} calls were counted")
    step = max(1, step * count // 5000) if only else step
    before = hoststate.host_state(False)
    ran = 0
    for at in range(1 + step // 2, count + 1, step):
        fault = Fault(at, only)
        status, out, err = run(lab, library, words, rootless, fault)
        call = fault.result()[1]
        endings[f"{kind}: {status}{', a collector ' + STOPPED if STOPPED in out else ''}"] += 1
        ran += 1
        problems = hoststate.difference(before, hoststate.host_state(False))
        if problem := wrong(kind, call, status, out, err):
            problems.append(problem)
        if problems:
            bad += 1
            print(f"{kind}, {'rootless' if rootless else 'root'}, call {at} ({call}):", *problems, err[-300:], sep="\n  ", flush=True)
    print(f"{kind}, {'rootless' if rootless else 'root'}: {ran} of {count} calls failed in turn, {bad} bad", file=sys.stderr, flush=True)
    return ran, bad


def main():
    library, step, kinds = sys.argv[1], int(sys.argv[2]), sys.argv[3:] or list(KINDS)
    if os.getpid() != 1:
        os.execvp("unshare", hoststate.alone([sys.executable, "-B", os.path.abspath(__file__), os.path.abspath(library), str(step), *kinds]))
    from lab import LAB
    signal.signal(signal.SIGALRM, kills.hang)
    kills.set_up()
    library = shutil.copy(library, "/tmp/work/fault.so")  # where everybody can read it
    endings, ran, bad = collections.Counter(), 0, 0
    for kind in kinds:
        for rootless in (False, True):
            one = sweep(LAB, library, step, kind, rootless, endings)
            ran, bad = ran + one[0], bad + one[1]
    for ending, times in sorted(endings.items()):
        print(f"{times:6} {ending}")
    print(f"{ran - bad} of {ran} ended as promised")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
