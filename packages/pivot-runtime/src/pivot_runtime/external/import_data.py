"""`pivot import` and `pivot import-url`: bring in data of another repository or of a URL, and record their source."""

from collections.abc import Callable

from pivot_cache.formats.data_source import RepositorySource, UrlSource
from pivot_cache.remotes.transfer import TransferCounts
from pivot_core.progress import no_progress
from pivot_runtime.artifacts.stores import open_stores
from pivot_runtime.artifacts.track import refuse_in_git
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.errors import TargetError
from pivot_runtime.external import download, placing, urls
from pivot_runtime.external.clones import Clones, locate
from pivot_runtime.external.placing import Imported
from pivot_runtime.external.repositories import ForeignRepository, name_here
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded


def import_artifact(  # noqa: PLR0913  # the options of the command
    context: CommandContext,
    repository: str,
    wanted: str,
    *,
    to: str | None = None,
    rev: str | None = None,
    force: bool = False,
    report: Reporter = no_report,
    progress: Callable[[TransferCounts], object] = no_progress,
) -> Imported:
    """Bring in an artifact of another repository.

    Args:
        context: The context of the command.
        repository: Its URL or directory.
        wanted: The path of an out or of tracked data there, or the stage with this only out.
        to: The path here, or for a file a directory; by default the directory of the command.
        rev: A branch, a tag or a commit; by default the repository's default branch.
        force: Whether to replace other content at the path, which is saved if it exists nowhere else.
        report: Called before waiting for another command.
        progress: Called with the progress.

    Raises:
        TargetError: Nothing can be tracked at the path.
        OccupiedError: Other content is there.
        RepositoryError: The repository or the artifact cannot be read.
        CacheError: The content cannot be fetched or written.
    """
    project = context.project
    with (
        guarded(project.layout.guard_file, "pivot import", events.report_waiting(report)),
        open_stores(context) as stores,
    ):
        location = locate(repository, project.root, project.cwd)
        with Clones() as clones, ForeignRepository.opened(context, stores, clones, location, rev, wanted) as foreign:
            record = foreign.find(wanted)
            if to is None:
                to = name_here(wanted, record)
            elif not record.artifact.tree:
                to = placing.within(context, to, lambda: name_here(wanted, record))
            path = placing.destination(context, to)
            placing.check(context, stores, path, record.artifact, force=force)
            refuse_in_git([path], project)
            artifact = foreign.bring(record, progress)
            source = RepositorySource(location.recorded, foreign.path_of(record), foreign.commit, rev)
            done = placing.place(context, stores, path, artifact, source, force=force, by="pivot import --force")
        _note_secrets(context, repository)
        return done


def import_url(  # the options of the command
    context: CommandContext,
    url: str,
    *,
    to: str | None = None,
    force: bool = False,
    report: Reporter = no_report,
    progress: Callable[[TransferCounts], object] = no_progress,
) -> Imported:
    """Bring in the content of a URL.

    Args:
        context: The context of the command.
        url: The URL.
        to: The path here, or a directory; by default the directory of the command.
        force: Whether to replace other content at the path, which is saved if it exists nowhere else.
        report: Called before waiting for another command.
        progress: Called with the progress.

    Raises:
        TargetError: Nothing can be tracked at the path.
        OccupiedError: Other content is there.
        CacheError: The content cannot be downloaded or written.
    """
    project = context.project
    with (
        guarded(project.layout.guard_file, "pivot import-url", events.report_waiting(report)),
        open_stores(context) as stores,
    ):
        reader = download.reader_of(url, stores)
        name = placing.within(context, to, lambda: urls.file_name(url)) if to else urls.file_name(url)
        if not name:
            raise TargetError(f"{reader.name} names no file", hint="name one object, or give the PATH for the content")
        path = placing.destination(context, name)
        refuse_in_git([path], project)
        there = stores.look(path)
        if there is not None and not force:
            placing.check(context, stores, path, None, force=False)
        artifact, state = download.download(reader, stores, progress)
        source = UrlSource(urls.public(url).url, state)
        done = placing.place(context, stores, path, artifact, source, force=force, by="pivot import-url --force")
        _note_secrets(context, url)
        return done


def _note_secrets(context: CommandContext, url: str) -> None:
    left_out = urls.public(url).left_out
    if left_out:
        text = f"{' and '.join(left_out)} in the URL are not recorded, so 'pivot update' works without them"
        context.notices.add(Notice(text, "put the user and the password for the host into ~/.netrc"))
