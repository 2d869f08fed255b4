"""Through a pseudo-terminal: colour, width, progress, Ctrl-C, the shell."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unittest

from lab import CLEAN, DEADLINE, DROPPED, LAB, Case, both_users, drop_root

ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Terminal:
    """A program whose terminal this is."""

    def __init__(self, words, folder, env, columns=80, rootless=False):
        self.text = ""
        self.seen = 0  # how much of it has been matched
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
                os.chdir(folder)
                if rootless:
                    drop_root()
                os.execve(LAB, [LAB, *words], env)
            finally:
                os._exit(99)

    def read(self, until=None, deadline=DEADLINE):
        """Up to the next match of `until`, or to the end. Fails on a deadline."""
        end = time.monotonic() + deadline
        while True:
            found = until and re.compile(until).search(self.text, self.seen)
            if found:
                self.seen = found.end()
                break
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            if not ready:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"waited too long for {until!r}; so far:\n{self.text}")
            try:
                more = os.read(self.master, 65536)
            except OSError:  # EIO: the other side is closed
                more = b""
            if not more:
                if until is not None:
                    raise AssertionError(f"ended before {until!r}:\n{self.text}")
                break
            self.text += more.decode(errors="replace")
        return self.text

    def type(self, text):
        os.write(self.master, text.encode())

    def status(self):
        self.read()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.master)
        return os.waitstatus_to_exitcode(status)


class OnTerminal(Case):
    def terminal(self, *words, env=None, **more):
        return Terminal(words, self.folder, self.environment(**{"TERM": "xterm", **(env or {})}), **more)

    def setUp(self):
        super().setUp()
        self.write("clean.toml", CLEAN)
        self.write("dropped.toml", DROPPED)


class Screen(OnTerminal):
    def test_colour_on_a_terminal_only_and_as_told(self):
        for words, env, coloured in (
            (("run", "./clean.toml"), {}, True),
            (("run", "./clean.toml", "--color", "never"), {}, False),
            (("run", "./clean.toml"), {"NO_COLOR": "1"}, False),
            (("run", "./clean.toml"), {"TERM": "dumb"}, False),
            (("run", "./clean.toml", "--color", "always"), {"NO_COLOR": "1"}, True),
        ):
            screen = self.terminal(*words, env=env)
            self.assertEqual(screen.status(), 0)
            self.assertEqual("\x1b[" in screen.text, coloured, (words, env, screen.text))
        self.assertNotIn("\x1b", self.says(0, "run", "./clean.toml").stdout)
        self.assertIn("\x1b[", self.says(0, "run", "./clean.toml", "--color", "always").stdout)

    def test_it_fits_the_terminal_and_grows_with_it(self):
        for columns in (80, 120):
            screen = self.terminal("run", "./dropped.toml", "-v", columns=columns, env={"LC_ALL": "C.UTF-8"})
            self.assertEqual(screen.status(), 0)
            lines = [ESCAPE.sub("", line) for line in screen.text.splitlines()]
            self.assertLessEqual(max(map(len, lines)), columns, screen.text)
            self.assertGreater(max(map(len, lines)), columns - 30)
            self.assertTrue(any("▶" in line for line in lines))

    def test_ascii_where_the_locale_is_not_utf8(self):
        screen = self.terminal("run", "./clean.toml")
        self.assertEqual(screen.status(), 0)
        self.assertTrue(screen.text.isascii())
        self.assertIn("->|", ESCAPE.sub("", screen.text))

    def test_a_batch_has_a_line_of_progress_that_goes_away(self):
        screen = self.terminal("run", "./dropped.toml", "--repeat", "4", "-j", "1")
        screen.read(until=r"\r[0-9] of 4 done, 1 running, about \d+ s left")
        self.assertEqual(screen.status(), 0)
        self.assertRegex(screen.text, r"\r\x1b\[K(\x1b\[[0-9]*m)?PASS")

    def test_elsewhere_progress_is_plain_lines_on_standard_error(self):
        done = self.says(0, "run", "./clean.toml", "--repeat", "3", "-j", "1")
        self.assertIn("lab: 1 of 3 done", done.stderr)
        self.assertNotIn("\x1b", done.stderr)

    def test_ctrl_c_stops_within_a_second_and_reports_what_was_finished(self):
        self.write("long.toml", CLEAN.replace('"recv-until-eof"', '"sleep 50s"').replace("[server]", 'timeout = "60s"\n[server]', 1))
        screen = self.terminal("run", "./clean.toml", "./long.toml", "./clean.toml", "-j", "1")
        screen.read(until=r"PASS")
        pressed = time.monotonic()
        screen.type("\x03")
        self.assertEqual(screen.status(), 130)
        self.assertLess(time.monotonic() - pressed, 5)  # a second, and what a busy machine adds
        self.assertIn("1 of 3 scenarios: 1 pass", screen.text)

    def test_terminate_ends_a_single_run(self):
        self.write("long.toml", CLEAN.replace('"recv-until-eof"', '"sleep 50s"').replace("[server]", 'timeout = "60s"\n[server]', 1))
        screen = self.terminal("run", "./long.toml", "./clean.toml", "-j", "1")
        screen.read(until=r"0 of 2 done, 1 running")
        os.kill(screen.pid, signal.SIGTERM)
        self.assertEqual(screen.status(), 143)


class Shell(OnTerminal):
    @both_users
    def test_a_command_sees_the_rules_and_the_server(self, rootless):
        done = self.says(0, "shell", "./dropped.toml", "--", "nft", "list", "ruleset", rootless=rootless)
        self.assertIn("eat-it", done.stdout)
        self.assertIn(":8080", self.says(0, "shell", "./dropped.toml", "--", "ss", "-Hlnt", rootless=rootless).stdout)
        self.says(7, "shell", "./dropped.toml", "--", "sh", "-c", "exit 7", rootless=rootless)
        self.says(127, "shell", "./dropped.toml", "--", "no-such-program", rootless=rootless)

    @both_users
    def test_interactive_with_job_control_and_window_size(self, rootless):
        screen = self.terminal("shell", "./dropped.toml", env={"SHELL": "/bin/bash"}, columns=97, rootless=rootless)
        screen.read(until=r"\(lab dropped\)")
        screen.type("stty size\n")
        screen.read(until=r"24 97\r\n")
        screen.read(until=r"\(lab dropped\)")
        fcntl.ioctl(screen.master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 111, 0, 0))
        screen.type("stty size\n")
        screen.read(until=r"30 111\r\n")
        screen.read(until=r"\(lab dropped\)")
        screen.type("sh -c 'echo it sleeps; exec sleep 1000'\n")
        screen.read(until=r"it sleeps\r\n")
        screen.type("\x1a")  # Ctrl-Z
        screen.read(until=r"Stopped")
        screen.type("kill -KILL %1; wait; echo it is $((1+1)); exit 3; exit 3\n")
        screen.read(until=r"it is 2\r\n")
        self.assertEqual(screen.status(), 3)

    def test_every_shell_has_its_prompt_marked(self):
        for shell, prompt in (("/bin/sh", r"\(lab dropped\) [$#] $"), ("/usr/bin/zsh", r"\(lab dropped\) .*[%#] "), ("/usr/bin/fish", r"\(lab dropped\) ")):
            with self.subTest(shell):
                if not os.access(shell, os.X_OK):
                    self.skipTest(f"no {shell}")
                screen = self.terminal("shell", "./dropped.toml", env={"SHELL": shell})
                screen.read(until=prompt)
                screen.type("exit 5\n")
                self.assertEqual(screen.status(), 5)

    def test_a_terminal_that_goes_away_takes_the_sandbox_with_it(self):
        screen = self.terminal("shell", "./dropped.toml", env={"SHELL": "/bin/bash"})
        screen.read(until=r"\(lab dropped\)")
        os.close(screen.master)
        _, status = os.waitpid(screen.pid, 0)
        self.assertTrue(os.WIFEXITED(status) or os.WIFSIGNALED(status))


if __name__ == "__main__":
    unittest.main()
