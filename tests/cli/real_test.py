"""Real servers and clients of the distribution: what they die of is named although they know nothing of the lab."""

import json
import os
import unittest

from lab import SOURCE, Case, both_users


class Real(Case):
    names = sorted(path.stem for path in (SOURCE / "scenarios").glob("real-*.toml"))

    def holds(self, name, rootless, *more):
        done = self.lab("run", name, "-o", "json", *more, rootless=rootless, deadline=200)
        report = json.loads(done.stdout)
        if done.returncode == 77 and not os.environ.get("LAB_NO_SKIP"):
            self.assertIn("not installed", report["reason"])
            self.skipTest(report["reason"])
        said = {k: report.get(k) for k in ("result", "reason", "expectations")} | {"summary": report["verdict"]["summary"]}
        self.assertEqual((done.returncode, report["verdict"]["status"]), (0, "confirmed"), said)

    def test_there_are_some(self):
        self.assertGreaterEqual(len(self.names), 9)

    @both_users
    def test_they_pass(self, rootless):
        for name in self.names:
            with self.subTest(name=name):
                self.holds(name, rootless)

    def test_they_pass_on_ipv6(self):
        for name in self.names:
            with self.subTest(name=name):
                self.holds(name, False, "-6")

    def test_what_is_not_installed_skips_with_the_reason(self):
        self.write("absent.toml", 'summary = "x"\n[server]\nrun = ["sh", "-c", "echo hello; echo gizmo is not installed; exit 77"]\n'
                   '[client]\nsteps = ["connect"]\n')
        report = self.report(77, "run", "./absent.toml")
        self.assertEqual((report["result"], report["reason"]), ("skipped", "gizmo is not installed"))
        self.write("meant.toml", 'summary = "x"\n[client]\nrun = ["sh", "-c", "exit 77"]\n[expect.client]\nexit = 77\n')
        self.says(0, "run", "./meant.toml")


if __name__ == "__main__":
    unittest.main()
