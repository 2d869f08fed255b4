"""Runs every shipped scenario and says what the verdict made of it: python3 tests/cli/verdicts.py [--write] [--all]

Without --all: as root and as an ordinary user, over IPv4 and IPv6, with all collectors, and the same evidence again as if the
programs' calls had not been seen. --all: also with each collector off. --write: docs/verdicts.md. Exits with 1 when a verdict
was confirmed and wrong, or, with all collectors, when a scenario did not pass.
"""

import argparse
import collections
import os
import pathlib
import sys
import tempfile

import matrix

RANK = {"unknown": 0, "likely": 1, "confirmed": 2}
COLUMNS = [("root", None), ("rootless", None), ("root", "calls"), ("rootless", "calls")]

HEAD = """# What each verdict can reach

The best status that each cause reached in a run of the shipped scenarios, over IPv4 and IPv6: as root, as an ordinary user,
and for both when nobody saw what the programs called. Steps stand for system calls, so in the last two columns the run's
evidence was judged again without either: what is known of a stranger's program with `--without syscalls`.

`confirmed` takes a record of the mechanism and one of its effect on this connection, `likely` one of the two. `unknown`: the
scenarios ran and the evidence did not say. `-`: no scenario of that cause runs there, because it needs what only root has.
With any collector off a verdict may be weaker; it is never confirmed and wrong.

`python3 tests/cli/verdicts.py --write` makes this page from a new run.

| cause | root | rootless | root, calls unseen | rootless, calls unseen | seen in |
| --- | --- | --- | --- | --- | --- |
"""


def cells(users, families, withouts, names):
    files = [f for f in matrix.scenarios() if not names or f.stem in names]
    for user in users:
        for family in families:
            with tempfile.TemporaryDirectory(prefix="lab-verdicts-") as folder:
                os.chmod(folder, 0o777)
                whole = list(matrix.run(files, user, family, evidence=folder))
                yield from whole
                for cell in whole:
                    for stored in pathlib.Path(folder).glob(f"{cell.scenario}*"):
                        if stored.stem != cell.scenario or cell.result == "skipped":
                            continue
                        fewer = f"{folder}/{cell.scenario}.fewer"
                        matrix.without_calls(stored, fewer)
                        cause, status = matrix.explained(fewer, user)
                        yield cell._replace(without="calls", cause=cause, status=status)
            for without in withouts:
                if user == "rootless" and without == "kernel":
                    continue  # it never has that one
                yield from matrix.run(files, user, family, without=without)


def page(found):
    best, seen = {}, collections.defaultdict(set)
    ran = collections.defaultdict(set)
    for cell in found:
        column = (cell.user, cell.without)
        if column not in COLUMNS or cell.result == "skipped":
            continue
        for cause in cell.allowed:
            ran[cause].add(column)
        if cell.cause in cell.allowed:
            key = (cell.cause, column)
            best[key] = max(best.get(key, 0), RANK[cell.status])
            if cell.without is None:
                seen[cell.cause].add(cell.scenario)
    names = {rank: name for name, rank in RANK.items()}
    text = HEAD
    for cause in sorted(ran):
        row = [names[best.get((cause, column), 0)] if column in ran[cause] else "-" for column in COLUMNS]
        examples = sorted(seen[cause])
        shown = ", ".join(examples[:2]) + (f" and {len(examples) - 2} more" if len(examples) > 2 else "")
        text += f"| `{cause}` | {' | '.join(row)} | {shown or '-'} |\n"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/verdicts.md")
    parser.add_argument("--all", action="store_true", help="with each collector off as well")
    parser.add_argument("--user", choices=matrix.USERS, action="append")
    parser.add_argument("scenario", nargs="*")
    asked = parser.parse_args()
    found, bad = [], 0
    for cell in cells(asked.user or matrix.USERS, matrix.FAMILIES, matrix.COLLECTORS if asked.all else [], asked.scenario):
        found.append(cell)
        failed = cell.without is None and cell.result not in ("pass", "skipped")
        if matrix.wrong(cell) or failed:
            bad += 1
            print(f"{cell.scenario} {cell.family} {cell.user} without {cell.without}: {cell.result}, {cell.status} {cell.cause}, "
                  f"not {' or '.join(cell.allowed)}", flush=True)
    tally = collections.Counter((c.without or "-", c.status) for c in found if c.status)
    for (without, status), count in sorted(tally.items()):
        print(f"without {without:10} {status:10} {count}")
    if asked.write:
        root = pathlib.Path(__file__).resolve().parents[2]
        (root / "docs" / "verdicts.md").write_text(page(found))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
