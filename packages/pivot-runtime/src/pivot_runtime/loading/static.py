"""Stages loaded without an import: from the last load, from a file of shell stages, or from lock files."""

import pathlib
import re
from collections.abc import Collection, Iterator, Mapping

import attrs

from pivot_cache.files import safe_read
from pivot_core.discovery import pipelines_above
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import CodeEntry, StageLock
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files, records
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ImportRequiredError, StaticError
from pivot_runtime.git import repository
from pivot_runtime.loading.assembly import Assembly, LoadedFile, LoadOptions, assemble, assembled
from pivot_runtime.loading.loaded import Loaded, LoadedStage
from pivot_runtime.project.frozen import read_frozen
from pivot_runtime.project.project import Project

_UNKNOWN = "Unknown without an import of the pipeline, which compares the code; deps and outs are as recorded"
_DEFINED = re.compile(r"(?:func|class):[^:]*:(?P<name>[^\W\d]\w*)")


@attrs.frozen(eq=False, repr=False)
class Static(Value):
    """The known facts about stages without an import.

    Attributes:
        assembly: The stages; their hosts cannot be started.
        unknown: By address, why it is unknown whether the code of a stage is that of its last run.
        unread: The pipeline files whose stages are unknown.
    """

    assembly: Assembly
    unknown: Mapping[str, str]
    unread: tuple[str, ...] = ()


def load_statically(context: CommandContext, *, all_pipelines: bool = False) -> Static:
    """Return all that can be known of a command's stages without an import of user code.

    Args:
        context: The context of the command.
        all_pipelines: Load every pipeline of the project.

    Raises:
        StaticError: Nothing is known.
        PivotError: There is no pipeline, or what is known contradicts itself.
    """
    untrusted = _has_untrusted_snapshots(context.project)
    try:
        assembly = assemble(
            context,
            LoadOptions(
                all_pipelines=all_pipelines,
                may_be_empty=lambda: records.read_tracked(context),
                force_import=untrusted,
                static_loader=lambda file: _read(context, file),
            ),
        )
    except ImportRequiredError:
        return _partly(context, all_pipelines=all_pipelines, untrusted=untrusted)
    found = {path: each.file for each in assembly.broken for path in each.may_write}
    return Static(assembly, dict(_resting_on(found, assembly.graph)))


def _read(context: CommandContext, file: pathlib.Path) -> Loaded:
    from pivot_runtime.loading import shell_only  # lazy

    return shell_only.load(file, context.project.root, context.overrides, context.environment)


