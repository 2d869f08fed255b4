"""With a collector switched off a verdict may fall to likely or unknown; it is never confirmed and wrong.

Each collector is off once for each user, the families taking turns; tests/cli/verdicts.py --all runs every combination.
"""

import os
import pathlib
import tempfile
import unittest

import matrix
from lab import ROOT, Case

# 200 clients at once: the same causes, longer.
SCENARIOS = [s for s in matrix.scenarios() if not s.stem.startswith("connection-storm")]


class Matrix(Case):
    def judge(self, cells):
        seen = 0
        for cell in cells:
            seen += cell.result != "skipped"
            with self.subTest(scenario=cell.scenario, user=cell.user, family=cell.family, without=cell.without):
                self.assertFalse(matrix.wrong(cell), f"confirmed {cell.cause}, not {' or '.join(cell.allowed)}")
        self.assertGreater(seen, len(SCENARIOS) // 2)

    def with_each_off(self, user, first):
        for turn, collector in enumerate(matrix.COLLECTORS):
            if user == "rootless" and collector == "kernel":
                continue  # it never has that one
            self.judge(matrix.run(SCENARIOS, user, matrix.FAMILIES[(turn + first) % 2], without=collector))

    @unittest.skipUnless(ROOT, "only root has all collectors")
    def test_root(self):
        self.with_each_off("root", 0)

    def test_rootless(self):
        self.with_each_off("rootless", 1)

    def test_calls_that_nobody_saw(self):
        for user in matrix.USERS if ROOT else ("rootless",):
            with tempfile.TemporaryDirectory(prefix="lab-matrix-") as folder:
                os.chmod(folder, 0o777)
                whole = [c for c in matrix.run(SCENARIOS, user, "-4", evidence=folder) if c.result != "skipped"]
                for cell in whole:
                    stored = pathlib.Path(folder) / f"{cell.scenario}.jsonl"
                    matrix.without_calls(stored, f"{folder}/fewer")
                    cause, status = matrix.explained(f"{folder}/fewer", user)
                    os.unlink(f"{folder}/fewer")
                    self.judge_one(cell._replace(without="calls", cause=cause, status=status))

    def judge_one(self, cell):
        with self.subTest(scenario=cell.scenario, user=cell.user, without=cell.without):
            self.assertFalse(matrix.wrong(cell), f"confirmed {cell.cause}, not {' or '.join(cell.allowed)}")


if __name__ == "__main__":
    unittest.main()
