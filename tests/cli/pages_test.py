"""Pages that are made from other files are not stale."""

import subprocess
import sys
import unittest

from lab import LAB, SOURCE, Case


class Pages(Case):
    def test_the_catalogue_is_that_of_the_scenario_files(self):
        made = subprocess.run([sys.executable, "-B", str(SOURCE / "docs" / "make-catalogue"), "--print"], text=True, check=True,
                              capture_output=True, env=self.environment(LAB=str(LAB))).stdout
        self.assertEqual((SOURCE / "docs" / "catalogue.md").read_text(), made, "run docs/make-catalogue")
        for path in (SOURCE / "scenarios").glob("*.toml"):
            self.assertIn(f"| `{path.stem}` |", made)


if __name__ == "__main__":
    unittest.main()
