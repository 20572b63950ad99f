"""`pivot doctor`: finds problems of a project, its machine and its configuration, and settings that cost time."""

import enum
import os
import platform
import shutil
from collections.abc import Iterable, Iterator

import attrs

from pivot_cache.errors import owner_hint
from pivot_cache.files.link_modes import HARDLINK, REFLINK, SYMLINK, probe
from pivot_cache.formats import pvt
from pivot_cache.layout import lock_name
from pivot_core.discovery import find_root
from pivot_core.errors import PivotError, list_names
from pivot_core.files.paths import STATE_DIR
from pivot_core.lock import UnresolvedCode
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.outs_in_git import tracked
from pivot_runtime.config import cache_dir
from pivot_runtime.config.settings import Settings
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import GitSilentError
from pivot_runtime.freshness.file_events import polling_reason
from pivot_runtime.git import repository
from pivot_runtime.git.refs import Repository
from pivot_runtime.loading.assembly import Assembly, LoadOptions, assemble
from pivot_runtime.project.frozen import read_frozen
from pivot_runtime.project.project import Project
from pivot_runtime.project.spawned_pipelines import SpawnedPipelines

_MOST_CHECKED = 200
"""The maximum number of lock files, and of other files, that are checked with git."""
_SCARCE = 1 << 30
"""Bytes of free space below which a run may fail."""
_GIT = "troubleshooting#git"
_IMPORT = "troubleshooting#import-fails"
_PERMISSIONS = "troubleshooting#permissions"


class Level(enum.Enum):
    """The importance of a finding."""

    GOOD = "ok"
    SLOW = "note"
    BAD = "problem"


@attrs.frozen(eq=False, repr=False)
class Finding(Value):
    """The result of one check.

    Attributes:
        level: Its importance.
        about: The subject, in a word or two.
        text: The finding.
        hint: A hint how to solve it, if there is one.
        topic: The page of `pivot docs` that helps, if there is one.
    """

    level: Level
    about: str
    text: str
    hint: str | None = None
    topic: str | None = None


def diagnose(context: CommandContext) -> Iterator[Finding]:
    """Run all checks, the most basic first; imports every pipeline, and changes nothing."""
    yield Finding(
        Level.GOOD,
        "python",
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}",
    )
    yield from _roots(context.project)
    try:
        settings = context.settings
    except PivotError as error:
        yield Finding(Level.BAD, "configuration", str(error), error.hint, "troubleshooting#setting")
        return
    yield Finding(Level.GOOD, "configuration", "all settings are known and valid")
    yield from _executor(settings)
    yield from _cache(context)
    yield from _git(context)
    yield from _pipelines(context, settings)


def _roots(project: Project) -> Iterator[Finding]:
    yield Finding(Level.GOOD, "project", f"its root is {project.root}")
    for directory in (project.cwd, *project.cwd.parents):
        if directory == find_root(directory):
            break
        if (directory / STATE_DIR).is_dir():
            yield Finding(
                Level.BAD,
                "project",
                f"{directory} has a {STATE_DIR}/ of its own, which is ignored below {project.root}",
                f"remove {directory / STATE_DIR}, or the one above",
                "troubleshooting#no-project",
            )
    reason = polling_reason([os.fspath(project.root)])
    if reason:
        text = f"{reason}: 'pivot repro --watch' must check the files twice a second"
        yield Finding(Level.SLOW, "project", text, topic="watch")


def _executor(settings: Settings) -> Iterator[Finding]:
    if settings.executor in (None, "local"):
        return
    from pivot_runtime.cluster import backend  # lazy

    try:
        backend.check(settings.executor)
    except PivotError as error:
        yield Finding(Level.BAD, "configuration", str(error), error.hint, "troubleshooting#cluster")
    else:
        yield Finding(Level.GOOD, "executor", f"stages run at {settings.executor}")


def _cache(context: CommandContext) -> Iterator[Finding]:
    try:
        layout = context.cache_layout
        cache_dir.prepare(layout)
    except PivotError as error:
        yield Finding(Level.BAD, "cache", str(error), error.hint, "cache#sharing-a-cache")
        return
    place = layout.cache_dir
    while not place.is_dir():
        place = place.parent
    if not os.access(place, os.W_OK):
        hint = owner_hint(place) or "check its permissions"
        yield Finding(Level.BAD, "cache", f"{place} cannot be written", hint, _PERMISSIONS)
        return
    if layout.database_dir.is_dir() and not os.access(layout.database_dir, os.W_OK):
        text = f"{layout.database_dir} cannot be written"
        hint = owner_hint(layout.database_dir) or "check its permissions"
        yield Finding(Level.BAD, "state", text, hint, _PERMISSIONS)
    free = shutil.disk_usage(place).free
    if free < _SCARCE:
        yield Finding(
            Level.BAD,
            "cache",
            f"only {free >> 20} MiB are free for {layout.cache_dir}",
            "'pivot cache gc' deletes unneeded objects; cache.dir can be on another disk",
            "troubleshooting#no-space",
        )
    modes = probe(layout.objects_dir, layout.database_dir)
    if modes[REFLINK]:
        text = "files are created from the cache without copying their bytes (reflinks)"
        yield Finding(Level.GOOD, "cache", text)
    else:
        others = [name for name in (HARDLINK, SYMLINK) if modes[name]]
        yield Finding(
            Level.SLOW,
            "cache",
            "files are copied from the cache, since its file system has no reflinks, or it is on another one",
            f"cache.checkout_mode may be {' or '.join(others)}, for outs that nobody edits" if others else None,
            "cache#contents",
        )


