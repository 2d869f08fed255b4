"""Healthy traffic is `none`. LAB_HEALTHY_RUNS: how often each kind is run (default 4)."""

import json
import os
import unittest

from lab import Case, both_users, needs

RUNS = int(os.environ.get("LAB_HEALTHY_RUNS", "4"))

HEAD = """
summary = "Nothing is wrong"
tags = ["application"]
timeout = "50s"
"""
NONE = """
[expect]
cause = "none"
"""

# A server that keeps connections alive, and reads its port from the run.
KEEP_ALIVE = """
import http.server, os

class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"Hello Client" * int(self.path.strip("/") or 1)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer((os.environ["LAB_HOST"], int(os.environ["LAB_PORT"])), Hello).serve_forever()
"""

STEPS = {
    "half-close": """
[server]
steps = ["accept", "recv-until-eof", "send 4KiB", "send 'done'", "close"]
[client]
steps = ["connect", "send 1KiB", "shutdown write", "recv-until-eof", "close"]
""",
    "half-close-of-the-server": """
[server]
steps = ["accept", "recv-exactly 16", "send 'Hello Client'", "shutdown write", "recv-until-eof", "close"]
[client]
steps = ["connect", "send 16", "recv-until-eof", "send 'Goodbye'", "close"]
""",
    "large-up": """
[server]
steps = ["accept", "recv-exactly 4MiB", "send 'thanks'", "recv-until-eof", "close"]
[client]
steps = ["connect", "send 4MiB", "recv-exactly 6", "close"]
""",
    "large-down": """
[server]
steps = ["accept", "recv-exactly 4", "send 4MiB", "close"]
[client]
steps = ["connect", "send 'more'", "recv-until-eof", "close"]
""",
    "idle-cut-short": """
[server]
steps = ["accept", "recv-until-eof", "close"]
[client]
steps = ["connect", "send 'Hello Server'", "sleep 60ms", "close"]
""",
    "idle-and-on-again": """
[server]
steps = ["accept", "recv-exactly 5", "send 'World'", "recv-until-eof", "close"]
[client]
steps = ["connect", "send 'Hello'", "recv-exactly 5", "sleep 60ms", "send 'again'", "close"]
""",
}


class Healthy(Case):
    def runs_clean(self, name, family, rootless):
        done = self.lab("run", "-o", "json", "-q", "-j", "4", "--repeat", RUNS, family, f"./{name}.toml", rootless=rootless, deadline=60 + 5 * RUNS)
        self.assertEqual(done.returncode, 0, f"{name} {family}\n{done.stdout[:3000]}\n{done.stderr[-2000:]}")
        self.assertEqual(json.loads(done.stdout)["verdict"]["cause"], "none")

    @both_users
    def test_steps(self, rootless):
        for name, text in STEPS.items():
            self.write(f"{name}.toml", HEAD + text + NONE)
            for family in ("-4", "-6"):
                with self.subTest(kind=name, family=family):
                    self.runs_clean(name, family, rootless)

    @needs("curl", "python3")
    @both_users
    def test_curl_over_one_connection(self, rootless):
        self.write("server.py", KEEP_ALIVE)
        self.write("curl.toml", HEAD + """
[server]
run = ["python3", "server.py"]
[client]
run = ["curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", "http://127.0.0.1:8080/1", "http://127.0.0.1:8080/9000", "http://127.0.0.1:8080/3"]
[expect]
cause = "none"
[expect.client]
exit = 0
""")
        self.runs_clean("curl", "-4", rootless)


if __name__ == "__main__":
    unittest.main()
