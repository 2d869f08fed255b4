"""lab diagnose: the user's own programs."""

import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import unittest

from lab import DEADLINE, LAB, Case, both_users, drop_root, needs

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
# Waits for a server that says nothing, and tells a fifo once it does: the thread's blocking call has the socket as its
# first argument (man proc, /proc/pid/syscall).
PATIENT = """
import os, socket, threading
c = socket.create_connection((os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])))
waiter = threading.Thread(target=c.recv, args=(100,))
waiter.start()
while open(f"/proc/self/task/{waiter.native_id}/syscall").read().split()[1:2] != [hex(c.fileno())]:
    os.sched_yield()
os.write(os.open("waiting", os.O_WRONLY), b"x")
waiter.join()
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
        idle = [rule for rule in report["rules"] if "dport 22" in rule["text"] or "lab-none" in rule["text"]]
        self.assertEqual([rule["packets"] for rule in idle], [0, 0])  # the dump's own counts are not this run's

    def test_a_filter_and_a_limit(self):
        report = self.report(0, *self.pair("answer.py", "--seccomp", "recvfrom=errno ECONNRESET"))
        self.assertEqual(report["verdict"]["cause"], "seccomp/errno")

    def test_saved_it_is_a_scenario_that_holds(self):
        self.says(0, *self.pair("server.py", "--save", "incident"))
        self.says(0, "check", "incident.toml")
        report = self.report(0, "run", "./incident.toml")
        self.assertIn("cause", [e["key"] for e in report["expectations"]])

    def test_saved_of_a_race_it_expects_either_outcome(self):
        self.write("rude.py", SERVER.split("print")[0] + "c.close()\n")  # the request comes before its close, or after
        self.says(0, *self.pair("rude.py", "--save", "race"))
        text = (self.folder / "race.toml").read_text()
        self.assertIn("# A race: ", text)
        self.assertIn('cause = ["application/closed", "application/closed-unread"]', text)
        self.says(0, "run", "./race.toml", "--repeat", "6")

    def test_saved_of_a_run_that_was_stopped_it_says_that_it_cant_pass(self):
        self.write("deaf.py", "import time\ntime.sleep(1000)\n")
        done = self.says(124, "diagnose", "--timeout", "300ms", "--save", "hang", "--", PYTHON, "deaf.py")
        self.assertIn("lab run will not let it pass", done.stderr)
        self.assertIn("# This run did not end by itself", (self.folder / "hang.toml").read_text())
        self.says(124, "run", "./hang.toml")

    def test_a_server_that_takes_longer_to_listen_is_told_of_the_timeout(self):
        self.write("late.py", "import time\ntime.sleep(1000)\n" + SERVER)
        said = " ".join(self.lab(*self.pair("late.py", "--timeout", "6s")).stdout.split())
        self.assertIn("connect/refused: ", said)
        self.assertIn("did not listen on its port within 3000 ms, half of the timeout", said)
        self.assertIn("--timeout", said)
        self.assertNotIn("half of the timeout", self.says(0, *self.pair()).stdout)

    def test_ascii_where_the_terminal_has_no_more(self):
        for language, arrow in (("C", "recvfrom -> "), ("C.UTF-8", "recvfrom → ")):
            done = self.lab(*self.pair("server.py"), env={"LC_ALL": language})
            self.assertIn(arrow, done.stdout)
            self.assertEqual(done.stdout.isascii(), language == "C")

    def test_a_file_in_a_tmp_that_the_sandbox_lacks_is_named(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as elsewhere:
            os.chmod(elsewhere, 0o755)
            unseen, seen = pathlib.Path(elsewhere, "server.py"), self.folder / "server.py"
            unseen.write_text(SERVER)
            for server, told in ((unseen, True), (seen, False)):
                done = self.lab("diagnose", "--server", f"{PYTHON} {server} 8080", "--client", f"{PYTHON} client.py")
                self.assertEqual(f"{server}: not to be seen in the sandbox" in done.stderr, told, done.stderr)

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
            (("diagnose", "--client", "x", "--seccomp", "accept4=errno EMFILE 0+"), "'0+' does not say on which calls"),
            (("diagnose", "--client", "x", "--seccomp", "accept4=stall 3-"), "3+ (from the third on)"),
            (("diagnose", "--client", "x", "--server", ""), "--server '': an empty CMD"),
            (("diagnose", "--client", "x", "--server", " "), "there is no command in it"),
            (("diagnose", "--client", "x", "--timeout", ""), "--timeout '': an empty DURATION"),
            (("diagnose", "--client", "x", "--lenient"), "--lenient is about the interfaces of a --ruleset"),
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


class Interrupted(Case):
    """Ctrl-C in a run that hangs."""

    def setUp(self):
        super().setUp()
        self.write("server.py", SERVER)
        self.write("patient.py", PATIENT)
        os.mkfifo(self.folder / "waiting")
        (self.folder / "waiting").chmod(0o666)

    def start(self, *words, rootless=False):
        """Until the client waits."""
        fifo = os.open(self.folder / "waiting", os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, fifo)
        process = subprocess.Popen([LAB, *words], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=drop_root if rootless else None)
        self.addCleanup(process.kill)
        self.assertTrue(select.select([fifo], [], [], DEADLINE)[0], "the client never came to wait")
        os.read(fifo, 1)
        return process

    def hanging(self, *more, rootless=False):
        return self.start("diagnose", "--server", f"{PYTHON} server.py 8888", "--client", f"{PYTHON} patient.py", "--port", "8888",
                          "--timeout", "10m", *more, rootless=rootless)

    @both_users
    def test_the_first_ends_the_run_and_tells_what_was_seen(self, rootless):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.hanging(rootless=rootless)
            process.send_signal(number)
            out, err = process.communicate(timeout=DEADLINE)
            self.assertEqual(process.returncode, 128 + number, out + err)
            self.assertRegex(out, r"(?m)^(confirmed|likely) application/not-(answering|accepting): ")  # by how far the server had come
            self.assertRegex(" ".join(out.split()), r"\(interrupted after \d+ ms\)")

    def test_a_single_scenario_is_told_too(self):
        self.write("hangs.toml", f"""
summary = "Both wait"
timeout = "10m"
[server]
steps = ["accept", "recv 64"]
[client]
run = ["{PYTHON}", "patient.py"]
[expect]
cause = "application/not-answering"
""")
        process = self.start("run", "./hangs.toml", "-o", "json")
        process.send_signal(signal.SIGINT)
        report = json.loads(process.communicate(timeout=DEADLINE)[0])
        self.assertEqual(process.returncode, 130)
        self.assertEqual(report["result"], "timeout")
        self.assertRegex(report["verdict"]["cause"], "application/not-(answering|accepting)")

    def test_a_second_one_ends_at_once(self):
        process = self.hanging()
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        init = next(pid for pid in map(int, children) if status_of(pid)["NSpid"].endswith("\t1"))
        gone = os.pidfd_open(init)
        self.addCleanup(os.close, gone)
        os.kill(init, signal.SIGSTOP)  # who is asked to end the run can't
        process.send_signal(signal.SIGINT)
        while int(status_of(process.pid)["ShdPnd"], 16):
            os.sched_yield()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE)
        self.assertEqual((process.returncode, out), (130, ""), err)
        self.assertTrue(select.select([gone], [], [], DEADLINE)[0], "the sandbox is still there")


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip(" ") for name, _, value in (line.partition(":") for line in lines)}
