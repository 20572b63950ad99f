"""Programs that a process starts: the words of their command, and the environment that they inherit.

Only the standard library is imported here, since this also runs in observed programs, which may have no other packages.
"""

import os
import re
import sys

_PYTHON = re.compile(r"\bpython[\d.]*\b|\.py\b")
_SHEBANG = b"#!"
_first_lines: dict[str, str] = {}
"""The first line of each started script by path; read once in a process."""
_ENVIRONMENT = os.environ  # whatever the observed code puts in its place
_PUTENV = "os.putenv"
_UNSETENV = "os.unsetenv"
_hooked: list[bool] = []
"""Not empty once the audit hook is installed, which cannot be removed."""
_changed: dict[bytes, bytes | None] = {}
"""The changes that only the environment of the process has, not `os.environ`."""


def command_words(command: object) -> list[str]:
    """The words of a command, or its single text."""
    every = command if isinstance(command, list | tuple) else [command]
    return [os.fsdecode(each) for each in every if isinstance(each, str | bytes | os.PathLike)]


def starts_python(command: list[str]) -> bool:
    """Whether the words of a command seem to start Python, also by a script that names it in its first line."""
    if sys.executable in command or _PYTHON.search(" ".join(command)) is not None:
        return True
    return bool(command) and _PYTHON.search(_first_line(command[0].partition(" ")[0])) is not None


def _first_line(program: str) -> str:
    """The first line of a script, which names its interpreter; empty for anything else."""
    places = [""] if "/" in program else [*inherited_environment().get("PATH", "").split(os.pathsep)]
    for place in places:
        path = os.path.join(place, program)
        if path not in _first_lines:
            if not os.path.isfile(path):
                continue
            try:
                with open(path, "rb", buffering=0) as file:
                    line = file.read(200).partition(b"\n")[0]
            except OSError:
                line = b""
            _first_lines[path] = os.fsdecode(line) if line.startswith(_SHEBANG) else ""
        return _first_lines[path]
    return ""


def track_putenv() -> None:
    """Record calls of `os.putenv` from now on. An audit hook cannot be removed, so it is installed only once."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_record)


def _record(event: str, args: tuple[bytes, ...]) -> None:
    if event == _PUTENV:
        _changed[args[0]] = args[1]
    elif event == _UNSETENV:
        _changed[args[0]] = None


def inherited_environment() -> dict[str, str]:
    """The environment of a program that is started without its own: `os.environ`, with the changes that bypassed it."""
    # Reads its internal data, so that nothing that records uses of `os.environ` counts this as one.
    found: dict[bytes, bytes] = dict(_ENVIRONMENT._data)  # type: ignore[attr-defined]  # noqa: SLF001
    for name, value in list(_changed.items()):
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return {os.fsdecode(name): os.fsdecode(value) for name, value in found.items()}
