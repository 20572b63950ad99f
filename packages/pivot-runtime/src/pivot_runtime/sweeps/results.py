"""`pivot results`: the recorded results as rows that can be compared, and the removal of some."""

import contextlib
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_cache.state.results import Result, Results
from pivot_core.errors import PivotError, list_names, suggest
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Inputs, StageLock
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.comparing.values import flat_params, flatten, readable
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.errors import TargetError
from pivot_runtime.evaluating.matching_files import workspace_files
from pivot_runtime.loading.assembly import Assembly, LoadOptions, load_pipelines
from pivot_runtime.results import recording
from pivot_runtime.results.comparable import is_worthwhile, metric_paths

DIGITS: Final = 8
"""The least number of digits of an ID that are shown."""
_FEW: Final = 3
_LEAST: Final = 4
"""The least number of digits by which a result is named."""


@attrs.frozen(eq=False, repr=False)
class ResultRow(Value):
    """A result as a row of a table.

    Attributes:
        id: Its ID; "" for the current state of the workspace if it is not recorded.
        short: As many digits of the ID as tell it apart.
        time: The end of its runs in seconds since the epoch.
        seconds: Their duration; 0 if it is unknown.
        params: The parameters by name: ``train.rate``.
        metrics: The metrics by name.
        stages: The addresses of its stages.
        current: Whether the workspace has these outs.
        stale: The short names of the stages whose code or source data have changed since.
    """

    id: str
    short: str
    time: float
    seconds: float
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    stages: tuple[str, ...]
    current: bool = False
    stale: tuple[str, ...] = ()


def results(context: CommandContext, targets: Sequence[str] = (), *, all_pipelines: bool = False) -> list[ResultRow]:
    """Return the recorded results, the newest first; with targets, those that contain these stages.

    A result that is a part of a later one is left out. If the pipelines cannot be loaded, a notice says that stale
    results are not marked.

    Raises:
        TargetError: A target is not a stage of any result.
        CacheError: The cache cannot be read.
    """
    with open_stores(context) as stores:
        found = recorded(stores)
        shorts = short_ids(found)
        kept = whole(found)
        with _assembled(context, all_pipelines=all_pipelines) as assembly:
            current = _current(context, stores, kept.values())
            if assembly is not None:
                kept.update(_unrecorded(context, stores, assembly, found))
            changed = functools.partial(_changed, context, stores, assembly) if assembly is not None else _nothing
            names = _short_names(kept.values())
            wanted = _wanted(targets, names)
            rows = [
                ResultRow(
                    "" if name not in found else name,
                    shorts.get(name, ""),
                    each.time,
                    each.seconds,
                    params_of(each, names),
                    metrics_of(each),
                    tuple(each.stages),
                    name not in found or name in current,
                    tuple(names[address] for address in changed(each)),
                )
                for name, each in kept.items()
                if wanted <= each.stages.keys()
            ]
    return list(reversed(rows))


def recorded(stores: Stores) -> dict[str, Result]:
    """Return the results of this project by ID, the oldest first.

    Raises:
        CacheError: The cache cannot be read.
    """
    project = recording.project_name(stores.layout)
    found = Results(stores.layout.results_dir).read().items()
    return {name: each for name, each in found if each.project == project}


def known_results(context: CommandContext) -> dict[str, str]:
    """Return the shown IDs of all results, the newest first, each with its metrics as a short text.

    Raises:
        CacheError: The cache cannot be read.
    """
    layout = context.cache_layout
    project = recording.project_name(layout)
    found = {name: each for name, each in Results(layout.results_dir).read().items() if each.project == project}
    shorts = short_ids(found)
    return {
        shorts[name]: ", ".join(f"{key}={value}" for key, value in list(metrics_of(each).items())[:_FEW])
        for name, each in reversed(found.items())
    }


