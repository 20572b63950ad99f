"""Puts the graph of stages and files into a page, with the state of each stage and the facts about it; pure."""

import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from pivot_cli.pages import page
from pivot_cli.terminal import formats
from pivot_cli.views import graph, phrases
from pivot_core.decide import Verdict
from pivot_core.errors import list_names
from pivot_core.graph import Graph
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.history.stage_stats import SECONDS
from pivot_runtime.inspecting.overview import Overview
from pivot_runtime.inspecting.status import StageStatus

_STAGE = "stage:"


@attrs.frozen(eq=False, repr=False)
class NodeDetail(Value):
    """The facts about a stage or a file that are shown beside its name.

    Attributes:
        state: ``cached``, ``stale``, ``blocked`` or ``frozen`` for a stage; ``missing`` for a file that does not exist.
        facts: Pairs of a word and a text.
    """

    state: str
    facts: tuple[tuple[str, str], ...] = ()


def details(stages: Iterable[StageStatus]) -> dict[str, NodeDetail]:
    """Return the details of stages by address, and of the files that they read and write by path."""
    found: dict[str, NodeDetail] = {}
    for stage in stages:
        evaluation = stage.evaluation
        found[evaluation.stage.spec.address] = NodeDetail(_state(stage), tuple(_facts(stage)))
        for path, artifact in evaluation.observation.outs.items():
            found[path] = _file(artifact)
        for path in evaluation.stage.spec.deps:
            dep = evaluation.observation.inputs.deps.get(path)
            if path not in found and (dep is not None or path in evaluation.observation.missing):
                found[path] = _file(dep)
    return found


def graph_page(overview: Overview, known: Mapping[str, NodeDetail], title: str, *, start: str = "stages") -> str:
    """Return the page.

    Args:
        overview: The stages.
        known: The details of stages by address and of files by path, as far as known.
        title: The title of the page.
        start: The part that is shown first: ``stages``, ``both`` or ``artifacts``.
    """
    body = string.Template(page.template("graph")).substitute(title=page.escape(title))
    return page.build(title, body, graph_data(overview, known, start=start), parts=["graph"], libraries=["dagre"])


def graph_data(overview: Overview, known: Mapping[str, NodeDetail], *, start: str = "stages") -> dict[str, Any]:
    """Return the values for the script of the page: all nodes, and for each view the numbers of those that it shows."""
    nodes: list[dict[str, Any]] = []
    numbers: dict[str, int] = {}
    views = {}
    for name, drawn in _views(overview):
        own = {node.key: _key(node) for node in drawn.nodes}
        for node in drawn.nodes:
            if own[node.key] not in numbers:
                numbers[own[node.key]] = len(nodes)
                nodes.append(_node(node, known, overview.graph))
        views[name] = {
            "nodes": [numbers[key] for key in own.values()],
            "edges": [[numbers[own[before]], numbers[own[after]]] for before, after in drawn.edges],
        }
    return {"start": start, "nodes": nodes, "views": views}


def _views(overview: Overview) -> Iterator[tuple[str, graph.Drawing]]:
    yield "stages", graph.drawing(overview)
    yield "both", graph.drawing(overview, artifacts=True)
    yield "artifacts", graph.drawing(overview, stages=False, artifacts=True)


def _key(node: graph.Node) -> str:
    """Return a key that is the same in all views; a stage and a file may have the same name."""
    return _STAGE + node.key.removeprefix(_STAGE) if node.kind == "stage" else node.key


def _node(node: graph.Node, known: Mapping[str, NodeDetail], whole: Graph) -> dict[str, Any]:
    detail = known.get(node.key.removeprefix(_STAGE) if node.kind == "stage" else node.key)
    facts = list(detail.facts) if detail is not None else []
    if node.kind == "stage":
        spec = whole.stages[node.key.removeprefix(_STAGE)]
        facts = [("about", spec.desc), *facts] if spec.desc else facts
        facts += [("reads", list_names(spec.deps, 8))] if spec.deps else []
        facts += [("writes", list_names([out.path for out in spec.outs], 8))] if spec.outs else []
        facts += [("after", list_names(spec.after, 8))] if spec.after else []
        facts.append(("defined", str(spec.location)))
    return {
        "label": formats.one_line(node.label),
        "kind": node.kind,
        "state": detail.state if detail is not None else node.kind,
        "facts": [[name, formats.one_line(text)] for name, text in facts],
    }


def _state(stage: StageStatus) -> str:
    if stage.evaluation.stage.spec.frozen:
        return "frozen"
    blocked = stage.evaluation.decision.verdict is Verdict.BLOCKED
    return "cached" if stage.cached else "blocked" if blocked else "stale"


def _facts(stage: StageStatus) -> Iterator[tuple[str, str]]:
    decision = stage.evaluation.decision
    reasons = phrases.all_reasons(decision) if decision.reasons and not stage.cached else ""
    yield "state", f"{_state(stage)}: {reasons}" if reasons else _state(stage)
    took = stage.stats.get(SECONDS)
    if isinstance(took, int | float):
        yield "took", formats.seconds(took)
    sizes = [each.size for each in stage.evaluation.observation.outs.values() if each is not None]
    if sizes:
        yield "wrote", formats.size(sum(sizes))


def _file(artifact: Artifact | None) -> NodeDetail:
    if artifact is None:
        return NodeDetail("missing", (("state", "missing"),))
    kind = "directory" if artifact.tree else "file"
    return NodeDetail("artifact", ((kind, formats.size(artifact.size)),))
