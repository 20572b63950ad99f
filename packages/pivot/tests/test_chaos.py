"""Chaos: processes are killed at random moments, two commands at once; then nothing is broken, and nothing is wrong.

Promise c: a lock names only objects that are in the store. Promise d: no command leaves the project unusable after any
kill; and what the commands then make is what a run from scratch would make.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from harness import Project

from pivot_core.files.digest import digest_bytes

pytestmark = pytest.mark.exhaustive

# Each stage reads the outs of two others, or data.
WIRING = {
    "s0": ("data0", "data1"),
    "s1": ("data1", "data2"),
    "s2": ("o0", "o1"),
    "s3": ("o0", "data2"),
    "s4": ("o2", "o3"),
    "s5": ("o4", "data0"),
}

PIPELINE = (
    """\
import hashlib
import os
import subprocess
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


def work(
    a: Annotated[str, pivot.Dep("a", Text())], b: Annotated[str, pivot.Dep("b", Text())]
) -> Annotated[str, pivot.Out("o", Text())]:
    with open("trace", "a") as trace:
        trace.write("x")
    result = hashlib.sha256(f"{a}+{b}".encode()).hexdigest()
    if result < "3":
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    for _ in range(5000):
        os.sched_yield()
    return result


"""
    + "\n".join(
        f'pipeline.register(work, name="{name}", deps={{"a": "{a}", "b": "{b}"}}, outs={{"return": "o{name[1:]}"}})'
        for name, (a, b) in WIRING.items()
    )
    + "\n"
)
DEADLINE = 60.0


def expected(data: list[str]) -> dict[str, str]:
    """The content at each path after a run, without Pivot."""
    known = {f"data{number}": text for number, text in enumerate(data)}
    for name, (a, b) in WIRING.items():
        known[f"o{name[1:]}"] = hashlib.sha256(f"{known[a]}+{known[b]}".encode()).hexdigest()
    return known


def descendants(pid: int) -> Iterator[int]:
    """The processes below one, which may end meanwhile."""
    with contextlib.suppress(OSError):
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def inside(root: pathlib.Path) -> list[int]:
    """All processes that work in a directory."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd").startswith(str(root)):
                found.append(int(entry))
    return found


def check_locks(project: Project) -> None:
    """Each object that a lock names is there, with the bytes that its name says."""
    for lock in (project.root / ".pivot/stages").glob("*.lock"):
        for out in json.loads(lock.read_text())["outs"].values():
            name = out["digest"]
            content = (project.root / ".pivot/cache/files" / name[:2] / name[2:]).read_bytes()
            assert digest_bytes(content) == name


class Chaos:
    """One project under random kills."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project = project
        self.random = random.Random(seed)
        self.data = ["0", "1", "2"]

    def edit(self) -> None:
        """Change a data file, perhaps back to what it was."""
        which = self.random.randrange(3)
        self.data[which] = str(self.random.randrange(4))
        for number, text in enumerate(self.data):
            self.project.write(f"data{number}", text)

    def disturb(self) -> None:
        """Run one or two commands, and kill something at some moment."""
        trace = self.project.root / "trace"
        trace.write_text("")
        commands = [
            self.project.start("repro", "-j", str(self.random.choice([1, 2])), start_new_session=True)
            for _ in range(self.random.choice([1, 2]))
        ]
        moment = self.random.randrange(7)
        while trace.stat().st_size < moment and any(command.poll() is None for command in commands):
            time.sleep(0.0005)
        time.sleep(self.random.uniform(0, 0.005))
        self.kill(commands)
        end = time.monotonic() + DEADLINE
        for command in commands:
            command.communicate(timeout=DEADLINE)
            assert command.returncode in (0, 1, 3, -signal.SIGKILL)
        while left := inside(self.project.root):
            assert time.monotonic() < end, f"{left} are still there"
            time.sleep(0.002)

    def kill(self, commands: list[subprocess.Popen[str]]) -> None:
        """A coordinator, or any process below one."""
        command = self.random.choice(commands)
        below = list(descendants(command.pid))
        victim = self.random.choice([command.pid, *below, *below])
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


@pytest.mark.parametrize("seed", range(int(os.environ.get("TEST_CHAOS_SEEDS", "2"))))
def test_nothing_is_broken_by_kills_at_random_moments(make: Callable[[str], Project], seed: int) -> None:
    chaos = Chaos(make(PIPELINE), seed)
    for _ in range(6):
        chaos.edit()
        chaos.disturb()
        check_locks(chaos.project)
    done = chaos.project.pivot("repro")

    assert "FAILED" not in done.stderr
    check_locks(chaos.project)
    assert {name: chaos.project.read(name) for name in expected(chaos.data)} == expected(chaos.data)
    assert set(chaos.project.states().values()) == {"cached"}
    aside = chaos.project.root / ".pivot/state.db/stash"
    assert not aside.exists() or not list(aside.iterdir())
