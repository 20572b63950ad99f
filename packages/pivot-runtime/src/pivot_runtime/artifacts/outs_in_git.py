"""Outs and git: the lines that keep cached outs out of it, and the outs that it tracks nevertheless."""

import contextlib
import functools
import os
import pathlib
import shlex
import time
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from pivot_cache.errors import CacheError
from pivot_cache.files import atomic, safe_read
from pivot_cache.files.signatures import boot_id
from pivot_cache.formats import pvt
from pivot_cache.layout import stage_addresses
from pivot_core.errors import list_names
from pivot_core.files.paths import ArtifactPath, parents
from pivot_core.lock import StageLock
from pivot_core.spec import OutSpec, StageSpec
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.errors import GitSilentError
from pivot_runtime.freshness.stamps import is_settled, stamp
from pivot_runtime.git import index

_MOST_NAMED = 20
"""The most outs that one notice names."""


class IgnoredOuts:
    """Adds the cached outs of stages to the `.gitignore` beside them, when they are recorded for the first time.

    The line is removed when the out is no longer for the cache.

    Git is asked once, about the outs of all stages. One line is added for each out that no pattern ignores yet, for all
    stages without a lock file that write to the same directory at once, so that a first run writes each file once.
    """

    def __init__(self, context: CommandContext, stages: Mapping[str, StageSpec]) -> None:
        """Prepare for a command that records some of these stages; it has the guard of the project."""
        self._context = context
        self._stages = stages
        self._project = context.project
        self._recorded: list[OutSpec] = []

    def before_recording(self, spec: StageSpec, lock: StageLock | None) -> None:
        """Ignore the outs of a stage that its last record, ``lock``, does not have, before the next one is written.

        Those that it has, but that are for git now, are no longer ignored.
        """
        cached = [out for out in spec.outs if out.cache]
        self._recorded += cached
        known = set() if lock is None else {out.path for out in lock.inputs.outs if out.cache}
        new = [out.path for out in cached if out.path not in known]
        if not self._context.settings.ignore_outs:
            return
        for out in spec.outs:
            if not out.cache and out.path in known:
                self._remove(out.path)
        if not new:
            return
        for home in {self._homes[path] for path in new if path in self._homes}:
            lines = [path for path in self._homes if self._homes[path] == home and (path in new or path in self._first)]
            for path in lines:
                del self._homes[path]
            self._add(home, sorted(lines))

    def report_tracked(self) -> None:
        """Report the recorded outs that git tracks."""
        if self._recorded:
            report_tracked(self._context, self._recorded)
            self._recorded.clear()

    @functools.cached_property
    def _homes(self) -> dict[ArtifactPath, str]:
        """The directory of the line for each out that git does not ignore."""
        from pivot_runtime.git import repository  # lazy

        outs = {f"{out.path}/" if out.directory else out.path: out.path for out in self._outs(self._stages)}
        try:
            found = repository.unignored(self._project.root, list(outs))
        except GitSilentError as error:
            self._context.notices.add(Notice(str(error), error.hint))
            return {}
        return {outs[path]: self._home(outs[path]) for path in found if "\n" not in path}

    @functools.cached_property
    def _first(self) -> frozenset[ArtifactPath]:
        """The outs of stages that had no lock file when the first one was recorded."""
        try:
            locked = set(stage_addresses(self._project.layout.stages_dir))
        except OSError:
            locked = set()
        return frozenset(out.path for out in self._outs(self._stages.keys() - locked))

    def _outs(self, addresses: Iterable[str]) -> list[OutSpec]:
        return [out for address in addresses for out in self._stages[address].outs if out.cache]

    @functools.cached_property
    def _deps(self) -> frozenset[ArtifactPath]:
        return frozenset(dep for spec in self._stages.values() for dep in spec.deps)

    def _home(self, path: ArtifactPath) -> str:
        """The nearest directory in which a new file does not change a dep or tracked data."""
        home = os.path.dirname(path)
        for around in parents(path):
            if around in self._deps or os.path.lexists(self._project.root / f"{around}{pvt.SUFFIX}"):
                home = os.path.dirname(around)
        return home

    def _remove(self, path: ArtifactPath) -> None:
        from pivot_runtime.git import gitignore  # lazy

        home = self._home(path)
        try:
            gitignore.remove(self._project.root / home, path.removeprefix(f"{home}/") if home else path)
        except CacheError as error:
            self._context.notices.add(Notice(f"{error}, so that git ignores {path}, which is for git now", error.hint))

    def _add(self, home: str, paths: list[ArtifactPath]) -> None:
        from pivot_runtime.git import gitignore  # lazy

        directory = self._project.root / home
        names = [path.removeprefix(f"{home}/") if home else path for path in paths]
        problem = gitignore.locked(directory)
        if not problem:
            try:
                gitignore.add(directory, *names, durable=False)
            except CacheError as error:
                problem = str(error)
            else:
                return
        file = self._project.from_cwd(os.path.join(home, gitignore.FILE))
        text = f"{file} {problem}" if problem.startswith("is ") else problem
        lines = " ".join(map(gitignore.line_for, names[:_MOST_NAMED]))
        hint = f"add the lines yourself: {lines}; or set git.ignore_outs to false"
        self._context.notices.add(Notice(f"{text}, so that git does not ignore the new outs", hint))


