"""Where output can't go, and whose it is."""

import json
import os
import subprocess
import time
import unittest

from lab import CLEAN, LAB, NOBODY, ROOT, Case, drop_root


class Output(Case):
    def setUp(self):
        super().setUp()
        self.write("clean.toml", CLEAN)

    def test_a_full_disk_is_125_with_the_kernels_words(self):
        with open("/dev/full", "w") as full:
            for words in (["list"], ["run", "./clean.toml"], ["run", "./clean.toml", "-o", "json"], ["causes"]):
                done = self.says(125, *words, stdout=full)
                self.assertIn("standard output: No space left on device", done.stderr)
        for option in ("--junit", "--pcap", "--evidence"):
            done = self.says(125, "run", "./clean.toml", option, "/dev/full")
            self.assertIn("/dev/full: No space left on device", done.stderr)

    def test_a_limit_of_the_size_of_files_is_125_and_no_signal(self):
        done = subprocess.run(["sh", "-c", f'ulimit -f 1; "{LAB}" run ./clean.toml --evidence big.jsonl'], cwd=self.folder,
                              env=self.environment(), capture_output=True, text=True)
        self.assertEqual(done.returncode, 125, done.stderr)
        self.assertIn("big.jsonl: File too large", done.stderr)

    def test_a_closed_pipe_is_125_and_no_signal(self):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as closed:
            self.assertIn("Broken pipe", self.says(125, "list", stdout=closed).stderr)
            self.assertIn("Broken pipe", self.says(125, "run", "./clean.toml", stdout=closed).stderr)

    def test_a_closed_standard_output(self):
        done = subprocess.run(["sh", "-c", f'"{LAB}" list >&-'], cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        self.assertEqual(done.returncode, 125)
        self.assertIn("Bad file descriptor", done.stderr)

    def test_a_reader_that_pauses_fails_no_run(self):
        self.write("quick.toml", CLEAN.replace("[server]", 'timeout = "1s"\ngrace = "1s"\n[server]'))
        words = [LAB, "run", *["./quick.toml"] * 30, "-q", "-o", "jsonl", "-j", "4"]
        with subprocess.Popen(words, cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, text=True) as lab:
            time.sleep(13)  # what a sandbox may take at the most is its time, its grace and ten seconds
            results = [json.loads(line).get("reason") or "ran" for line in lab.stdout]
        self.assertEqual(results, ["ran"] * 30)

    def test_a_missing_folder_is_2_and_nothing_runs(self):
        for option in ("--junit", "--pcap", "--evidence"):
            done = self.says(2, "run", "./clean.toml", option, "no/such/folder/file")
            self.assertIn("no/such/folder/file: No such file or directory", done.stderr)
            self.assertEqual(done.stdout, "")

    def test_a_folder_that_cannot_be_written_is_125(self):
        closed = self.folder / "closed"
        closed.mkdir()
        closed.chmod(0o555)
        done = self.says(125, "run", "./clean.toml", "--junit", "closed/x.xml", rootless=True)
        self.assertIn("closed/x.xml: Permission denied", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_one_file_for_several_is_2_a_folder_is_not(self):
        words = ("run", "./clean.toml", "firewall-drop")
        self.assertIn("--pcap", self.says(2, *words, "--pcap", "one.pcapng").stderr)
        (self.folder / "all").mkdir()
        self.says(0, *words, "--pcap", "all", "--evidence", "all")
        self.assertEqual(sorted(os.listdir(self.folder / "all")),
                         ["clean.jsonl", "clean.pcapng", "firewall-drop.jsonl", "firewall-drop.pcapng"])

    def test_a_longer_old_file_is_replaced_whole(self):
        old = self.write("old.xml", "x" * 100000)
        self.says(0, "run", "./clean.toml", "--junit", "old.xml")
        self.assertTrue(old.read_text().startswith("<?xml"))
        self.assertTrue(old.read_text().endswith("</testsuites>\n"))

    @unittest.skipUnless(ROOT, "needs root, to stand for sudo")
    def test_under_sudo_files_are_the_users(self):
        sudo = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "SUDO_USER": "somebody"}
        self.says(0, "run", "./clean.toml", "--junit", "mine.xml", "--evidence", "mine.jsonl", env=sudo)
        for name in ("mine.xml", "mine.jsonl"):
            self.assertEqual((self.folder / name).stat().st_uid, NOBODY)
        self.says(0, "new", "fresh", env=sudo)
        self.assertEqual((self.folder / "fresh.toml").stat().st_uid, NOBODY)

    @unittest.skipUnless(ROOT, "needs root, to stand for sudo")
    def test_under_sudo_a_link_leads_no_further_than_the_user_could(self):
        precious = self.write("precious", "root's own")
        precious.chmod(0o600)
        (self.folder / "link.xml").symlink_to(precious)
        secret = self.folder / "secret"
        secret.mkdir(mode=0o700)
        sudo = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "SUDO_USER": "somebody"}
        for place in ("link.xml", "secret/new.xml"):
            self.assertIn("Permission denied", self.says(125, "run", "./clean.toml", "--junit", place, env=sudo).stderr)
        self.assertEqual(precious.read_text(), "root's own")


if __name__ == "__main__":
    unittest.main()
