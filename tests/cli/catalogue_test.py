"""Every shipped scenario passes, as root and without, in both families, and leaves the host as it was."""

import json
import pathlib
import subprocess
import time
import unittest

import matrix
from lab import ROOT, SOURCE, Case

SCENARIOS = sorted((SOURCE / "scenarios").glob("*.toml"))


def host_state():
    """What a run could have touched, as tools independent of the lab see it."""
    def said(*words):
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout
    ours = [p for p in said("ps", "-eo", "pid,comm").splitlines() if p.split()[-1] == "lab"]
    return {
        "rules": said("nft", "list", "ruleset"),
        "links": said("ip", "-o", "link"),
        "addresses": said("ip", "-o", "addr"),
        "routes": said("ip", "route", "show", "table", "all"),
        "named namespaces": said("ip", "netns"),
        "mounts": pathlib.Path("/proc/self/mountinfo").read_text(),
        "sysctls": said("sysctl", "-a", "--pattern", r"^net\.ipv4\.(tcp_(retries|fin|keep)|ip_)"),
        "processes": ours,
    }


def eventually(holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)


def reports_of(case, *words, rootless=False):
    """Many at once: most of a scenario's time is waiting."""
    done = case.lab("run", "-o", "json", "-j", "8", *words, rootless=rootless, deadline=500)
    reports = json.loads(done.stdout)
    return done.returncode, reports if isinstance(reports, list) else [reports]


class Catalogue(Case):
    def check(self, rootless, family):
        before = host_state()
        scenarios = matrix.of_family(SCENARIOS, family)
        status, reports = reports_of(self, family, *map(str, scenarios), rootless=rootless)
        self.assertEqual(len(reports), len(scenarios))
        skipped = 0
        for report in reports:
            with self.subTest(scenario=report["scenario"]):
                if rootless and report["result"] == "skipped" and "root outside" in report["reason"]:
                    skipped += 1
                    continue
                lines = [e for e in report["expectations"] if not e["held"]]
                self.assertEqual(report["result"], "pass", f"{report.get('reason')} {lines} {report['verdict']['summary']}")
        self.assertEqual(status, 77 if skipped else 0)
        # A sandbox's last processes may still be going when its verdict is told.
        eventually(lambda: not host_state()["processes"])
        self.assertEqual(before, host_state())

    def test_ipv4(self):
        self.check(False, "-4")

    def test_ipv6(self):
        self.check(False, "-6")

    @unittest.skipUnless(ROOT, "the same as above")
    def test_ipv4_rootless(self):
        self.check(True, "-4")

    @unittest.skipUnless(ROOT, "the same as above")
    def test_ipv6_rootless(self):
        self.check(True, "-6")

    def test_every_control_ends_clean(self):
        """Without its faults a scenario has nothing left to show; what has no control says so itself."""
        status, reports = reports_of(self, "--control", "--all")
        for report in reports:
            with self.subTest(scenario=report["scenario"]):
                self.assertEqual(report["result"], "pass", report.get("reason"))
        self.assertEqual(status, 0)


if __name__ == "__main__":
    unittest.main()
