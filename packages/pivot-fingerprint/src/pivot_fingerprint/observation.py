"""The code that really ran: observe a process and its children, and compare with what a manifest knows."""

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from pivot_fingerprint.manifest import Entry
from pivot_fingerprint.runtime.observed import Observed, Ran
from pivot_fingerprint.runtime.recorder import Recorder
from pivot_fingerprint.runtime.start_file import Companion
from pivot_fingerprint.runtime.uncovered import ObservedEntry, UncoveredCode
from pivot_fingerprint.sources import source_digest as digests
from pivot_fingerprint.user_code import default_is_user_code

__pivot_module__ = "pivot_fingerprint"

__all__ = ["Companion", "Observed", "ObservedEntry", "Observer", "Ran", "recheck", "source_digest", "uncovered"]

type Path = str | os.PathLike[str]


class Observer:
    """A context manager that notes which functions and modules of the user run while it is active.

    It takes one free tool id of `sys.monitoring` (3, 4 or 5) and gives it back; debuggers,
    coverage tools and profilers go on undisturbed. Each code object costs one callback, the first
    time that it runs. Threads, generators, coroutines and callbacks from C count as any code does.

    Args:
        root: the directory to which files are relative; give `fingerprint` the same one.
        is_user_code: whether code in the file of this name counts; default as for `fingerprint`.
        spool: a directory of this observer alone, made if need be, in which children (forked ones, those
            of `multiprocessing`, and programs in Python) leave what they see. Without one, what runs in
            them is lost, and `Observed.incomplete` says so.
    """

    def __init__(
        self, *, root: Path, is_user_code: Callable[[str], bool] | None = None, spool: Path | None = None
    ) -> None:
        directory = os.fspath(spool) if spool is not None else None
        self._recorder = Recorder(os.fspath(root), is_user_code or default_is_user_code, directory)

    def prepare(self) -> None:
        """Do now what can be done in advance, in a process that then forks the one to be observed.

        It takes a free tool id of `sys.monitoring`, which the next observer of this process, and one
        in each process that it forks, will use.
        """
        self._recorder.prepare()

    def take_along(self, also: Companion) -> None:
        """Have something else begin in each child that is not forked, too."""
        self._recorder.also = also

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


def uncovered(observed: Observed, manifest: Mapping[str, Entry], *, root: Path) -> tuple[ObservedEntry, ...]:
    """The code that ran but is not in the manifest, sorted by key; for ordinary code there is nothing.

    With each function come the classes and constants of the project that it uses and the manifest
    does not have, since reading a value is not running it. All is read from source; nothing is imported.

    Args:
        observed: what an `Observer` with this root has seen.
        manifest: what `fingerprint` with this root has found, before the run.
        root: the directory to which all files are relative.
    """
    return UncoveredCode(observed.ran, manifest, os.fspath(root)).entries()


def source_digest(text: bytes | str, qualname: str) -> str | None:
    """32 hex digits over the canonical source form of one name in a module's text; None if it is not there.

    Nested code counts with the definition at the top of the module that contains it: `Net.fit` and
    `Net.fit.<locals>.step` with all of `Net`. The name of a constant stands for every statement that
    mentions it, `<module>` for the module's body without the bodies of functions and methods, `<effects>` for what in
    it does more than to bind names.
    Comments, formatting, docstrings and positions never count.
    """
    source = digests.parsed(text)
    return None if source is None else digests.digest(source, qualname.partition(".")[0])


def recheck(text: bytes | str, key: str) -> str | None:
    """The current `ObservedEntry.digest` for this key, if `text` is its file's; None if it is not there."""
    kind, _, rest = key.partition(":")
    name = rest.partition(":")[2]
    return source_digest(text, name or ("<effects>" if kind == "effects" else "<module>"))
