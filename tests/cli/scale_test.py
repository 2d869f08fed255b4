"""Limits of scale: it works, or says what the machine lacks. How long it takes is the benchmarks' business."""

import json
import subprocess
import unittest

from lab import LAB, Case, both_users, drop_root

PATIENCE = 500  # seconds: a hang, not a measure

PAIR = """
summary = "At scale"
tags = ["application"]
timeout = "5m"
{rules}
[server]
{server}
steps = [{server_steps}]
[client]
{client}
steps = [{client_steps}]
[expect]
cause = "none"
"""


class Scale(Case):
    def scenario(self, rules="", server="", client="", server_steps=('"accept"', '"recv 64"', "\"send 'x'\"", '"close"'),
                 client_steps=('"connect"', "\"send 'Hello'\"", '"recv-until-eof"', '"close"')):
        self.write("scale.toml", PAIR.format(rules=rules, server=server, client=client, server_steps=",\n".join(server_steps),
                                             client_steps=",\n".join(client_steps)))

    def passes(self, *words, rootless):
        done = subprocess.run([LAB, "run", "./scale.toml", "-o", "json", *words], cwd=self.folder, env=self.environment(), capture_output=True,
                              text=True, timeout=PATIENCE, preexec_fn=drop_root if rootless else None, check=False)
        report = json.loads(done.stdout)
        if done.returncode == 77:
            self.assertTrue(report["reason"])
            self.skipTest(report["reason"])
        self.assertEqual(done.returncode, 0, (report["result"], report.get("reason"), report["verdict"]["summary"]))
        return report

    @both_users
    def test_a_thousand_connections(self, rootless):
        self.scenario(server="parallel = 1000\nbacklog = 1000", client="parallel = 1000")
        self.assertEqual(len(self.passes(rootless=rootless)["connections"]), 1000)

    @both_users
    def test_ten_thousand_segments(self, rootless):
        rounds = 2400
        self.scenario(client="options = { nodelay = true }",
                      server_steps=['"accept"', *['"recv-exactly 64"', '"send 64"'] * rounds, '"recv-until-eof"'],
                      client_steps=['"connect"', *['"send 64"', '"recv-exactly 64"'] * rounds, '"close"'])
        report = self.passes(rootless=rootless)
        wire = next(c for c in report["collectors"] if c["name"] == "wire")
        self.assertTrue(wire["on"])

    @both_users
    def test_ten_thousand_rules(self, rootless):
        rules = "\n".join(f'[[firewall.rule]]\nname = "r{i}"\npayload = "NO{i:05d}"\naction = "count"' for i in range(10_000))
        self.scenario(rules=rules)
        self.assertEqual(len(self.passes(rootless=rootless)["rules"]), 10_000)

    @both_users
    def test_two_hundred_sandboxes_at_once(self, rootless):
        self.scenario()
        self.assertEqual(self.passes("-j", "200", "--repeat", "200", rootless=rootless)["runs"], 200)


if __name__ == "__main__":
    unittest.main()
