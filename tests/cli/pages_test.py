"""Pages that are made from other files are not stale."""

import subprocess
import sys
import tomllib
import unittest

import matrix
import verdicts
from lab import LAB, SOURCE, Case


class Pages(Case):
    def test_the_catalogue_is_that_of_the_scenario_files(self):
        made = subprocess.run([sys.executable, "-B", str(SOURCE / "docs" / "make-catalogue"), "--print"], text=True, check=True,
                              capture_output=True, env=self.environment(LAB=str(LAB))).stdout
        self.assertEqual((SOURCE / "docs" / "catalogue.md").read_text(), made, "run docs/make-catalogue")
        for path in (SOURCE / "scenarios").glob("*.toml"):
            self.assertIn(f"| `{path.stem}` |", made)

    def test_the_verdicts_are_those_of_the_scenario_files(self):
        again = "run python3 tests/cli/verdicts.py --write, with the names of new scenarios"
        causes, scenarios = verdicts.rows(verdicts.PAGE.read_text())
        self.assertEqual(sorted(scenarios), sorted(path.stem for path in matrix.scenarios()), again)
        allowed = {path.stem: matrix.allowed(path) for path in matrix.scenarios()}
        self.assertEqual(sorted(causes), sorted({cause for all_of in allowed.values() for cause in all_of}), again)
        for name, row in scenarios.items():
            self.assertEqual(row[0], " or ".join(f"`{cause}`" for cause in allowed[name]) or "-", f"{name}: {again}")
            self.assertNotIn("!", "".join(row[1:]), f"{name} was confirmed and wrong")
        for cause, row in causes.items():
            for example in row[-1].split(" and ")[0].split(", "):
                self.assertIn(cause, allowed.get(example, [cause] if example == "-" else []), again)

    def test_every_cause_has_a_scenario_that_shows_nothing_else(self):
        said = self.says(0, "causes").stdout.splitlines()
        # `unknown` is what the evidence leaves open: a scenario that expects it would be a gap of ours.
        causes = {line.split()[0] for line in said if line and not line.startswith(" ")} - {"unknown"}
        self.assertGreater(len(causes), 40)
        shown = set()
        for path in (SOURCE / "scenarios").glob("*.toml"):
            expected = tomllib.loads(path.read_text()).get("expect", {}).get("cause", [])
            if isinstance(expected, str):
                shown.add(expected)
        self.assertEqual(sorted(causes - shown), [])


if __name__ == "__main__":
    unittest.main()
