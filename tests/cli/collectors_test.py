"""Collectors that are off, and one that dies in the middle of a run."""

import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from lab import DROPPED, LAB, Case, both_users, drop_root

# A stranger's program, whose calls ptrace watches where BPF can't.
WAITING = """
summary = "Two programs that wait for each other"
tags = ["application"]
timeout = "40s"
[server]
run = ["python3", "-c", "import socket; s = socket.create_server(('127.0.0.1', 8080)); c, _ = s.accept(); c.recv(64); c.recv(64)"]
[client]
run = ["python3", "-c", "import socket; c = socket.create_connection(('127.0.0.1', 8080)); c.send(b'Hello Server'); c.recv(64)"]
[expect]
cause = "application/not-answering"
"""

# An operator who changes what touches nobody.
CHANGED = """
summary = "Changes while a connection lives"
tags = ["operator"]
[[firewall.rule]]
name = "idle"
action = "count"
[server]
steps = ["accept", "recv-until-eof", "close"]
[operator]
steps = ["wait open", "route blackhole 192.0.2.1", "delete-rules idle", "signal changed"]
[client]
steps = ["connect", "signal open", "wait changed", "close"]
[expect]
cause = "none"
"""


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Collectors(Case):
    def wait_for(self, what, process):
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            self.assertIsNone(process.poll(), "the run ended before its time")
            found = what()
            if found:
                return found
            os.sched_yield()
        self.fail("it did not come that far")

    def start(self, name):
        return subprocess.Popen([LAB, "run", "-o", "json", "--rootless", f"./{name}.toml"], cwd=self.folder,
                                env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, preexec_fn=drop_root)

    def test_a_tracer_that_dies_makes_an_error_and_no_verdict(self):
        """The sandbox's first process traces the programs: the kernel ends them all with it."""
        self.write("waiting.toml", WAITING)
        with self.start("waiting") as run:
            def tracer_and_programs():
                for init in children(run.pid):
                    programs = [p for p in children(init) if pathlib.Path(f"/proc/{p}/comm").read_text().startswith("python3")]
                    if len(programs) == 2:
                        return init, programs
                return None
            init, programs = self.wait_for(tracer_and_programs, run)
            os.kill(init, signal.SIGKILL)
            out, err = run.communicate(timeout=40)
        self.assertEqual(run.returncode, 125, out + err)
        report = json.loads(out)
        self.assertEqual(report["result"], "error")
        self.assertNotEqual(report.get("verdict", {}).get("status"), "confirmed", out)
        for pid in programs:
            self.assertFalse(pathlib.Path(f"/proc/{pid}").exists() and "python3" in pathlib.Path(f"/proc/{pid}/cmdline").read_text(),
                             "a traced program outlived its tracer")

    @both_users
    def test_what_an_operator_changed_is_read_before_it_goes_on(self, rootless):
        """Notifications bear the time at which they are read: late ones would come behind what the change did."""
        self.write("changed.toml", CHANGED)
        self.says(0, "run", "./changed.toml", "--evidence", "e.jsonl", rootless=rootless)
        events = [json.loads(line) for line in (self.folder / "e.jsonl").read_text().splitlines()[1:-1]]
        went_on = [e["end"] for e in events if e["kind"] == "step" and e["step"] == "wait changed"]
        for kind in ("route-added", "rule-deleted"):
            seen = [e["t_ns"] for e in events if e["kind"] == "change" and e["event"] == kind]
            self.assertEqual((len(seen), len(went_on)), (1, 1), kind)
            self.assertLess(seen[0], went_on[0], kind)
        (self.folder / "e.jsonl").unlink()

    @both_users
    def test_the_report_names_what_was_off(self, rootless):
        self.write("dropped.toml", DROPPED)
        words = ("run", "./dropped.toml", "-o", "json", "--without", "nft-trace", "--without", "kernel")
        report = json.loads(self.lab(*words, rootless=rootless).stdout)
        self.assertNotEqual(report["verdict"]["status"], "confirmed")
        off = {c["name"]: c.get("why", "") for c in report["collectors"] if not c["on"]}
        self.assertIn("switched off", off["nft-trace"])
        self.assertTrue(any(n.startswith("nft-trace would have told") for n in report["verdict"]["next"]), report["verdict"]["next"])

    @both_users
    def test_evidence_that_lost_events_is_judged_more_carefully(self, rootless):
        """The same file, but the rule trace says that it lost some: what it did not see proves nothing any more."""
        self.write("dropped.toml", DROPPED)
        self.says(0, "run", "./dropped.toml", "--evidence", "e.jsonl", rootless=rootless)
        lines = (self.folder / "e.jsonl").read_text().splitlines()
        head = json.loads(lines[0])
        for collector in head["collectors"]:
            collector["lost"] = 9
        kept = [line for line in lines[1:-1] if json.loads(line)["kind"] not in ("trace", "rule", "kernel")]
        end = json.dumps({"kind": "end", "events": len(kept)}, separators=(",", ":"))
        self.write("lossy.jsonl", "\n".join([json.dumps(head, separators=(",", ":")), *kept, end]) + "\n")
        verdict = json.loads(self.says(0, "explain", "lossy.jsonl", "-o", "json").stdout)["verdict"]
        self.assertNotEqual(verdict["status"], "confirmed", verdict)
        self.assertTrue(any("lost 9 events" in n for n in verdict["next"]), verdict["next"])
        (self.folder / "e.jsonl").unlink()


if __name__ == "__main__":
    unittest.main()
