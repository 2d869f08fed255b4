"""lab diagnose: the user's own programs."""

import json
import unittest

from lab import Case, both_users, needs

PYTHON = "/usr/bin/python3"  # one that every user can start

SERVER = """
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
c, _ = s.accept()
print("got", c.recv(100), flush=True)
"""
ANSWER = SERVER + 'c.sendall(b"hello"); c.close()\n'
CLIENT = """
import os, socket, sys
c = socket.create_connection((os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])))
c.settimeout(1)
c.sendall(b"hello")
try:
    print("answer", c.recv(100), flush=True)
    sys.exit(0)
except OSError as e:
    print(type(e).__name__, file=sys.stderr, flush=True)
    sys.exit(4)
"""
RULES = """
table inet mine {
  chain out {
    type filter hook output priority 0; policy accept;
    oifname "eth0" tcp dport $server_port ct state established counter drop
  }
}
"""

# As `nft list ruleset` prints it where iptables-nft is in use: what is established is forgotten but for ssh.
DUMP = """# Warning: table ip filter is managed by iptables-nft, do not touch!
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
		iifname "lo" counter packets 10 bytes 800 accept
		iifname "eth0" tcp dport 22 ct state related,established counter packets 109 bytes 9488 accept
		iifname { "eth0", "wg0" } tcp flags syn counter packets 4 bytes 240 accept
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		iif "docker0" oif != "docker0" accept
	}
}
"""


class Diagnose(Case):
    def setUp(self):
        super().setUp()
        self.write("server.py", SERVER)
        self.write("answer.py", ANSWER)
        self.write("client.py", CLIENT)

    def pair(self, server="answer.py", *more):
        return ("diagnose", "--server", f"{PYTHON} {server} 8888", "--client", f"{PYTHON} client.py", "--port", "8888", *more)

    @both_users
    def test_output_is_marked_by_who_wrote_it_and_the_verdict_follows(self, rootless):
        text = self.says(0, *self.pair("server.py"), rootless=rootless).stdout
        self.assertIn("server out| got b'hello'", text)
        self.assertIn("client out| answer b''", text)
        self.assertRegex(text, r"(?m)^(confirmed|likely) application/(closed|exited): ")  # the interpreter may close first

    @both_users
    def test_healthy_programs_are_none(self, rootless):
        self.assertEqual(self.report(0, *self.pair(), rootless=rootless)["verdict"]["cause"], "none")

    def test_a_vector_behind_dashes_is_the_client(self):
        text = self.says(0, "diagnose", "--port", "8888", "--", PYTHON, "-c", CLIENT + "#'\"").stdout
        self.assertRegex(text, r"(?m)^(confirmed|likely) connect/refused: ")

    def test_a_ruleset_needs_leniency_for_foreign_interfaces(self):
        self.write("rules.nft", RULES)
        strict = self.says(0, *self.pair("answer.py", "--ruleset", "rules.nft"))
        self.assertIn("rules.nft:5: interface 'eth0' is not in the sandbox", strict.stderr)
        report = self.report(0, *self.pair("answer.py", "--ruleset", "rules.nft", "--lenient"))
        self.assertEqual(report["verdict"]["cause"], "firewall/drop")

    @both_users
    def test_a_dump_of_another_machine(self, rootless):
        self.write("dump.nft", DUMP)
        words = self.pair("answer.py", "--ruleset", "dump.nft")
        strict = self.says(2, *words, rootless=rootless)
        self.assertIn("dump.nft:11: interface 'docker0' is not in the sandbox\n", strict.stderr)
        self.assertIn("--lenient", strict.stderr)
        done = self.says(0, *words, "--lenient", "-o", "json", rootless=rootless)
        self.assertIn("interface 'eth0' is not in the sandbox: matched to lo", done.stderr)
        self.assertIn("1 rule accepted what comes by lo, and now matches nothing", done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["verdict"]["cause"], "firewall/drop")
        self.assertIn("the policy of chain ip filter INPUT", report["verdict"]["summary"])  # established is let in for port 22 only

    def test_a_filter_and_a_limit(self):
        report = self.report(0, *self.pair("answer.py", "--seccomp", "recvfrom=errno ECONNRESET"))
        self.assertEqual(report["verdict"]["cause"], "seccomp/errno")

    def test_saved_it_is_a_scenario_that_holds(self):
        self.says(0, *self.pair("server.py", "--save", "incident"))
        self.says(0, "check", "incident.toml")
        report = self.report(0, "run", "./incident.toml")
        self.assertIn("cause", [e["key"] for e in report["expectations"]])

    def test_mistakes(self):
        for words, part in (
            (("diagnose",), "diagnose what?"),
            (("diagnose", "--client", "x 'y"), "not closed"),
            (("diagnose", "--client", "x", "--", "y"), "both the client"),
            (("diagnose", "--client", "x", "--port", "0"), "--port"),
            (("diagnose", "--client", "x", "--port", "65536"), "--port"),
            (("diagnose", "--client", "x", "--limit", "nofile"), "NAME=VALUE"),
            (("diagnose", "--client", "x", "--limit", "nofiles=5"), "nofile"),
            (("diagnose", "--client", "x", "--seccomp", "acceptt=errno EMFILE"), "acceptt"),
            (("diagnose", "--client", "x", "--sysctl", "net.ipv4.no_such=1"), "net.ipv4.no_such"),
            (("diagnose", "--client", "no-such-program"), "no-such-program"),
            (("diagnose", "--client", "x", "-4", "-6"), "-4 and -6"),
            (("diagnose", "--client", "x", "--timeout", "never"), "never"),
            (("diagnose", "--client", "x \\"), "escapes nothing"),
            (("diagnose", "--client", "x", "--ruleset", "nothing.nft"), "nothing.nft: No such file"),
            (("diagnose", "--client", "x", "--ruleset", "."), "Is a directory"),
            (("diagnose", "--client", "x", "--save", "a b"), "no name for a scenario"),
            (("diagnose", "--client", "x", "--save", "client.py/x"), "No such file"),
        ):
            done = self.says(2, *words)
            self.assertIn(part, done.stderr + done.stdout)

    def test_nothing_is_run_when_it_could_not_be_saved(self):
        self.write("there.toml", "precious")
        done = self.says(2, "diagnose", "--client", "touch ran", "--save", "there")
        self.assertIn("there.toml: File exists", done.stderr)
        self.assertFalse((self.folder / "ran").exists())
        self.assertEqual((self.folder / "there.toml").read_text(), "precious")

    def test_a_ruleset_that_does_not_parse_has_its_place(self):
        self.write("bad.nft", "table inet x {\n  chain y {\n    tcp dprot 80 drop\n  }\n}\n")
        done = self.says(2, *self.pair("answer.py", "--ruleset", "bad.nft"))
        said = (done.stdout + done.stderr).splitlines()
        self.assertIn("bad.nft:3:", said[0])
        at = next(i for i, line in enumerate(said) if line.strip() == "tcp dprot 80 drop")  # libnftables' excerpt, as it stands
        self.assertEqual(said[at + 1].strip(), "^" * len("dprot"))


if __name__ == "__main__":
    unittest.main()
