"""The time that the import of user code spends in libraries, measured without a change that their code can see."""

import contextlib
import sys
from collections.abc import Callable, Mapping
from threading import get_ident
from time import monotonic
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

_LEAST_SECONDS: Final = 0.001
"""Shorter imports do not count."""


class _Running(NamedTuple):
    """An import that has not ended: its module, its start, and the libraries that were imported within it."""

    name: str
    began: float
    libraries: dict[str, float]


class ImportTimer:
    """A context manager around an import of user code, in this thread.

    It replaces the function of the import system that imports a module which is not in `sys.modules`. Frames of the
    replacement count as frames of the import system, which tracebacks and warnings leave out.
    """

    def __init__(self, is_user_code: Callable[[str], bool]) -> None:
        """Measure nothing outside the block; ``is_user_code`` says whether a file has the user's code."""
        self._is_user_code = is_user_code
        self._libraries: dict[str, float] = {}
        self._running: list[_Running] = []
        self._bootstrap: Any = sys.modules["_frozen_importlib"]
        self._original: Any = self._bootstrap._find_and_load  # noqa: SLF001
        self._timed = self._replacement()

    def __enter__(self) -> Self:
        self._bootstrap._find_and_load = self._timed  # noqa: SLF001
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bootstrap._find_and_load is self._timed:  # noqa: SLF001  # else user code has replaced it in turn
            self._bootstrap._find_and_load = self._original  # noqa: SLF001

    def libraries(self) -> dict[str, float]:
        """Return the seconds that each library has taken so far, in the order in which user code imported them.

        A library is a top-level module; the libraries that it imports itself count for it.
        """
        found, now = dict(self._libraries), monotonic()
        for running in self._running:
            if self._is_library(running.name):
                _add(found, {_top_level(running.name): now - running.began})
                break
            _add(found, running.libraries)
        return found

    def _replacement(self) -> Callable[[str, Any], Any]:
        original, running, thread = self._original, self._running, get_ident()

        def find_and_load(name: str, import_: Any) -> Any:
            if get_ident() != thread:
                return original(name, import_)
            running.append(_Running(name, monotonic(), {}))
            try:
                return original(name, import_)
            finally:
                self._ended(running.pop())

        code = original.__code__
        find_and_load.__code__ = find_and_load.__code__.replace(
            co_filename=code.co_filename, co_name=code.co_name, co_firstlineno=code.co_firstlineno
        )
        return find_and_load

    def _ended(self, ended: _Running) -> None:
        seconds = monotonic() - ended.began
        if seconds >= _LEAST_SECONDS:
            library = self._is_library(ended.name)
            found = {_top_level(ended.name): seconds} if library else ended.libraries
            _add(self._running[-1].libraries if self._running else self._libraries, found)

    def _is_library(self, name: str) -> bool:
        file = None
        with contextlib.suppress(Exception):  # any object may take the place of a module
            file = sys.modules[name].__dict__.get("__file__")
        return isinstance(file, str) and not self._is_user_code(file)


def _top_level(name: str) -> str:
    return name.partition(".")[0]


def _add(to: dict[str, float], found: Mapping[str, float]) -> None:
    for name, seconds in found.items():
        to[name] = to.get(name, 0.0) + seconds
