"""`pivot.load` and `pivot.path`: the value of an out, and its place in the workspace."""

import os
import pathlib
import pickle
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

from pivot_cache.state import left_outs
from pivot_core.errors import LoaderError
from pivot_core.files.paths import ArtifactPath
from pivot_core.loaders import Reader
from pivot_core.lock import Artifact
from pivot_runtime.artifacts import checkout
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import OutUnavailableError, StaleWarning, TargetError
from pivot_runtime.evaluating.evaluate import Evaluation
from pivot_runtime.interactive import private_files
from pivot_runtime.interactive.call import PathLike, called, turn, warn
from pivot_runtime.interactive.loaders import build_loader
from pivot_runtime.interactive.lookup import Lookup, Subject, is_current, reason_of, text_of, with_lookup
from pivot_runtime.worker.read_value import read_value


@overload
def load[T](
    target: PathLike, *, rev: str | None = None, loader: Reader[T], pull: bool = False, root: PathLike | None = None
) -> T: ...


@overload
def load(
    target: PathLike,
    *,
    rev: str | None = None,
    loader: None = None,
    pull: bool = False,
    root: PathLike | None = None,
) -> Any: ...


def load(
    target: PathLike,
    *,
    rev: str | None = None,
    loader: Reader[Any] | None = None,
    pull: bool = False,
    root: PathLike | None = None,
) -> Any:
    """The value of an out, read with the loader of its stage.

    For example::

        model = pivot.load("train.model")

    The content is that of the workspace; if nothing is there, that of the cache, which is read without changing the
    workspace. A `StaleWarning` says if it is not the result of the current code and inputs, and why.

    Args:
        target: A stage and the name under which it returns the value (``train.model``, ``pipeline.train.model``), a
            stage that returns one value, or the path of an out, of a file in one, or of other data.
        rev: A git revision, such as ``main~3``: the value that it recorded, from the cache or from git, read with the
            current loader. The workspace stays as it is.
        loader: Another loader. It is required for data that no stage writes, and for an out whose loader cannot read.
        pull: Fetch the content from the default remote if neither the workspace nor the cache has it.
        root: A directory in the project; by default the current one.

    Returns:
        The value; for an out with the loader `PathOnly`, the path of its file. That of an out that is only in the
        cache is the path of a private copy, which lasts as long as this process.

    Raises:
        TargetError: The target means nothing, or several values.
        OutUnavailableError: The content is not available.
        LoaderError: The loader cannot read it.
        PivotError: There is no project, its pipeline cannot be loaded, or a stage makes the call.
    """
    with called("pivot.load", root) as context:
        return with_lookup(context, lambda lookup: _Loading(context, lookup, rev, pull=pull).load(target, loader))


def path(target: PathLike, *, rev: str | None = None, pull: bool = False, root: PathLike | None = None) -> pathlib.Path:
    """The absolute path of an out or of tracked data in the workspace.

    If nothing is there and the cache has the content, it is restored; existing files are never replaced. A
    `StaleWarning` says if it is not the result of the current code and inputs, and why.

    Args:
        target: As for `load`.
        rev: A git revision: the path of a private copy of the content that it recorded, which lasts as long as this
            process.
        pull: Fetch the content from the default remote if neither the workspace nor the cache has it.
        root: A directory in the project; by default the current one.

    Raises:
        TargetError: The target means nothing, or several paths.
        OutUnavailableError: The content is not available.
        PivotError: There is no project, its pipeline cannot be loaded, or a stage makes the call.
    """
    with called("pivot.path", root) as context:
        return with_lookup(context, lambda lookup: _Loading(context, lookup, rev, pull=pull).path(target))


