"""The tool of `sys.monitoring` that an observation uses; who forks what will be observed has it stand by."""

import os
import sys
import weakref
from collections.abc import Callable, Iterable
from types import CodeType

from pivot_fingerprint.user_code import Predicate

# Free for anyone, then the one that no tool in use takes; those of debuggers, coverage and
# profilers stay free for what the code itself may start.
TOOL_IDS = (3, 4, 5)
LAUNCHERS = frozenset({"Popen._launch", "Popen._execute_child"})
"""Code that is not the user's and is of interest each time that it runs, by its qualified name."""
_NAME = "pivot-fingerprint"
_EVENTS = sys.monitoring.events
_ALL = _EVENTS.PY_START | _EVENTS.PY_RESUME | _EVENTS.PY_THROW
_DISABLE = sys.monitoring.DISABLE

type Started = Callable[[CodeType, int], object]
type Thrown = Callable[[CodeType, int, BaseException], None]


_ready: list[int] = []
"""The tool that stands by, if one does."""


def stand_by(is_user_code: Predicate) -> None:
    """Have a tool ready for the next observation by this predicate, also in each process that this one forks.

    It disables meanwhile what will be of no interest to any of them. A second call does nothing.
    """
    tool = None if _ready else _take()
    if tool is not None:
        _ready.append(tool)
        _call_back(tool, interest(is_user_code), None)
        sys.monitoring.set_events(tool, _ALL)


def interest(is_user_code: Predicate) -> Started:
    """Disables what will be of no interest."""

    def started(code: CodeType, _offset: int) -> object:
        file = code.co_filename
        if code.co_qualname in LAUNCHERS or (not file.startswith("<") and is_user_code(os.path.abspath(file))):
            return None
        return _DISABLE

    return started


def begin(started: Started, thrown: Thrown) -> int | None:
    """Call back from now on; returns the tool, None if none is free."""
    if _ready:
        tool = _ready.pop()
        _call_back(tool, started, thrown)
        return tool
    taken = _take()
    if taken is not None:
        _call_back(taken, started, thrown)
        sys.monitoring.set_events(taken, _ALL)
    return taken


def end(tool: int, disabled: Iterable[weakref.ref[CodeType]]) -> None:
    """Call back no more, and leave everything as it was found, also the codes that were ``disabled``."""
    sys.monitoring.set_events(tool, 0)
    _call_back(tool, None, None)
    for ref in disabled:
        code = ref()
        if code is not None:  # a code keeps what a tool has disabled until its events change once more
            sys.monitoring.set_local_events(tool, code, _EVENTS.PY_START | _EVENTS.PY_RESUME)
            sys.monitoring.set_local_events(tool, code, 0)
    sys.monitoring.free_tool_id(tool)


def _call_back(tool: int, started: Started | None, thrown: Thrown | None) -> None:
    for event in (_EVENTS.PY_START, _EVENTS.PY_RESUME):
        sys.monitoring.register_callback(tool, event, started)
    sys.monitoring.register_callback(tool, _EVENTS.PY_THROW, thrown)


def _take() -> int | None:
    for tool in TOOL_IDS:
        if sys.monitoring.get_tool(tool) is None:
            alone = all(sys.monitoring.get_tool(other) is None for other in range(6))
            sys.monitoring.use_tool_id(tool, _NAME)
            if alone and sys.gettrace() is None and sys.getprofile() is None:
                sys.monitoring.restart_events()  # an earlier tool may have left codes disabled for this id
            return tool
    return None
