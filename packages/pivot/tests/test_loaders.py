"""Tables of data libraries as outs and deps of stages."""

from collections.abc import Callable

from harness import Project

PIPELINE = """\
from typing import Annotated

import pandas as pd

import pivot
from pivot import loaders

pipeline = pivot.Pipeline("shop")


@pipeline.register
def sales() -> Annotated[pd.DataFrame, pivot.Out("sales.feather", loaders.Feather())]:
    return pd.DataFrame({"price": [2.5, 1.5], "count": [1, 2]}, index=pd.Index(["tea", "milk"], name="item"))


@pipeline.register
def sheet(
    sales: Annotated[pd.DataFrame, pivot.Dep("sales.feather", loaders.Feather(columns=("price",)))],
) -> Annotated[pd.DataFrame, pivot.Out("sales.xlsx", loaders.Excel())]:
    return sales.reset_index()


@pipeline.register
def total(
    rows: Annotated[pd.DataFrame, pivot.Dep("sales.xlsx", loaders.Excel())],
) -> Annotated[dict[str, object], pivot.Metric("total.json")]:
    return {"items": ",".join(rows["item"]), "total": rows["price"].sum()}
"""


def test_feather_and_excel(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.pivot("repro")
    assert project.read("total.json").split() == ["{", '"items":', '"tea,milk",', '"total":', "4.0", "}"]