def _git(context: CommandContext) -> Iterator[Finding]:
    try:
        around = Repository.around(context.project.root)
    except PivotError as error:
        yield Finding(Level.BAD, "git", str(error), error.hint, _GIT)
        return
    if around is None:
        yield Finding(
            Level.SLOW, "git", "the project is in no git repository, so nobody else sees its lock files", topic=_GIT
        )
    elif not context.project.layout.gitignore_file.exists():
        yield Finding(
            Level.BAD,
            "git",
            f"{STATE_DIR}/.gitignore is missing, so that the cache may get into git",
            "'pivot init' creates it again",
            _GIT,
        )
    else:
        try:
            wrong = list(_git_wrong(context))
        except GitSilentError as error:
            wrong = [Finding(Level.BAD, "git", str(error), error.hint, _GIT)]
        yield from wrong or [Finding(Level.GOOD, "git", "git ignores the cache, but not the lock files")]


def _git_wrong(context: CommandContext) -> Iterator[Finding]:
    """Files that git would add and should not, and files that git ignores and should not ignore."""
    project = context.project
    try:
        layout = context.cache_layout
    except PivotError:
        return  # already reported
    try:
        kept = records.read(context)
    except PivotError as error:
        yield Finding(Level.BAD, "lock files", str(error), error.hint, "troubleshooting#lock-file")
        return
    locks = [lock_name(address) for address in kept.addresses]
    files = [f"{record.path}{pvt.SUFFIX}" for record in kept.tracked]
    asked = [*locks[:_MOST_CHECKED], *files[:_MOST_CHECKED]] or [lock_name("x")]
    for each in repository.ignored(project.root, asked):
        yield Finding(Level.BAD, "git", f"{each}, so that nobody else gets it", repository.way_out(each), _GIT)
    for directory in (layout.objects_dir, layout.database_dir):
        if directory.is_relative_to(project.root):
            inside = f"{directory.relative_to(project.root)}/x"
            if not repository.ignored(project.root, [inside]):
                text = f"git does not ignore {directory.parent}, so that the cache gets into it"
                way = f"add a line to .gitignore: /{directory.relative_to(project.root)}/"
                yield Finding(Level.BAD, "git", text, way, _GIT)


def _pipelines(context: CommandContext, settings: Settings) -> Iterator[Finding]:
    try:
        assembly = assemble(
            context, LoadOptions(all_pipelines=True, may_be_empty=lambda: True, quiet=True, force_import=True)
        )
    except PivotError as error:
        yield Finding(Level.BAD, "pipelines", str(error), error.hint, _IMPORT)
        return
    assembly.close()
    if not assembly.files:
        yield Finding(
            Level.SLOW, "pipelines", "there are none yet", "describe your stages in a pipeline.py", "quick-start"
        )
    yield from _loads(context.project, assembly)
    notice = tracked(context, (out for stage in assembly.stages.values() for out in stage.spec.outs))
    if notice is not None:
        yield Finding(Level.BAD, "git", notice.text, notice.hint, "files#outs-and-git")
    yield from _frozen(context.project, assembly)
    for broken in assembly.broken:
        yield Finding(Level.BAD, broken.file, str(broken.error), broken.error.hint, _IMPORT)
    if not settings.snapshot:
        yield Finding(
            Level.SLOW,
            "snapshots",
            "the setting 'snapshot' is off: every command imports every pipeline that it needs",
            "pivot config unset snapshot",
            "nothing-to-do",
        )


def _frozen(project: Project, assembly: Assembly) -> Iterator[Finding]:
    about = str(project.layout.frozen_file.relative_to(project.root))
    for address in sorted(read_frozen(project.layout) - assembly.stages.keys()):
        if not assembly.broken:
            problem = f"the list of frozen stages names {address!r}, which is no stage"
            yield Finding(Level.SLOW, about, problem, f"pivot unfreeze {address}", "when-stages-run#frozen-stages")


def _loads(project: Project, assembly: Assembly) -> Iterator[Finding]:
    threaded = SpawnedPipelines(project.layout).known()
    for each in assembly.files:
        name = str(each.file.relative_to(project.root))
        count = len(each.loaded.stages)
        stages = f"{count} stage{'' if count == 1 else 's'}"
        for reason in each.loaded.unrecorded:
            yield Finding(
                Level.SLOW,
                name,
                f"{stages}; imported again by every command, since while it is imported {reason}",
                "do that inside a stage, so that commands with nothing to do need not import anything",
                "nothing-to-do",
            )
        if not each.loaded.unrecorded:
            yield Finding(Level.GOOD, name, f"{stages}; imported again only when something it depends on has changed")
        if name in threaded:
            yield Finding(
                Level.SLOW,
                name,
                f"its stages are spawned, not forked, since importing it leaves threads: {'; '.join(threaded[name])}",
                "start threads, and use libraries that do, inside the stages that need them",
                "running#threads-at-import",
            )
        for stage in each.loaded.stages:
            for reason, edges in _by_reason(stage.unresolved).items():
                places = list_names([str(edge.location) for edge in edges], 1)
                at = f" ({places})" if edges[0].location is not None else ""
                yield Finding(
                    Level.SLOW,
                    stage.spec.address,
                    f"{reason}{at}",
                    "Python code that it calls is observed while it runs; declare what other programs read as deps",
                    "fingerprinting#only-observed",
                )


def _by_reason(edges: Iterable[UnresolvedCode]) -> dict[str, list[UnresolvedCode]]:
    found: dict[str, list[UnresolvedCode]] = {}
    for edge in edges:
        found.setdefault(edge.reason, []).append(edge)
    return found
