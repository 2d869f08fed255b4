#!/usr/bin/env python3
"""What watching costs and what many runs cost: ratios, each measured within one call, its two sides in turn.

    bench/ratios.py [--build DIR] [--lab ARGUMENT…] [bulk] [race] [repeat] [batch] [interrupt] [explain]

Without names, all. Nothing here is a test: a busy machine moves the figures, and docs/performance.md says what was seen.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
COLLECTORS = ["wire", "nft-trace", "changes", "counters", "conntrack", "sockets", "processes", "kernel", "syscalls"]
BLIND = [word for name in COLLECTORS for word in ("--without", name)]

BULK = """summary = "A bulk transfer"
tags = ["application"]
timeout = "2m"
{firewall}
[server]
steps = ["accept", "recv-until-eof", "close"]
[client]
steps = ["connect", "send 1GiB", "send 1GiB", "send 1GiB", "send 1GiB", "close"]
"""
FAULT = """[[firewall.rule]]
name = "never"
length = "<30"
action = "drop"
"""
RULESET = """[firewall]
ruleset = "ufw.nft"
"""


def say(name, text):
    print(f"{name:10} {text}", flush=True)


class Lab:
    def __init__(self, build, arguments):
        # The copies that bench/CMakeLists.txt makes, where they are there.
        folder = build / "bin" if (build / "bin/lab").exists() else build
        self.program, self.floor, self.arguments = str(folder / "lab"), str(folder / "floor"), arguments

    def command(self, *words):
        return [self.program, "run", *self.arguments, *map(str, words)]

    def report(self, *words):
        done = subprocess.run(self.command("-q", "-o", "json", *words), capture_output=True, text=True, check=False)
        if not done.stdout:
            sys.exit(f"{' '.join(map(str, words))}: {done.stderr}")
        return json.loads(done.stdout)


def wall(command):
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.monotonic() - began


# One transfer takes 0.7 to 1.4 s, as the server happens to sleep between two segments or not: medians of nine differed
# by a fifth from call to call.
TRANSFERS = 25


# Seconds in the client's sends, and what the wire lost. One GiB, a third of a second, came out twice as fast as the next.
def transfer(lab, file, words):
    report = lab.report(file, *words)
    sends = [s for a in report["actors"] if a["role"] == "client" for s in a["steps"] if s["step"].startswith("send")]
    return sum(s["end_ns"] - s["start_ns"] for s in sends) / 1e9, sum(c.get("lost", 0) for c in report["collectors"])


def bulk(lab, folder):
    files = {}
    for name, firewall in {"plain": "", "fault": FAULT, "ruleset": RULESET}.items():
        files[name] = folder / f"bulk-{name}.toml"
        files[name].write_text(BULK.format(firewall=firewall))
    seen = {}
    sides = [(name, watched) for name in files for watched in (False, True)]
    for _ in range(TRANSFERS):
        for name, watched in random.sample(sides, len(sides)):
            seen.setdefault((name, watched), []).append(transfer(lab, files[name], [] if watched else BLIND))
    for name in files:
        off, on = ([s for s, _ in seen[name, w]] for w in (False, True))
        lost = sum(n for _, n in seen[name, True])
        say("bulk", f"{name}: {4 / statistics.median(off):.2f} GiB/s unwatched, {4 / statistics.median(on):.2f} watched: "
                    f"{statistics.median(off) / statistics.median(on):.2f}; {lost} packets not seen in {TRANSFERS} runs")


# One at a time, like lab_bench's one/: in a batch the kernel takes down the namespaces of one run on one CPU while the next
# one's client and server race on the other, and whether the two meet moves the odds by more than all watching does.
def race(lab, _):
    runs, pause = 2000, 0.05
    shares = {}
    for _ in range(runs):
        for watched in random.sample((False, True), 2):
            time.sleep(pause)
            report = lab.report("close-on-accept", *([] if watched else BLIND))
            outcome = next(step["outcome"] for actor in report["actors"] if actor["role"] == "client"
                           for step in actor["steps"] if step["step"].startswith("recv"))
            shares.setdefault(f"client.recv = {outcome}", [0, 0])[watched] += 1
    for what, (off, on) in sorted(shares.items()):
        say("race", f"{what}: {100 * off / runs:.1f} % unwatched, {100 * on / runs:.1f} % watched, of {runs} each")


def floors(lab, count, jobs):
    began = time.monotonic()
    loop = f'i=0; while [ $i -lt {count // jobs} ]; do "$0"; i=$((i+1)); done'
    for one in [subprocess.Popen(["sh", "-c", loop, lab.floor]) for _ in range(jobs)]:
        one.wait()
    return time.monotonic() - began


# Bytes at the most, of lab itself.
def peak(command):
    pid = os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", *command])
    _, _, used = os.wait4(pid, 0)
    return used.ru_maxrss * 1024


def repeat(lab, _):
    jobs, count = len(os.sched_getaffinity(0)), 1000
    floor = lab_time = 0.0
    for _ in range(4):
        floor += floors(lab, count // 4, jobs)
        lab_time += wall(lab.command("close-on-accept", "--repeat", count // 4, "-j", jobs, "-q"))
    say("repeat", f"{count / lab_time:.0f} runs/s, the floor {count / floor:.0f}/s, -j {jobs}: {floor / lab_time:.2f}")
    few, many = (peak(lab.command("close-on-accept", "--repeat", n, "-q")) for n in (100, 1000))
    say("repeat", f"memory: {few / 2**20:.1f} MiB after 100 runs, {many / 2**20:.1f} after 1000")


def batch(lab, _):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(lab.command("--all", "-j", 2, "-q", "-o", "jsonl"), capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    longest = max(json.loads(line)["timing_ms"]["total"] for line in done.stdout.splitlines()) / 1000
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    total = sum(json.loads(line)["timing_ms"]["total"] for line in done.stdout.splitlines()) / 1000
    say("batch", f"--all -j 2: {took:.1f} s; the longest scenario {longest:.1f} s, half the CPU time {cpu / 2:.1f} s, "
                 f"half the scenarios' own time {total / 2:.1f} s")


def interrupt(lab, _):
    runner = subprocess.Popen(lab.command("--all", "-j", 2), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    runner.stdout.readline()
    began = time.monotonic()
    runner.send_signal(signal.SIGINT)
    rest = runner.stdout.read()
    runner.wait()
    say("interrupt", f"SIGINT to the end: {1000 * (time.monotonic() - began):.0f} ms; told: {rest.decode().splitlines()[-1]}")


def segments(port, packets):
    client, server = f"127.0.0.1:{port}", "127.0.0.1:8080"
    yield client, server, "S", 1000, 0, 0
    yield server, client, "SA", 5000, 1001, 0
    yield client, server, "A", 1001, 5001, 0
    for i in range(packets // 2):
        yield client, server, "PA", 1001 + 100 * i, 5001, 100
        yield server, client, "A", 5001, 1101 + 100 * i, 0
    end = 1001 + 100 * (packets // 2)
    yield client, server, "FA", end, 5001, 0
    yield server, client, "FA", 5001, end + 1, 0
    yield client, server, "A", end + 1, 5002, 0


# Finished connections, one after the other, under the provenance of a real run.
def write_evidence(file, head, connections, packets):
    t, count = head["started"], 0
    with open(file, "w", encoding="utf8") as out:
        out.write(json.dumps(head, separators=(",", ":")) + "\n")
        for i in range(connections):
            for source, target, flags, seq, ack, length in segments(10000 + i, packets):
                t, count = t + 1000, count + 1
                event = {"t_ns": t, "source": "wire", "kind": "segment", "dev": "lo", "src": source, "dst": target,
                         "flags": flags, "seq": seq, "ack": ack, "len": length, "win": 512, "ttl": 64}
                out.write(json.dumps(event, separators=(",", ":")) + "\n")
        out.write(json.dumps({"kind": "end", "events": count}, separators=(",", ":")) + "\n")
    return count


def explain(lab, folder):
    stored = folder / "real.jsonl"
    subprocess.run(lab.command("close-on-accept", "-q", "--evidence", stored), stdout=subprocess.DEVNULL, check=True)
    head = json.loads(stored.open(encoding="utf8").readline())
    figures = []
    for connections, packets in ((1000, 94), (1000, 994)):
        file = folder / f"evidence-{packets}.jsonl"
        count = write_evidence(file, head, connections, packets)
        command = [lab.program, "explain", str(file)]
        figures.append((count, wall(command), peak(command) / 2**20))
    for count, seconds, memory in figures:
        say("explain", f"{count} events of 1000 finished connections: {seconds:.1f} s, {memory:.1f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=SOURCE / "build")
    parser.add_argument("--lab", action="append", default=[], metavar="ARGUMENT", help="for every run: --lab=--rootless")
    parser.add_argument("what", nargs="*")
    arguments = parser.parse_args()
    parts = {one.__name__: one for one in (bulk, race, repeat, batch, interrupt, explain)}
    unknown = set(arguments.what) - set(parts)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    build = arguments.build.resolve()
    if not (build / "lab").exists():
        parser.error(f"no lab in {build}")
    os.chdir(SOURCE)
    lab = Lab(build, arguments.lab)
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as folder:
        pathlib.Path(folder).chmod(0o755)
        for name in arguments.what or parts:
            parts[name](lab, pathlib.Path(folder))


if __name__ == "__main__":
    main()
