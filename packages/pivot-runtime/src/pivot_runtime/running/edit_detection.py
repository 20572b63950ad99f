"""Detects edits while stages run: first of files, and only then of their meaning."""

import os
import pathlib
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pivot_cache.files import walk
from pivot_cache.layout import Layout
from pivot_core.errors import PivotError
from pivot_core.files.digest import canonical_json
from pivot_core.files.paths import ArtifactPath, parent_names
from pivot_core.lock import Artifact
from pivot_runtime.definitions import source_import
from pivot_runtime.freshness.load_trace import FILE
from pivot_runtime.loading.loaded import Loaded, LoadedStage

if TYPE_CHECKING:
    from pivot_runtime.loading.assembly import LoadedFile

type _Mark = tuple[object, ...]
"""Another one each time that a file is written, or replaced."""


class DepEdits:
    """Edits of deps while a stage runs.

    A dep that was written meanwhile counts as edited even if it is now as it was: nobody knows what the stage has read.
    """

    def __init__(self, look: Callable[[ArtifactPath], Artifact | None], layout: Layout) -> None:
        """``look`` says what is at a path now."""
        self._look = look
        self._layout = layout
        self._marks: dict[str, dict[ArtifactPath, _Mark | None]] = {}

    def begin(self, address: str, deps: Iterable[ArtifactPath]) -> None:
        """A stage is about to start."""
        self._marks[address] = {path: _mark(self._layout.artifact_path(path)) for path in deps}

    def edited(self, address: str, deps: Mapping[ArtifactPath, Artifact]) -> tuple[ArtifactPath, ...]:
        """The deps that are not those given any more, or were written since the stage was started.

        Raises:
            ArtifactError: The path cannot be a dep.
        """
        before = self._marks.pop(address)
        return tuple(path for path, dep in deps.items() if self._look(path) != dep or self._written(path, before[path]))

    def _written(self, path: ArtifactPath, before: _Mark | None) -> bool:
        now = None if before is None else _mark(self._layout.artifact_path(path))
        return now is not None and now != before


def _mark(path: str) -> _Mark | None:
    """None if unknown: links to the cache have marks that the cache itself changes."""
    try:
        status = os.lstat(path)
        if stat.S_ISDIR(status.st_mode):
            files, _ = walk.walk(path)
            return (frozenset((name, *_file_mark(each)) for name, each in files if each.st_nlink == 1),)
    except OSError:
        return None
    return _file_mark(status) if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else None


def _file_mark(status: os.stat_result) -> _Mark:
    # Without the time of the last change of status: the cache sets modes and makes links while a stage runs.
    return status.st_ino, status.st_size, status.st_mtime_ns


class CodeEdits:
    """Edits of code and parameters since the pipelines were loaded."""

    def __init__(self, root: pathlib.Path, files: "Iterable[LoadedFile]", overrides: Sequence[str] = ()) -> None:
        """``files`` were loaded with ``overrides``.

        A stage that writes its outs edits nothing, though the fingerprint of another stage may depend on them: that
        counts in the next run.
        """
        files = list(files)
        prefix = os.path.join(root, "")
        stages = (stage for each in files for stage in each.loaded.stages)
        written = frozenset(f"{prefix}{out.path}" for stage in stages for out in stage.spec.outs)
        self._files = [_LoadedStages(root, each, overrides, written) for each in files]

    def edited(self, address: str) -> tuple[str, ...]:
        """The edited facts of a stage: manifest keys, parameters, or files that cannot be loaded any more.

        An edit that changes no fingerprint, such as one of a comment, does not count.
        """
        return next((each.edited(address) for each in self._files if each.has(address)), ())


class _LoadedStages:
    """The stages of a pipeline file as they were loaded, and as they are since the last edit."""

    def __init__(self, root: pathlib.Path, of: "LoadedFile", overrides: Sequence[str], written: frozenset[str]) -> None:
        self._overrides = overrides
        self._root = root
        self._file = of.file
        self._loaded = {stage.spec.address: stage for stage in of.loaded.stages}
        self._written = written
        self._changes = self._changes_since(of.loaded, of.stamps)
        self._now = self._loaded

    def has(self, address: str) -> bool:
        return address in self._loaded

    def edited(self, address: str) -> tuple[str, ...]:
        files = self._changes.find()
        if files:
            from pivot_runtime.loading import host_client  # lazy

            try:
                loaded, host = host_client.load(self._root, self._file, quiet=True, overrides=self._overrides)
            except PivotError:
                return tuple(self._relative(file) for file in files)
            host.close()
            self._changes = self._changes_since(loaded, {})
            self._now = {stage.spec.address: stage for stage in loaded.stages}
        before, now = self._loaded[address], self._now.get(address)
        if now is before:
            return ()
        if now is None or now.spec.deps != before.spec.deps or now.spec.outs != before.spec.outs:
            return (address,)
        facts, new = _facts(before), _facts(now)
        return tuple(sorted(key for key in facts.keys() | new.keys() if facts.get(key) != new.get(key)))

    def _changes_since(self, loaded: Loaded, stamps: Mapping[str, str]) -> source_import.Changes:
        """The changes of the files that a load read, but for those that stages write.

        ``stamps`` are those of files whose content is that of the trace.
        """
        read = {
            file: found
            for file, found in loaded.read.items()
            if file not in self._written and self._written.isdisjoint(parent_names(file))
        }
        seen = {**loaded.sources, **read}
        facts = () if loaded.trace is None else loaded.trace.facts
        same = [fact.subject for fact in facts if fact.kind == FILE and seen.get(fact.subject) == fact.value]
        return source_import.Changes(seen, {file: stamps[file] for file in same if file in stamps})

    def _relative(self, file: str) -> str:
        """As the user would write it, where it is in the project."""
        path = pathlib.Path(file)
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else file


def _facts(stage: LoadedStage) -> dict[str, str]:
    """The facts of a load about a stage, by name."""
    code = {key: entry.digest for key, entry in stage.code.items()}
    return code | {f"param:{name}": canonical_json(value) for name, value in stage.params.items()}
