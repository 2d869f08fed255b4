"""list, show, new, causes, explain CAUSE, completion, doctor: what they print, and that it can be used."""

import json
import os
import subprocess
import unittest

from lab import CLEAN, DROPPED, LAB, ROOT, SOURCE, Case, both_users, needs


class Catalogue(Case):
    def test_list_is_grouped_and_an_array_of_objects(self):
        text = self.says(0, "list").stdout
        self.assertIn("\nfirewall\n", text)
        entries = json.loads(self.says(0, "list", "-o", "json").stdout)
        names = [e["name"] for e in entries]
        self.assertIn("firewall-drop", names)
        for entry in entries:
            self.assertEqual(list(entry)[:5], ["name", "layer", "summary", "tags", "path"])
            self.assertIn(entry["name"], text)
        self.assertEqual(self.says(0, "list", "--names").stdout.splitlines(), names)

    def test_list_by_tag_and_rules(self):
        tagged = json.loads(self.says(0, "list", "--tag", "race", "-o", "json").stdout)
        self.assertTrue(tagged and all("race" in e["tags"] for e in tagged))
        rules = json.loads(self.says(0, "list", "--rules", "-o", "json").stdout)
        self.assertIn("drop-after-handshake", [r["name"] for r in rules])

    def test_a_broken_file_is_listed_as_such(self):
        self.write("scenarios/broken.toml", "summary = 5\n")
        self.assertIn("lab check scenarios/broken.toml", " ".join(self.says(0, "list").stdout.split()))

    def test_show_is_the_file(self):
        self.assertEqual(self.says(0, "show", "firewall-drop").stdout, (SOURCE / "scenarios/firewall-drop.toml").read_text())

    @both_users
    def test_show_nft_is_what_the_kernel_holds(self, rootless):
        self.write("dropped.toml", DROPPED)
        text = self.says(0, "show", "./dropped.toml", "--nft", rootless=rootless).stdout
        self.assertIn("table inet lab", text)
        self.assertIn('comment "eat-it"', text)


class New(Case):
    @both_users
    def test_what_it_writes_passes(self, rootless):
        self.says(0, "new", "mine", rootless=rootless)
        self.says(0, "check", "mine.toml", rootless=rootless)
        self.says(0, "run", "./mine.toml", rootless=rootless)
        os.unlink(self.folder / "mine.toml")

    def test_from_keeps_comments_and_brings_programs(self):
        self.says(0, "new", "copy", "--from", "close-on-accept-python")
        self.assertEqual((self.folder / "copy.toml").read_text(), (SOURCE / "scenarios/close-on-accept-python.toml").read_text())
        self.says(0, "check", "copy.toml")
        self.says(0, "run", "./copy.toml")

    def test_into_the_working_folders_catalogue(self):
        (self.folder / "scenarios").mkdir()
        self.says(0, "new", "mine")
        self.assertIn("mine", self.says(0, "list", "--names").stdout.split())

    def test_never_over_a_file_and_never_a_bad_name(self):
        self.write("mine.toml", "precious")
        self.assertIn("File exists", self.says(2, "new", "mine").stderr)
        self.assertEqual((self.folder / "mine.toml").read_text(), "precious")
        for name in ("", "a b", "-x", ".hidden", "a/../..", "x;y"):
            self.says(2, "new", "--", name)
        self.says(2, "new", "no/such/folder/x")


class Causes(Case):
    def test_every_cause_has_a_page(self):
        lines = self.says(0, "causes").stdout.splitlines()
        names = [line.split()[0] for line in lines if not line.startswith(" ")]
        self.assertIn("firewall/drop", names)
        for name in names:
            page = self.says(0, "explain", name).stdout
            self.assertGreater(len(page), 400, name)


class Completion(Case):
    def in_bash(self, line):
        """What bash offers for the last word of `line`."""
        words = line.split(" ")
        script = f"""
source <("{LAB}" completion bash)
lab() {{ "{LAB}" "$@"; }}
COMP_WORDS=({' '.join(repr(w) for w in words)}); COMP_CWORD={len(words) - 1}
_lab; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
        done = subprocess.run(["bash", "--norc", "-c", script], cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_bash_offers_commands_options_names_and_choices(self):
        self.assertEqual(self.in_bash("lab dia"), ["diagnose"])
        self.assertEqual(self.in_bash("lab run --until"), ["--until-fail"])
        self.assertEqual(self.in_bash("lab run firewall-dro"), sorted(f.stem for f in (SOURCE / "scenarios").glob("firewall-dro*.toml")))
        self.assertEqual(self.in_bash("lab run -o js"), ["json", "jsonl"])
        self.assertEqual(self.in_bash("lab explain firewall/dr"), ["firewall/drop"])
        self.assertEqual(self.in_bash("lab completion z"), ["zsh"])
        self.write("mine.toml", "")
        self.assertEqual(self.in_bash("lab check mi"), ["mine.toml"])

    @needs("zsh")
    def test_zsh_loads_it(self):
        script = f'autoload -U compinit; compinit -u -d "$HOME/dump"; source <("{LAB}" completion zsh); echo $_comps[lab]'
        done = subprocess.run(["zsh", "-f", "-c", script], cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        self.assertEqual((done.stdout.strip(), done.stderr), ("_lab", ""))

    @needs("fish")
    def test_fish_offers_commands_and_names(self):
        folder = os.path.dirname(LAB)

        def offered(line):
            script = f'set -x PATH "{folder}" $PATH; lab completion fish | source; complete -C "{line}"'
            done = subprocess.run(["fish", "--no-config", "-c", script], cwd=self.folder, env=self.environment(), capture_output=True, text=True)
            return [row.split("\t")[0] for row in done.stdout.splitlines()]

        self.assertEqual(offered("lab dia"), ["diagnose"])
        self.assertIn("firewall-drop", offered("lab run firewall-"))
        self.assertIn("--until-fail", offered("lab run --unt"))


class Doctor(Case):
    @both_users
    def test_every_answer_is_yes_or_no_with_a_reason(self, rootless):
        report = json.loads(self.says(0, "doctor", "-o", "json", rootless=rootless).stdout)
        abilities = {(a["kind"], a["name"]): a for a in report["abilities"]}
        for kind, name in (("namespace", "user"), ("sandbox", "loopback"), ("netfilter", "drop"), ("seccomp", "notifier"), ("collector", "wire")):
            self.assertTrue(abilities[kind, name]["yes"], abilities[kind, name])
        for ability in report["abilities"]:
            if not ability["yes"]:
                self.assertTrue(ability["why"] and ability["loss"], ability)
        self.assertEqual(report["root"], ROOT and not rootless)
        if rootless or not ROOT:
            self.assertEqual(abilities["collector", "kernel"]["why"], "needs root")
        text = self.says(0, "doctor", rootless=rootless).stdout
        for kind, name in abilities:
            self.assertIn(name, text)

    def test_without_user_namespaces_it_says_so_and_a_run_is_skipped(self):
        self.write("clean.toml", CLEAN)
        # A namespace of this process's own, in which none may be made.
        limit = ["unshare", "-Ur", "sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"', "sh", LAB]
        if ROOT:
            limit = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", *limit]
        run = lambda *words: subprocess.run([*limit, *words], cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        self.assertEqual(run("run", "./clean.toml").returncode, 77)
        report = json.loads(run("doctor", "-o", "json").stdout)
        sandbox = next(a for a in report["abilities"] if a["kind"] == "sandbox")
        self.assertFalse(sandbox["yes"])
        self.assertIn("max_user_namespaces", sandbox["fix"])


if __name__ == "__main__":
    unittest.main()
