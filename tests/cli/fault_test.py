"""Every system call of lab's own can fail. faults.py takes them all in turn; here it takes some of each kind of run."""

import os
import pathlib
import subprocess
import sys
import unittest

from lab import ROOT

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = os.environ.get("LAB_FAULT_LIBRARY", "")


class Faults(unittest.TestCase):
    @unittest.skipUnless(ROOT, "needs root: a host of its own is made of namespaces")
    @unittest.skipUnless(LIBRARY, "a sanitizer's build can't be preloaded into")
    def test_a_failing_call_ends_in_an_error_that_says_so(self):
        done = subprocess.run([sys.executable, "-B", str(HERE / "faults.py"), LIBRARY, "211"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-4000:])
        self.assertRegex(done.stdout, r"(\d\d+) of \1 ended as promised")
        # A collector that fails in the middle ends no run: the report says so, and the verdict makes do.
        self.assertRegex(done.stdout, r"collectors: 0, a collector stopped in the middle")


if __name__ == "__main__":
    unittest.main()
