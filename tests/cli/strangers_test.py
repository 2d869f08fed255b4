"""lab diagnose on programs that know nothing of it: Python, Node, Perl, Java, static C, curl, netcat, busybox. Each has
one known fault, and the verdict has to name it, as root and without."""

import pathlib
import shutil
import subprocess
import unittest

from lab import Case, both_users, needs

PROGRAMS = pathlib.Path(__file__).resolve().parent / "strangers"
PYTHON = "/usr/bin/python3"
CLIENT = f"{PYTHON} client.py"
CURL = "curl -sS --noproxy '*' --max-time 1 http://127.0.0.1:8080/"
SYN_DROPPED = "table inet mine {\n chain in {\n  type filter hook input priority 0;\n  tcp dport $server_port drop\n }\n}\n"
ANSWERS_REFUSED = """
table inet mine {
  chain in {
    type filter hook input priority 0;
    tcp dport $server_port tcp flags & psh == psh reject with tcp reset
  }
}
"""

SELECTS = """
import os, select, socket
c = socket.create_connection((os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])))
p, other = os.pipe()
c.sendall(b"hello")
select.select([WHAT], [], [], 0.3)
c.close()
"""


class Strangers(Case):
    def setUp(self):
        super().setUp()
        for program in PROGRAMS.iterdir():
            shutil.copy(program, self.folder)

    def verdict(self, rootless, server, client, *more):
        words = ["--server", server] if server else []
        return self.report(0, "diagnose", *words, "--client", client, "--port", "8080", *([] if "--timeout" in more else ["--timeout", "30s"]), *more, rootless=rootless)

    def expects(self, rootless, causes, server, client, *more, status="confirmed"):
        report = self.verdict(rootless, server, client, *more)
        verdict = report["verdict"]
        said = {k: verdict[k] for k in ("cause", "status", "summary")}
        self.assertIn(verdict["cause"], causes if isinstance(causes, tuple) else (causes,), said)
        self.assertEqual(verdict["status"], status, said)
        return report

    # A script's usual way to take its children along takes nobody else along.
    @both_users
    def test_a_script_that_ends_with_kill_0(self, rootless):
        self.write("server.sh", "trap 'kill 0' EXIT\nsleep 60 &\nnc -l -p 8080 >/dev/null &\nsleep 0.3\nkill -9 $!\n")
        report = self.verdict(rootless, "sh server.sh", f"{PYTHON} client.py")
        client = next(actor for actor in report["actors"] if actor["role"] == "client")
        self.assertNotIn("signal", client, report["verdict"]["summary"])

    # ---- Python

    @both_users
    def test_python_threads_that_close(self, rootless):
        self.expects(rootless, "application/closed", f"{PYTHON} server.py threaded_close", CLIENT)

    @both_users
    def test_python_child_that_crashes(self, rootless):
        self.expects(rootless, "application/crashed", f"{PYTHON} server.py forking_crash", CLIENT)

    @both_users
    def test_python_epoll_that_never_answers(self, rootless):
        self.expects(rootless, "application/not-answering", f"{PYTHON} server.py epoll_silent", CLIENT)

    # select writes over what it was asked: what it waited for is seen as it begins.
    @both_users
    def test_python_select_on_the_connection_and_elsewhere(self, rootless):
        for what, cause in (("c", "application/not-answering"), ("p", "none")):
            self.write("selects.py", SELECTS.replace("WHAT", what))
            self.expects(rootless, cause, f"{PYTHON} server.py epoll_silent", f"{PYTHON} selects.py")

    @both_users
    def test_python_asyncio_that_resets(self, rootless):
        self.expects(rootless, "application/reset", f"{PYTHON} server.py asyncio_reset", CLIENT)

    @both_users
    def test_python_daemon_that_leaves_bytes_unread(self, rootless):
        self.expects(rootless, "application/closed-unread", f"{PYTHON} server.py daemon_unread", CLIENT)

    @both_users
    def test_python_out_of_descriptors(self, rootless):
        self.expects(rootless, "seccomp/errno", f"{PYTHON} server.py answers", CLIENT, "--seccomp", "accept4=errno EMFILE")

    # ---- before the handshake

    @both_users
    def test_a_server_that_never_listens(self, rootless):
        self.expects(rootless, "connect/refused", f"{PYTHON} server.py never_listens", CLIENT, "--timeout", "6s")

    @both_users
    def test_a_server_of_the_other_family(self, rootless):
        self.expects(rootless, "connect/wrong-family", f"{PYTHON} server.py answers ::1", CLIENT)

    @both_users
    def test_a_client_that_never_connects(self, rootless):
        self.expects(rootless, "connect/never-tried", f"{PYTHON} server.py answers", f"{CLIENT} never")

    @both_users
    def test_a_handshake_that_a_firewall_eats(self, rootless):
        self.write("syn.nft", SYN_DROPPED)
        report = self.expects(rootless, "connect/no-answer", f"{PYTHON} server.py answers", CLIENT, "--ruleset", "syn.nft")
        self.assertEqual(report["verdict"]["culprit"]["kind"], "rule")

    # ---- Node

    @needs("node")
    @both_users
    def test_node_that_destroys_the_socket(self, rootless):
        self.expects(rootless, "application/closed", "node server.js destroy", "node client.js")

    @needs("node")
    @both_users
    def test_node_with_an_unhandled_exception(self, rootless):
        self.expects(rootless, "application/exited", "node server.js throws", "node client.js")

    @needs("node")
    @both_users
    def test_node_and_python_that_are_well(self, rootless):
        self.expects(rootless, "none", f"{PYTHON} server.py answers", "node client.js")

    # ---- Perl, Java

    @needs("perl")
    @both_users
    def test_perl_child_that_exits(self, rootless):
        self.expects(rootless, "application/exited", "perl server.pl", CLIENT)

    @needs("javac", "java")
    @both_users
    def test_java_threads_that_leave_bytes_unread(self, rootless):
        subprocess.run(["javac", "-d", self.folder, self.folder / "Server.java"], check=True)
        java = "java -Xshare:auto -XX:TieredStopAtLevel=1 Server"
        # Its close shuts the socket down first: the FIN goes before the reset.
        self.expects(rootless, ("application/closed", "application/closed-unread"), java, CLIENT)

    # ---- static binaries

    def static(self):
        subprocess.run(["gcc", "-O1", "-static", "-pthread", "-o", self.folder / "server", self.folder / "server.c"], check=True)

    @needs("gcc")
    @both_users
    def test_static_epoll_out_of_descriptors(self, rootless):
        self.static()
        self.expects(rootless, "limits/descriptors", "./server epoll", CLIENT, "--limit", "nofile=5")

    @needs("gcc")
    @both_users
    def test_static_thread_that_aborts(self, rootless):
        self.static()
        self.expects(rootless, "application/crashed", "./server threads", CLIENT)

    @needs("gcc")
    @both_users
    def test_static_io_uring_is_said_to_be_unseen(self, rootless):
        self.static()
        report = self.verdict(rootless, "./server uring", CLIENT)
        if any("no io_uring here" in actor.get("output", "") for actor in report["actors"]):
            self.skipTest("no io_uring here")
        self.assertIn("io_uring", next(c for c in report["collectors"] if c["name"] == "syscalls")["why"])
        self.assertEqual((report["verdict"]["cause"], report["verdict"]["status"]), ("application/closed", "likely"))

    # ---- tools

    @needs("curl")
    @both_users
    def test_curl_and_a_server_that_never_accepts(self, rootless):
        self.expects(rootless, "application/not-accepting", f"{PYTHON} server.py never_accepts", CURL)

    @needs("curl", "busybox")
    @both_users
    def test_curl_and_busybox_behind_a_firewall_that_resets(self, rootless):
        self.write("reset.nft", ANSWERS_REFUSED)
        self.expects(rootless, "firewall/reject-reset", "busybox httpd -f -p 127.0.0.1:8080", CURL, "--ruleset", "reset.nft")

    @needs("nc", "socat")
    @both_users
    def test_netcat_and_socat_with_a_dead_backend(self, rootless):
        self.expects(rootless, "application/backend-refused", "socat TCP-LISTEN:8080,bind=127.0.0.1,reuseaddr,fork TCP:127.0.0.1:8081",
                     "nc -d 127.0.0.1 8080")

    @needs("nc")
    @both_users
    def test_netcat_that_has_said_all_and_a_server_that_closes(self, rootless):
        report = self.expects(rootless, "application/closed", f"{PYTHON} server.py threaded_close",
                              "sh -c 'echo hello | nc -N 127.0.0.1 8080'")
        self.assertEqual(report["connections"][0]["by"], "server")


if __name__ == "__main__":
    unittest.main()
