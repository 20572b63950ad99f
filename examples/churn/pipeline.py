"""Which customers leave? Clean the data, compute features, train three models, evaluate and plot them."""

from typing import Annotated, Any, Literal, TypedDict

import matplotlib.figure
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score, roc_curve
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pivot
from pivot import loaders

pipeline = pivot.Pipeline("churn")

type Kind = Literal["logistic", "forest", "neighbours"]
KINDS: tuple[Kind, ...] = ("logistic", "forest", "neighbours")
MODELS = [f"fitted/{kind}.joblib" for kind in KINDS]


@pipeline.register
def clean(
    raw: Annotated[pd.DataFrame, pivot.Dep("customers.csv", loaders.CSV())],
) -> Annotated[pd.DataFrame, pivot.Out("prepared/clean.parquet", loaders.Parquet())]:
    """Drop repeated and incomplete rows."""
    return raw.drop_duplicates("id").dropna().reset_index(drop=True)


@pipeline.register
def features(
    customers: Annotated[pd.DataFrame, pivot.Dep("prepared/clean.parquet", loaders.Parquet())],
) -> Annotated[pd.DataFrame, pivot.Out("prepared/features.parquet", loaders.Parquet())]:
    """Turn plans into columns, and add the calls per month."""
    table = pd.get_dummies(customers, columns=["plan"], dtype=float)
    table["left"] = customers["left"] == "yes"
    table["call_rate"] = customers["calls"] / customers["months"]
    return table.set_index("id")


class SplitParams(pivot.StageParams):
    test_share: float = 0.25
    seed: int = 0


class Parts(TypedDict):
    train: Annotated[pd.DataFrame, pivot.Out("prepared/train.parquet", loaders.Parquet())]
    test: Annotated[pd.DataFrame, pivot.Out("prepared/test.parquet", loaders.Parquet())]


@pipeline.register
def split(
    params: SplitParams,
    table: Annotated[pd.DataFrame, pivot.Dep("prepared/features.parquet", loaders.Parquet())],
) -> Parts:
    """Set some customers aside, to evaluate models with."""
    test = table.sample(frac=params.test_share, random_state=params.seed).sort_index()
    return {"train": table.drop(index=test.index), "test": test}


class TrainParams(pivot.StageParams):
    kind: Kind = "logistic"
    seed: int = 0
    strength: float = 1.0
    trees: int = 100
    depth: int | None = None
    neighbours: int = 9


def train(
    params: TrainParams,
    table: Annotated[pd.DataFrame, pivot.Dep("prepared/train.parquet", loaders.Parquet())],
) -> Annotated[Any, pivot.Out("fitted/model.joblib", loaders.Joblib())]:
    """Fit a model of the kind that the parameters name."""
    models = {
        "logistic": LogisticRegression(C=params.strength),
        "forest": RandomForestClassifier(params.trees, max_depth=params.depth, random_state=params.seed),
        "neighbours": KNeighborsClassifier(params.neighbours),
    }
    return make_pipeline(StandardScaler(), models[params.kind]).fit(*inputs(table))


for kind, path in zip(KINDS, MODELS, strict=True):
    pipeline.register(train, variant=kind, params={"kind": kind}, outs={"return": path})


def inputs(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """What a model reads, and what it predicts."""
    return table.drop(columns="left"), table["left"]


class Point(TypedDict):
    """One point of a curve: the shares of false and of true alarms."""

    model: str
    false: float
    true: float


class Evaluation(TypedDict):
    scores: Annotated[dict[str, Any], pivot.Metric("scores.json")]
    curves: Annotated[list[Point], pivot.Plot("curves.json", loaders.JSON(), x="false", y="true", group="model")]


@pipeline.register
def evaluate(
    table: Annotated[pd.DataFrame, pivot.Dep("prepared/test.parquet", loaders.Parquet())],
    models: Annotated[list[Any], pivot.Dep(MODELS, loaders.Joblib())],
) -> Evaluation:
    """Compare the predictions of each model with the truth."""
    values, truth = inputs(table)
    scores: dict[str, Any] = {"customers": len(table)}
    curves: list[Point] = []
    for kind, model in zip(KINDS, models, strict=True):
        chances = model.predict_proba(values)[:, 1]
        scores[kind] = {"accuracy": accuracy_score(truth, model.predict(values)), "auc": roc_auc_score(truth, chances)}
        false, true, _ = roc_curve(truth, chances)
        curves += [Point(model=kind, false=x, true=y) for x, y in zip(false, true, strict=True)]
    return {"scores": scores, "curves": curves}


@pipeline.register
def plot(
    curves: Annotated[list[Point], pivot.Dep("curves.json", loaders.JSON())],
) -> Annotated[matplotlib.figure.Figure, pivot.Plot("plots/roc.png", loaders.Figure(dpi=100))]:
    """Draw the share of true alarms over the share of false alarms."""
    figure = matplotlib.figure.Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    for kind in KINDS:
        points = [point for point in curves if point["model"] == kind]
        axes.plot([point["false"] for point in points], [point["true"] for point in points], label=kind)
    axes.set(xlabel="false alarms", ylabel="true alarms")
    axes.legend()
    return figure
