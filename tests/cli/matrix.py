"""What the verdict says of every shipped scenario, with all collectors and with each of them off: the confusion matrix.

A row of it is a Cell: who ran it, over which family, without what, which causes the scenario allows and what was found.
"""

import collections
import json
import pathlib
import subprocess
import tempfile
import tomllib

from lab import LAB, SOURCE, drop_root

COLLECTORS = ["wire", "nft-trace", "changes", "sockets", "counters", "syscalls", "kernel", "conntrack", "processes"]
USERS = ("root", "rootless")
FAMILIES = ("-4", "-6")

Cell = collections.namedtuple("Cell", "scenario user family without allowed cause status result")


def scenarios():
    return sorted((SOURCE / "scenarios").glob("*.toml"))


def allowed(path):
    """The causes that a scenario's own file allows; empty: it says nothing about it."""
    cause = tomllib.loads(pathlib.Path(path).read_text()).get("expect", {}).get("cause", [])
    return [cause] if isinstance(cause, str) else cause


def of_family(files, family):
    """Without those whose own file names the other family: what they break has an address or a sysctl of its own."""
    named = {"-4": "ipv4", "-6": "ipv6"}[family]
    return [f for f in files if tomllib.loads(pathlib.Path(f).read_text()).get("network", {}).get("family", named) == named]


def wrong(cell):
    return cell.status == "confirmed" and bool(cell.allowed) and cell.cause not in cell.allowed


def lab(*words, user, deadline=1800):
    done = subprocess.run([LAB, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=deadline, preexec_fn=drop_root if user == "rootless" else None, check=False,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": tempfile.gettempdir(), "LC_ALL": "C"})
    if done.returncode in (2, 125) or not done.stdout:
        raise RuntimeError(f"lab {' '.join(map(str, words))}: status {done.returncode}\n{done.stderr[-2000:]}")
    said = json.loads(done.stdout)
    return said if isinstance(said, list) else [said]


def run(files, user, family, without=None, evidence=None, jobs=8):
    """One batch: most of a scenario's time is waiting. Skipped ones are cells too, without a cause."""
    files = of_family(files, family)
    words = ["run", "-o", "json", "-j", jobs, family]
    words += ["--without", without] if without else []
    words += ["--evidence", evidence] if evidence else []
    causes = {path.stem: allowed(path) for path in files}
    for report in lab(*words, *files, user=user):
        verdict = report.get("verdict") or {}
        yield Cell(report["scenario"], user, family, without, causes[report["scenario"]], verdict.get("cause"),
                   verdict.get("status"), report["result"])


def without_calls(stored, target):
    """The same evidence as if nobody had seen what the programs called: neither steps nor system calls."""
    lines = pathlib.Path(stored).read_text().splitlines()
    head = json.loads(lines[0])
    for collector in head["collectors"]:
        if collector["name"] == "syscalls":
            collector.update(on=False, why="switched off")
    events = [line for line in lines[1:-1] if json.loads(line)["kind"] not in ("step", "call")]
    end = {"kind": "end", "events": len(events)}
    pathlib.Path(target).write_text("\n".join([json.dumps(head, separators=(",", ":")), *events, json.dumps(end, separators=(",", ":"))]) + "\n")


def explained(stored, user):
    verdict = lab("explain", "-o", "json", stored, user=user)[0]["verdict"]
    return verdict["cause"], verdict["status"]
