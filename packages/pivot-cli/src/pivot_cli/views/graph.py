"""Formats a graph of stages and artifacts as text, Mermaid, DOT or JSON, and the list of its stages; pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from pivot_cli.terminal import formats
from pivot_core.conversion.sizes import amount_text
from pivot_core.errors import list_names
from pivot_core.files.paths import ArtifactPath, touches
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.spec import OutSpec, StageSpec
from pivot_core.values import Value
from pivot_runtime.inspecting.overview import Overview

_COLUMNS = 80


@attrs.frozen(eq=False, repr=False)
class Node(Value):
    """A node of the drawing.

    Attributes:
        key: Unique in the drawing.
        label: The displayed text.
        kind: ``stage`` or ``artifact``.
        desc: The purpose of a stage, if known.
    """

    key: str
    label: str
    kind: str
    desc: str = ""


@attrs.frozen(eq=False, repr=False)
class Drawing(Value):
    """A graph to draw.

    Attributes:
        nodes: In topological order.
        edges: From each dependency to its user.
        order: Those of the edges that are only an order: the second stage reads nothing of the first.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    order: frozenset[tuple[str, str]] = frozenset()

    def before(self) -> Mapping[str, Sequence[str]]:
        """Return the dependencies of each node."""
        found: dict[str, list[str]] = {node.key: [] for node in self.nodes}
        for start, end in self.edges:
            found[end].append(start)
        return found


def drawing(overview: Overview, *, stages: bool = True, artifacts: bool = False) -> Drawing:
    """Return the graph to draw: stages, artifacts, or both with every read and write as an edge."""
    graph, names = overview.graph, overview.names
    if stages and artifacts:
        return _everything(graph, names)
    return _artifacts(graph) if artifacts else _stages(graph, names)


def _stages(graph: Graph, names: Mapping[str, str]) -> Drawing:
    nodes = tuple(Node(address, names[address], "stage", spec.desc) for address, spec in graph.stages.items())
    edges = tuple((before, address) for address in graph.stages for before in sorted(graph.upstream[address]))
    order = frozenset((before, address) for before, address in edges if before not in graph.sources[address])
    return Drawing(nodes, edges, order)


def _artifacts(graph: Graph) -> Drawing:
    nodes: dict[str, Node] = {}
    edges: dict[tuple[str, str], None] = {}
    for spec in graph.stages.values():
        _join(graph, spec.deps, edges)
        for path in (*spec.deps, *(out.path for out in spec.outs)):
            nodes.setdefault(path, Node(path, path, "artifact"))
        for out in spec.outs:
            edges.update(dict.fromkeys((dep, out.path) for dep in spec.deps))
    return Drawing(tuple(nodes.values()), tuple(edges))


def _everything(graph: Graph, names: Mapping[str, str]) -> Drawing:
    nodes: dict[str, Node] = {}
    edges: dict[tuple[str, str], None] = {}
    for address, spec in graph.stages.items():
        stage = f"stage:{address}"
        _join(graph, spec.deps, edges)
        for dep in spec.deps:
            nodes.setdefault(dep, Node(dep, dep, "artifact"))
            edges[dep, stage] = None
        nodes[stage] = Node(stage, names[address], "stage", spec.desc)
        for out in spec.outs:
            nodes.setdefault(out.path, Node(out.path, out.path, "artifact"))
            edges[stage, out.path] = None
    order = {
        (f"stage:{before}", f"stage:{address}"): None
        for address in graph.stages
        for before in sorted(graph.upstream[address] - graph.sources[address])
    }
    return Drawing(tuple(nodes.values()), (*edges, *order), frozenset(order))


def _join(graph: Graph, deps: Iterable[ArtifactPath], edges: dict[tuple[str, str], None]) -> None:
    """Add the edges from outs to deps inside or around them, and to patterns that they match."""
    for dep in deps:
        if isinstance(dep, PathPattern):
            edges.update({(out.path, dep): None for out in graph.matching(dep)})
            continue
        for address in sorted(graph.writers(dep)):
            for out in graph.stages[address].outs:
                if touches(out.path, dep):
                    edges.update({(out.path, dep): None} if out.path != dep else {})


def text(found: Drawing) -> str:
    """Return a tree for each node that no other depends on, in 80 columns; ``a ← b`` means that a depends on b.

    If a node depends on several others, they are branches below it. A node is shown in full only once.
    """
    before = found.before()
    labels = {node.key: node.label for node in found.nodes}
    used = {start for start, _ in found.edges}
    ends = [node.key for node in found.nodes if node.key not in used]
    printed: set[str] = set()
    return formats.one_per_line(line for end in ends for line in _tree(end, before, labels, printed))


def _tree(
    root: str, before: Mapping[str, Sequence[str]], labels: Mapping[str, str], printed: set[str]
) -> Iterator[str]:
    """Uses an explicit stack, since graphs may be deeper than the interpreter's recursion limit."""
    stack = [(root, "", "")]
    while stack:
        key, lead, rest = stack.pop()
        chain, end = _chain(key, before, labels, printed)
        yield from _wrapped(chain, lead, rest)
        below = before[end] if end is not None else ()
        for number, each in reversed(list(enumerate(below))):
            last = number == len(below) - 1
            stack.append((each, rest + ("└── " if last else "├── "), rest + ("    " if last else "│   ")))


