"""Runs every shipped scenario and says what the verdict made of it: python3 tests/cli/verdicts.py [--write] [--all] [scenario…]

As root and as an ordinary user, over IPv4 and IPv6, with all collectors, and the same evidence again as if the programs' calls
had not been seen. --write: also with each collector off, the families taking turns, and docs/verdicts.md; with names only
those scenarios' rows are made anew. --all: each collector off over both families. Exits with 1 when a verdict was confirmed and
wrong, or, with all collectors, when a scenario did not pass.
"""

import argparse
import collections
import os
import pathlib
import re
import sys
import tempfile

import matrix

PAGE = matrix.SOURCE / "docs" / "verdicts.md"
RANK = {"unknown": 0, "likely": 1, "confirmed": 2}
COLUMNS = [("root", None), ("rootless", None), ("root", "calls"), ("rootless", "calls")]
WITHOUTS = [None, *matrix.COLLECTORS, "calls"]
MARKS = "!?oLC-"  # the worst first

HEAD = """# What each verdict can reach

The best status that each cause reached in a run of the shipped scenarios, over IPv4 and IPv6: as root, as an ordinary user,
and for both when nobody saw what the programs called. Steps stand for system calls, so in the last two columns the run's
evidence was judged again without either: what is known of a stranger's program with `--without syscalls`.

`confirmed` takes a record of the mechanism and one of its effect on this connection, `likely` one of the two. `unknown`: the
scenarios ran and the evidence did not say. `-`: no scenario of that cause runs there, because it needs what only root has.
With any collector off a verdict may be weaker; it is never confirmed and wrong.

`python3 tests/cli/verdicts.py --write` makes this page from a new run, with names of scenarios only their part of it.

| cause | root | rootless | root, calls unseen | rootless, calls unseen | seen in |
| --- | --- | --- | --- | --- | --- |
"""

MATRIX = """
## Every scenario, with each collector off

Two letters in each cell: as root, and as an ordinary user; the worse of IPv4 and IPv6 where both ran. `C` confirmed and right,
`L` likely and right, `o` likely, and another cause, `?` unknown, `-` not run: it needs what is missing there. Confirmed and wrong
is no letter: it fails the test. `calls`: neither steps nor system calls were seen.

"""


def cells(users, families, names, withouts, every):
    files = [f for f in matrix.scenarios() if not names or f.stem in names]
    for number, user in enumerate(users):
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
        for turn, without in enumerate(withouts):
            if user == "rootless" and without == "kernel":
                continue  # it never has that one
            for family in families if every else [families[(turn + number) % len(families)]]:
                yield from matrix.run(files, user, family, without=without)


def mark(cell):
    if cell.result == "skipped":
        return "-"
    if matrix.wrong(cell):
        return "!"
    if cell.status == "unknown":
        return "?"
    right = not cell.allowed or cell.cause in cell.allowed
    return {"confirmed": "C", "likely": "L"}[cell.status] if right else "o"


def shown(names):
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "") or "-"


def causes(found, old):
    """The rows of the table of causes: what was found, and what the page said where only some scenarios ran."""
    best, ran, seen = {}, set(), collections.defaultdict(set)
    for cell in found:
        column = (cell.user, cell.without)
        if column not in COLUMNS or cell.result == "skipped":
            continue
        ran.update((cause, column) for cause in cell.allowed)
        if cell.cause in cell.allowed:
            key = (cell.cause, column)
            best[key] = max(best.get(key, 0), RANK[cell.status])
            if cell.without is None:
                seen[cell.cause].add(cell.scenario)
    names = {rank: name for name, rank in RANK.items()}
    for cause in sorted({c for path in matrix.scenarios() for c in matrix.allowed(path)}):
        before = old.get(cause, ["-"] * len(COLUMNS) + ["-"])
        row = []
        for column, was in zip(COLUMNS, before):
            now = names[best.get((cause, column), 0)] if (cause, column) in ran else "-"
            row.append(max(now, was, key=lambda status: RANK.get(status, -1)))
        examples = before[-1] if before[-1] != "-" else shown(sorted(seen[cause]))
        yield cause, [*row, examples]


def scenarios(found, old):
    letters = collections.defaultdict(lambda: "-")
    for cell in found:
        key = (cell.scenario, cell.user, cell.without)
        letters[key] = min(letters[key], mark(cell), key=MARKS.index)
    ran = {cell.scenario for cell in found}
    for path in sorted(matrix.scenarios(), key=lambda path: path.stem):
        if path.stem in ran:
            yield path.stem, [" or ".join(f"`{c}`" for c in matrix.allowed(path)) or "-"] + [
                "".join(letters[(path.stem, user, without)] for user in matrix.USERS) for without in WITHOUTS]
        elif path.stem in old:
            yield path.stem, old[path.stem]


def rows(text):
    """What a page says: causes and scenarios with their cells."""
    parts = [{m[1]: m[2].split(" | ") for m in re.finditer(r"^\| `([^`]+)` \| (.*) \|$", part, re.M)}
             for part in text.split(MATRIX.splitlines()[1])]
    return (parts + [{}, {}])[:2]


def page(found, old):
    text = HEAD
    for name, row in causes(found, old[0]):
        text += f"| `{name}` | {' | '.join(row)} |\n"
    text += MATRIX
    heads = ["scenario", "cause", "all", *(without for without in WITHOUTS if without)]
    text += f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}\n"
    for name, row in scenarios(found, old[1]):
        text += f"| `{name}` | {' | '.join(row)} |\n"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="with each collector off in turn as well, and write docs/verdicts.md")
    parser.add_argument("--all", action="store_true", help="with each collector off as well, over both families")
    parser.add_argument("--user", choices=matrix.USERS, action="append")
    parser.add_argument("scenario", nargs="*")
    asked = parser.parse_args()
    found, bad = [], 0
    withouts = matrix.COLLECTORS if asked.all or asked.write else []
    for cell in cells(asked.user or matrix.USERS, matrix.FAMILIES, asked.scenario, withouts, asked.all):
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
        PAGE.write_text(page(found, rows(PAGE.read_text()) if asked.scenario else ({}, {})))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
