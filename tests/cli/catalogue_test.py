"""Every shipped scenario passes, as root and without, in both families, and leaves the host as it was."""

import json
import pathlib
import subprocess
import unittest

from lab import ROOT, SOURCE, Case

SCENARIOS = sorted((SOURCE / "scenarios").glob("*.toml"))
COLLECTORS = ["wire", "nft-trace", "changes", "sockets", "counters", "syscalls", "kernel", "conntrack", "processes"]


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


def reports_of(case, *words, rootless=False):
    """Many at once: most of a scenario's time is waiting."""
    done = case.lab("run", "-o", "json", "-j", "8", *words, rootless=rootless, deadline=500)
    reports = json.loads(done.stdout)
    return done.returncode, reports if isinstance(reports, list) else [reports]


class Catalogue(Case):
    def check(self, rootless, family):
        before = host_state()
        status, reports = reports_of(self, family, *map(str, SCENARIOS), rootless=rootless)
        self.assertEqual(len(reports), len(SCENARIOS))
        for report in reports:
            with self.subTest(scenario=report["scenario"]):
                lines = [e for e in report["expectations"] if not e["held"]]
                self.assertIn(report["result"], ("pass",), f"{report.get('reason')} {lines} {report['verdict']['summary']}")
        self.assertEqual(status, 0)
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


class Matrix(Case):
    """With a collector switched off a verdict may fall to likely or unknown; it is never confirmed and wrong."""

    def check(self, rootless):
        # 200 clients at once: the same causes, longer.
        scenarios = [str(s) for s in SCENARIOS if not s.stem.startswith("connection-storm")]
        allowed = {}
        for report in reports_of(self, *scenarios, rootless=rootless)[1]:
            expected = next((e["expected"] for e in report["expectations"] if e["key"] == "cause"), "")
            allowed[report["scenario"]] = expected.split(" or ")
        for collector in COLLECTORS:
            for report in reports_of(self, "--without", collector, *scenarios, rootless=rootless)[1]:
                verdict = report["verdict"]
                with self.subTest(scenario=report["scenario"], without=collector):
                    if verdict["status"] == "confirmed":
                        self.assertIn(verdict["cause"], allowed[report["scenario"]], verdict["summary"])

    def test_root(self):
        self.check(False)

    @unittest.skipUnless(ROOT, "the same as above")
    def test_rootless(self):
        self.check(True)


if __name__ == "__main__":
    unittest.main()
