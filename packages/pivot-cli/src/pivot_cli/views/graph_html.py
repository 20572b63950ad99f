"""Formats a graph as one self-contained HTML page: an SVG laid out here, which the user can move and zoom."""

import json
from collections.abc import Mapping, Sequence

from pivot_cli.views import pages
from pivot_cli.views.graph import Drawing, Node

_HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 34, 28, 56, 40
_CHARACTER = 7.6
_SWEEPS = 8

_COLOURS: Mapping[str, str] = {
    "cached": "#d9f2e1",
    "stale": "#ffe9b8",
    "blocked": "#ffd3d0",
    "artifact": "#eef1f5",
    "stage": "#e3ecff",
}


def page(found: Drawing, states: Mapping[str, str], title: str) -> str:
    """Return the page.

    Args:
        found: The graph to draw.
        states: By key of a node, its state: ``cached``, ``stale`` or ``blocked``.
        title: The title of the page.
    """
    places, width, height = _places(found)
    numbers = {node.key: number for number, node in enumerate(found.nodes)}
    lines = [_edge(places[start], places[end], numbers[start], numbers[end]) for start, end in found.edges]
    lines += [_node(node, places[node.key], numbers[node.key], states.get(node.key, node.kind)) for node in found.nodes]
    used = dict.fromkeys(states.get(node.key, node.kind) for node in found.nodes)
    values = {
        "title": pages.escape(title),
        "box": f"0 0 {max(width, 1):.0f} {max(height, 1):.0f}",
        "drawn": "\n".join(lines),
        "legend": "".join(f'<span style="background:{_COLOURS[each]}"></span>{each}' for each in used),
        "edges": json.dumps([[numbers[start], numbers[end]] for start, end in found.edges]),
    }
    return pages.fill("graph.html", values)


type _Place = tuple[float, float, float]  # the middle of a node, and its width


def _places(found: Drawing) -> tuple[dict[str, _Place], float, float]:
    """Put nodes into layers by the longest path from a source; order each layer by connected nodes."""
    layers = _ordered(found)
    widths = {node.key: max(60.0, len(node.label) * _CHARACTER + 24) for node in found.nodes}
    total = max((sum(widths[key] + _GAP_X for key in layer) for layer in layers), default=0.0)
    places: dict[str, _Place] = {}
    for depth, layer in enumerate(layers):
        x = _MARGIN + (total - sum(widths[key] + _GAP_X for key in layer)) / 2
        for key in layer:
            places[key] = (x + widths[key] / 2, _MARGIN + depth * (_HEIGHT + _GAP_Y) + _HEIGHT / 2, widths[key])
            x += widths[key] + _GAP_X
    return places, total + 2 * _MARGIN, 2 * _MARGIN + len(layers) * (_HEIGHT + _GAP_Y) - _GAP_Y


def _ordered(found: Drawing) -> list[list[str]]:
    before = found.before()
    depth: dict[str, int] = {}
    for node in found.nodes:  # each node follows its dependencies, except artifacts that are listed with their reader
        depth[node.key] = 1 + max((depth.get(key, 0) for key in before[node.key]), default=-1)
    after: dict[str, list[str]] = {node.key: [] for node in found.nodes}
    for start, end in found.edges:
        after[start].append(end)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for key, level in depth.items():
        layers[level].append(key)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        neighbours = before if down else after
        rank = {key: index / max(len(layer), 1) for layer in layers for index, key in enumerate(layer)}
        for layer in layers if down else reversed(layers):
            layer.sort(key=lambda key: _middle([rank[each] for each in neighbours[key]], rank[key]))
            rank |= {key: index / len(layer) for index, key in enumerate(layer)}
    return layers


def _middle(ranks: Sequence[float], own: float) -> float:
    return sum(ranks) / len(ranks) if ranks else own


def _edge(start: _Place, end: _Place, a: int, b: int) -> str:
    x1, y1, x2, y2 = start[0], start[1] + _HEIGHT / 2, end[0], end[1] - _HEIGHT / 2
    bend = (y2 - y1) / 2
    way = f"M{x1:.1f},{y1:.1f} C{x1:.1f},{y1 + bend:.1f} {x2:.1f},{y2 - bend:.1f} {x2:.1f},{y2:.1f}"
    return f'<path d="{way}" marker-end="url(#tip)" data-a="{a}" data-b="{b}"/>'


def _node(node: Node, place: _Place, number: int, state: str) -> str:
    x, y, width = place
    corner = 6 if node.kind == "stage" else _HEIGHT / 2
    label = pages.escape(node.label)
    return (
        f'<g data-n="{number}"><title>{label}: {state}</title>'
        f'<rect x="{x - width / 2:.1f}" y="{y - _HEIGHT / 2:.1f}" width="{width:.1f}" height="{_HEIGHT}" '
        f'rx="{corner}" fill="{_COLOURS[state]}"/>'
        f'<text x="{x:.1f}" y="{y + 5:.1f}" text-anchor="middle" fill="#1f2733">{label}</text></g>'
    )
