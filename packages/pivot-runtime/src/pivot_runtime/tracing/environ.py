"""The environment variables that user code and libraries read, and those that are passed to programs."""

import functools
import os
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final, NamedTuple

from pivot_core.errors import list_names
from pivot_fingerprint.programs import command_words, starts_python
from pivot_runtime.tracing.spool import UNSEEN, VARIABLE, Spool

_OS: Final = os.__file__
_ENVIRONMENTS: Final[tuple[Any, ...]] = (os.environ, os.environb)  # user code may replace the attributes of `os`
_PACKAGES: Final = ("pivot_runtime", "pivot_core", "pivot_fingerprint")
_MAPPING: Final = ("<frozen _collections_abc>", "_collections_abc.py")
_FROZEN: Final = "<frozen "
_STARTERS: Final = ("/subprocess.py", "/loky/backend/fork_exec.py")
"""Modules that copy the environment for a process that they start; that process is observed itself."""


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
        """A copy, usually for a new process; it counts as no read, since Pivot's own code iterates here."""
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


@contextmanager
def unrecorded() -> Iterator[None]:
    """Report no uses in the block, in which no user code runs in this process."""
    kept = [(environment, dict(environment.__dict__)) for environment in _ENVIRONMENTS]
    for environment, _ in kept:
        for name in ("_on_read", "_on_list", "_on_count"):
            environment.__dict__.pop(name, None)
    try:
        yield
    finally:
        for environment, attributes in kept:
            environment.__dict__.update(attributes)


class CodeDirectories(NamedTuple):
    """Directories of code, each with a slash at its end.

    Attributes:
        library: Python's standard library.
        installed: The installed packages inside that.
        own: The packages of Pivot.
    """

    library: str
    installed: str
    own: tuple[str, ...]


@functools.cache
def code_directories() -> CodeDirectories:
    """The directories of this interpreter; a call before processes are forked saves each of them the time."""
    packages = (sys.modules.get(name) for name in _PACKAGES)
    own = (place for package in packages for place in getattr(package, "__path__", ()))
    library = os.path.join(sysconfig.get_path("stdlib"), "")
    installed = os.path.join(library, "site-packages", "")
    return CodeDirectories(library, installed, tuple(os.path.join(each, "") for each in own))


class VariableReads:
    """The variables that code reads from `start` to `stop`, in this and other processes of a stage.

    Attributes:
        names: Their names.
    """

    def __init__(
        self,
        assigned: Iterable[str],
        spool: Spool,
        passed_over: tuple[str, ...] = (),
        machinery: tuple[str, ...] = (),
    ) -> None:
        """Record nothing before `start`.

        Args:
            assigned: Variables that the import has set. For these, reads of the standard library and copies of the
                whole environment count too.
            spool: The observations of other processes.
            passed_over: Directories of code whose reads do not count, besides Pivot's own.
            machinery: Directories of code whose reads count only for variables that the import has set.
        """
        self._machinery = machinery
        self.names: set[str] = set()
        self._assigned = frozenset(assigned)
        self._spool = spool
        self._remaining: list[Any] = []
        directories = code_directories()
        self._library, self._installed = directories.library, directories.installed
        self._passed_over = directories.own + passed_over

    def start(self) -> None:
        """Record from now on."""
        record(self._read, self._listed)

    def stop(self) -> None:
        """Record no more, and add the reads of other processes."""
        stop_recording()
        for kind, text in self._spool.entries():
            if kind == VARIABLE:
                self.names.add(text)

    def note(self, name: str) -> None:
        """Record the read of a variable."""
        if name not in self.names:
            self.names.add(name)
            self._spool.write(VARIABLE, name)

    def _read(self, key: object) -> None:
        name = os.fsdecode(key) if isinstance(key, bytes) else key
        if not isinstance(name, str):
            return
        copied = bool(self._remaining) and self._remaining[-1] == key  # as in `dict(os.environ)`
        if copied:
            self._remaining.pop()
        else:
            self._remaining.clear()
        if name in self.names or (copied and name not in self._assigned):
            return
        if self._counts(sys._getframe(2), name in self._assigned):  # noqa: SLF001
            self.note(name)

    def _listed(self, names: list[Any]) -> None:
        self._remaining = names[::-1]

    def _counts(self, frame: FrameType | None, assigned: bool) -> bool:  # noqa: FBT001
        """Whether the code that reads, below `os` and the mapping's methods, belongs neither to Pivot nor to Python."""
        while frame is not None:
            file = frame.f_code.co_filename
            if file != _OS and not file.endswith(_MAPPING) and file != "<frozen os>":
                if file.startswith(self._passed_over):
                    return False
                if assigned:
                    return not file.endswith(_STARTERS)
                if self._machinery and file.startswith(self._machinery):
                    return False
                python = file.startswith((self._library, _FROZEN)) and not file.startswith(self._installed)
                return not python
            frame = frame.f_back
        return False


_SHELL: Final = "os.system"
_EVENTS: Final = frozenset({"subprocess.Popen", _SHELL, "os.exec", "os.posix_spawn"})
_SHOWN: Final = 3


class PassedVariables:
    """The variables set by the import that are passed to programs, which may read them unobserved."""

    def __init__(self, assigned: Iterable[str], spool: Spool, read: Callable[[str], object]) -> None:
        """Record nothing before `start`.

        Args:
            assigned: The variables that the import has set.
            spool: The observations of other processes.
            read: Called with the name of each that the command line of a program names.
        """
        self._given: set[tuple[str, str]] = set()
        self._assigned = tuple(assigned)
        self._spool = spool
        self._read = read
        self._active = False

    def start(self) -> None:
        """Record from now on, once in a process, since an audit hook cannot be removed."""
        if self._assigned:
            self._active = True
            sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Record no more, and add the programs that other processes started."""
        self._active = False
        for kind, text in self._spool.entries():
            if kind == UNSEEN:
                program, _, name = text.partition("\0")
                self._given.add((program, name))

    def unseen(self, read: Collection[str]) -> tuple[str, ...]:
        """A line of text for each program; variables that were ``read`` count anyway and are left out."""
        by_program: dict[str, list[str]] = {}
        for program, name in sorted(self._given):
            if name not in read:
                by_program.setdefault(program, []).append(name)
        return tuple(
            f"`{program}` was given {list_names([f'`{name}`' for name in names], _SHOWN)}, set by the import:"
            " add env=[...] to the stage if it reads them"
            for program, names in by_program.items()
        )

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self._active and event in _EVENTS:
            with suppress(Exception):  # the stage's own call would fail with it
                program, command, *_, env = args if len(args) > 1 else (args[0], args[0], None)
                if not isinstance(program, int) and ("/" not in os.fsdecode(program) or os.path.exists(program)):
                    self._note_start(command_words(command) or command_words(program), env)

    def _note_start(self, command: list[str], env: object) -> None:
        program = command[0].split(" ")[0] if command else "a program"  # arguments may be secret
        observed = starts_python(command)
        for name in self._assigned:
            if env is not None and not (isinstance(env, Mapping) and _is_in(name, env)):
                continue
            if _names_variable(command, name):
                self._read(name)
            elif not observed and (program, name) not in self._given:
                self._given.add((program, name))
                self._spool.write(UNSEEN, f"{program}\0{name}")


def _names_variable(command: list[str], name: str) -> bool:
    return any(word == name or f"${name}" in word or f"${{{name}" in word for word in command)


def _is_in(name: str, env: Mapping[Any, Any]) -> bool:
    keys = set(env)
    return name in keys or os.fsencode(name) in keys
