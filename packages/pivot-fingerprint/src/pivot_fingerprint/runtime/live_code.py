"""The user's code objects, noted by an audit hook when they begin to live, so that no other code needs events."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import CodeType
from weakref import WeakValueDictionary

from pivot_fingerprint.runtime import monitoring_tool
from pivot_fingerprint.runtime.monitoring_tool import LAUNCHERS
from pivot_fingerprint.user_code import Predicate, cached, default_is_user_code

_PLACES = {"exec": 0, "function.__new__": 0, "object.__setattr__": 2}
"""By audit event, the argument that may be code: each code runs after one of them, or is a constant of such code."""
_STARTS = sys.monitoring.events.PY_START | sys.monitoring.events.PY_RESUME
_THROWS, _YIELDS = sys.monitoring.events.PY_THROW, sys.monitoring.events.PY_YIELD
_GENERATORS = 0x20 | 0x80 | 0x100 | 0x200  # the flags of generators and coroutines in `inspect`
_EXPRESSION = "<genexpr>"  # it handles no exception that is thrown into it
_SUBPROCESS, _POPEN = "subprocess", "popen_"


class LiveCode:
    """The code objects of the user in this process, and those of libraries that start Python programs.

    With it, the next observer, in this process or in one that it forks, gets events of these code objects only, which
    costs nothing for all other code. Code that C creates and calls without an audit event is missed.
    """

    def __init__(self, is_user_code: Predicate | None = None) -> None:
        """Nothing is noted yet; the predicate is that of the observer."""
        self._is_user = cached(is_user_code or default_is_user_code)
        self._noted: dict[int, CodeType] = {}
        self._watched: WeakValueDictionary[int, CodeType] = WeakValueDictionary()
        self._tool: int | None = None
        self._prepared = False
        self._has_yielded = False

    def begin(self) -> None:
        """Note code from now on, once in a process, before it imports any of the user's."""
        self._tool = monitoring_tool.prepare_local()
        if self._tool is not None:
            sys.monitoring.register_callback(self._tool, _YIELDS, self._on_yield)
        for name, module in list(sys.modules.items()):
            if _may_launch(name):
                self._noted |= {id(code): code for code in _launchers_of(vars(module).get("Popen"))}
        sys.addaudithook(self._on_event)

    def prepare(self) -> None:
        """Prepare the next observation, once, when the user's code is imported."""
        self._prepared = True
        noted, self._noted = self._noted, {}
        if self._tool is None:
            return
        sys.monitoring.register_callback(self._tool, _YIELDS, None)
        if self._has_yielded:  # an event that no single code can have
            sys.monitoring.set_events(self._tool, _THROWS)
        for code in noted.values():
            sys.monitoring.set_local_events(self._tool, code, _STARTS)

    def _on_yield(self, _code: CodeType, _offset: int, _value: object) -> object:
        """Callback: a generator of the user may remain suspended, so that an exception can be thrown into it later."""
        self._has_yielded = True
        return sys.monitoring.DISABLE

    def _on_event(self, event: str, args: tuple[object, ...], places: dict[str, int] = _PLACES) -> None:
        """Handle an audit event; names of this module are gone when the interpreter ends, hence the default."""
        if event in places:
            with suppress(Exception):  # it must not reach the observed code
                code = args[places[event]]
                if isinstance(code, CodeType):
                    self._note(code)

    def _note(self, code: CodeType) -> None:
        users = self._is_users(code)
        if self._tool is None or not (users or _may_launch(os.path.basename(code.co_filename))):
            return
        every = (each for each in _nested(code) if users or each.co_qualname in LAUNCHERS)
        if not self._prepared:
            for each in every:
                self._noted[id(each)] = each
                if each.co_flags & _GENERATORS and each.co_name != _EXPRESSION:
                    sys.monitoring.set_local_events(self._tool, each, _YIELDS)
        elif monitoring_tool.is_local(self._tool) and self._watched.get(id(code)) is not code:
            self._watched[id(code)] = code
            for each in every:
                sys.monitoring.set_local_events(self._tool, each, _STARTS)
            sys.monitoring.set_events(self._tool, _THROWS)

    def _is_users(self, code: CodeType) -> bool:
        file = code.co_filename
        return not file.startswith("<") and self._is_user(os.path.abspath(file))


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
