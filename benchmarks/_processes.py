"""How long a process takes, and where benchmarks make their projects."""

import os
import pathlib
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import NamedTuple

PIVOT = str(pathlib.Path(sys.executable).with_name("pivot"))
DISK = "/var/tmp"
"""On most machines a disk, where `/tmp` may be in memory."""


class Cost(NamedTuple):
    """Seconds of a process by the clock, and of the processors for it and all that it started."""

    clock: float
    used: float


def environment() -> dict[str, str]:
    """That of this process, but a user's interpreter keeps its byte code."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def timed(
    command: list[str], directory: str | os.PathLike[str] | None = None, variables: Mapping[str, str] | None = None
) -> Cost:
    """The cost of one process, which must succeed."""
    before, start = os.times(), time.perf_counter()
    own = environment() | dict(variables or {})
    done = subprocess.run(command, cwd=directory, env=own, capture_output=True, text=True, check=False)
    taken, after = time.perf_counter() - start, os.times()
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(taken, used)


def milliseconds(command: list[str], directory: str | os.PathLike[str] | None = None) -> float:
    """Wall-clock time of one process, which must succeed."""
    return timed(command, directory).clock * 1000


def until(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Read until the watch has said this."""
    assert process.stderr is not None
    poll = select.poll()
    poll.register(process.stderr, select.POLLIN)
    said = b""
    while text not in said:
        if not poll.poll(120_000):
            process.kill()
            sys.exit(f"nothing happened: {said.decode()}")
        said += os.read(process.stderr.fileno(), 1 << 16)


def file_system(directory: str | os.PathLike[str]) -> str:
    """The type of the file system of a directory, as `/proc` names it."""
    best, kind = "", "unknown"
    real = f"{os.path.realpath(directory)}/"
    try:
        mounts = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, point, found, *_ = line.split(" ")
        if real.startswith(f"{point.rstrip('/')}/") and len(point) >= len(best):
            best, kind = point, found
    return kind
