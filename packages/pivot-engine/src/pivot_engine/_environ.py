"""Notes which environment variables are asked for by name, and by whom it matters: the user's code and libraries."""

import functools
import os
import sys
import sysconfig
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

_OS: Final = os.__file__
_ENVIRONMENT: Final = os.environ  # the user's code may put something else in its place
_MAPPING: Final = ("<frozen _collections_abc>", "_collections_abc.py")


class _Noting(type(os.environ)):  # type: ignore[misc]  # the class has no public name
    """`os.environ`, which tells what is asked of it; copying it whole asks for nothing."""

    def __getitem__(self, key: Any) -> str:
        noted = self.__dict__.get("_noted")
        if noted is not None:
            noted(key)
        value: str = super().__getitem__(key)
        return value

    def __iter__(self) -> Iterator[str]:
        names = list(super().__iter__())
        noted = self.__dict__.get("_listed")
        if noted is not None:
            noted(names)
        return iter(names)

    def copy(self) -> dict[str, str]:
        """As it is; for a process to be started, as a rule."""
        return {name: super(_Noting, self).__getitem__(name) for name in super().__iter__()}


@functools.cache
def places() -> tuple[str, str, tuple[str, ...]]:
    """Where Python's own library lies, where in it others are installed, and whose questions do not matter.

    Asked once before processes are forked, it costs none of them anything.
    """
    own = os.path.join(os.path.dirname(__file__), "")
    core = os.path.join(os.path.dirname(sys.modules["pivot_core"].__file__ or ""), "")
    library = os.path.join(sysconfig.get_path("stdlib"), "")
    return library, os.path.join(library, "site-packages", ""), (own, core, "<frozen ")


class Variables:
    """The names that were asked for since `start`, until `stop`."""

    def __init__(self) -> None:
        """Nothing is noted before `start`."""
        self.names: set[str] = set()
        self._coming: list[str] = []
        self._environment: Any = None
        self._library, self._installed, self._passed_over = places()

    def start(self) -> None:
        """Note from now on."""
        environment: Any = _ENVIRONMENT
        environment.__class__ = _Noting
        environment.__dict__["_noted"] = self._asked
        environment.__dict__["_listed"] = self._listed

    def stop(self) -> None:
        """Note no more."""
        for name in ("_noted", "_listed"):
            _ENVIRONMENT.__dict__.pop(name, None)

    def _asked(self, name: object) -> None:
        if self._coming and self._coming[-1] == name:
            self._coming.pop()  # one of all, as in `dict(os.environ)`
            return
        self._coming.clear()
        if isinstance(name, str) and name not in self.names and self._matters(sys._getframe(2)):  # noqa: SLF001
            self.names.add(name)

    def _listed(self, names: list[str]) -> None:
        self._coming = names[::-1]

    def _matters(self, frame: FrameType | None) -> bool:
        """Whether the first that is neither `os` nor the mapping's own code is no part of Python or Pivot."""
        while frame is not None:
            file = frame.f_code.co_filename
            if file != _OS and not file.endswith(_MAPPING) and file != "<frozen os>":
                return not file.startswith(self._passed_over) and (
                    not file.startswith(self._library) or file.startswith(self._installed)
                )
            frame = frame.f_back
        return False
