"""lab run: results, statuses, options."""

import json
import unittest

from lab import CLEAN, DROPPED, Case, both_users


class Results(Case):
    @both_users
    def test_pass_is_0(self, rootless):
        self.write("clean.toml", CLEAN)
        report = self.report(0, "run", "./clean.toml", rootless=rootless)
        self.assertEqual(report["schema"], 1)
        self.assertEqual(report["result"], "pass")
        self.assertEqual(report["verdict"]["cause"], "none")

    @both_users
    def test_a_dropped_segment_is_seen_named_and_counted(self, rootless):
        self.write("dropped.toml", DROPPED)
        report = self.report(0, "run", "./dropped.toml", rootless=rootless)
        self.assertEqual(report["verdict"]["cause"], "firewall/drop")
        self.assertEqual(report["verdict"]["culprit"]["name"], "eat-it")
        self.assertTrue(report["faults"][0]["fired"])
        rule = next(r for r in report["rules"] if r["name"] == "eat-it")
        self.assertGreaterEqual(rule["packets"], 1)
        client = next(a for a in report["actors"] if a["role"] == "client")
        self.assertEqual([s["outcome"] for s in client["steps"]], ["ok", "12 bytes", "timeout"])
        self.assertEqual(client["exit"], 0)

    def test_an_expectation_that_does_not_hold_is_1(self):
        self.write("wrong.toml", CLEAN.replace('connect = "ok"', 'connect = "ECONNREFUSED"'))
        done = self.says(1, "run", "./wrong.toml")
        self.assertTrue(done.stdout.startswith("FAIL wrong:"), done.stdout)
        self.assertRegex(done.stdout, r"NO client\.connect +ECONNREFUSED +ok")

    def test_a_fault_that_never_fires_is_5(self):
        self.write("idle.toml", CLEAN + '[[firewall.rule]]\nname = "never"\npayload = "NOT SENT"\naction = "drop"\n')
        report = self.report(5, "run", "./idle.toml")
        self.assertEqual(report["result"], "fault-not-fired")
        self.assertFalse(report["faults"][0]["fired"])

    def test_the_deadline_is_124(self):
        self.write("slow.toml", CLEAN.replace('"recv-until-eof"', '"sleep 60s"'))
        report = self.report(124, "run", "./slow.toml", "--timeout", "300ms")
        self.assertEqual(report["result"], "timeout")

    def test_the_worst_of_several(self):
        self.write("clean.toml", CLEAN)
        self.write("wrong.toml", CLEAN.replace('connect = "ok"', 'connect = "ECONNREFUSED"'))
        done = self.says(1, "run", "./clean.toml", "./wrong.toml", "./clean.toml")
        lines = done.stdout.splitlines()
        self.assertTrue(lines[0].startswith("PASS clean:"))
        self.assertEqual(lines[-1], "3 of 3 scenarios: 1 fail, 2 pass")

    @both_users
    def test_control(self, rootless):
        self.write("dropped.toml", DROPPED)
        self.assertEqual(self.report(0, "run", "./dropped.toml", "--control", rootless=rootless)["control"],
                         "without its faults it ends clean")

    def test_a_control_that_fails_too_is_3(self):
        self.write("both.toml", DROPPED.replace("\"send 'Hello Client'\", ", ""))
        done = self.says(3, "run", "./both.toml", "--control")
        self.assertTrue(done.stdout.startswith("INCONCLUSIVE both:"), done.stdout)

    def test_without_faults_there_is_no_control(self):
        self.write("clean.toml", CLEAN)
        self.assertIn("own steps", self.report(0, "run", "./clean.toml", "--control")["control"])


class Options(Case):
    def setUp(self):
        super().setUp()
        self.write("clean.toml", CLEAN)

    def test_several_are_an_array_and_jsonl_a_line_each(self):
        words = ("run", "./clean.toml", "./clean.toml", "-o")
        self.assertEqual([r["scenario"] for r in json.loads(self.says(0, *words, "json").stdout)], ["clean", "clean"])
        lines = self.says(0, *words, "jsonl").stdout.splitlines()
        self.assertEqual([json.loads(line)["result"] for line in lines], ["pass", "pass"])

    def test_quiet_is_one_line(self):
        self.assertEqual(len(self.says(0, "run", "./clean.toml", "-q").stdout.splitlines()), 1)

    def test_verbose_tells_steps_collectors_and_timing(self):
        text = self.says(0, "run", "./clean.toml", "-v").stdout
        for part in ("Steps", "Collectors", "Counters that moved", "Time (ms)", "recv-until-eof: "):
            self.assertIn(part, text)

    def test_repeat_has_a_distribution(self):
        report = self.report(0, "run", "./clean.toml", "--repeat", "5")
        self.assertEqual(report["runs"], 5)
        results = report["distribution"]["results"]
        self.assertEqual([(r["what"], r["count"], r["share"]) for r in results], [("pass", 5, 1)])
        self.assertLess(results[0]["low"], 1)
        self.assertIn("client.connect = ok", [o["what"] for o in report["distribution"]["outcomes"]])

    def test_until_fail_stops_at_the_first(self):
        self.write("wrong.toml", CLEAN.replace('connect = "ok"', 'connect = "ECONNREFUSED"'))
        report = self.report(1, "run", "./wrong.toml", "--until-fail", "--repeat", "50", "-j", "1")
        self.assertLess(report["runs"], 5)

    def test_set_changes_a_key(self):
        report = self.report(1, "run", "./clean.toml", "--set", "expect.client.connect=EPERM")
        self.assertIn("EPERM", [e["expected"] for e in report["expectations"]])

    def test_families(self):
        for option, start in (("-4", "127.0.0.1:"), ("-6", "[::1]:")):
            self.assertTrue(self.report(0, "run", "./clean.toml", option)["connections"][0]["server"].startswith(start))

    def test_without_a_collector(self):
        report = self.report(0, "run", "./clean.toml", "--without", "conntrack", "--without", "counters")
        off = {c["name"]: c.get("why") for c in report["collectors"] if not c["on"]}
        self.assertEqual(off.get("conntrack"), "switched off")
        self.assertEqual(off.get("counters"), "switched off")

    def test_dry_run_builds_nothing_and_shows_rules(self):
        self.write("dropped.toml", DROPPED)
        done = self.says(0, "run", "./dropped.toml", "-n", rootless=True, env={"PATH": "/nowhere"})
        self.assertIn("tcp dport 8080", done.stdout)
        self.assertIn("eat-it", done.stdout)

    def test_events_and_steps_count_from_one_zero(self):
        report = self.report(0, "run", "./clean.toml")
        syn = next(e for e in report["events"] if e["kind"] == "segment")
        connect = next(s for a in report["actors"] if a["role"] == "client" for s in a["steps"])
        self.assertLess(abs(syn["t_ns"] - connect["start_ns"]), 1_000_000_000)
        for because in report["verdict"]["because"]:
            for index in because["events"]:
                self.assertLess(index, len(report["events"]))

    def test_by_name_and_by_tag_from_the_working_folder(self):
        self.write("scenarios/mine.toml", CLEAN.replace('["application"]', '["application", "only-mine"]'))
        self.assertEqual(self.report(0, "run", "mine")["scenario"], "mine")
        self.assertEqual(self.report(0, "run", "--tag", "only-mine")["scenario"], "mine")


if __name__ == "__main__":
    unittest.main()
