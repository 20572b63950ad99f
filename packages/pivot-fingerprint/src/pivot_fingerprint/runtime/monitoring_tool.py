"""The tool of `sys.monitoring` that an observation uses; a process can prepare it for the processes that it forks."""

import os
import sys
import weakref
from collections.abc import Callable, Iterable
from types import CodeType

from pivot_fingerprint.user_code import Predicate

# Two IDs for general use, then the optimizer's; those of debuggers, coverage tools and profilers stay
# free for tools that the code itself may start.
TOOL_IDS = (3, 4, 5)
LAUNCHERS = frozenset({"Popen._launch", "Popen._execute_child"})
"""Qualified names of library code whose every call matters."""
_NAME = "pivot-fingerprint"
_EVENTS = sys.monitoring.events
_ALL = _EVENTS.PY_START | _EVENTS.PY_RESUME | _EVENTS.PY_THROW
_DISABLE = sys.monitoring.DISABLE

type Started = Callable[[CodeType, int], object]
type Thrown = Callable[[CodeType, int, BaseException], None]


_ready: list[int] = []
"""The prepared tool, if there is one."""
_local: set[int] = set()
"""The tool that gets the events of single codes, until its observation ends."""


def prepare_tool(is_user_code: Predicate) -> None:
    """Prepare a tool for the next observation with this predicate, also in each process that this one forks.

    Meanwhile it disables code that is irrelevant to all of them. A second call does nothing.
    """
    tool = None if _ready else _claim()
    if tool is not None:
        _ready.append(tool)
        _set_callbacks(tool, disable_others(is_user_code), None)
        sys.monitoring.set_events(tool, _ALL)


def prepare_local() -> int | None:
    """Claim a tool for the next observation, which gets the events of single codes; None if no ID is free.

    A second call returns the same tool.
    """
    if _ready:
        return _ready[0]
    tool = _claim_id()
    if tool is not None:
        _ready.append(tool)
        _local.add(tool)
    return tool


def is_local(tool: int) -> bool:
    """Whether the observation that `prepare_local` prepared with this tool has not ended."""
    return tool in _local


def disable_others(is_user_code: Predicate) -> Started:
    """A callback that disables events of code that is irrelevant."""

    def started(code: CodeType, _offset: int) -> object:
        file = code.co_filename
        if code.co_qualname in LAUNCHERS or (not file.startswith("<") and is_user_code(os.path.abspath(file))):
            return None
        return _DISABLE

    return started


def start(started: Started, thrown: Thrown) -> int | None:
    """Start the callbacks; returns the tool, or None if no ID is free."""
    if _ready:
        tool = _ready.pop()
        _set_callbacks(tool, started, thrown)
        return tool
    taken = _claim()
    if taken is not None:
        _set_callbacks(taken, started, thrown)
        sys.monitoring.set_events(taken, _ALL)
    return taken


def stop(tool: int, disabled: Iterable[weakref.ref[CodeType]]) -> None:
    """Stop the callbacks, and restore everything, also the codes that were ``disabled``."""
    if sys.monitoring.get_events(tool):  # a change would make all codes look again for their events
        sys.monitoring.set_events(tool, 0)
    _set_callbacks(tool, None, None)
    for ref in disabled:
        code = ref()
        if code is not None:  # a code stays disabled until its events change again
            sys.monitoring.set_local_events(tool, code, _EVENTS.PY_START | _EVENTS.PY_RESUME)
            sys.monitoring.set_local_events(tool, code, 0)
    sys.monitoring.free_tool_id(tool)
    _local.discard(tool)


def _set_callbacks(tool: int, started: Started | None, thrown: Thrown | None) -> None:
    for event in (_EVENTS.PY_START, _EVENTS.PY_RESUME):
        sys.monitoring.register_callback(tool, event, started)
    sys.monitoring.register_callback(tool, _EVENTS.PY_THROW, thrown)


def _claim() -> int | None:
    alone = all(sys.monitoring.get_tool(other) is None for other in range(6))
    tool = _claim_id()
    if tool is not None and alone and sys.gettrace() is None and sys.getprofile() is None:
        sys.monitoring.restart_events()  # an earlier tool may have left codes disabled for this id
    return tool


def _claim_id() -> int | None:
    for tool in TOOL_IDS:
        if sys.monitoring.get_tool(tool) is None:
            sys.monitoring.use_tool_id(tool, _NAME)
            return tool
    return None
