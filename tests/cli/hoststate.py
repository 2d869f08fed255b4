"""What a run of the lab could leave behind or change on the host, as other tools and the kernel's own files tell it.

Everything is compared whole, so this belongs into namespaces of the test's own, where nobody else works: see alone()."""

import os
import pathlib
import subprocess
import sys

# Values that move by themselves.
MOVING = ("/proc/sys/fs/dentry-state", "/proc/sys/fs/file-nr", "/proc/sys/fs/inode-nr", "/proc/sys/fs/inode-state",
          "/proc/sys/kernel/random/", "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/pty/nr", "/proc/sys/fs/quota/",
          "/proc/sys/fs/aio-nr", "/proc/sys/kernel/tainted", "/proc/sys/net/netfilter/nf_conntrack_count",
          "/proc/sys/vm/stat_refresh")
NAMESPACES = ("user", "net", "pid", "mnt", "ipc", "uts", "cgroup", "time")


def alone(command):
    """The command as process 1 of namespaces that stand for a host: network, mounts, processes; /tmp and /run empty."""
    setup = "mount -t tmpfs tmpfs /tmp && mount -t tmpfs tmpfs /run && chmod 1777 /tmp && ip link set lo up && " \
            "ip link add lab-witness type veth peer name lab-other && ip addr add 203.0.113.1/24 dev lab-witness && ip link set lab-witness up && " \
            "nft add table inet witness && exec \"$@\""
    return ["unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--mount-proc", "sh", "-c", setup, "sh", *command]


def said(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def sysctls():
    values = {}
    for folder, _, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(folder, name)
            if path.startswith(MOVING):
                continue
            try:
                values[path] = pathlib.Path(path).read_bytes()
            except OSError:
                pass
    return values


def namespaces():
    held = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for kind in NAMESPACES:
            try:
                held.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
            except OSError:
                pass
    return held


def keys():
    """Those that stay; the kernel collects session keyrings some time after their last process. lab-test-…: security_test.py."""
    lines = pathlib.Path("/proc/keys").read_text().splitlines() if os.path.exists("/proc/keys") else []
    return sorted(line.split()[-2:] for line in lines if " keyring " not in line and "lab-test-" not in line)


def cgroups(labs):
    """A group is called after the process that made it."""
    names = tuple(f"lab-{pid}-" for pid in labs)
    return sorted(os.path.join(top, folder) for top, folders, _ in os.walk("/sys/fs/cgroup") for folder in folders if folder.startswith(names))


def files(folder):
    return sorted(os.path.join(top, name) for top, folders, names in os.walk(folder) for name in folders + names)


def processes():
    def name(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return ""
    return sorted((int(pid), name(pid)) for pid in os.listdir("/proc") if pid.isdigit())


def host_state(tools=True, labs=()):
    """`tools`: also what takes other programs, or long. `labs`: the numbers that labs had as processes."""
    state = {
        "processes": processes(),
        "namespaces": namespaces(),
        "mounts": pathlib.Path("/proc/self/mountinfo").read_text(),
        "links": sorted(os.listdir("/sys/class/net")) if os.path.exists("/sys/class/net") else [],
        "routes of IPv4": pathlib.Path("/proc/net/route").read_text(),
        "keys": keys(),
        "/tmp": files("/tmp"),
        "/run": files("/run"),
    }
    if tools:
        state |= {
            "links and their state": said("ip", "-o", "link"),
            "addresses": said("ip", "-o", "addr"),
            "routes": said("ip", "route", "show", "table", "all") + said("ip", "-6", "route", "show", "table", "all"),
            "rules": said("nft", "list", "ruleset"),
            "named namespaces": said("ip", "netns"),
            "sysctls": sysctls(),
            "cgroups": cgroups(labs),
        }
    return state


def difference(before, after):
    """What is not as it was, as one line each."""
    lines = []
    for part, old in before.items():
        new = after.get(part, old)
        if old == new:
            continue
        if isinstance(old, dict):
            lines += [f"{part}: {key}: {old.get(key)} -> {new.get(key)}" for key in {**old, **new} if old.get(key) != new.get(key)]
        else:
            lines.append(f"{part}: {old} -> {new}")
    return lines


if __name__ == "__main__":
    sys.exit(subprocess.run(alone(sys.argv[1:]), check=False).returncode)
