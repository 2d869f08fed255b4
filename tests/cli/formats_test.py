"""JUnit, TAP, pcapng and evidence files, read by others."""

import json
import subprocess
import unittest
import xml.etree.ElementTree as xml

from lab import CLEAN, DROPPED, SOURCE, Case, both_users, needs


class Formats(Case):
    def setUp(self):
        super().setUp()
        self.write("clean.toml", CLEAN)
        self.write("dropped.toml", DROPPED)
        self.write("wrong.toml", CLEAN.replace('connect = "ok"', 'connect = "ECONNREFUSED"'))

    def run_three(self, *more):
        return self.says(1, "run", "./clean.toml", "./dropped.toml", "./wrong.toml", *more)

    @needs("xmllint")
    def test_junit_is_valid(self):
        self.run_three("--junit", "all.xml")
        done = subprocess.run(["xmllint", "--noout", "--schema", SOURCE / "tests/cli/junit.xsd", "all.xml"],
                              cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_junit_says_what_happened(self):
        self.run_three("--junit", "all.xml")
        suite = xml.parse(self.folder / "all.xml").getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped")), ("3", "1", "0", "0"))
        cases = {c.get("name"): c for c in suite.findall("testcase")}
        self.assertEqual(list(cases), ["clean", "dropped", "wrong"])
        self.assertIsNone(cases["clean"].find("failure"))
        self.assertIn("ECONNREFUSED", cases["wrong"].find("failure").text)
        self.assertGreaterEqual(float(cases["dropped"].get("time")), 0.3)

    @needs("prove")
    def test_tap_is_read_by_perls_harness(self):
        out = self.run_three("--tap").stdout
        self.assertTrue(out.startswith("TAP version 13\n1..3\n"), out)
        self.write("tap.sh", "cat <<'END'\n" + out + "END\n")
        done = subprocess.run(["prove", "-v", "-e", "sh", "tap.sh"], cwd=self.folder, capture_output=True, text=True)
        self.assertIn("Failed 1/3 subtests", done.stdout + done.stderr)
        self.assertIn("Failed test:  3", done.stdout)
        self.assertNotIn("Parse errors", done.stdout)

    def tshark(self, file, *words):
        done = subprocess.run(["tshark", "-n", "-r", file, *words], cwd=self.folder, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    @needs("tshark")
    @both_users
    def test_pcapng_holds_what_was_on_the_wire(self, rootless):
        words = ("run", "./clean.toml", "--pcap", "clean.pcapng", "-o", "json")
        report = json.loads(self.says(0, *words, rootless=rootless).stdout)
        wire = [e for e in report["events"] if e["kind"] == "segment"]
        rows = self.tshark("clean.pcapng", "-T", "fields", "-E", "separator=,", "-e", "tcp.srcport", "-e", "tcp.dstport",
                           "-e", "tcp.seq_raw", "-e", "tcp.len", "-e", "_ws.malformed")
        self.assertEqual(rows, [",".join([s["src"].rsplit(":")[-1], s["dst"].rsplit(":")[-1], str(s["seq"]), str(s.get("len", 0)), ""])
                                for s in wire])
        self.assertEqual(self.tshark("clean.pcapng", "-Y", "tcp contains \"Hello Client\"").__len__(), 1)
        (self.folder / "clean.pcapng").unlink()

    @needs("tshark")
    def test_pcapng_of_ipv6(self):
        self.says(0, "run", "./clean.toml", "-6", "--pcap", "six.pcapng")
        rows = self.tshark("six.pcapng", "-T", "fields", "-e", "ipv6.src", "-e", "tcp.flags.syn")
        self.assertEqual(rows[0], "::1\t1")

    @needs("tshark")
    def test_pcapng_from_stored_evidence_has_whole_headers(self):
        self.says(0, "run", "./clean.toml", "--evidence", "clean.jsonl")
        self.says(0, "explain", "clean.jsonl", "--pcap", "again.pcapng")
        rows = self.tshark("again.pcapng", "-o", "ip.check_checksum:TRUE", "-T", "fields", "-e", "ip.checksum.status",
                           "-e", "tcp.port", "-e", "_ws.malformed")
        self.assertGreater(len(rows), 5)
        for row in rows:
            self.assertTrue(row.startswith("1\t"), row)
            self.assertTrue(row.endswith("\t"), row)

    @both_users
    def test_explain_gives_the_same_verdict(self, rootless):
        for name in ("clean", "dropped"):
            words = ("run", f"./{name}.toml", "--evidence", f"{name}.jsonl", "-o", "json")
            run = json.loads(self.says(0, *words, rootless=rootless).stdout)
            again = json.loads(self.says(0, "explain", f"{name}.jsonl", "-o", "json", rootless=True, env={"PATH": "/nowhere"}).stdout)
            self.assertEqual(again["verdict"], run["verdict"])
            self.assertEqual(again["connections"], run["connections"])
            with open(self.folder / f"{name}.jsonl") as stored:
                piped = self.says(0, "explain", "-", stdin=stored)
            self.assertTrue(piped.stdout.startswith(run["verdict"]["status"] + " " + run["verdict"]["cause"]), piped.stdout)
            (self.folder / f"{name}.jsonl").unlink()

    def test_a_truncated_file_is_refused(self):
        self.says(0, "run", "./clean.toml", "--evidence", "clean.jsonl")
        whole = (self.folder / "clean.jsonl").read_text().splitlines(keepends=True)
        for lines in (whole[:-1], whole[:1], whole[1:], whole[:-2] + whole[-1:]):
            self.write("cut.jsonl", "".join(lines))
            self.assertIn("cut.jsonl", self.says(2, "explain", "cut.jsonl").stderr)

    def test_explain_has_the_ladder_too(self):
        self.says(0, "run", "./dropped.toml", "--evidence", "dropped.jsonl")
        text = self.says(0, "explain", "dropped.jsonl").stdout
        self.assertTrue(text.startswith("confirmed firewall/drop: "), text)
        self.assertIn("SYN,ACK", text)
        self.assertIn("eat-it", text)


if __name__ == "__main__":
    unittest.main()
