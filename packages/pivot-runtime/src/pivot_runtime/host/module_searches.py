"""Which modules were looked for, and what the directories in which they were looked for held just before that."""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Final

from pivot_runtime.freshness import load_trace
from pivot_runtime.freshness.load_trace import Fact

_INIT: Final = "__init__"
"""A directory without it may become a package like any other."""


class Searches:
    """Finds no module, but notes what is asked: as a finder of the import system, and for who looks in another way."""

    def __init__(
        self, is_installed: Callable[[str], bool], unheard: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        """Nothing is noted yet.

        Args:
            is_installed: Of which directories it is enough to know when their names last changed.
            unheard: Around what is looked at here.
        """
        self.asked: set[str] = {_INIT}
        self._is_installed = is_installed
        self._unheard = unheard
        self._places: dict[str, str] = {}
        self._held: dict[str, str | frozenset[str]] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, _: ModuleType | None = None) -> None:
        """None: others find it."""
        with contextlib.suppress(Exception):  # some packages have a path of their own making
            self.sought(fullname.rpartition(".")[2], sys.path if path is None else path)

    def sought(self, name: str, places: Sequence[str]) -> None:
        """A module, called ``name`` without its package, is about to be looked for."""
        self.asked.add(name)
        for place in places:
            path = self._places.get(place)
            if path is None:
                path = self._places[place] = os.path.abspath(place)
            held = self._look(path)
            if not isinstance(held, str) and f"{name}/" in held:  # whether it is found first hangs on what is in it
                self._look(os.path.join(path, name))

    def facts(self) -> list[Fact]:
        """The facts that decide where each of these modules is found, or that it is not."""
        self.sought(_INIT, sys.path)
        return [
            Fact(load_trace.MTIME, path, held)
            if isinstance(held, str)
            else Fact(load_trace.MODULES, path, load_trace.modules_of(held, self.asked))
            for path, held in self._held.items()
        ]

    def _look(self, path: str) -> str | frozenset[str]:
        held = self._held.get(path)
        if held is None:
            with self._unheard():
                listed = None if self._is_installed(f"{path}/") else load_trace.listing(path)
                held = self._held[path] = load_trace.mtime(path) if listed is None else frozenset(listed)
        return held
