"""Observation of running code, in a process and its children, and comparison with a manifest."""

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from pivot_fingerprint.manifest import Entry
from pivot_fingerprint.runtime.live_code import LiveCode
from pivot_fingerprint.runtime.observed import Observed, Ran
from pivot_fingerprint.runtime.recorder import Recorder, UserFiles
from pivot_fingerprint.runtime.start_file import (
    Companion,
    ProgramRun,
    StartArguments,
    end_start_file,
    remove_start_files,
    write_start_file,
)
from pivot_fingerprint.runtime.uncovered import ObservedEntry, UncoveredCode
from pivot_fingerprint.sources.memo import Memo
from pivot_fingerprint.sources.source_digest import digest, lines, parsed
from pivot_fingerprint.user_code import default_is_user_code

__pivot_module__ = "pivot_fingerprint"

__all__ = [
    "Companion",
    "LiveCode",
    "Observed",
    "ObservedEntry",
    "Observer",
    "ProgramRun",
    "Ran",
    "StartArguments",
    "UserFiles",
    "end_start_file",
    "recheck",
    "remove_start_files",
    "source_digest",
    "source_lines",
    "uncovered",
    "write_start_file",
]

type Path = str | os.PathLike[str]


class Observer:
    """A context manager that records which functions and modules of the user run while it is active.

    It takes one free tool ID of `sys.monitoring` (3, 4 or 5) and releases it at the end; debuggers,
    coverage tools and profilers work as before. Each code object costs one callback, the first
    time that it runs. Threads, generators, coroutines and callbacks from C are observed too.

    Args:
        root: The directory to which files are relative; pass the same one to `fingerprint`.
        is_user_code: Whether code in the file of this name counts; the default is that of `fingerprint`.
        spool: A directory of this observer alone, created on demand, for the records of children: forked
            processes, those of `multiprocessing`, and Python programs. Without it, children are not
            observed, and `Observed.incomplete` reports that.
        files: The user's files for the same root and predicate, if several observers share them, so that they
            look at each file once.
    """

    def __init__(
        self,
        *,
        root: Path,
        is_user_code: Callable[[str], bool] | None = None,
        spool: Path | None = None,
        files: UserFiles | None = None,
    ) -> None:
        directory = os.fspath(spool) if spool is not None else None
        self._recorder = Recorder(os.fspath(root), is_user_code or default_is_user_code, directory, files=files)

    def prepare(self) -> None:
        """Prepare the observation in a process that will fork the process to observe.

        This takes a free tool ID of `sys.monitoring`, which the next observer in this process, and in
        each process that it forks, will use.
        """
        self._recorder.prepare()

    def add_companion(self, companion: Companion) -> None:
        """Start another function as well in each new interpreter of `multiprocessing`."""
        self._recorder.companion = companion

    def set_program_run(self, run: ProgramRun) -> None:
        """Choose how the Python programs that this process and its children start are observed."""
        self._recorder.programs = run

    def pass_over_programs(self) -> None:
        """Neither observe nor name the programs that this process starts: the caller does."""
        self._recorder.passes_over = True

    def __enter__(self) -> Self:
        self._recorder.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._recorder.stop()

    @property
    def observed(self) -> Observed:
        """The observations so far, in this process and in its children."""
        return self._recorder.observed()


def uncovered(
    observed: Observed, manifest: Mapping[str, Entry], *, root: Path, memo: Memo | None = None
) -> tuple[ObservedEntry, ...]:
    """The code that ran but is not in the manifest, sorted by key; nothing for ordinary code.

    Each function brings along the classes and constants of the project that it uses and the manifest
    lacks, since reading a value does not run it. Everything is read from source; nothing is imported.

    Args:
        observed: The record of an `Observer` with this root.
        manifest: The result of `fingerprint` with this root, from before the run.
        root: The directory to which all files are relative.
        memo: The store that a `Fingerprinter` has for the results of each file's text; by default, there is none.
    """
    return UncoveredCode(observed.ran, manifest, os.fspath(root), memo).entries()


def source_digest(text: bytes | str, qualname: str) -> str | None:
    """32 hex digits over the canonical source form of one name in a module's text; None if it is not there.

    Nested code counts with the definition at the top of the module that contains it: `Net.fit` and
    `Net.fit.<locals>.step` with all of `Net`. The name of a constant stands for every statement that
    mentions it, `<module>` for the module's body without the bodies of functions and methods, and `<effects>` for the
    statements of the body that do more than bind names.
    Comments, formatting, docstrings and positions never count.
    """
    source = parsed(text)
    return None if source is None else digest(source, qualname.partition(".")[0])


def recheck(text: bytes | str, key: str) -> str | None:
    """The current `ObservedEntry.digest` for this key, if `text` is the text of its file; None without such code."""
    return source_digest(text, _name(key))


def source_lines(text: bytes, key: str) -> str | None:
    """The code that `recheck` looks at, as a user wrote it, for a diff; None without it, or if it is too deep."""
    source, name = parsed(text), _name(key).partition(".")[0]
    if source is None or digest(source, name) is None:
        return None
    try:
        return lines(source, name, text.decode("utf-8", "replace"))
    except RecursionError:  # of `ast.unparse`
        return None


def _name(key: str) -> str:
    kind, _, rest = key.partition(":")
    return rest.partition(":")[2] or ("<effects>" if kind == "effects" else "<module>")
