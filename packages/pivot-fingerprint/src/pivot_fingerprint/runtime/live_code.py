"""The user's code objects, noted by an audit hook when they begin to live, so that no other code needs events."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import AsyncGeneratorType, CodeType, CoroutineType, GeneratorType
from weakref import WeakValueDictionary

from pivot_fingerprint.runtime import monitoring_tool
from pivot_fingerprint.runtime.monitoring_tool import LAUNCHERS
from pivot_fingerprint.user_code import Predicate, cached, default_is_user_code

_PLACES = {"exec": 0, "function.__new__": 0, "object.__setattr__": 2}
"""By audit event, the argument that may be code: each code runs after one of them, or is a constant of such code."""
_STARTS = sys.monitoring.events.PY_START | sys.monitoring.events.PY_RESUME
_THROWS = sys.monitoring.events.PY_THROW
_SUSPENDED: dict[type, str] = {GeneratorType: "gi_code", CoroutineType: "cr_code", AsyncGeneratorType: "ag_code"}
_SUBPROCESS, _POPEN = "subprocess", "popen_"


class LiveCode:
    """The code objects of the user in this process, and those of libraries that start Python programs.

    With it, the next observer, in this process or in one that it forks, gets events of these code objects only, which
    costs nothing for all other code. Code that C creates and calls without an audit event is missed.
    """

    def __init__(self, is_user_code: Predicate | None = None) -> None:
        """Nothing is noted yet; the predicate is that of the observer."""
        self._is_user = cached(is_user_code or default_is_user_code)
        self._noted: list[CodeType] = []
        self._watched: WeakValueDictionary[int, CodeType] = WeakValueDictionary()
        self._tool: int | None = None

    def begin(self) -> None:
        """Note code from now on, once in a process, before it imports any of the user's."""
        for name, module in list(sys.modules.items()):
            if _may_launch(name):
                self._noted += _launchers_of(vars(module).get("Popen"))
        sys.addaudithook(self._on_event)

    def prepare(self) -> None:
        """Prepare the next observation, once, before the objects of this process are frozen for the collector."""
        self._tool = monitoring_tool.prepare_local()
        if self._tool is None:
            return
        if self._has_suspended():  # an event that no single code can have
            sys.monitoring.set_events(self._tool, _THROWS)
        noted, self._noted = self._noted, []
        for code in noted:
            self._watch(code, self._tool)

    def _on_event(self, event: str, args: tuple[object, ...], places: dict[str, int] = _PLACES) -> None:
        """Handle an audit event; names of this module are gone when the interpreter ends, hence the default."""
        if event in places:
            with suppress(Exception):  # it must not reach the observed code
                code = args[places[event]]
                if isinstance(code, CodeType):
                    self._note(code)

    def _note(self, code: CodeType) -> None:
        if not self._is_users(code) and not _may_launch(os.path.basename(code.co_filename)):
            return
        if self._tool is None:
            self._noted.append(code)
        elif monitoring_tool.is_local(self._tool) and self._watched.get(id(code)) is not code:
            self._watched[id(code)] = code
            self._watch(code, self._tool)
            sys.monitoring.set_events(self._tool, _THROWS)

    def _watch(self, code: CodeType, tool: int) -> None:
        users = self._is_users(code)
        for each in _nested(code):
            if users or each.co_qualname in LAUNCHERS:
                sys.monitoring.set_local_events(tool, each, _STARTS)

    def _is_users(self, code: CodeType) -> bool:
        file = code.co_filename
        return not file.startswith("<") and self._is_user(os.path.abspath(file))

    def _has_suspended(self) -> bool:
        """Whether a generator or coroutine of the user exists, into which an exception may be thrown."""
        found = [each for each in gc.get_objects() if type(each) in _SUSPENDED]
        return any(self._is_users(getattr(each, _SUSPENDED[type(each)])) for each in found)


def _may_launch(name: str) -> bool:
    """Whether a module of this name, or in a file of this name, may have a function among the launchers."""
    return _POPEN in name or name.startswith(_SUBPROCESS)


def _launchers_of(popen: object) -> Iterator[CodeType]:
    for name in LAUNCHERS:
        code = getattr(getattr(popen, name.partition(".")[2], None), "__code__", None)
        if isinstance(code, CodeType):
            yield code


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
