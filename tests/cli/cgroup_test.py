"""Control groups of a run: limits fire, are skipped with a reason where they can't be had, and leave nothing."""

import os
import signal
import subprocess
import time
import unittest

from lab import CLEAN, LAB, ROOT, Case

LIMITED = CLEAN.replace("[server]", '[server]\ncgroup = { memory = "64MiB", pids = 8, cpu = "50%" }')


def groups(pid):
    """Every group that is there now of the lab with this number."""
    return {name for _, folders, _ in os.walk("/sys/fs/cgroup") for name in folders if name.startswith(f"lab-{pid}-")}


def possible(case):
    """Can this machine make groups? Its own doctor says so; root in CI must."""
    ability = next(a for a in case.report(0, "doctor")["abilities"] if a["name"] == "cgroups")
    if not ability["yes"] and os.environ.get("LAB_NO_SKIP") and ROOT:
        case.fail(ability)
    return ability["yes"]


class Groups(Case):
    def test_without_root_the_run_is_skipped(self):
        self.write("limited.toml", LIMITED)
        report = self.report(77, "run", "./limited.toml", "--rootless")
        self.assertEqual(report["result"], "skipped")
        self.assertIn("root", report["reason"])

    def test_a_limit_that_never_bit_is_a_fault_that_did_not_fire(self):
        if not possible(self):
            self.skipTest("no control groups here")
        self.write("limited.toml", LIMITED)
        report = self.report(5, "run", "./limited.toml")
        self.assertEqual({f["name"] for f in report["faults"] if not f["fired"]} & {"server.cgroup.memory", "server.cgroup.pids"},
                         {"server.cgroup.memory", "server.cgroup.pids"})

    def test_killed_at_any_instant_nothing_is_left(self):
        if not possible(self):
            self.skipTest("no control groups here")
        self.write("limited.toml", LIMITED.replace('"recv 64"', '"wait never"').replace('"recv-until-eof"', '"recv 64"') +
                   '\n[operator]\nsteps = ["freeze server", "print \'frozen\'"]\n')
        for delay in (0.0, 0.02, 0.1, 0.4):
            run = subprocess.Popen([LAB, "run", "./limited.toml", "--timeout", "20s"], cwd=self.folder, env=self.environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            run.send_signal(signal.SIGKILL)
            run.wait()
            deadline = time.monotonic() + 20
            while groups(run.pid) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertEqual(groups(run.pid), set())


if __name__ == "__main__":
    unittest.main()
