"""Notes which environment variables are asked for by name, and by whom it matters: the user's code and libraries."""

import functools
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Final

from pivot_runtime.tracing.spool import VARIABLE, Spool

_OS: Final = os.__file__
_ENVIRONMENTS: Final[tuple[Any, ...]] = (os.environ, os.environb)  # the user's code may put something in their place
_PACKAGES: Final = ("pivot_runtime", "pivot_core", "pivot_fingerprint")
_MAPPING: Final = ("<frozen _collections_abc>", "_collections_abc.py")
_FROZEN: Final = "<frozen "
_STARTERS: Final = ("/subprocess.py", "/loky/backend/fork_exec.py")
"""Code that copies the environment for a process that it starts, which is observed itself."""


class _Noting(type(os.environ)):  # type: ignore[misc]  # the class has no public name
    """`os.environ`, which tells what is asked of it; copying it whole asks for no variable in particular."""

    def __getitem__(self, key: Any) -> Any:
        noted = self.__dict__.get("_noted")
        if noted is not None:
            noted(key)
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[Any]:
        names = list(super().__iter__())
        noted = self.__dict__.get("_listed")
        if noted is not None:
            noted(names)
        return iter(names)

    def copy(self) -> dict[Any, Any]:
        """As it is; for a process to be started, as a rule."""
        return dict(self)


@functools.cache
def places() -> tuple[str, str, tuple[str, ...]]:
    """Where Python's own library is, where in it others are installed, and whose questions do not matter.

    Asked once before processes are forked, it costs none of them anything.
    """
    packages = (sys.modules.get(name) for name in _PACKAGES)
    own = (place for package in packages for place in getattr(package, "__path__", ()))
    library = os.path.join(sysconfig.get_path("stdlib"), "")
    return library, os.path.join(library, "site-packages", ""), tuple(os.path.join(each, "") for each in own)


class Variables:
    """The names that were asked for since `start`, until `stop`, also in other processes."""

    def __init__(self, assigned: Iterable[str], spool: Spool, passed_over: tuple[str, ...] = ()) -> None:
        """Nothing is noted before `start`.

        Args:
            assigned: Variables that the import has set, whose values count: also libraries of Python's own that ask
                for them matter, and copies of all.
            spool: Where other processes leave what they see.
            passed_over: More directories of code whose questions do not matter.
        """
        self.names: set[str] = set()
        self._assigned = frozenset(assigned)
        self._spool = spool
        self._coming: list[str] = []
        self._library, self._installed, self._passed_over = places()
        self._passed_over += passed_over

    def start(self) -> None:
        """Note from now on."""
        for environment in _ENVIRONMENTS:
            environment.__class__ = _Noting
            environment.__dict__["_noted"] = self._asked
            environment.__dict__["_listed"] = self._listed

    def stop(self) -> None:
        """Note no more, and take in what others have seen."""
        for environment in _ENVIRONMENTS:
            for name in ("_noted", "_listed"):
                environment.__dict__.pop(name, None)
        self.names.update(text for kind, text in self._spool.told() if kind == VARIABLE)

    def note(self, name: str) -> None:
        """A variable was asked for."""
        if name not in self.names:
            self.names.add(name)
            self._spool.tell(VARIABLE, name)

    def _asked(self, key: object) -> None:
        name = os.fsdecode(key) if isinstance(key, bytes) else key
        if not isinstance(name, str):
            return
        one_of_all = bool(self._coming) and self._coming[-1] == key
        if one_of_all:
            self._coming.pop()  # as in `dict(os.environ)`
        else:
            self._coming.clear()
        if name in self.names or (one_of_all and name not in self._assigned):
            return
        if self._matters(sys._getframe(2), name in self._assigned):  # noqa: SLF001
            self.note(name)

    def _listed(self, names: list[Any]) -> None:
        self._coming = names[::-1]

    def _matters(self, frame: FrameType | None, assigned: bool) -> bool:  # noqa: FBT001
        """Whether the first that is neither `os` nor the mapping's own code is no part of Pivot, nor of Python."""
        while frame is not None:
            file = frame.f_code.co_filename
            if file != _OS and not file.endswith(_MAPPING) and file != "<frozen os>":
                if file.startswith(self._passed_over):
                    return False
                if assigned:
                    return not file.endswith(_STARTERS)
                python = file.startswith((self._library, _FROZEN)) and not file.startswith(self._installed)
                return not python
            frame = frame.f_back
        return False
