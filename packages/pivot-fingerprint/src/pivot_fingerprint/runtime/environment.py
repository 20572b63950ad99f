"""The environment that programs get: what `os.environ` has, and what `os.putenv` has changed beside it."""

import os
import sys

__all__ = ["heed", "of_programs"]

_ENVIRONMENT = os.environ  # whatever the code that is observed puts in its place
_SETS = "os.putenv"
_UNSETS = "os.unsetenv"
_hooked: list[bool] = []
_changed: dict[bytes, bytes | None] = {}


def heed() -> None:
    """From now on, notice what `os.putenv` does. A hook for audit events cannot be taken back: it is set once."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_heard)


def _heard(event: str, args: tuple[bytes, ...]) -> None:
    if event == _SETS:
        _changed[args[0]] = args[1]
    elif event == _UNSETS:
        _changed[args[0]] = None


def of_programs() -> dict[str, str]:
    """The environment of a program that is given none of its own; to look is not to ask for any variable."""
    found: dict[bytes, bytes] = dict(_ENVIRONMENT._data)  # type: ignore[attr-defined]  # noqa: SLF001  # else noted
    for name, value in list(_changed.items()):
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return {os.fsdecode(name): os.fsdecode(value) for name, value in found.items()}