def _chain(
    key: str, before: Mapping[str, Sequence[str]], labels: Mapping[str, str], printed: set[str]
) -> tuple[list[str], str | None]:
    """Follow single dependencies from a node; return them, and the node with several, if any."""
    chain: list[str] = []
    while True:
        if key in printed and before[key]:
            return [*chain, f"{labels[key]} (above)"], None
        printed.add(key)
        chain.append(labels[key])
        if len(before[key]) != 1:
            return chain, key
        key = before[key][0]


def _wrapped(chain: Sequence[str], lead: str, rest: str) -> Iterator[str]:
    line = lead + chain[0]
    for label in chain[1:]:
        if len(line) + len(label) + 3 > _COLUMNS:
            yield line
            line = f"{rest}  ← {label}"
        else:
            line += f" ← {label}"
    yield line


def mermaid(found: Drawing) -> str:
    """Return a flowchart in Mermaid's language."""
    numbers = {node.key: f"n{number}" for number, node in enumerate(found.nodes)}
    lines = ["flowchart TD"]
    for node in found.nodes:
        opening, closing = ("[", "]") if node.kind == "stage" else ("([", "])")
        label = formats.one_line(node.label).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        lines.append(f'    {numbers[node.key]}{opening}"{label}"{closing}')
    lines += [
        f"    {numbers[start]} {'-.->' if (start, end) in found.order else '-->'} {numbers[end]}"
        for start, end in found.edges
    ]
    return _lines(lines)


def dot(found: Drawing) -> str:
    """Return a digraph in the language of Graphviz."""
    lines = ["digraph {", "    rankdir=TB;"]
    for node in found.nodes:
        shape = "box" if node.kind == "stage" else "ellipse"
        lines.append(f"    {_quoted(node.key)} [label={_quoted(node.label)}, shape={shape}];")
    lines += [
        f"    {_quoted(start)} -> {_quoted(end)}{' [style=dashed]' if (start, end) in found.order else ''};"
        for start, end in found.edges
    ]
    return _lines([*lines, "}"])


def drawing_json(found: Drawing) -> dict[str, Any]:
    """Return the graph as JSON-able data."""
    return {
        "nodes": [
            {"id": node.key, "label": node.label, "kind": node.kind, **({"desc": node.desc} if node.desc else {})}
            for node in found.nodes
        ],
        "edges": [
            {"from": start, "to": end, **({"order_only": True} if (start, end) in found.order else {})}
            for start, end in found.edges
        ],
    }


def _quoted(label: str) -> str:
    escaped = label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def listing(found: Overview) -> str:
    """Return a block per stage: its name, location, inputs and outs."""
    lines = []
    for address, spec in found.graph.stages.items():
        lines.append(f"{address}  {spec.location}")
        lines += [f"  about   {spec.desc}"] if spec.desc else []
        lines += [f"  reads   {path}{_uncounted(spec, path)}" for path in spec.deps]
        lines += [f"  writes  {out.path}{_about(out)}" for out in spec.outs]
        lines += [f"  needs   {amount_text(amount)} of {name}" for name, amount in spec.resources.items()]
        lines += [f"  after   {name}" for name in spec.after]
        lines += [f"  runs    {how}" for how in _rule(spec)]
    return formats.one_per_line(lines)


def _about(out: OutSpec) -> str:
    return f"{'  (temporary)' if out.temp else ''}{f'  {" ".join(out.desc.split())}' if out.desc else ''}"


def _rule(spec: StageSpec) -> Iterator[str]:
    """Return when and where a stage runs, unless that is when something has changed, and where the command says."""
    if spec.frozen:
        yield "never, since it is frozen"
    elif spec.always:
        yield "always"
    elif spec.ttl is not None:
        yield f"again after {formats.seconds(spec.ttl)}"
    if spec.executor:
        yield "here, even if other stages run on a cluster"


def _uncounted(spec: StageSpec, path: ArtifactPath) -> str:
    if path in spec.file_params:
        values = f"  (for {list_names(spec.file_params[path])})" if spec.file_params[path] else "  (for its values)"
        return values if path in spec.uncounted else ""
    return "  (does not count)" if path in spec.uncounted else ""


def _out_json(out: OutSpec) -> dict[str, Any]:
    """Return an out as JSON-able data, without what most outs do not have."""
    rare = {"temp": out.temp, "desc": out.desc, "meta": dict(out.meta)}
    return {"path": out.path, **out.facts(), **{name: value for name, value in rare.items() if value}}


def listing_json(found: Overview) -> list[dict[str, Any]]:
    """Return the list as JSON-able data."""
    return [
        {
            "name": found.names[address],
            "address": address,
            "deps": list(spec.deps),
            "uncounted": list(spec.uncounted),
            "file_params": {path: list(keys) for path, keys in spec.file_params.items()},
            "outs": [_out_json(out) for out in spec.outs],
            "upstream": sorted(found.graph.upstream[address]),
            "file": spec.location.file,
            "line": spec.location.line,
            "desc": spec.desc,
            **({"meta": dict(spec.meta)} if spec.meta else {}),
            "after": list(spec.after),
            "frozen": spec.frozen,
            "always": spec.always,
            "ttl": spec.ttl,
            "priority": spec.priority,
            "executor": spec.executor or None,
            "resources": dict(spec.resources),
        }
        for address, spec in found.graph.stages.items()
    ]
