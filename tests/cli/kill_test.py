"""Nothing is left, however a run ends. kills.py does as many as one likes; here are sixty."""

import pathlib
import subprocess
import sys
import unittest

from lab import ROOT

HERE = pathlib.Path(__file__).resolve().parent


class Kills(unittest.TestCase):
    @unittest.skipUnless(ROOT, "needs root: a host of its own is made of namespaces")
    def test_sixty_runs_disturbed_leave_the_host_as_it_was(self):
        done = subprocess.run([sys.executable, "-B", str(HERE / "kills.py"), "60", "1"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-8000:] + done.stderr[-4000:])
        self.assertIn("60 of 60 left the host as it was", done.stdout)


if __name__ == "__main__":
    unittest.main()
