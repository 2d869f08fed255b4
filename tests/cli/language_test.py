"""The language is told whole: the schema accepts every shipped file and refuses mistakes, and the manual has an example
for each key and a row for each step."""

import json
import os
import re
import subprocess
import unittest

from lab import SOURCE, Case

# Of the distribution, where python3-jsonschema goes; older ones have tomllib's twin tomli.
PYTHON = "/usr/bin/python3"
VALIDATE = """
import json, sys
try:
    import tomllib
except ImportError:
    import tomli as tomllib
import jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for name in sys.argv[2:]:
    with open(name, "rb") as file:
        for error in validator.iter_errors(tomllib.load(file)):
            print(name, "/".join(map(str, error.path)), error.message[:200])
"""
PARSE = """
import json, sys
try:
    import tomllib
except ImportError:
    import tomli as tomllib
print(json.dumps([tomllib.loads(text) for text in json.load(sys.stdin)]))
"""


def python_has(*modules):
    return subprocess.run([PYTHON, "-c", "import " + ", ".join(modules)], capture_output=True).returncode == 0


def has_validator():
    have = python_has("jsonschema") and (python_has("tomllib") or python_has("tomli"))
    if not have and os.environ.get("LAB_NO_SKIP"):
        raise RuntimeError("python3-jsonschema must be installed here (LAB_NO_SKIP)")
    return have


@unittest.skipUnless(has_validator(), "not installed: python3-jsonschema")
class Schema(Case):
    def complaints(self, schema, *files):
        done = subprocess.run([PYTHON, "-c", VALIDATE, schema, *files], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def setUp(self):
        super().setUp()
        self.scenario = self.write("scenario.json", self.says(0, "schema").stdout)
        self.rules = self.write("rules.json", self.says(0, "schema", "--rules").stdout)

    def test_every_shipped_file_is_accepted(self):
        for folder, schema in (("scenarios", self.scenario), ("rules", self.rules)):
            files = sorted((SOURCE / folder).glob("*.toml"))
            self.assertGreater(len(files), 5)
            self.assertEqual(self.complaints(schema, *files), [])

    def test_what_lab_new_writes_is_accepted(self):
        self.says(0, "new", "mine")
        self.assertEqual(self.complaints(self.scenario, "mine.toml"), [])

    def test_mistakes_are_refused(self):
        for text in (
            'steps = ["accept"]\n',
            'summary = "x"\nunknown = 1\n',
            'summary = 5\n',
            'summary = "x"\ntimeout = "soon"\n',
            'summary = "x"\n[network]\nfamily = "ipx"\n',
            'summary = "x"\n[server]\nsteps = ["connekt"]\n',
            'summary = "x"\n[server]\nbacklog = "many"\n',
            'summary = "x"\n[client]\nlisten = "127.0.0.1:80"\n',
            'summary = "x"\n[[firewall.rule]]\naction = "dorp"\n',
        ):
            self.write("wrong.toml", text)
            self.assertNotEqual(self.complaints(self.scenario, "wrong.toml"), [], text)
            self.says(2, "check", "wrong.toml")
        self.write("wrong.toml", 'summary = "x"\n[[rule]]\naktion = "drop"\n')
        self.assertNotEqual(self.complaints(self.rules, "wrong.toml"), [])


def keys_of(schema):
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from keys_of(inner)
    for inner in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from keys_of(inner)


def names_in(value):
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from names_in(inner)
    if isinstance(value, list):
        for inner in value:
            yield from names_in(inner)


class Manual(Case):
    text = (SOURCE / "docs" / "scenario-format.md").read_text()

    @unittest.skipUnless(has_validator(), "not installed: python3-jsonschema")
    def test_every_key_stands_in_an_example(self):
        blocks = re.findall(r"```toml\n(.*?)```", self.text, re.S)
        parsed = subprocess.run([PYTHON, "-c", PARSE], input=json.dumps(blocks), capture_output=True, text=True, check=True)
        shown = set(names_in(json.loads(parsed.stdout)))
        known = set()
        for words in (["schema"], ["schema", "--rules"]):
            known |= set(keys_of(json.loads(self.says(0, *words).stdout)))
        self.assertGreater(len(known), 60)
        self.assertEqual(sorted(known - shown), [])

    def test_every_step_has_a_row(self):
        schema = json.loads(self.says(0, "schema").stdout)
        rows = re.findall(r"^\| `([a-z-]+)", self.text, re.M)
        self.assertEqual(len(rows), len(set(rows)))
        known = set()
        for role in ("server", "client", "proxy", "operator"):
            pattern = schema["properties"][role]["properties"]["steps"]["items"]["pattern"]
            known |= set(re.search(r"\(([a-z|-]+)\)", pattern).group(1).split("|"))
        self.assertEqual(sorted(known), sorted(rows))


if __name__ == "__main__":
    unittest.main()
