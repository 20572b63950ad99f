"""Records which environment variables user code and libraries read, and which are given to programs."""

import functools
import os
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, Final

from pivot_fingerprint.programs import command_words, starts_python
from pivot_runtime.tracing.spool import UNSEEN, VARIABLE, Spool

_OS: Final = os.__file__
_ENVIRONMENTS: Final[tuple[Any, ...]] = (os.environ, os.environb)  # the user's code may put something in their place
_PACKAGES: Final = ("pivot_runtime", "pivot_core", "pivot_fingerprint")
_MAPPING: Final = ("<frozen _collections_abc>", "_collections_abc.py")
_FROZEN: Final = "<frozen "
_STARTERS: Final = ("/subprocess.py", "/loky/backend/fork_exec.py")
"""Code that copies the environment for a process that it starts, which is observed itself."""


class RecordingEnviron(type(os.environ)):  # type: ignore[misc]  # the class has no public name
    """The class of `os.environ` while it is recorded: reports each use to the listeners in its instance."""

    def __getitem__(self, key: Any) -> Any:
        report = self.__dict__.get("_on_read")
        if report is not None:
            report(key)
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[Any]:
        names = list(super().__iter__())
        report = self.__dict__.get("_on_list")
        if report is not None:
            report(names)
        return iter(names)

    def __len__(self) -> int:
        report = self.__dict__.get("_on_count")
        if report is not None:
            report()
        return len(self._data)

    def copy(self) -> dict[Any, Any]:
        """A copy, which mostly is for a process to start; code of Pivot makes it, so it is no use of a variable."""
        return dict(self)


def record(
    read: Callable[[Any], None], listed: Callable[[list[Any]], None], counted: Callable[[], None] = lambda: None
) -> None:
    """Report uses of `os.environ` and `os.environb` in this process, until `stop_recording`.

    Args:
        read: Called from `RecordingEnviron.__getitem__` with the name of a variable.
        listed: Called with all names before they are iterated over.
        counted: Called when the variables are counted.
    """
    for environment in _ENVIRONMENTS:
        environment.__class__ = RecordingEnviron
        environment.__dict__.update(_on_read=read, _on_list=listed, _on_count=counted)


def stop_recording() -> None:
    """Report no more uses."""
    for environment in _ENVIRONMENTS:
        for name in ("_on_read", "_on_list", "_on_count"):
            environment.__dict__.pop(name, None)
        environment.__class__ = RecordingEnviron.__base__


@functools.cache
def code_directories() -> tuple[str, str, tuple[str, ...]]:
    """Where Python's own library is, where in it others are installed, and whose questions do not matter.

    Asked once before processes are forked, it costs none of them anything.
    """
    packages = (sys.modules.get(name) for name in _PACKAGES)
    own = (place for package in packages for place in getattr(package, "__path__", ()))
    library = os.path.join(sysconfig.get_path("stdlib"), "")
    return library, os.path.join(library, "site-packages", ""), tuple(os.path.join(each, "") for each in own)


class VariableReads:
    """The names that were asked for since `start`, until `stop`, also in other processes."""

    def __init__(self, assigned: Iterable[str], spool: Spool, passed_over: tuple[str, ...] = ()) -> None:
        """Nothing is noted before `start`.

        Args:
            assigned: VariableReads that the import has set, whose values count: also libraries of Python's own that ask
                for them matter, and copies of all.
            spool: Where other processes leave what they see.
            passed_over: More directories of code whose questions do not matter.
        """
        self.names: set[str] = set()
        self._assigned = frozenset(assigned)
        self._spool = spool
        self._coming: list[str] = []
        self._library, self._installed, self._passed_over = code_directories()
        self._passed_over += passed_over

    def start(self) -> None:
        """Note from now on."""
        record(self._read, self._listed)

    def stop(self) -> None:
        """Note no more, and take in what others have seen."""
        stop_recording()
        self.names.update(text for kind, text in self._spool.told() if kind == VARIABLE)

    def note(self, name: str) -> None:
        """A variable was asked for."""
        if name not in self.names:
            self.names.add(name)
            self._spool.tell(VARIABLE, name)

    def _read(self, key: object) -> None:
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


_SHELL: Final = "os.system"
_EVENTS: Final = frozenset({"subprocess.Popen", _SHELL, "os.exec", "os.posix_spawn"})
_SHOWN: Final = 3


class PassedVariables:
    """An audit hook, which nothing can take away again."""

    def __init__(self, assigned: Iterable[str], spool: Spool, read: Callable[[str], object]) -> None:
        """Nothing is noted before `start`.

        Args:
            assigned: The variables.
            spool: Where other processes leave what they see.
            read: Called with the name of one that a command itself names.
        """
        self._given: set[tuple[str, str]] = set()
        self._assigned = tuple(assigned)
        self._spool = spool
        self._read = read
        self._active = False

    def start(self) -> None:
        """Note from now on. A process can do so once."""
        if self._assigned:
            self._active = True
            sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Note no more, and take in what others have seen."""
        self._active = False
        for kind, text in self._spool.told():
            if kind == UNSEEN:
                program, _, name = text.partition("\0")
                self._given.add((program, name))

    def unseen(self, read: Collection[str]) -> tuple[str, ...]:
        """The text about it, a line for each program; ``read`` are the variables that count anyway."""
        by_program: dict[str, list[str]] = {}
        for program, name in sorted(self._given):
            if name not in read:
                by_program.setdefault(program, []).append(name)
        return tuple(
            f"`{program}` was given {_listed(names)}, set by the import: add env=[...] to the stage if it reads them"
            for program, names in by_program.items()
        )

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self._active and event in _EVENTS:
            with suppress(Exception):  # an exception here would fail what the stage does
                program, command, *_, env = args if len(args) > 1 else (args[0], args[0], None)
                if not isinstance(program, int) and ("/" not in os.fsdecode(program) or os.path.exists(program)):
                    self._starting(command_words(command) or command_words(program), env)

    def _starting(self, command: list[str], env: object) -> None:
        names = [each for each in self._assigned if env is None or (isinstance(env, Mapping) and _is_in(each, env))]
        told = not starts_python(command)
        for name in names:
            if any(word == name or f"${name}" in word or f"${{{name}" in word for word in command):
                self._read(name)
            elif told:
                shown = command[0].split(" ")[0] if command else "a program"  # what follows may be secret
                if (shown, name) not in self._given:
                    self._given.add((shown, name))
                    self._spool.tell(UNSEEN, f"{shown}\0{name}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more variables" if len(names) > _SHOWN else ""
    return ", ".join(f"`{name}`" for name in names[:_SHOWN]) + more


def _is_in(name: str, env: Mapping[Any, Any]) -> bool:
    keys = set(env)
    return name in keys or os.fsencode(name) in keys
