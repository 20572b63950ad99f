"""Loaders of Pivot's own packages are built again from the data that a load keeps."""

import json
from typing import Any

import pytest

from pivot_core.loaders import CSV, JSON, PathOnly, Pickle, Text
from pivot_core.stages.out_values import _loader_to_plain
from pivot_runtime.interactive.loaders import build_loader


@pytest.mark.parametrize(
    "loader",
    [
        CSV(index=("x", "y"), dtype={"x": "str"}, parse_dates=("y",)),
        CSV(index=(), dtype={"c": [1, None, (True, 2.5)]}),  # type: ignore[dict-item]  # each plain kind
        JSON(indent=None),
        PathOnly(),
        Pickle(protocol=5),
        Text("latin-1"),
    ],
)
def test_a_loader_comes_back(loader: Any) -> None:
    assert build_loader(json.loads(json.dumps(_loader_to_plain(loader)))) == loader


def test_no_other_class_is_built() -> None:
    with pytest.raises(LookupError, match="os"):
        build_loader(["os", "system", {}])
