"""What a user gets wrong: a clear message on standard error, the contract's status, nothing on standard output."""

import os
import unittest

from lab import CLEAN, Case, both_users


class CommandLine(Case):
    def fails(self, words, *parts, status=2):
        done = self.says(status, *words)
        self.assertEqual(done.stdout, "")
        for part in parts:
            self.assertIn(part, done.stderr)

    def test_each_is_2_with_a_hint(self):
        self.fails([], "lab --help")
        self.fails(["runn"], "unknown command 'runn'", "did you mean 'run'?")
        self.fails(["run"], "run what?")
        self.fails(["run", "--al"], "unknown option '--al'", "did you mean '--all'?")
        self.fails(["run", "firewall-dorp"], "firewall-dorp", "did you mean 'firewall-drop'?")
        self.fails(["run", "firewall-drop", "-o", "xml"], "-o", "xml", "json")
        self.fails(["run", "firewall-drop", "--timeout", "soon"], "--timeout soon", "50ms")
        self.fails(["run", "firewall-drop", "-4", "-6"], "-4 and -6")
        self.fails(["run", "firewall-drop", "--repeat", "0"], "--repeat 0")
        self.fails(["run", "firewall-drop", "--repeat", "x"], "--repeat")
        self.fails(["run", "firewall-drop", "-j", "0"], "--jobs")
        self.fails(["run", "firewall-drop", "--tap", "-o", "json"], "--tap")
        self.fails(["run", "--tag", "no-such-tag"], "no-such-tag")
        self.fails(["run", "firewall-drop", "--set", "networkk.mtu=5"], "networkk")
        self.fails(["run", "firewall-drop", "--without", "wires"], "wires", "did you mean 'wire'?")
        self.fails(["run", "firewall-drop", "--without", "signals"], "it comes with 'kernel'")
        self.fails(["diagnose", "--without", "no-such"], "one of 'wire'")
        self.fails(["show"], "lab show --help")
        self.fails(["explain", "firewall/dorp"], "did you mean 'firewall/drop'?")
        self.fails(["completion", "tcsh"], "tcsh", "bash, zsh or fish")

    def test_help_is_ascii_and_fits_a_terminal(self):
        for command in ([], ["run"], ["diagnose"], ["shell"], ["explain"], ["list"], ["show"], ["check"], ["new"], ["causes"], ["schema"], ["doctor"], ["completion"]):
            for line in self.says(0, *command, "--help").stdout.splitlines():
                self.assertTrue(line.isascii() and len(line) <= 80, line)

    def test_help_is_0(self):
        for words in (["--help"], ["run", "--help"], ["--version"]):
            self.assertNotEqual(self.says(0, *words).stdout, "")


class Files(Case):
    def test_a_missing_file(self):
        self.assertIn("No such file", self.says(2, "run", "./nothing.toml").stderr)

    def test_every_mistake_at_once_with_its_place(self):
        self.write("bad.toml", 'summary = 5\n[serverr]\n[client]\nsteps = ["connekt"]\n')
        for command in ("run", "check"):
            done = self.says(2, command, "./bad.toml")
            self.assertIn("bad.toml:1:", done.stderr)
            self.assertIn("bad.toml:2:", done.stderr)
            self.assertIn("bad.toml:4:", done.stderr)
            self.assertIn("did you mean 'connect'?", done.stderr)

    def test_broken_toml(self):
        self.write("broken.toml", 'summary = "x\n')
        self.assertIn("broken.toml:1:", self.says(2, "check", "./broken.toml").stderr)

    def test_check_tells_what_no_kernel_accepts(self):
        self.write("rules/refused.toml", 'summary = "x"\n[[rule]]\nhook = "postrouting"\naction = "reject tcp-reset"\n')
        self.assertIn("postrouting", self.says(2, "check", "rules/refused.toml").stderr)

    def test_check_tells_what_no_namespace_can_set(self):
        self.write("sysctl.toml", CLEAN + '[network]\nsysctl = { "net.core.rmem_max" = 5 }\n')
        self.assertIn("net.core.rmem_max", self.says(2, "check", "./sysctl.toml").stderr)

    def test_check_asks_the_kernel_about_a_whole_ruleset(self):
        self.write("bad.nft", "table inet x {\n  chain y {\n    tcp dprot 80 drop\n  }\n}\n")
        self.write("ruleset.toml", CLEAN + '[firewall]\nruleset = "bad.nft"\n')
        self.assertRegex(self.says(2, "check", "./ruleset.toml").stderr, r"bad\.nft:3:\d+")
        self.write("inline.toml", CLEAN + '[firewall]\nnft = "table inet x { chain y { nonsense } }"\n')
        self.assertRegex(self.says(2, "check", "./inline.toml").stderr, r"inline\.toml:\d+:\d+")

    def test_a_value_that_the_kernel_refuses_has_its_place(self):
        self.write("value.toml", CLEAN + '[network]\nsysctl = { "net.ipv4.tcp_fin_timeout" = "soon" }\n')
        for command in ("check", "run"):
            with self.subTest(command):
                done = self.says(2, command, "./value.toml")
                self.assertRegex(done.stderr + done.stdout, r"(?s)value\.toml:\d+:\d+: .*tcp_fin_timeout.*EINVAL")

    def test_check_of_good_ones(self):
        self.write("clean.toml", CLEAN)
        self.assertEqual(self.says(0, "check", "./clean.toml", "firewall-drop").stderr, "")

    @both_users
    def test_a_program_that_does_not_exist(self, rootless):
        self.write("none.toml", 'summary = "x"\n[server]\nrun = ["./no-such-program"]\n[client]\nsteps = ["connect"]\n')
        done = self.says(2, "run", "./none.toml", rootless=rootless)
        self.assertIn("no-such-program", done.stdout + done.stderr)

    def test_a_file_that_is_no_evidence(self):
        foreign = {"foreign.jsonl": '{"a": 1}\n', "empty.jsonl": "", "scenario.toml": CLEAN, "prose.txt": "It was the firewall.\n",
                   "report.json": '{ "schema": 1, "scenario": "x", "verdict": { "cause": "none" } }\n',
                   "end.jsonl": '{"kind":"end","events":0}\n',
                   "newer.jsonl": '{"kind":"lab-evidence","format":99,"version":"9.9"}\n{"kind":"end","events":0}\n'}
        for name, text in foreign.items():
            with self.subTest(file=name):
                self.write(name, text)
                done = self.says(2, "explain", name)
                self.assertEqual(done.stdout, "")
                self.assertIn(f"{name}: line 1: ", done.stderr)
        (self.folder / "binary").write_bytes(b"\x0a\x0d\x0d\x0a\x00\xff" * 100)
        self.assertIn("line 1: not an evidence file of lab", self.says(2, "explain", "./binary").stderr)
        self.assertIn("Is a directory", self.says(2, "explain", ".").stderr)

    def test_nothing_is_left_behind(self):
        self.write("clean.toml", CLEAN)
        before = set(os.listdir("/tmp")), set(os.listdir(self.folder))
        self.says(0, "run", "./clean.toml")
        self.assertEqual(set(os.listdir(self.folder)), before[1])
        self.assertEqual([n for n in set(os.listdir("/tmp")) - before[0] if "lab" in n and "lab-cli" not in n], [])


if __name__ == "__main__":
    unittest.main()
