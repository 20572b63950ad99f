"""Events as JSON: the documented lines of `--jsonl`, and what the history keeps; pure.

A line is an object with ``event``, what has happened, ``at``, the seconds since the command began by a clock that only
goes forward, and what the event has to say. No value of a parameter or a variable is ever in it.
"""

import enum
import re
from collections.abc import Mapping
from typing import Any

import attrs

from pivot_core.decide import Decision
from pivot_runtime import events

FORMAT = 1
"""The version of the lines; it changes when a reader of the old ones would be misled."""

_START = re.compile(r"(?<!^)(?=[A-Z])")


def form(event: events.Event, at: float) -> dict[str, Any]:
    """The line of an event."""
    line: dict[str, Any] = {"event": name(type(event)), "at": round(at, 6)}
    for field in attrs.fields(type(event)):
        line |= _field(field.name, getattr(event, field.name))
    return line


def head(command: str, *, time: float, pid: int) -> dict[str, Any]:
    """The first line: the version of all, when the command began, in seconds since the epoch, and whose they are."""
    return {"event": "began", "at": 0.0, "format": FORMAT, "time": round(time, 6), "command": command, "pid": pid}


def name(kind: type[Any]) -> str:
    """What an event is called: `StageRan` is ``stage_ran``."""
    return _START.sub("_", kind.__name__).lower()


def _field(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Decision):
        return {
            "reasons": [reason.value for reason in value.reasons],
            "changes": [{"reason": change.reason.value, "key": change.key} for change in value.changes],
        }
    if name == "usage":
        return {"cpu": None, "memory": None} if value is None else _plain(value)
    return {name: _plain(value)}


def _plain(value: Any) -> Any:
    match value:
        case str() | Exception():
            plain: Any = str(value)
        case float():
            plain = round(value, 6)
        case Mapping():
            plain = {str(key): _plain(each) for key, each in value.items()}
        case tuple() | list() | set() | frozenset():
            plain = [_plain(each) for each in value]
        case enum.Enum():
            plain = value.value
        case _ if attrs.has(type(value)):
            plain = {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
        case _:
            plain = value
    return plain
