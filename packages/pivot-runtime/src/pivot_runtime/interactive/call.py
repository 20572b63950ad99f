"""One call from a notebook or a script: its project, its warnings, and its errors with their hints as notes."""

import contextlib
import functools
import os
import pathlib
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

import pivot_core
import pivot_runtime
from pivot_core.errors import PivotError
from pivot_runtime.context import CommandContext, Notice, Notices
from pivot_runtime.definitions import source_import
from pivot_runtime.errors import InsideStageError, LoadError, PivotWarning
from pivot_runtime.processes import process_tree
from pivot_runtime.processes.startup_state import without_kernel
from pivot_runtime.project import guard

_OWN: Final = tuple(place for package in (pivot_runtime, pivot_core) for place in package.__path__)
_COMMAND: Final = "pivot"
_LONGEST_WAIT_S: Final = 0.2
"""A signal that arrives a moment before a wait for a lock does not end it."""

type PathLike = str | os.PathLike[str]

_turns: Final[dict[int, threading.RLock]] = {}
"""By process, the lock of calls that write: a forked process must not wait for a thread that it does not have."""


@contextlib.contextmanager
def called(name: str, root: PathLike | None, params: Mapping[str, object] | None = None) -> Iterator[CommandContext]:
    """The context of a call, for a block in which errors get notes with all that a notebook would not show otherwise.

    Args:
        name: The function, as the user calls it.
        root: A directory in the project; None for the current one.
        params: Values of parameters by ``stage.name``.

    Raises:
        InsideStageError: A stage, or the import of a pipeline, makes the call.
        DiscoveryError: There is no project.
    """
    try:
        if source_import.is_importing_from_source() or _is_inside_a_stage(os.getpid()):
            raise InsideStageError(name)
        yield _context(root, params or {})
    except PivotError as error:
        if isinstance(error, LoadError):
            error.add_note(error.traceback.rstrip())
        if error.hint:
            error.add_note(f"hint: {error.hint}")
        raise


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """Let the threads of this process write one after the other; the guard keeps away other processes."""
    lock = _turns.setdefault(os.getpid(), threading.RLock())
    if not lock.acquire(blocking=False):
        sys.stderr.write("pivot: waiting for another thread of this process\n")
        while not lock.acquire(timeout=_LONGEST_WAIT_S):
            pass
    try:
        yield
    finally:
        lock.release()


def warn(text: str, category: type[PivotWarning]) -> None:
    """Warn about the line that called Pivot."""
    warnings.warn(text, category, stacklevel=2, skip_file_prefixes=(*_OWN, os.path.dirname(contextlib.__file__)))


def _context(root: PathLike | None, params: Mapping[str, object]) -> CommandContext:
    try:
        here = pathlib.Path.cwd()
    except FileNotFoundError:
        raise PivotError(
            "the current directory no longer exists", hint="name the project's directory: root=..."
        ) from None
    directory = here if root is None else here / os.path.expanduser(root)
    if not directory.is_dir():
        raise PivotError(f"root={os.fspath(directory)!r} is not a directory")
    context = CommandContext.find(pathlib.Path(os.path.normpath(directory)), without_kernel(os.environ))
    overrides = tuple(f"{name}={_text(value)}" for name, value in params.items())
    return attrs.evolve(context, overrides=overrides, notices=Notices(_report))


def _text(value: object) -> str:
    """A parameter's value as the command line takes it: a text as it is, other values as JSON."""
    import json  # lazy

    return value if isinstance(value, str) else json.dumps(value)


def _report(notice: Notice) -> None:
    text = f"left out: {notice.text}" if notice.left_out else notice.text
    warn(f"{text} ({notice.hint})" if notice.hint else text, PivotWarning)


@functools.cache
def _is_inside_a_stage(pid: int) -> bool:
    """Whether the process ``pid``, which is this one, is a descendant of a process that runs stages."""
    del pid  # a forked process looks again
    return any(_runs_stages(process_tree.command_of(each).split(" ")) for each in guard.ancestors())


def _runs_stages(words: list[str]) -> bool:
    """Whether a command line is that of Pivot: of a command, or of a process that it has started."""
    code = " ".join(words[:8])
    return any(os.path.basename(word) == _COMMAND for word in words[:2]) or (
        "pivot_runtime.host" in code or "pivot_runtime.worker" in code or "-m pivot " in f"{code} "
    )
