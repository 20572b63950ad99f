"""Lock files as commands read and write them, with reports of damaged ones and of ones that git ignores."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from pivot_cache.errors import CacheError, LockFileError, NewerFormatError, as_cache_errors
from pivot_cache.files import safe_read
from pivot_cache.formats import lock_file
from pivot_cache.layout import lock_name, stage_addresses
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import StageLock
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.errors import GitSilentError
from pivot_runtime.project.project import Project

_MOST_AHEAD = 1 << 24
"""The bytes after which no more lock files are read ahead, since parsed ones take several times as much memory."""


def read(context: CommandContext, address: str) -> StageLock | None:
    """The record of a stage's last run; None if there was none, or if it is no longer readable.

    Raises:
        NewerFormatError: Only a newer Pivot can read it.
    """
    project = context.project
    file = project.layout.lock_path(address)
    context.read_set.look(file)
    try:
        return lock_file.read(file, file, context.parsed_locks)
    except NewerFormatError:
        raise
    except LockFileError as error:
        text = f"{project.from_cwd(lock_name(address))} is damaged, so its stage counts as never run"
        where = f" ({error.field})" if error.field else ""
        context.notices.add(Notice(f"{text}: {error.problem}{where}", error.hint))
        return None


def read_ahead(context: CommandContext, addresses: Iterable[str], is_wanted: Callable[[], bool]) -> None:
    """Parse lock files, as long as that is wanted; `read` parses one again only if its bytes are others then."""
    left = _MOST_AHEAD
    for address in addresses:
        if left <= 0 or not is_wanted():
            return
        file = context.project.layout.lock_path(address)
        with contextlib.suppress(OSError, LockFileError):  # `read` reports what is wrong
            data = safe_read.read_regular(file)
            context.parsed_locks[data] = lock_file.parse(data, file)
            left -= len(data)


def retire(context: CommandContext, addresses: Collection[str], writers: Mapping[ArtifactPath, str]) -> None:
    """Remove the lock files of deleted stages, such as renamed ones, whose outs other stages have written.

    Args:
        context: The context of the command.
        addresses: All stages of some pipelines.
        writers: The stage that writes each out.
    """
    project = context.project
    context.read_set.look(project.layout.stages_dir)
    pipelines = {address.partition(".")[0] for address in addresses}
    for address in sorted(_addresses(project)):
        if address in addresses or address.partition(".")[0] not in pipelines:
            continue
        file = project.layout.lock_file(address)
        with contextlib.suppress(CacheError):
            lock = lock_file.read(file, str(file))
            heir = next((writers[path] for path in lock.outs if path in writers), None) if lock is not None else None
            if heir is not None and lock_file.read(heirs := project.layout.lock_file(heir), str(heirs)) is not None:
                with as_cache_errors("remove", file):
                    file.unlink()
                text = f"removed the lock file of {address}, which is no longer a stage: {heir} now writes its outs"
                context.notices.add(Notice(text))


@contextlib.contextmanager
def reporting_ignored(context: CommandContext) -> Iterator[None]:
    """At the end of the block, report new lock files that git ignores: nobody else would receive them."""
    before = _addresses(context.project)
    yield
    new = sorted(_addresses(context.project) - before)
    if new:
        report_ignored(context, [lock_name(address) for address in new[:1]])


def report_ignored(context: CommandContext, paths: Sequence[str]) -> None:
    """Report the files, among some meant for git, that git ignores."""
    from pivot_runtime.git import repository  # lazy

    try:
        for each in repository.ignored(context.project.root, paths):
            context.notices.add(Notice(str(each), repository.way_out(each)))
    except GitSilentError as error:
        context.notices.add(Notice(str(error), error.hint))


def _addresses(project: Project) -> set[str]:
    try:
        return set(stage_addresses(project.layout.stages_dir))
    except OSError:
        return set()
