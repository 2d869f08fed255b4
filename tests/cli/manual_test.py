"""The man pages: they render, and say all that the program does."""

import re
import subprocess
import unittest

from lab import SOURCE, Case, needs

PAGES = SOURCE / "docs" / "man"


class Manual(Case):
    @needs("scdoc", "man")
    def test_every_page_renders_without_a_warning(self):
        for page in sorted(PAGES.glob("*.scd")):
            roff = subprocess.run(["scdoc"], input=page.read_text(), capture_output=True, text=True, check=True).stdout
            path = self.write(page.stem, roff)
            shown = subprocess.run(["man", "--warnings=all", "-l", path], env=self.environment(), capture_output=True, text=True)
            self.assertEqual((shown.returncode, shown.stderr), (0, ""), page.name)
            self.assertIn("NAME", shown.stdout)

    def test_every_command_and_option_is_in_the_manual(self):
        manual = (PAGES / "lab.1.scd").read_text()
        commands = re.findall(r"^  ([a-z]+) {2,}\S", self.says(0, "--help").stdout.split("Subcommands:")[1], re.M)
        self.assertIn("run", commands)
        for command in commands:
            self.assertIn(f"*lab {command}*", manual)
            for option in re.findall(r"(?<![\w-])(--?[a-z0-9][a-z-]*)", self.says(0, command, "--help").stdout.split("Options:")[-1].split("Exit status")[0]):
                if option not in ("-h", "--help") and not re.match(r"--?\d+$", option):
                    self.assertIn(f"*{option}*", manual, command)

    def test_every_step_is_in_the_manual(self):
        verbs = re.findall(r"^\| `([a-z-]+)", (SOURCE / "docs/scenario-format.md").read_text(), re.M)
        page = (PAGES / "lab-scenario.5.scd").read_text().split("# STEPS")[1].split("# [expect]")[0]
        self.assertGreater(len(verbs), 30)
        for verb in verbs:
            self.assertRegex(page, rf"(?<![\w-]){verb}(?![\w-])")

    def test_every_event_is_in_the_manual(self):
        self.write("clean.toml", 'summary = "x"\n[server]\nsteps = ["accept", "close"]\n[client]\nsteps = ["connect", "recv"]\n')
        page = (PAGES / "lab-evidence.5.scd").read_text()
        for event in self.report(0, "run", "./clean.toml")["events"]:
            self.assertRegex(page, rf"\*{event['kind']}\*")
            self.assertIn(f"({event['source']})", page)


if __name__ == "__main__":
    unittest.main()