def find(found: Mapping[str, Result], digits: str) -> str:
    """Return the ID that begins with these digits.

    Raises:
        TargetError: None does, or several do.
    """
    fitting = [name for name in found if name.startswith(digits.lower())]
    if len(fitting) == 1 and len(digits) >= _LEAST:
        return fitting[0]
    shorts = short_ids(found)
    if not fitting:
        hint = suggest(digits, shorts.values()) or "'pivot results' lists them"
        raise TargetError(f"no result has an ID that begins with {digits!r}", hint=hint)
    if len(digits) < _LEAST:
        raise TargetError(f"{digits!r} is too short for an ID", hint=f"give at least {_LEAST} digits")
    listed = list_names([shorts[name] for name in fitting])
    raise TargetError(f"several results have IDs that begin with {digits!r}", hint=f"give more digits: {listed}")


def remove(context: CommandContext, ids: Iterable[str]) -> list[str]:
    """Remove results, and return their IDs; `pivot cache gc` removes the objects that nothing else needs.

    Raises:
        TargetError: An ID is unknown or ambiguous; then nothing is removed.
        CacheError: A result cannot be removed.
    """
    with open_stores(context) as stores:
        found = recorded(stores)
        wanted = list(dict.fromkeys(find(found, each) for each in ids))
        results = Results(stores.layout.results_dir)
        for name in wanted:
            results.remove(name)
        results.remove_texts()
        return wanted


def short_ids(names: Iterable[str]) -> dict[str, str]:
    """Return the shown part of each ID, by which it is found among these."""
    every = list(names)
    digits = DIGITS
    while len({name[:digits] for name in every}) < len(every):
        digits += 1
    return {name: name[:digits] for name in every}


def whole(found: Mapping[str, Result]) -> dict[str, Result]:
    """Return the results without those that are part of another one: the same runs, and fewer stages."""
    scopes = {frozenset(each.stages) for each in found.values()}
    larger = {scope: [other for other in scopes if scope < other] for scope in scopes}
    covered = set()
    for scope, others in larger.items():
        for other in others:
            covered |= {_facts(each, scope) for each in found.values() if each.stages.keys() == other}
    return {name: each for name, each in found.items() if _facts(each, frozenset(each.stages)) not in covered}


def _facts(result: Result, scope: frozenset[str]) -> str:
    return attrs.evolve(result, stages={address: result.stages[address] for address in scope}).id


