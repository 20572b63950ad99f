"""`pivot update`: bring in imported data again where their source has changed."""

import enum
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import attrs

from pivot_cache.formats.data_source import DataSource, RepositorySource, UrlSource
from pivot_cache.remotes.transfer import TransferCounts
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import TargetError
from pivot_runtime.external import download, placing
from pivot_runtime.external.clones import Clones, RepositoryLocation, locate
from pivot_runtime.external.placing import Imported
from pivot_runtime.external.repositories import ForeignRepository
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded


class SourceState(enum.Enum):
    """The state of a source compared with the record of the data that came from it."""

    CURRENT = "current"
    MOVED = "moved"
    UNKNOWN = "unknown"
    """The server does not say; only a download shows it."""
    FAILED = "failed"
    """The source cannot be read."""


@attrs.frozen(eq=False, repr=False)
class SourceCheck(Value):
    """A source that was asked.

    Attributes:
        path: The path of the data.
        source: Where they came from.
        state: The answer.
        detail: For a moved repository, its commit; for a failure, the error.
        error: The error itself.
    """

    path: ArtifactPath
    source: DataSource
    state: SourceState
    detail: str = ""
    error: PivotError | None = None


@attrs.frozen(eq=False, repr=False)
class UpdateReport(Value):
    """The result of an update, or of a dry run.

    Attributes:
        checked: The sources that were asked, by path.
        updated: The data that were brought in again.
        failed: The data that could not be brought in, with the error.
    """

    checked: tuple[SourceCheck, ...]
    updated: tuple[Imported, ...] = ()
    failed: dict[ArtifactPath, PivotError] = attrs.field(factory=dict)


def update(  # noqa: PLR0913  # the options of the command
    context: CommandContext,
    names: Iterable[str] = (),
    *,
    rev: str | None = None,
    force: bool = False,
    dry_run: bool = False,
    report: Reporter = no_report,
    progress: Callable[[TransferCounts], object] = no_progress,
) -> UpdateReport:
    """Bring in data again whose source has changed; it continues with the others if one fails.

    Args:
        context: The context of the command.
        names: The paths of imported data; all without any.
        rev: Another branch, tag or commit to follow from now on; for data of repositories.
        force: Whether to replace edited data, which are saved if they exist nowhere else.
        dry_run: Whether only to ask the sources.
        report: Called before waiting for another command.
        progress: Called with the progress.

    Raises:
        TargetError: A name is not that of imported data.
    """
    if dry_run:
        with open_stores(context) as stores:
            return UpdateReport(tuple(_checks(context, stores, _select(context, names, rev), rev)))
    guard = guarded(context.project.layout.guard_file, "pivot update", events.report_waiting(report))
    with guard, open_stores(context) as stores, Clones() as clones:
        work = _Update(context, stores, clones, rev, force, progress)
        checked, updated = [], []
        failed: dict[ArtifactPath, PivotError] = {}
        for record in _select(context, names, rev):
            try:
                check, done = work(record)
            except PivotError as error:
                failed[record.path] = error
                continue
            checked.append(check)
            updated += [] if done is None else [done]
        return UpdateReport(tuple(checked), tuple(updated), failed)


def check_sources(context: CommandContext, stores: Stores, wanted: Iterable[Record]) -> tuple[SourceCheck, ...]:
    """The states of the sources of imported data; every failure is an answer."""
    return tuple(_checks(context, stores, [record for record in wanted if record.source is not None], None))


def _checks(
    context: CommandContext, stores: Stores, wanted: Iterable[Record], rev: str | None
) -> Iterator[SourceCheck]:
    with Clones() as clones:
        for record in wanted:
            yield _check(context, stores, clones, record, rev)


def _select(context: CommandContext, names: Iterable[str], rev: str | None) -> list[Record]:
    named = list(names)
    found = [record for record in records.read(context).select(named, context.project) if record.tracked or named]
    imported = [record for record in found if record.source is not None]
    others = [record for record in found if record.source is None]
    if named and others:
        raise TargetError(
            f"{context.project.from_cwd(others[0].path)} was not imported, so it has no source to update from",
            hint="'pivot import' and 'pivot import-url' bring in data",
        )
    if rev is not None:
        urls = [record for record in imported if isinstance(record.source, UrlSource)]
        if urls and named:
            raise TargetError(
                f"{context.project.from_cwd(urls[0].path)} came from a URL, which has no revisions",
                hint="leave out --rev",
            )
        imported = [record for record in imported if record not in urls]
    return imported


