"""Previews as JSON data."""

import json

import pytest

from pivot_cli.comparing.previews import preview_json
from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import PlotOptions
from pivot_runtime.comparing.plots import PlotSide
from pivot_runtime.comparing.series import Axes
from pivot_runtime.previews.directories import DirectoryEntry
from pivot_runtime.previews.preview import (
    AbsentContent,
    BinaryPreview,
    Detail,
    DirectoryPreview,
    DocumentPreview,
    ImagePreview,
    PlotPreview,
    Preview,
    TableColumn,
    TablePreview,
    TextPreview,
    TooLarge,
)

EVERY: dict[str, tuple[Detail, dict[str, object]]] = {
    "table": (
        TablePreview((TableColumn("a", "integer"),), ((1,),), 4, more=False, total=5, reader="csv", notes=("odd",)),
        {
            "columns": [{"name": "a", "type": "integer"}],
            "rows": [[1]],
            "offset": 4,
            "total": 5,
            "more": False,
            "reader": "csv",
            "notes": ["odd"],
        },
    ),
    "json": (DocumentPreview({"a": []}, cut=True), {"value": {"a": []}, "cut": True}),
    "text": (TextPreview("x", cut=False, encoding="utf-8"), {"text": "x", "cut": False, "encoding": "utf-8"}),
    "image": (ImagePreview("image/png", 3, None), {"media": "image/png", "width": 3, "height": None}),
    "plot": (
        PlotPreview(PlotOptions(), Axes("line", "", ("y",)), PlotSide("workspace", ({"y": 1},))),
        {"chart": "line", "x": "", "y": ["y"], "group": ""},
    ),
    "directory": (
        DirectoryPreview((DirectoryEntry("d", "directory", None),), 0, 1),
        {"entries": [{"name": "d", "kind": "directory", "size": None}], "offset": 0, "total": 1},
    ),
    "binary": (BinaryPreview(b"\0\xff"), {"head": "00ff"}),
    "absent": (AbsentContent("cache", "pivot checkout x"), {"where": "cache", "command": "pivot checkout x"}),
    "too_large": (TooLarge(7), {"bound": 7}),
}


@pytest.mark.parametrize("kind", EVERY)
def test_each_kind(kind: str) -> None:
    detail, expected = EVERY[kind]
    found = preview_json(Preview(ArtifactPath("out/x"), "recorded", detail, 5, "ab", "The x", "it is odd", "mend it"))
    assert found == {
        "path": "out/x",
        "side": "recorded",
        "kind": kind,
        "size": 5,
        "digest": "ab",
        "title": "The x",
        "problem": {"error": "it is odd", "hint": "mend it"},
        **expected,
    }
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_without_a_problem() -> None:
    assert preview_json(Preview(ArtifactPath("x"), "workspace", TooLarge(7)))["problem"] is None