def params_of(result: Result, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of a result by name, such as ``train.rate``."""
    found: dict[str, Any] = {}
    for address, stage in result.stages.items():
        found |= flat_params(readable(dict(stage.params)), names[address])
    return found


def metrics_of(result: Result) -> dict[str, Any]:
    """Return the metrics of a result by name; after their path and a colon where several files have that name."""
    return metrics_by_name({str(path): value for path, value in result.metrics.items()})


def metrics_by_name(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics by name, from the contents of their files by path."""
    flat = {path: flatten(value) for path, value in metrics.items()}
    count: dict[str, int] = {}
    for values in flat.values():
        for name in values:
            count[name] = count.get(name, 0) + 1
    return {
        name if name and count[name] == 1 else f"{path}:{name}" if name else path: value
        for path, values in flat.items()
        for name, value in values.items()
    }


def _short_names(found: Iterable[Result]) -> dict[str, str]:
    addresses = dict.fromkeys(address for each in found for address in each.stages)
    bare = [address.partition(".")[2] for address in addresses]
    return {address: name if bare.count(name) == 1 else address for address, name in zip(addresses, bare, strict=True)}


def _wanted(targets: Sequence[str], names: Mapping[str, str]) -> frozenset[str]:
    """Return the addresses of stages.

    Raises:
        TargetError: One is not among these, or has several addresses.
    """
    wanted = set()
    for target in targets:
        fitting = [address for address in names if target in (address, address.partition(".")[2])]
        if len(fitting) > 1:
            raise TargetError(f"the stage name {target!r} is ambiguous", hint=f"use an address: {', '.join(fitting)}")
        if not fitting:
            hint = suggest(target, [*names, *names.values()]) or "give the name of a stage that has results"
            raise TargetError(f"no result has the stage {target!r}", hint=hint)
        wanted.update(fitting)
    return frozenset(wanted)


@contextlib.contextmanager
def _assembled(context: CommandContext, *, all_pipelines: bool) -> Iterator[Assembly | None]:
    """Load the pipelines; None if they cannot be loaded, with a notice."""
    with contextlib.ExitStack() as stack:
        try:
            options = LoadOptions(all_pipelines=all_pipelines, quiet=True)
            assembly = stack.enter_context(load_pipelines(context, options))
        except PivotError as error:
            context.notices.add(Notice(f"stale results are not marked: {error}", error.hint))
            assembly = None
        yield assembly


def _current(context: CommandContext, stores: Stores, found: Iterable[Result]) -> set[str]:
    """Return the IDs of the results that the lock files describe."""

    @functools.cache
    def facts(address: str) -> tuple[Any, ...]:
        lock = lock_files.read(context, address)
        if lock is None:
            return ()
        return recording.with_versions(stores, lock).inputs.key(), dict(lock.outs)

    return {
        each.id
        for each in found
        if all(facts(address) == (stage.key, dict(stage.outs)) for address, stage in each.stages.items())
    }


def _unrecorded(
    context: CommandContext, stores: Stores, assembly: Assembly, found: Mapping[str, Result]
) -> dict[str, Result]:
    """Return the state of the workspace, if all stages have lock files and it is not recorded."""
    graph = assembly.graph
    if not is_worthwhile(graph.stages.values(), (assembly.stages[each].params for each in graph.stages)):
        return {}
    locks: dict[str, StageLock] = {}
    for address in graph.stages:
        lock = lock_files.read(context, address)
        if lock is None:
            return {}
        locks[address] = lock
    result = recording.result_of(stores, locks, metric_paths(graph.stages.values()))
    is_new = result.id not in found and result.id in whole({**found, result.id: result})
    return {result.id: result} if is_new else {}


def _changed(context: CommandContext, stores: Stores, assembly: Assembly, result: Result) -> list[str]:
    """Return the addresses of the stages whose code or source data are no longer those of a result."""
    from pivot_runtime.sweeps.varied_stages import with_recorded  # lazy: completion needs only the IDs

    changed = []
    for address, stage in result.stages.items():
        loaded = assembly.stages.get(address)
        if loaded is None:
            if _is_loaded(assembly.graph, address):
                changed.append(address)
            continue
        with contextlib.suppress(PivotError):
            loaded = with_recorded(assembly, loaded, stage.params)
        versions = stores.settings.relevant_versions(loaded.libraries)
        now = Inputs(assembly.schema, loaded.code, outs=loaded.spec.outs, library_versions=versions)
        sources = stage.sources.items()
        if (
            recording.code_digest(now) != stage.code
            or any(_digest(stores, path) != digest for path, digest in sources)
            or any(path not in stage.sources for path in _matching_sources(context, assembly.graph, address))
        ):
            changed.append(address)
    return changed


def _matching_sources(context: CommandContext, graph: Graph, address: str) -> Iterator[ArtifactPath]:
    """Yield the files that match patterns of a stage, and that no stage writes."""
    spec = graph.stages[address]
    for dep in spec.deps:
        if isinstance(dep, PathPattern) and dep not in spec.uncounted:
            yield from (path for path in workspace_files(dep, context) if not graph.writers(path))


def _is_loaded(graph: Graph, address: str) -> bool:
    """Whether the pipeline of a stage is loaded, so that the stage does not exist if it is unknown."""
    return address.partition(".")[0] in {spec.pipeline for spec in graph.stages.values()}


def _digest(stores: Stores, path: Any) -> str | None:
    with contextlib.suppress(PivotError):
        found = stores.look(path)
        return None if found is None else found.digest
    return None


def _nothing(_: Result) -> list[str]:
    return []