def _resting_on(unknown: Mapping[ArtifactPath, str], graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield the stages that may read outs of an unknown pipeline, and all downstream of them, with the reason."""
    for path, file in unknown.items():
        readers = {address for address, spec in graph.stages.items() if path in spec.deps}
        for address in graph.descendants(readers) | readers:
            yield address, f"It may depend on {file}, which is unknown without an import"


def _partly(context: CommandContext, *, all_pipelines: bool, untrusted: bool) -> Static:
    """Return the stages that are known from lock files, and the known stages that they depend on.

    With ``all_pipelines``, return all known stages.
    """
    project = context.project
    from pivot_fingerprint import SCHEMA  # lazy

    context = attrs.evolve(context, overrides=())  # some may be for unknown stages
    readable, closed = _readable(context, untrusted=untrusted)
    recorded = Loaded(SCHEMA, tuple(_recorded(context, readable)), {})
    if not recorded.stages and not (all_pipelines and readable.stages):
        raise StaticError
    files = (*readable.files, LoadedFile(project.root, recorded))
    frozen = read_frozen(project.layout)
    assembly = assembled(project.root, files, own=len(files), frozen=frozen)
    unknown = dict(_resting_on(dict(_opening(assembly.graph, closed, project.root)), assembly.graph))
    known_by_lock = [stage.spec.address for stage in recorded.stages]
    for address in known_by_lock:
        for below in assembly.graph.descendants([address]):
            unknown[below] = f"It depends on {address}, which is unknown without an import"
    graph = assembly.graph
    selected = graph if all_pipelines else graph.select(graph.ancestors(known_by_lock))
    return Static(
        attrs.evolve(assembly, own=tuple(selected.stages), graph=selected),
        {**unknown, **dict.fromkeys(known_by_lock, _UNKNOWN)},
        () if known_by_lock else tuple(str(file.relative_to(project.root)) for file in closed),
    )


def readable(context: CommandContext) -> Assembly:
    """Return all stages of the project that can be loaded completely without an import, and no others.

    Raises:
        PivotError: There is no pipeline, or what is known contradicts itself.
    """
    return readable_and_closed(context)[0]


def readable_and_closed(context: CommandContext) -> tuple[Assembly, list[pathlib.Path]]:
    """Return the same, and the files of all other stages.

    Raises:
        PivotError: There is no pipeline, or what is known contradicts itself.
    """
    return _readable(context, untrusted=_has_untrusted_snapshots(context.project))


def _readable(context: CommandContext, *, untrusted: bool) -> tuple[Assembly, list[pathlib.Path]]:
    """Return these stages, and the files of all others."""
    from pivot_fingerprint import SCHEMA  # lazy

    closed: list[pathlib.Path] = []

    def read(file: pathlib.Path) -> Loaded:
        try:
            return _read(context, file)
        except ImportRequiredError:
            closed.append(file)
            return Loaded(SCHEMA, (), {})

    options = LoadOptions(all_pipelines=True, force_import=untrusted, static_loader=read)
    return assemble(context, options), closed


def _has_untrusted_snapshots(project: Project) -> bool:
    """Return whether the snapshots may have come with the code: then their author decides what they say about it."""
    return repository.may_track(project.root, str(project.layout.snapshots_dir.relative_to(project.root)))


def _opening(graph: Graph, closed: Collection[pathlib.Path], root: pathlib.Path) -> Iterator[tuple[ArtifactPath, str]]:
    """Yield each path that a stage reads and no known stage writes, with an unknown file that may write it."""
    for path in {path for spec in graph.stages.values() for path in spec.deps}:
        if not graph.writers(path):
            for file in pipelines_above(path, root):
                if file in closed:
                    yield path, str(file.relative_to(root))


def _recorded(context: CommandContext, readable: Assembly) -> Iterator[LoadedStage]:
    """Yield the stages in lock files of pipelines that could not be loaded."""
    names = {stage.spec.pipeline for stage in readable.stages.values()}
    written = {out.path for stage in readable.stages.values() for out in stage.spec.outs}
    sources = _Sources(context.project.root)
    for spec in records.read(context).specs:
        lock = lock_files.read(context, spec.address)
        if lock is not None and spec.pipeline not in names and written.isdisjoint(out.path for out in spec.outs):
            yield _stage(spec, lock, sources)


def _stage(spec: StageSpec, lock: StageLock, sources: "_Sources") -> LoadedStage:
    """Return a stage as it last ran, without code that certainly no longer exists."""
    code = {key: entry for key, entry in lock.inputs.code.items() if sources.may_have(key, entry)}
    return LoadedStage(spec, code, libraries=lock.libraries, params=lock.inputs.params, env=lock.inputs.env)


class _Sources:
    """The source files that lock files name."""

    def __init__(self, root: pathlib.Path) -> None:
        self._root = root
        self._words: dict[str, frozenset[str] | None] = {}

    def may_have(self, key: str, entry: CodeEntry) -> bool:
        """Return whether a function or class may still be defined in its file: the file contains its name."""
        defined = _DEFINED.match(key)
        if defined is None or entry.location is None:
            return True
        words = self._of(entry.location.file)
        return words is None or defined["name"] in words

    def _of(self, file: str) -> frozenset[str] | None:
        """Return all words of a file; None if unknown."""
        if file not in self._words:
            place = self._root / file
            try:
                self._words[file] = frozenset(re.findall(r"\w+", safe_read.read_regular(place).decode()))
            except FileNotFoundError:
                moved = place.with_suffix("") / "__init__.py", place.parent.with_suffix(".py")
                self._words[file] = None if any(each.exists() for each in moved) else frozenset()
            except (OSError, ValueError):
                self._words[file] = None
        return self._words[file]
