"""The graph of stages, derived from the files that they write and read."""

import contextlib
import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Self

import attrs

from pivot_core.errors import GraphError, PivotError, list_names, suggest
from pivot_core.files.paths import ArtifactPath, parents
from pivot_core.files.patterns import PathPattern
from pivot_core.spec import OutSpec, StageError, StageSpec
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Graph(Value):
    """Stages by address, and for each the addresses of the stages that come before it.

    Attributes:
        stages: In topological order.
        upstream: The direct predecessors of every stage: those that write its inputs, and those that it declares to
            run after.
        sources: Those of them that write its inputs.
        producers: The stage that writes each out.
    """

    stages: Mapping[str, StageSpec]
    upstream: Mapping[str, frozenset[str]]
    sources: Mapping[str, frozenset[str]]
    producers: Mapping[ArtifactPath, str]
    _tree: "_PathTree" = attrs.field(eq=False, repr=False)

    @classmethod
    def build(cls, specs: Iterable[StageSpec]) -> Self:
        """Connect the stages; their given order breaks ties.

        Raises:
            GraphError: Two stages share an address or an out, an out is inside another one, or there is a cycle; the
                message names the stages with file and line.
        """
        stages: dict[str, StageSpec] = {}
        for spec in specs:
            if spec.address in stages:
                raise GraphError(
                    f"two stages have the address {spec.address!r}: {_cite(stages[spec.address])} and {_cite(spec)}",
                    hint="rename one of the two pipelines: pivot.Pipeline(...), or 'pipeline' in a pivot.yaml",
                )
            stages[spec.address] = spec
        producers, tree = _producers(stages)
        sources = {
            address: frozenset(writer for dep in spec.deps for writer in tree.touching(dep))
            for address, spec in stages.items()
        }
        after = {address: _before(spec, stages) for address, spec in stages.items() if spec.after}
        upstream = {address: sources[address] | after[address] for address in after}
        upstream = {**sources, **upstream} if after else sources
        order = _order(stages, upstream)
        return cls({address: stages[address] for address in order}, upstream, sources, producers, tree)

    def short_names(self) -> Mapping[str, str]:
        """The displayed name of each address: the bare stage name if only one pipeline has it."""
        count: dict[str, int] = {}
        for spec in self.stages.values():
            count[spec.name] = count.get(spec.name, 0) + 1
        return {address: spec.name if count[spec.name] == 1 else address for address, spec in self.stages.items()}

    def writers(self, path: ArtifactPath) -> frozenset[str]:
        """The stages that write the path itself, a directory around it, or something inside it.

        For a pattern, the stages with outs that match, or that are directories in which something may match.
        """
        return self._tree.touching(path) & self.stages.keys()

    def matching(self, pattern: PathPattern) -> tuple[OutSpec, ...]:
        """The outs of all stages that match a pattern, or are directories in which something may match."""
        return tuple(out for out, _ in self._tree.matching(pattern))

    def ancestors(self, addresses: Iterable[str]) -> frozenset[str]:
        """The given stages and everything that they depend on."""
        found: set[str] = set()
        pending = list(addresses)
        while pending:
            address = pending.pop()
            if address not in found:
                found.add(address)
                pending.extend(self.upstream[address])
        return frozenset(found)

    def descendants(self, addresses: Iterable[str]) -> frozenset[str]:
        """The given stages and everything that depends on them."""
        found = set(addresses)
        for address in self.stages:  # in topological order
            if not found.isdisjoint(self.upstream[address]):
                found.add(address)
        return frozenset(found)

    def select(self, addresses: Iterable[str]) -> Self:
        """The subgraph of the given stages."""
        kept = frozenset(addresses)
        return type(self)(
            {address: spec for address, spec in self.stages.items() if address in kept},
            {address: before & kept for address, before in self.upstream.items() if address in kept},
            {address: writers & kept for address, writers in self.sources.items() if address in kept},
            {path: address for path, address in self.producers.items() if address in kept},
            self._tree,
        )


def refuse_contradictions(graph: Graph) -> None:
    """Refuse declarations that contradict each other.

    Raises:
        StageError: Two do, as `refuse_undeclared` and `refuse_inside_files` say.
    """
    refuse_undeclared(graph)
    refuse_inside_files(graph)


