"""How long a process takes."""

import os
import subprocess
import sys
import time


def environment() -> dict[str, str]:
    """That of this process, but a user's interpreter keeps its byte code."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def milliseconds(command: list[str], directory: str | os.PathLike[str] | None = None) -> float:
    """Wall-clock time of one process, which must succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=directory, env=environment(), capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return taken * 1000
