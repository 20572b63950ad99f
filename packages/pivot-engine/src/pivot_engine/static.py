"""Stages without an import: as the last load knew them, where that holds; else as their lock files have them."""

import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Never

import attrs

from pivot_cache import lockfiles
from pivot_core.graph import Graph
from pivot_core.lock import CodeEntry, StageLock
from pivot_core.stage import StageSpec
from pivot_engine import gitlocal, records
from pivot_engine.assembly import Assembly, LoadedFile, assemble
from pivot_engine.errors import StaticError, UnimportedError
from pivot_engine.loaded import Loaded, LoadedStage
from pivot_engine.project import Project
from pivot_engine.warm import WarmHost

_UNKNOWN = "Only an import of the pipeline can tell; nothing that its lock file names has changed"
_DEFINED = re.compile(r"(?:func|class):[^:]*:(?P<name>[^\W\d]\w*)")


@attrs.frozen
class Static:
    """What is known of stages of which nothing was imported.

    Attributes:
        assembly: The stages; its hosts cannot be started.
        unknown: By address, why it cannot be told whether the code of a stage is that of its last run.
    """

    assembly: Assembly
    unknown: Mapping[str, str]


def known(project: Project, *, everything: bool = False) -> Static:
    """All that can be known of a command's stages without importing any code of the user's.

    Args:
        project: Where.
        everything: Every pipeline of the project is meant.

    Raises:
        StaticError: Nothing is known at all.
        PivotError: There is no pipeline, or what is known contradicts itself.
    """
    # A snapshot is a claim about code. One that came with the code was made by whoever sent it.
    if not gitlocal.may_track(project.root, str(project.layout.snapshots_dir.relative_to(project.root))):
        try:
            assembly = assemble(project, everything=everything, imports=False)
        except UnimportedError:
            pass
        else:
            return Static(assembly, dict(_resting_on_unknown(assembly)))
    return _recorded(project)


def _resting_on_unknown(assembly: Assembly) -> Iterator[tuple[str, str]]:
    """Stages that may read what a pipeline writes that is not known, and all that rest on them."""
    for broken in assembly.broken:
        readers = [
            address
            for address, spec in assembly.graph.stages.items()
            if not set(broken.suspected).isdisjoint(spec.deps)
        ]
        for address in assembly.graph.descendants(readers) | set(readers):
            yield address, f"It may rest on {broken.file}, which only an import can tell"


def _recorded(project: Project) -> Static:
    specs = records.read(project).specs
    if not specs:
        raise StaticError
    from pivot_fingerprint import SCHEMA  # noqa: PLC0415  # start-up time: others get it from the host

    sources = _Sources(project.root)
    stages = tuple(
        _stage(spec, lock, sources)
        for spec in specs
        if (lock := lockfiles.read(project.layout.lock_file(spec.address))) is not None
    )
    loaded = Loaded(SCHEMA, stages, {})
    graph = Graph.build(stage.spec for stage in stages)
    return Static(
        Assembly(
            (LoadedFile(project.root, loaded, WarmHost(loaded, _refuse)),),
            tuple(graph.stages),
            graph,
            {stage.spec.address: stage for stage in stages},
        ),
        dict.fromkeys(graph.stages, _UNKNOWN),
    )


def _refuse() -> tuple[Loaded, Never]:
    raise UnimportedError


def _stage(spec: StageSpec, lock: StageLock, sources: "_Sources") -> LoadedStage:
    """A stage as it last ran, without the code that is certainly gone."""
    code = {key: entry for key, entry in lock.inputs.code.items() if sources.may_have(key, entry)}
    return LoadedStage(spec, code, libraries=lock.libraries, params=lock.inputs.params, env=lock.inputs.env)


class _Sources:
    """The source files that lock files name."""

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self._words: dict[str, frozenset[str] | None] = {}

    def may_have(self, key: str, entry: CodeEntry) -> bool:
        """Whether a function or class may still be defined where it was: its name stands in the file."""
        defined = _DEFINED.match(key)
        if defined is None or entry.location is None:
            return True
        words = self._of(entry.location.file)
        return words is None or defined["name"] in words

    def _of(self, file: str) -> frozenset[str] | None:
        """All words of a file; None where it cannot be told."""
        if file not in self._words:
            place = self._root / file
            try:
                self._words[file] = frozenset(re.findall(r"\w+", place.read_text(encoding="utf-8")))
            except FileNotFoundError:
                moved = place.with_suffix("") / "__init__.py", place.parent.with_suffix(".py")
                self._words[file] = None if any(each.exists() for each in moved) else frozenset()
            except (OSError, ValueError):
                self._words[file] = None
        return self._words[file]
