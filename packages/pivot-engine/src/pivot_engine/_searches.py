"""Which modules were looked for, and what the directories in which they were looked for held just before that."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Final

from pivot_engine import grounds
from pivot_engine.grounds import Fact

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
        self._seen: set[str] = set()
        self._held: dict[str, str | tuple[str, ...]] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, _: ModuleType | None = None) -> None:
        """None: others find it."""
        with contextlib.suppress(Exception):  # some packages have a path of their own making
            self.sought(fullname.rpartition(".")[2], sys.path if path is None else path)

    def sought(self, name: str, places: Sequence[str]) -> None:
        """A module, called ``name`` without its package, is about to be looked for."""
        self.asked.add(name)
        for place in places:
            if place not in self._seen:
                self._seen.add(place)
                self._look(place)

    def namespaces(self) -> Iterator[str]:
        """The imported packages without a file of their own that have got one since; all of these are noted."""
        for name, module in list(sys.modules.items()):
            held = getattr(module, "__dict__", {})
            if "__path__" in held and held.get("__file__") is None:
                with contextlib.suppress(Exception):  # some packages have a path of their own making
                    places = [str(place) for place in held["__path__"]]
                    self.sought(_INIT, places)
                    if any(_is_package(self._held[os.path.abspath(place)]) for place in places):
                        yield name

    def facts(self) -> list[Fact]:
        """What must be as it was for each of these modules to be found, or not found, where it was."""
        for place in sys.path:
            self.sought(_INIT, [place])
        return [
            Fact(grounds.STAMP, path, held)
            if isinstance(held, str)
            else Fact(grounds.MODULES, path, grounds.modules_of(held, self.asked))
            for path, held in self._held.items()
        ]

    def _look(self, place: str) -> None:
        path = os.path.abspath(place)
        if path not in self._held:
            with self._unheard():
                listed = None if self._is_installed(f"{path}/") else grounds.listing(path)
                self._held[path] = grounds.stamp(path) if listed is None else listed


def _is_package(held: str | tuple[str, ...]) -> bool:
    return not isinstance(held, str) and any(name.partition(".")[0] == _INIT for name in held)