def report_tracked(context: CommandContext, outs: Iterable[OutSpec]) -> None:
    """Report cached outs that git tracks, with the command that ends it; the answer may change with git's index."""
    notice = tracked(context, outs)
    if notice is not None:
        context.notices.add(notice)


def tracked(context: CommandContext, outs: Iterable[OutSpec]) -> Notice | None:
    """A notice about the cached outs that git tracks; None if it tracks none."""
    cached = {out.path: out for out in outs if out.cache}
    file = index.index_file(context.project.root) if cached else None
    if file is None:
        return None
    context.read_set.look(file)
    found = _tracked(context, file, cached.keys())
    if not found:
        return None
    text = f"git tracks {list_names(found, _MOST_NAMED)}, which Pivot stores in its cache"
    removed = shlex.join(context.project.from_cwd(path) for path in found[:_MOST_NAMED])
    recursive = "-r " if any(cached[ArtifactPath(path)].directory for path in found[:_MOST_NAMED]) else ""
    return Notice(text, f"git rm {recursive}--cached {removed}{_ignoring(context, found)}")


def _tracked(context: CommandContext, file: pathlib.Path, paths: AbstractSet[ArtifactPath]) -> list[str]:
    """The paths that git tracks. Git is asked again about others than before, or if its index has changed."""
    kept, now = context.project.layout.untracked_file, time.time_ns()
    stamped = stamp(os.fspath(file))
    head = f"{boot_id()} {stamped}"
    known: list[str] = []
    with contextlib.suppress(OSError):
        before, *known = os.fsdecode(safe_read.read_regular(kept)).split("\0")
        known = known if before == head else []
    found = set() if paths <= set(known) else index.tracked(context.project.root, sorted(paths))
    if found is None:  # perhaps it is not installed
        context.read_set.variables.add("PATH")
    elif not found:
        context.read_set.untracked = (os.fspath(file), *paths)
        if not paths <= set(known) and is_settled(stamped, now):
            with contextlib.suppress(CacheError):
                atomic.write_bytes(kept, os.fsencode("\0".join([head, *sorted({*known, *paths})])))
    return sorted(found or ())


def _ignoring(context: CommandContext, found: list[str]) -> str:
    """The rest of a hint for outs that git would add again, since nothing ignores them."""
    from pivot_runtime.git import gitignore, repository  # lazy

    try:
        unignored = set(repository.unignored(context.project.root, list(found)))
    except GitSilentError:
        return ""
    lines = [gitignore.line_for(path) for path in found[:_MOST_NAMED] if path in unignored]
    if not lines:
        return ""
    return f", and add to {context.project.from_cwd(gitignore.FILE)}: {' '.join(lines)}"
