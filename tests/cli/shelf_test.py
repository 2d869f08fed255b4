"""What every shipped scenario owes its reader: a layer, a description, expectations of both ends, no long wait."""

import json
import re
import tomllib
import unittest

from lab import SOURCE, Case

FILES = sorted((SOURCE / "scenarios").glob("*.toml"))
LAYERS = {"application", "limits", "firewall", "seccomp", "kernel", "network", "connect"}
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
LONGEST = 10  # seconds
SLEEP = re.compile(r"(?:^|[;'] *)sleep +(\d+)([a-z]+)")
PATIENCE = re.compile(r"timeout=(\d+)([a-z]+)")


def seconds(found):
    return sum(int(number) * UNITS[unit] for number, unit in found)


def actors(scenario, role):
    found = scenario.get(role, [])
    return found if isinstance(found, list) else [found]


def waits(actor, expected):
    """What the actor's steps certainly wait: their sleeps, and the timeouts that are expected to run out."""
    total, uses = 0, {}
    for step in actor.get("steps", []):
        verb = step.split()[0]
        uses[verb] = uses.get(verb, 0) + 1
        outcome = expected.get(verb if uses[verb] == 1 else f"{verb}#{uses[verb]}", "")
        total += seconds(SLEEP.findall(step)) + (seconds(PATIENCE.findall(step)) if "timeout" in str(outcome) else 0)
    return total


def every(check):
    """Runs a check for each scenario, by its file and what it says."""

    def checked(self):
        for path in FILES:
            with self.subTest(scenario=path.stem):
                check(self, path, tomllib.loads(path.read_text()))

    return checked


class Shelf(Case):
    def test_there_is_a_catalogue(self):
        self.assertGreaterEqual(len(FILES), 90)

    @every
    def test_first_tag_is_a_layer(self, _, scenario):
        self.assertIn(scenario["tags"][0], LAYERS)

    def test_the_list_groups_by_that_layer(self):
        rows = json.loads(self.says(0, "list", "-o", "json").stdout)
        listed = {row["name"]: row["layer"] for row in rows}
        self.assertEqual(listed, {path.stem: tomllib.loads(path.read_text())["tags"][0] for path in FILES})
        order = [row["layer"] for row in rows]
        self.assertEqual(len(set(order)), sum(a != b for a, b in zip([None, *order], order)), "a layer is listed twice")

    @every
    def test_described_for_somebody_who_met_it(self, _, scenario):
        self.assertNotIn("\n", scenario["summary"])
        self.assertGreaterEqual(len(scenario.get("description", "").split()), 30)

    @every
    def test_expects_a_cause_and_something_of_both_ends(self, _, scenario):
        expect = scenario.get("expect", {})
        self.assertIn("cause", expect)
        for role in ("server", "client"):
            busy = [actor for actor in actors(scenario, role) if actor.get("steps") or "run" in actor]
            names = {actor.get("name", role) for actor in busy}
            self.assertTrue(not busy or names & expect.keys(), f"nothing is expected of {names}")

    @every
    def test_no_long_waits_of_its_own(self, _, scenario):
        expect = scenario.get("expect", {})
        for role in ("server", "client", "proxy", "operator"):
            for actor in actors(scenario, role):
                self.assertLessEqual(waits(actor, expect.get(actor.get("name", role), {})), LONGEST)

    def test_reads_without_a_mistake(self):
        self.says(0, "check", *FILES)


if __name__ == "__main__":
    unittest.main()
