"""Drives the program as a user does. LAB: its path; LAB_USER: the user and group number that rootless runs drop to."""

import atexit
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
LAB = os.environ.get("LAB", str(SOURCE / "build" / "lab"))
NOBODY = int(os.environ.get("LAB_USER", "1000"))
ROOT = os.geteuid() == 0
DEADLINE = 60  # seconds: a hang is a failure, whatever hangs

# The server reads and closes; nothing is dropped, nothing is waited for.
CLEAN = """
summary = "A request, an answer, both close"
tags = ["application"]
[server]
steps = ["accept", "recv 64", "send 'Hello Client'", "close"]
[client]
steps = ["connect", "send 'Hello Server'", "recv-until-eof", "close"]
[expect]
cause = "none"
[expect.client]
connect = "ok"
"""

# Everything behind the handshake is dropped; the client gives up after 300 ms.
DROPPED = """
summary = "Behind the handshake everything is dropped"
tags = ["firewall"]
[[firewall.rule]]
name = "eat-it"
after = "handshake"
action = "drop"
[server]
steps = ["accept", "recv 64", "send 'Hello Client'", "close"]
[client]
steps = ["connect", "send 'Hello Server'", "recv 64 timeout=300ms"]
[expect]
cause = "firewall/drop"
[expect.client]
recv = "timeout"
[expect.rules]
eat-it = ">=1"
"""


def drop_root():
    """For preexec_fn: an ordinary user without groups."""
    if ROOT:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def reachable_by_everybody(source, lab):
    """The ordinary user of rootless runs has to reach program and catalogue: where a folder above keeps others out,
    both are copied to where they can be read."""
    def closed(path):
        return any(not parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
    if not ROOT or not (closed(source) or closed(pathlib.Path(lab))):
        return source, lab
    copy = pathlib.Path(tempfile.mkdtemp(prefix="lab-tree-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    copy.chmod(0o755)
    for folder in ("scenarios", "rules", "docs"):
        shutil.copytree(source / folder, copy / folder)
    (copy / "build").mkdir()
    return copy, shutil.copy(lab, copy / "build" / "lab")


SOURCE, LAB = reachable_by_everybody(SOURCE, LAB)


class Case(unittest.TestCase):
    """A folder of its own, which an ordinary user can write, is the working folder of every run."""

    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab-cli-"))
        self.folder.chmod(0o777)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def environment(self, **more):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("SUDO_", "LAB", "XDG_"))}
        return {**keep, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.folder), "LANG": "C", "LC_ALL": "C", "TERM": "dumb", **more}

    def lab(self, *words, rootless=False, env=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, deadline=DEADLINE, **more):
        return subprocess.run(
            [LAB, *map(str, words)],
            cwd=self.folder,
            env=self.environment(**(env or {})),
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=deadline,
            preexec_fn=drop_root if rootless else None,
            **more,
        )

    def says(self, status, *words, **more):
        """Runs and checks the exit status; a mismatch shows everything that was said."""
        done = self.lab(*words, **more)
        self.assertEqual(done.returncode, status, f"{words}\n--- out\n{(done.stdout or '')[:4000]}\n--- err\n{done.stderr[-4000:]}")
        return done

    def report(self, status, *words, **more):
        return json.loads(self.says(status, *words, "-o", "json", **more).stdout)


def both_users(test):
    """Runs a test as it is and, where that is root, as an ordinary user too."""

    def wrapped(self):
        for rootless in (False, True) if ROOT else (False,):
            with self.subTest(rootless=rootless):
                test(self, rootless)

    wrapped.__name__ = test.__name__
    wrapped.__doc__ = test.__doc__
    return wrapped


def needs(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing and os.environ.get("LAB_NO_SKIP"):
        raise RuntimeError(f"{', '.join(missing)} must be installed here (LAB_NO_SKIP)")
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")
