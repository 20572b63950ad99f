"""Pages: one file each, which asks for nothing and runs no script but its own; the values that they draw."""

import base64
import hashlib
import html.parser
import json
import pathlib
import re
from typing import Any

import pytest

import pivot_cli.pages
from pivot_cli.pages.graph import NodeDetail, graph_data, graph_page
from pivot_cli.pages.timeline import timeline_page
from pivot_cli.terminal import formats
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.spec import Location, OutSpec, StageSpec
from pivot_runtime.history.history import PastRun, PastStage
from pivot_runtime.inspecting.overview import Overview

HOSTILE = "</script><script>owned = 1</script> $title & \u2028\x1b[31m\udcff"
VENDOR = pathlib.Path(pivot_cli.pages.__file__).parent / "vendor"


def overview(*stages: tuple[str, str, str]) -> Overview:
    specs = [
        StageSpec(
            name,
            "p",
            "",
            Location("pipeline.py", 1),
            tuple(ArtifactPath(path) for path in deps.split()),
            tuple(OutSpec(ArtifactPath(path)) for path in outs.split()),
        )
        for name, deps, outs in stages
    ]
    graph = Graph.build(specs)
    return Overview(graph, {address: each.name for address, each in graph.stages.items()})


class Reader(html.parser.HTMLParser):
    """The open elements, the texts of scripts and the policy of a page, and whatever it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.fetched: list[str] = []
        self.policy = ""
        self._type: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.fetched += [str(value) for name, value in attrs if name in {"src", "href", "xlink:href"}]
        if known.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(known["content"])
        self._type = (known.get("type") or "script") if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        self._type = None if tag == "script" else self._type

    def handle_data(self, data: str) -> None:
        if self._type == "script":
            self.scripts.append(data)


def data_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def check(text: str) -> None:
    """The policy of the page allows exactly its own scripts and no request."""
    read = Reader(text)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in read.scripts]
    assert re.findall(r"'sha256-([^']*)'", read.policy) == digests
    assert "default-src 'none'" in read.policy
    assert "unsafe-eval" not in read.policy
    assert read.fetched == ["data:,"]
    assert "sourceMappingURL" not in text
    assert formats.escaped(text) == text  # it is printed as it is


def test_the_graph_page_is_self_contained_whatever_the_names() -> None:
    known = {"p.a": NodeDetail("stale", (("state", HOSTILE),))}
    text = graph_page(overview(("a", HOSTILE.replace("/", "|"), "o"), (HOSTILE, "o", "e")), known, HOSTILE)

    check(text)
    assert "owned = 1</script>" not in text
    assert "<title>&lt;/script&gt;" in text
    assert "$title" in text
    assert "Copyright (c) 2012-2014 Chris Pettitt" in text  # the licence of the library is in the page
    assert data_of(text)["nodes"][0]["facts"][0] == ["state", formats.one_line(HOSTILE)]


def test_the_timeline_is_self_contained_whatever_the_names() -> None:
    stage = PastStage(HOSTILE, HOSTILE, "failed", 0.0, 1.0, problem=HOSTILE)
    text = timeline_page(PastRun(1, 0.0, HOSTILE, "not done", 1.0, (stage,)))

    check(text)
    assert "owned = 1</script>" not in text
    assert text.count("&lt;script&gt;owned = 1&lt;/script&gt; $title") == 4  # in the titles and the table


def test_the_values_of_the_graph_page() -> None:
    known = {"p.load": NodeDetail("cached", (("took", "2.0s"),)), "raw.csv": NodeDetail("missing")}
    found = graph_data(overview(("load", "raw.csv", "load"), ("fit", "load", "model")), known, start="both")

    labels = [(node["label"], node["kind"], node["state"]) for node in found["nodes"]]
    assert labels == [
        ("load", "stage", "cached"),
        ("fit", "stage", "stage"),
        ("raw.csv", "artifact", "missing"),
        ("load", "artifact", "artifact"),
        ("model", "artifact", "artifact"),
    ]
    views = found["views"]
    assert found["start"] == "both"
    assert views["stages"] == {"nodes": [0, 1], "edges": [[0, 1]]}
    assert sorted(views["both"]["edges"]) == [[0, 3], [1, 4], [2, 0], [3, 1]]
    assert views["artifacts"]["edges"] == [[2, 3], [3, 4]]
    assert found["nodes"][0]["facts"] == [
        ["took", "2.0s"],
        ["reads", "raw.csv"],
        ["writes", "load"],
        ["defined", "pipeline.py:1"],
    ]


@pytest.mark.parametrize("file", sorted(VENDOR.glob("*.js")), ids=lambda file: file.name)
def test_vendored_libraries_have_a_licence_and_a_version_and_cannot_end_a_script(file: pathlib.Path) -> None:
    assert file.with_name(file.name.replace(".min.js", ".LICENSE")).read_text()
    assert re.search(rf"`{re.escape(file.name)}` \| `[\w@/-]+` \d+\.\d+\.\d+,", (VENDOR / "README.md").read_text())
    assert "</script" not in file.read_text().lower()
    assert "<!--" not in file.read_text()