def refuse_undeclared(graph: Graph) -> None:
    """A path that a command names and another stage writes must be a dep, or the order of the two would be undefined.

    Raises:
        StageError: It is none.
    """
    for address, spec in graph.stages.items():
        for path in spec.named:
            for around in (path, *parents(path)):
                writer = graph.producers.get(around, address)
                if writer != address:
                    raise StageError(
                        spec.name,
                        spec.location,
                        f"its command names {str(path)!r}, which stage {writer!r} writes, but it does not declare that",
                        hint="add it to the stage's deps",
                    )


def refuse_inside_files(graph: Graph) -> None:
    """A dep may not be inside an out that is declared as a file: the stage that writes it would run, and then fail.

    Raises:
        StageError: It is.
    """
    for spec in graph.stages.values():
        for dep in spec.deps:
            if dep in graph.producers or "/" not in dep:
                continue
            around = next((each for each in parents(dep) if each in graph.producers), None)
            if around is None:
                continue
            writer = graph.stages[graph.producers[around]]
            if not any(out.directory for out in writer.outs if out.path == around):
                declared = f"{around.relative_to(writer.base)}/"
                raise StageError(
                    spec.name,
                    spec.location,
                    f"it reads {str(dep)!r}, but {str(around)!r}, which {_cite(writer)} writes, is declared as a file",
                    hint=f"if it is a directory, declare it with a / at its end: {declared!r}",
                )


def stages_named(name: str, pipeline: str, addresses: Iterable[str]) -> list[str]:
    """The addresses of the stages that a stage of a pipeline means by a name: one, or all variants of a family."""
    address = name if "." in name else f"{pipeline}.{name}"
    return [each for each in addresses if address in (each, each.partition("@")[0])]


def refuse_unknown_names(
    specs: Iterable[StageSpec], addresses: Collection[str], unread: Mapping[str, PivotError] | None = None
) -> None:
    """Refuse stages that run after stages that do not exist.

    Args:
        specs: The stages.
        addresses: The addresses of all known stages.
        unread: The errors of pipeline files that cannot be loaded, and may have others.

    Raises:
        StageError: A name is unknown.
    """
    for spec in specs:
        for name in spec.after:
            if not stages_named(name, spec.pipeline, addresses):
                own = f"{spec.pipeline}."
                known = [each.removeprefix(own) for each in addresses if each != spec.address]
                raise StageError(
                    spec.name,
                    spec.location,
                    f"it runs after {name!r}, but there is no such stage",
                    hint=next((f"{file} cannot be loaded: {error}" for file, error in (unread or {}).items()), None)
                    or suggest(name, known)
                    or f"known stages: {list_names(known) or 'none'}",
                )


class _PathTree:
    """Outs by the parts of their paths: ``data`` and ``data2`` do not overlap, but ``data`` and ``data/x`` do."""

    def __init__(self) -> None:
        self.children: dict[str, _PathTree] = {}
        self.writer: str | None = None
        self._outs: list[tuple[OutSpec, str]] = []
        self._matching: dict[str, list[tuple[OutSpec, str]]] = {}

    def add(self, out: OutSpec, writer: str) -> None:
        node = self
        for part in out.path.split("/"):
            node = node.children.setdefault(part, _PathTree())
        node.writer = writer
        self._outs.append((out, writer))

    def matching(self, pattern: PathPattern) -> list[tuple[OutSpec, str]]:
        """The outs that match a pattern, or in which something may match, each with its stage."""
        if pattern not in self._matching:
            matches = pattern.matcher()
            self._matching[pattern] = [
                (out, writer)
                for out, writer in self._outs
                if (pattern.may_match_in(out.path) if out.directory else matches(out.path))
            ]
        return self._matching[pattern]

    def touching(self, path: str) -> frozenset[str]:
        """The stages that write the path itself, a directory around it, or something inside it."""
        if isinstance(path, PathPattern):
            return frozenset(writer for _, writer in self.matching(path))
        found: set[str] = set()
        node = self
        for part in path.split("/"):
            child = node.children.get(part)
            if child is None:
                return frozenset(found)
            node = child
            if node.writer is not None:
                found.add(node.writer)
        pending = list(node.children.values())
        while pending:
            node = pending.pop()
            pending.extend(node.children.values())
            if node.writer is not None:
                found.add(node.writer)
        return frozenset(found)