def _check(context: CommandContext, stores: Stores, clones: Clones, record: Record, rev: str | None) -> SourceCheck:
    source = record.source
    if source is None:
        raise TargetError(f"{record.path} was not imported")
    try:
        if isinstance(source, RepositorySource):
            return _compare(context, stores, clones, record, source, rev)
        return _ask(stores, record, source)
    except PivotError as error:
        return SourceCheck(record.path, source, SourceState.FAILED, str(error), error)


def _opened(
    context: CommandContext, stores: Stores, clones: Clones, source: RepositorySource, rev: str | None
) -> AbstractContextManager[ForeignRepository]:
    location = _location(context, source)
    return ForeignRepository.opened(context, stores, clones, location, rev or source.rev, source.path)


def _location(context: CommandContext, source: RepositorySource) -> RepositoryLocation:
    root = context.project.root
    return locate(source.repo, root, root)


def _compare(  # the record, its source, and the means to read that
    context: CommandContext,
    stores: Stores,
    clones: Clones,
    record: Record,
    source: RepositorySource,
    rev: str | None,
) -> SourceCheck:
    """The state of a repository as a source; its commit is asked for first, which takes one request."""
    head = clones.head(_location(context, source), rev or source.rev)
    if head is None or head != source.commit:
        with _opened(context, stores, clones, source, rev) as foreign:
            if foreign.commit != source.commit and foreign.find(source.path).artifact != record.artifact:
                return SourceCheck(record.path, source, SourceState.MOVED, foreign.commit)
    return SourceCheck(record.path, source, SourceState.CURRENT)


def _ask(stores: Stores, record: Record, source: UrlSource) -> SourceCheck:
    same = source.state.same(download.state(download.reader_of(source.url, stores)))
    states = {True: SourceState.CURRENT, False: SourceState.MOVED, None: SourceState.UNKNOWN}
    return SourceCheck(record.path, source, states[same])


@attrs.frozen(eq=False, repr=False)
class _Update(Value):
    """An update of some data, with the parameters that are the same for all of them."""

    context: CommandContext
    stores: Stores
    clones: Clones
    rev: str | None
    force: bool
    progress: Callable[[TransferCounts], object]

    def __call__(self, record: Record) -> tuple[SourceCheck, Imported | None]:
        if isinstance(record.source, RepositorySource):
            return self._from_repository(record, record.source)
        if record.source is None:
            raise TargetError(f"{record.path} was not imported")
        return self._from_url(record, record.source)

    def _from_repository(self, record: Record, source: RepositorySource) -> tuple[SourceCheck, Imported | None]:
        check = _compare(self.context, self.stores, self.clones, record, source, self.rev)
        follows_another = self.rev is not None and self.rev != source.rev
        if check.state is SourceState.CURRENT and not follows_another:
            return check, None
        self._check_path(record)
        with _opened(self.context, self.stores, self.clones, source, self.rev) as foreign:
            artifact = foreign.bring(foreign.find(source.path), self.progress)
            new = attrs.evolve(source, commit=foreign.commit, rev=self.rev or source.rev)
            return check, self._place(record, artifact, new)

    def _from_url(self, record: Record, source: UrlSource) -> tuple[SourceCheck, Imported | None]:
        check = _ask(self.stores, record, source)
        if check.state is SourceState.CURRENT:
            return check, None
        self._check_path(record)
        reader = download.reader_of(source.url, self.stores)
        artifact, state = download.download(reader, self.stores, self.progress)
        return check, self._place(record, artifact, UrlSource(source.url, state))

    def _check_path(self, record: Record) -> None:
        placing.check(self.context, self.stores, record.path, None, force=self.force)

    def _place(self, record: Record, artifact: Artifact, source: DataSource) -> Imported:
        return placing.place(
            self.context, self.stores, record.path, artifact, source, force=self.force, by="pivot update"
        )
