"""docs/tutorial.md: every command in it is run, in its order, with the files it shows."""

import os
import re
import subprocess
import unittest

from lab import DEADLINE, LAB, SOURCE, Case, both_users, drop_root

TUTORIAL = (SOURCE / "docs" / "tutorial.md").read_text()
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.S | re.M)


def commands(language, body):
    """The command lines of a block, and the status each is said to exit with."""
    for line in body.splitlines():
        if language == "yaml":
            line = (re.findall(r"- run: ((?:lab|mkdir) .*)", line) or [""])[0]
        command, _, remark = line.partition("  #")
        said = re.search(r"exits with (\d+)", remark)
        if command.strip():
            yield command.strip(), int(said.group(1)) if said else 0


class Tutorial(Case):
    @both_users
    def test_every_command_does_what_is_said(self, rootless):
        blocks = BLOCK.findall(TUTORIAL)
        self.assertEqual(len(blocks) * 2, len(re.findall(r"^```", TUTORIAL, re.M)))
        work = self.folder / f"rootless-{rootless}"
        work.mkdir()
        work.chmod(0o777)
        later = [(name, body) for _, name, body in blocks if name == "firewall.nft"]
        self.assertEqual(len(later), 1)  # shown behind the command that reads it
        (work / later[0][0]).write_text(later[0][1])
        ran = 0
        for language, name, body in blocks:
            if name:
                (work / name).write_text(body)
                continue
            self.assertIn(language, ("sh", "yaml"))
            for command, status in commands(language, body):
                done = subprocess.run(["sh", "-c", command], cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                      timeout=DEADLINE, preexec_fn=drop_root if rootless else None,
                                      env=self.environment(PATH=f"{os.path.dirname(LAB)}:/usr/sbin:/usr/bin:/sbin:/bin"))
                self.assertEqual(done.returncode, status, f"{command}\n{done.stdout}\n{done.stderr}")
                ran += 1
                if "application/closed-unread" in done.stdout and command.endswith("--port 8888"):
                    self.assertIn("closed with 19 bytes unread, so its kernel sent a reset", " ".join(done.stdout.split()))
        self.assertGreater(ran, 20)


if __name__ == "__main__":
    unittest.main()