class _Loading:
    """One call of `load` or `path`."""

    def __init__(self, context: CommandContext, lookup: Lookup, rev: str | None, *, pull: bool) -> None:
        self._context = context
        self._rev = rev
        self._lookup = lookup
        self._session = lookup.session
        self._pull = pull

    def path(self, target: PathLike) -> pathlib.Path:
        subject = self._lookup.subject(text_of(target))
        if len(subject.paths) != 1:
            raise TargetError(f"{subject.name} is saved to several paths", hint=f"name one: {', '.join(subject.paths)}")
        (wanted,) = subject.paths
        if self._rev is not None:
            return self._at_revision(self._rev, subject)[0]
        self._evaluate(subject)
        file = self._context.project.layout.artifact(wanted)
        if self._session.artifact_at(wanted) is None:
            self._available(subject, wanted, self._lookup.recorded(wanted))
            options = checkout.CheckoutOptions(only_missing=True)
            with turn():
                report = checkout.restore(self._context, [str(file)], options=options)
            for problem in report.failed.values():
                raise OutUnavailableError(f"{subject.name} cannot be restored: {problem}")
        return file

    def load(self, target: PathLike, loader: Reader[Any] | None) -> Any:
        subject = self._lookup.subject(text_of(target))
        read = self._reader(subject, loader)
        if self._rev is None:
            evaluation = self._evaluate(subject)
            files = [self._file(subject, path, evaluation) for path in subject.paths]
        else:
            files = [(file, True) for file in self._at_revision(self._rev, subject)]
        values = read([file for file, _ in files])
        for file, is_copy in files:
            if is_copy and not any(value is file for value in values):
                private_files.discard(file)
        return values[0] if subject.value is None else subject.value.like(values)

    def _at_revision(self, rev: str, subject: Subject) -> Sequence[pathlib.Path]:
        from pivot_runtime.interactive import revision_files  # lazy: few calls name a revision

        return revision_files.files_at(self._context, self._session.stores, rev, subject.paths, pull=self._pull)

    def _evaluate(self, subject: Subject) -> Evaluation | None:
        """The state of the stage; warns if its outs are stale."""
        if not subject.address:
            return None
        evaluation = self._lookup.evaluation(subject.address)
        if not is_current(evaluation.decision) and evaluation.lock is not None:
            warn(f"{subject.name} is stale: {reason_of(evaluation.decision)}", StaleWarning)
        return evaluation

    def _file(self, subject: Subject, wanted: ArtifactPath, evaluation: Evaluation | None) -> tuple[pathlib.Path, bool]:
        """A file with the content of a path, and whether that is a private copy."""
        if self._session.artifact_at(wanted) is not None:
            return self._session.project.layout.artifact(wanted), False
        recorded = self._lookup.recorded(wanted) if evaluation is None else self._lookup.best(wanted, evaluation)
        found = self._available(subject, wanted, recorded)
        return private_files.private_copy(self._session.store, found, os.path.basename(wanted)), True

    def _available(self, subject: Subject, wanted: ArtifactPath, recorded: Artifact | None) -> Artifact:
        """The recorded content of a path that is not in the workspace, which the cache has now.

        Raises:
            OutUnavailableError: It has not been computed here, or the cache lacks it.
        """
        store = self._session.store
        run = f"pivot.repro({subject.address!r})" if subject.address else ""
        if recorded is None:
            problem = f"{subject.name} has not been computed yet: no run recorded {wanted}, and nothing is there"
            raise OutUnavailableError(problem, hint=run or None)
        if not store.has_all(recorded) and self._pull:
            from pivot_runtime.sharing import transfer  # lazy

            transfer.fetch_from_default(self._session.stores, [recorded], lambda _: None)
        if not store.has_all(recorded):
            if self._pull:
                places, ways = "in the workspace, in the cache nor on the remote", [run]
            else:
                left = wanted in left_outs.read(self._session.stores.layout)  # then a run finds nothing to do
                ways = ["fetch it from the remote: pull=True", "" if left else run]
                places = "in the workspace nor in the cache"
            hint = ", or ".join(filter(None, ways)) or None
            raise OutUnavailableError(f"{subject.name} is neither {places}", hint=hint)
        return recorded

    def _reader(self, subject: Subject, loader: Reader[Any] | None) -> Callable[[list[pathlib.Path]], list[Any]]:
        """The function that reads files: with the given loader, that of the stage, or in a process with the stage."""
        value = subject.value
        directory = value is not None and value.directory and subject.paths[0] in value.paths
        if loader is not None:
            return lambda files: _read_all(subject, loader, files, directory=directory)
        if value is not None:
            if value.path_only:
                return list
            if not value.readable:
                raise LoaderError(
                    f"the loader {value.loader_name} of {subject.name} can save, but not load",
                    hint=f"name another one: pivot.load({subject.name!r}, loader=...)",
                )
            if value.loader is None:
                return lambda files: self._read_in_host(subject, files, directory=directory)
            known = build_loader(value.loader)
            return lambda files: _read_all(subject, known, files, directory=directory)
        raise LoaderError(
            f"no stage writes {subject.name}, so that its loader is unknown",
            hint=f"name a loader: pivot.load({subject.name!r}, loader=pivot.loaders.CSV())",
        )

    def _read_in_host(self, subject: Subject, files: list[pathlib.Path], *, directory: bool) -> list[Any]:
        """Read files with a loader that only the project has, in the process that imports the project's code."""
        assert subject.value is not None  # noqa: S101  # only the loader of a stage is not given
        host = self._lookup.assembly.host_of(subject.address)
        with tempfile.TemporaryDirectory(prefix="pivot-") as place:
            result = pathlib.Path(place, "values")
            host.read(subject.address, subject.value.key, files, result, directory=directory)
            with result.open("rb") as file:
                values: list[Any] = _annotated(subject, lambda: pickle.load(file))  # noqa: S301  # from a child of ours
        return values


def _read_all(subject: Subject, loader: Reader[Any], files: Iterable[pathlib.Path], *, directory: bool) -> list[Any]:
    return _annotated(subject, lambda: [read_value(loader, file, directory=directory) for file in files])


def _annotated[T](subject: Subject, read: Callable[[], T]) -> T:
    """The result of reading; errors get notes with the name of the value and a hint."""
    try:
        return read()
    except Exception as error:
        error.add_note(f"while loading {subject.name}")
        if isinstance(error, ModuleNotFoundError | AttributeError):
            error.add_note("if this is a class of the project, its module must be importable here: extend sys.path")
        raise
