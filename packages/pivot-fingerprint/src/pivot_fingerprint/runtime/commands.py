"""The words of a command that starts a program, and whether that is Python: then what it runs is observed."""

import os
import re
import sys

from pivot_fingerprint.runtime.environment import of_programs

__all__ = ["starts_python", "words"]

_PYTHON = re.compile(r"\bpython[\d.]*\b|\.py\b")
_SCRIPT = b"#!"
_lines: dict[str, str] = {}


def words(command: object) -> list[str]:
    """The words of a command, or its one text."""
    every = command if isinstance(command, list | tuple) else [command]
    return [os.fsdecode(each) for each in every if isinstance(each, str | bytes | os.PathLike)]


def starts_python(command: list[str]) -> bool:
    """Whether the words of a command seem to start Python, also by a script that names it in its first line."""
    if sys.executable in command or _PYTHON.search(" ".join(command)) is not None:
        return True
    return bool(command) and _PYTHON.search(_first_line(command[0].partition(" ")[0])) is not None


def _first_line(program: str) -> str:
    """By what a script is run; empty where a program is none."""
    places = [""] if "/" in program else [*of_programs().get("PATH", "").split(os.pathsep)]
    for place in places:
        path = os.path.join(place, program)
        if path not in _lines:
            if not os.path.isfile(path):
                continue
            try:
                with open(path, "rb", buffering=0) as file:
                    line = file.read(200).partition(b"\n")[0]
            except OSError:
                line = b""
            _lines[path] = os.fsdecode(line) if line.startswith(_SCRIPT) else ""
        return _lines[path]
    return ""
