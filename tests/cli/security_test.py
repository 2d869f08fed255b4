"""What a stranger's scenario can reach, what lab holds, and how the program is built."""

import ctypes
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import unittest
import uuid

from lab import CLEAN, LAB, ROOT, Case, both_users, needs

HERE = pathlib.Path(__file__).resolve().parent

INTRUDER = """
summary = "A program that tries to get out"
tags = ["application"]
timeout = "60s"
[client]
run = ["python3", "-B", "intruder.py"]
env = {{ OUTSIDE = '{outside}' }}
[expect.client]
exit = 0
"""

libc = ctypes.CDLL(None, use_errno=True)


class Outside:
    """Things of the host's that a sandbox must not reach."""

    def __init__(self, case, folder):
        self.name = "lab-test-" + uuid.uuid4().hex
        self.process = subprocess.Popen(["sleep", "600"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.abstract.bind("\0" + self.name)
        self.abstract.listen()
        self.file = folder / "roots-own"
        self.file.write_text("secret")
        self.file.chmod(0o600)
        # Beneath /tmp, and neither in the scenario's folder nor in the working folder.
        self.tmp = f"/tmp/{self.name}"
        with open(self.tmp, "w"):
            pass
        self.queue = int(uuid.uuid4().int & 0x7fffffff)
        self.queue_id = libc.msgget(self.queue, 0o1666)
        libc.syscall.restype = ctypes.c_long
        number = 248 if os.uname().machine == "x86_64" else 217
        self.key = libc.syscall(ctypes.c_long(number), b"user", self.name.encode(), b"x", ctypes.c_long(1), ctypes.c_long(-3))
        case.addCleanup(self.close)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.listener.close()
        self.abstract.close()
        os.unlink(self.tmp)
        libc.msgctl(self.queue_id, 0, None)
        keyctl = 250 if os.uname().machine == "x86_64" else 219
        libc.syscall(ctypes.c_long(keyctl), ctypes.c_long(21), ctypes.c_long(self.key))  # KEYCTL_INVALIDATE

    def told(self):
        return json.dumps({"pid": self.process.pid, "port": self.listener.getsockname()[1], "abstract": self.name,
                           "file": str(self.file), "tmp": self.tmp, "queue": self.queue, "key": self.key})


class BreakOut(Case):
    def scenario(self):
        shutil.copy(HERE / "programs" / "intruder.py", self.folder)
        (self.folder / "intruder.py").chmod(0o644)
        outside = Outside(self, self.folder)
        if not ROOT:
            outside.file = "/root/none"   # without root everything in this folder is the user's
        self.write("intruder.toml", INTRUDER.format(outside=outside.told()))
        return outside

    @both_users
    def test_no_way_out(self, rootless):
        self.scenario()
        done = self.lab("run", "./intruder.toml", "-o", "json", rootless=rootless)
        report = json.loads(done.stdout)
        self.assertEqual(len(report["actors"]), 1, report.get("reason"))
        client = report["actors"][0]
        self.assertNotIn("REACHED", client["output"])
        self.assertRegex(client["output"], r"\d\d attempts")
        self.assertEqual(client["exit"], 0)

    def test_the_intruder_reaches_all_of_it_from_outside(self):
        """The attempts are real: the same program, started by whoever made those things, reaches most of them."""
        outside = self.scenario()
        if not ROOT:
            self.skipTest("an ordinary user reaches less")
        attempts = ("kill_host", "roots_file", "shadow", "host_tmp", "listener", "abstract", "queue", "key_by_number")
        code = "import intruder\n" + "".join(f"assert intruder.{a}(), '{a}'\n" for a in attempts)
        done = subprocess.run([sys.executable, "-B", "-c", code], cwd=self.folder, env={**os.environ, "OUTSIDE": outside.told()},
                              capture_output=True, text=True)
        self.assertEqual(done.stderr, "")

    @both_users
    def test_tmp_as_the_working_folder_is_seen_and_not_written(self, rootless):
        name = f"lab-test-{os.getpid()}-{rootless}"
        self.folder = pathlib.Path("/tmp")
        self.write(f"{name}.in", "seen by it\n")
        self.addCleanup(os.unlink, f"/tmp/{name}.in")
        words = f"sh -c 'cat /tmp/{name}.in; echo written >/tmp/{name}.out; cat {name}.out'"
        done = self.lab("diagnose", "--port", "8080", "--server", words, "--client", "true", rootless=rootless)
        self.assertFalse(os.path.exists(f"/tmp/{name}.out"))
        self.assertIn("seen by it", done.stdout + done.stderr)
        self.assertIn("written", done.stdout + done.stderr)

    @both_users
    def test_files_outside_of_the_folder_are_not_read(self, rootless):
        secret = self.write("secret.toml", 'summary = "x"\n[[rule]]\naction = "drop"\n')
        inner = self.folder / "inner"
        (inner / "rules").mkdir(parents=True, exist_ok=True)
        link = inner / "rules" / "link.toml"
        if not link.is_symlink():
            link.symlink_to(secret)
        for rule in ("../../secret", "link", str(secret)):
            self.write("inner/reads.toml", CLEAN + f'[firewall]\nrules = ["{rule}"]\n')
            done = self.says(2, "check", "inner/reads.toml", rootless=rootless)
            self.assertNotIn("action", done.stdout + done.stderr)

    @both_users
    def test_a_ruleset_includes_nothing(self, rootless):
        self.write("rules/taker.nft", 'include "/etc/shadow"\ntable inet t { }\n')
        self.write("include.toml", CLEAN + '[firewall]\nruleset = "taker.nft"\n')
        done = self.lab("run", "./include.toml", rootless=rootless)
        self.assertIn(done.returncode, (2, 125))
        self.assertNotIn("root:", done.stdout + done.stderr)


class Limits(Case):
    def mistake(self, text):
        self.write("greedy.toml", text)
        return self.says(2, "check", "./greedy.toml").stderr + self.lab("check", "./greedy.toml").stdout

    def test_counts_have_limits_and_say_them(self):
        for key, value in (("parallel", 10**9), ("repeat", 10**12)):
            said = self.mistake(CLEAN.replace("[client]", f"[client]\n{key} = {value}"))
            self.assertIn(key, said)
            self.assertRegex(said, r"1000+")
        for step in ("open-files 99999999999", "spawn-threads 99999999999", "allocate 99999999999GiB", "send 99999999999GiB",
                     "sleep 99999999h"):
            said = self.mistake(CLEAN.replace('"connect"', f'"connect", "{step}"'))
            self.assertIn("greedy.toml", said, step)

    def test_a_file_has_a_largest_size(self):
        self.assertIn("larger than", self.mistake(CLEAN + "#" * (17 << 20)))

    def test_nesting_has_a_limit(self):
        self.mistake(CLEAN + "x = " + "[" * 100000)
        step = "recv 1"
        for _ in range(12):
            step = "fork '" + step.replace("\\", "\\\\").replace("'", "\\'") + "'"
        self.mistake(CLEAN.replace('"connect"', json.dumps(step)))


class Privileges(Case):
    WAITS = CLEAN.replace('"recv 64"', '"sleep 60s"')

    @unittest.skipUnless(ROOT, "needs root, which has something to drop")
    def test_lab_as_root_keeps_what_it_needs_until_its_last_sandbox_stands(self):
        self.write("waits.toml", self.WAITS)
        lab = subprocess.Popen([LAB, "run", "./waits.toml", "-o", "jsonl"], cwd=self.folder, env=self.environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            # A connection is there: the sandbox stands. Actors are forked before, and wait for lab's word.
            def children(pid):
                try:
                    with open(f"/proc/{pid}/task/{pid}/children") as file:
                        return [int(p) for p in file.read().split()]
                except FileNotFoundError:
                    return []
            def connected(pid):
                try:
                    with open(f"/proc/{pid}/net/tcp") as file:
                        return any(line.split()[3] == "01" for line in file.readlines()[1:])
                except OSError:
                    return False
            def stands():
                return any(connected(actor) for init in children(lab.pid) for actor in children(init))
            while not stands():
                self.assertIsNone(lab.poll())
            def held(pid, which):
                with open(f"/proc/{pid}/status") as file:
                    return int(re.search(rf"{which}:\t(\w+)", file.read())[1], 16)
            numbers = {"SETGID": 6, "SETUID": 7, "KILL": 5, "DAC_OVERRIDE": 1, "NET_ADMIN": 12, "PERFMON": 38, "BPF": 39}
            allowed = sum(1 << n for n in numbers.values())
            for which in ("CapPrm", "CapEff"):
                self.assertEqual(held(lab.pid, which) & ~allowed, 0, which)
            for which in ("CapBnd", "CapInh", "CapAmb"):
                self.assertEqual(held(lab.pid, which), 0, which)
        finally:
            lab.kill()
            lab.communicate()


@needs("readelf")
class Binary(unittest.TestCase):
    """Hardening, read from the program file by a tool of binutils."""

    def said(self, *words):
        return subprocess.run(["readelf", "-W", *words, LAB], capture_output=True, text=True, check=True).stdout

    def test_position_independent(self):
        self.assertRegex(self.said("-h"), r"Type: +DYN")
        self.assertIn("PIE", self.said("-d"))

    def test_full_relro(self):
        self.assertIn("GNU_RELRO", self.said("-l"))
        self.assertRegex(self.said("-d"), r"FLAGS_1.*NOW")

    def test_stack_neither_runs_nor_is_unguarded(self):
        stack = next(line for line in self.said("-l").splitlines() if "GNU_STACK" in line)
        self.assertNotIn("RWE", stack)
        self.assertTrue("__stack_chk_fail" in self.said("--dyn-syms"), "no stack protector")

    def test_fortified_and_with_checked_containers(self):
        symbols = self.said("--dyn-syms")
        if "__asan_init" in symbols or "__tsan_init" in symbols or "__ubsan_handle" in symbols:
            self.skipTest("a sanitizer's build checks more")
        self.assertTrue(re.search(r"__\w+_chk@", symbols), "no fortified call")
        # What a checked operator[] says before it aborts; the C++ library itself may be linked in.
        self.assertIn(b"__n < this->size()", pathlib.Path(LAB).read_bytes())

    def test_no_writable_code(self):
        for line in self.said("-l").splitlines():
            self.assertNotRegex(line, r"LOAD .* RWE ")


if __name__ == "__main__":
    unittest.main()
