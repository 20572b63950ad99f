"""The search for modules of the project in directories, without the import system of this process."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from pivot_fingerprint.disk import INIT, Disk

_SOURCE: Final = ".py"


class FoundModule(NamedTuple):
    """A module of the project.

    Attributes:
        name: Its full name.
        file: Its source file; None for a namespace package, and for compiled code.
        places: The directories of the modules in it, if it is a package.
        compiled: The file of its compiled code, if it has no source.
    """

    name: str
    file: str | None
    places: tuple[str, ...] = ()
    compiled: str | None = None

    @property
    def package(self) -> str:
        """The package from which its relative imports start."""
        return self.name if self.places else self.name.rpartition(".")[0]


class ModuleSearch:
    """Finds the modules of a program in directories that its interpreter would search.

    Those of the standard library are in none of these; they precede what is in the ``late`` ones. Libraries are not
    followed, nor searched for.
    """

    def __init__(
        self, disk: Disk, places: Sequence[str], late: Sequence[str], is_user_code: Callable[[str], bool]
    ) -> None:
        self._disk = disk
        self._places = list(dict.fromkeys(places))
        self._late = [place for place in dict.fromkeys(late) if place not in self._places]
        self._is_user_code = is_user_code
        self._found: dict[str, FoundModule | None] = {}

    def add(self, place: str, *, first: bool) -> bool:
        """Search another directory; returns whether it is a new one."""
        if place in self._places:
            return False
        self._places.insert(0 if first else len(self._places), place)
        self._found.clear()
        return True

    def find(self, name: str) -> FoundModule | None:
        """The module of the project with this full name."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def submodules(self, package: FoundModule) -> list[str]:
        """The full names of the modules directly in a package."""
        found = set()
        for place in package.places:
            for each in self._disk.listed(place):
                stem, extension = os.path.splitext(each)
                if extension == _SOURCE or not extension:
                    found.add(stem)
        return sorted(f"{package.name}.{each}" for each in found - {INIT} if each.isidentifier())

    def _find(self, name: str) -> FoundModule | None:
        above, _, last = name.rpartition(".")
        if not last.isidentifier():
            return None
        if above:
            package = self.find(above)
            return None if package is None or not package.places else self._in(name, last, package.places)
        if name in sys.builtin_module_names:
            return None
        return self._in(name, last, [*self._places, *(self._late if name not in sys.stdlib_module_names else ())])

    def _in(self, name: str, last: str, places: Iterable[str]) -> FoundModule | None:
        """The module called ``last`` in the first directory that has one."""
        spaces = []
        for place in places:
            self._disk.searched(last, place)
            names = self._names(place)
            inside = os.path.join(place, last)
            if last in names:
                file = os.path.join(inside, f"{INIT}{_SOURCE}")
                self._disk.searched(INIT, inside)
                if f"{INIT}{_SOURCE}" in self._names(inside):
                    return self._of_user(FoundModule(name, file, (inside,)))
            compiled = self._disk.compiled(place).get(last)
            if compiled is not None:
                return self._of_user(FoundModule(name, None, (), os.path.join(place, compiled)))
            if f"{last}{_SOURCE}" in names:
                return self._of_user(FoundModule(name, inside + _SOURCE))
            if last in names and self._disk.is_package(last, [place]):
                spaces.append(inside)
        if not spaces or not any(self._is_user_code(os.path.join(each, f"{INIT}{_SOURCE}")) for each in spaces):
            return None
        return FoundModule(name, None, tuple(spaces))

    def _of_user(self, found: FoundModule) -> FoundModule | None:
        file = found.file or found.compiled
        return found if file is not None and self._is_user_code(file) else None

    def _names(self, place: str) -> frozenset[str]:
        return self._disk.names(place)
