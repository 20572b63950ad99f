"""The time that the import of user code spends in libraries, measured without a change that their code can see."""

import contextlib
import sys
from collections.abc import Callable, Iterable
from threading import get_ident
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

_LEAST_SECONDS: Final = 0.001
"""Shorter imports do not count."""
_OWN: Final = frozenset({"pivot_cache", "pivot_core", "pivot_fingerprint", "pivot_runtime"})
"""Modules that a load imports for itself, such as for a ``pivot.yaml``; users cannot import less of them."""


class _Import:
    """One import: its module, its start, its duration once it has ended, and the imports within it."""

    __slots__ = ("began", "inner", "name", "seconds")

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = monotonic()
        self.seconds: float | None = None
        self.inner: list[_Import] = []


class ImportTimer:
    """A context manager around an import of user code, in this thread.

    It replaces the function of the import system that imports a module which is not in `sys.modules`. Frames of the
    replacement count as frames of the import system, which tracebacks and warnings leave out.
    """

    def __init__(self, is_user_code: Callable[[str], bool]) -> None:
        """Measure nothing outside the block; ``is_user_code`` says whether a file has the user's code."""
        self._is_user_code = is_user_code
        self._imports: list[_Import] = []
        self._running: list[_Import] = []
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
        found: dict[str, float] = {}
        self._add(self._imports, found, monotonic())
        return found

    def _add(self, imports: Iterable[_Import], found: dict[str, float], now: float) -> None:
        for each in imports:
            if self._is_library(each.name):
                library = each.name.partition(".")[0]
                if library in _OWN:
                    continue
                seconds = now - each.began if each.seconds is None else each.seconds
                found[library] = found.get(library, 0.0) + seconds
            else:
                self._add(each.inner, found, now)

    def _replacement(self) -> Callable[[str, Any], Any]:
        original, running, thread = self._original, self._running, get_ident()

        def find_and_load(name: str, import_: Any) -> Any:
            if get_ident() != thread:
                return original(name, import_)
            outer = running[-1].inner if running else self._imports
            outer.append(this := _Import(name))
            running.append(this)
            try:
                return original(name, import_)
            finally:
                running.pop()
                this.seconds = monotonic() - this.began
                if this.seconds < _LEAST_SECONDS:
                    outer.remove(this)

        code = original.__code__
        find_and_load.__code__ = find_and_load.__code__.replace(
            co_filename=code.co_filename, co_name=code.co_name, co_firstlineno=code.co_firstlineno
        )
        return find_and_load

    def _is_library(self, name: str) -> bool:
        file = None
        with contextlib.suppress(Exception):  # any object may take the place of a module
            file = sys.modules[name].__dict__.get("__file__")
        return isinstance(file, str) and not self._is_user_code(file)