def _before(spec: StageSpec, stages: Mapping[str, StageSpec]) -> frozenset[str]:
    """The stages that a stage declares to run after, as far as they are known; its own family means the others."""
    found = frozenset(each for name in spec.after for each in stages_named(name, spec.pipeline, stages))
    own = {spec.address} - {name if "." in name else f"{spec.pipeline}.{name}" for name in spec.after}
    return found - own


def _producers(stages: Mapping[str, StageSpec]) -> tuple[dict[ArtifactPath, str], _PathTree]:
    producers: dict[ArtifactPath, str] = {}
    for address, spec in stages.items():
        for out in spec.outs:
            if out.path in producers:
                first = stages[producers[out.path]]
                family = first.address.partition("@")[0] == address.partition("@")[0]
                other = "each variant write to a path of its own" if family else "one of them write to another path"
                raise GraphError(
                    f"two stages write {str(out.path)!r}: {_cite(first)} and {_cite(spec)}",
                    hint=f"only one stage may write an out: let {other}",
                )
            producers[out.path] = address
    tree = _PathTree()
    outs = {out.path: out for spec in stages.values() for out in spec.outs}
    for path, address in producers.items():
        for parent in parents(path):
            if parent in producers:
                raise GraphError(
                    f"the outs {str(parent)!r} of {_cite(stages[producers[parent]])} and {str(path)!r} "
                    f"of {_cite(stages[address])} overlap",
                    hint="no out may be inside another: let one of the stages write to another path",
                )
        tree.add(outs[path], address)
    return producers, tree


def _order(stages: Mapping[str, StageSpec], upstream: Mapping[str, frozenset[str]]) -> list[str]:
    """A topological order; ties are broken by the given order."""
    before: set[str] = set()
    for address, writers in upstream.items():
        if not writers <= before:
            return _sorted(stages, upstream)
        before.add(address)
    return list(stages)


def _sorted(stages: Mapping[str, StageSpec], upstream: Mapping[str, frozenset[str]]) -> list[str]:
    import graphlib  # lazy

    addresses = list(stages)
    rank = {address: index for index, address in enumerate(addresses)}
    sorter = graphlib.TopologicalSorter(upstream)
    with contextlib.suppress(graphlib.CycleError):  # graphlib names any cycle; we always name the same one
        sorter.prepare()
    ready: list[int] = []
    order: list[str] = []
    while sorter.is_active():
        for address in sorter.get_ready():
            heapq.heappush(ready, rank[address])
        address = addresses[heapq.heappop(ready)]
        order.append(address)
        sorter.done(address)
    if len(order) < len(stages):
        raise _cycle_error(stages, upstream, stages.keys() - order)
    return order


def _cycle_error(
    stages: Mapping[str, StageSpec], upstream: Mapping[str, frozenset[str]], stuck: set[str]
) -> GraphError:
    """Walk back through blocked stages, each of which has a blocked upstream stage, until one repeats."""
    at = min(stuck)
    seen: list[str] = []
    while at not in seen:
        seen.append(at)
        at = min(upstream[at] & stuck)
    cycle = [*seen[seen.index(at) :], at]
    cycle.reverse()
    return GraphError(
        f"the stages form a cycle: {' -> '.join(_cite(stages[address]) for address in cycle)}",
        hint=f"no stage can run before itself: {_closing(stages, cycle)}",
    )


def _closing(stages: Mapping[str, StageSpec], cycle: Sequence[str]) -> str:
    first, second = stages[cycle[0]], stages[cycle[1]]
    written = _PathTree()
    for out in first.outs:
        written.add(out, first.address)
    shared = [path for path in second.deps if written.touching(path)]
    if not shared:
        runs = f"{second.name!r} runs after {first.name!r}, as it declares"
        family, at, _ = second.name.partition("@")
        if at and first.address.startswith(f"{second.pipeline}.{family}@"):
            return f"{runs}; for variants that run one at a time, in any order, use mutex=[{family!r}]"
        return runs
    return f"{second.name!r} reads {', '.join(map(repr, map(str, shared)))}, written by {first.name!r}"


def _cite(spec: StageSpec) -> str:
    return f"{spec.name!r} ({spec.location})"
