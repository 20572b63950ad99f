"""Which orders come back? A small pipeline, which the recordings run."""

import csv
import math
import pathlib
from typing import Annotated

from helpers import Rows, scale

import pivot

type Weights = dict[str, float]


class Training(pivot.StageParams):
    rounds: int = 5_000


def clean(
    orders: Annotated[pathlib.Path, pivot.Dep("orders.csv", pivot.loaders.PathOnly())],
) -> Annotated[Rows, pivot.Out("clean.json", pivot.loaders.JSON())]:
    with orders.open() as file:
        return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file) if all(row.values())]


def features(
    rows: Annotated[Rows, pivot.Dep("clean.json", pivot.loaders.JSON())],
) -> Annotated[Rows, pivot.Out("features.json", pivot.loaders.JSON())]:
    return scale(rows, ["price", "days"])


def train(
    params: Training,
    rows: Annotated[Rows, pivot.Dep("features.json", pivot.loaders.JSON())],
) -> Annotated[Weights, pivot.Out("model.json", pivot.loaders.JSON())]:
    weights = {"price": 0.0, "days": 0.0}
    for _ in range(params.rounds):
        for row in rows:
            error = chance(row, weights) - row["returned"]
            weights = {name: weight - 0.01 * error * row[name] for name, weight in weights.items()}
    return weights


def evaluate(
    rows: Annotated[Rows, pivot.Dep("features.json", pivot.loaders.JSON())],
    weights: Annotated[Weights, pivot.Dep("model.json", pivot.loaders.JSON())],
) -> Annotated[dict[str, float], pivot.Metric("scores.json")]:
    right = sum(round(chance(row, weights)) == row["returned"] for row in rows)
    return {"accuracy": right / len(rows)}


def report(
    rows: Annotated[Rows, pivot.Dep("clean.json", pivot.loaders.JSON())],
) -> Annotated[str, pivot.Out("report.txt", pivot.loaders.Text())]:
    return f"{len(rows)} orders\n"


def chance(row: dict[str, float], weights: Weights) -> float:
    return 1 / (1 + math.exp(-sum(row[name] * weight for name, weight in weights.items())))


pipeline = pivot.Pipeline("orders")
for stage in (clean, features, train, evaluate, report):
    pipeline.register(stage)
