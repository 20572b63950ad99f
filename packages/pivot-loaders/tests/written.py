"""Write a file with each loader, as ``python written.py DIRECTORY DAYS``: with the clock as many days ahead."""

import datetime as dt
import pathlib
import sys
import time
from typing import Any


def samples() -> dict[str, tuple[Any, Any]]:
    """By file name: a loader and a value."""
    import matplotlib.figure
    import numpy as np
    import pandas as pd
    import PIL.Image
    import polars as pl

    import pivot_loaders as loaders

    index = pd.Index(["x", "y"], name="id")
    frame = pd.DataFrame(
        {"a": [1, 2], "b": ["u", None], "c": pd.to_datetime(["2024-01-02", "2024-01-03"])}, index=index
    )
    polar = pl.DataFrame({"a": [1, 2], "b": ["u", None], "c": [dt.date(2024, 1, 2), None]})
    arrays = {"one": np.arange(6.0).reshape(2, 3), "two": np.array([True, False])}
    figure = matplotlib.figure.Figure(figsize=(2, 1))
    figure.subplots().plot([1, 3, 2])
    image = PIL.Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    return {
        "pandas.parquet": (loaders.Parquet(), frame),
        "polars.parquet": (loaders.Parquet(frame="polars"), polar),
        "arrow.parquet": (loaders.Parquet(frame="pyarrow"), polar.to_arrow()),
        "pandas.feather": (loaders.Feather(), frame),
        "polars.feather": (loaders.Feather(frame="polars"), polar),
        "frame.xlsx": (loaders.Excel(index="id"), frame),
        "frame.csv": (loaders.PolarsCSV(parse_dates=True), polar),
        "array.npy": (loaders.Npy(), arrays["one"]),
        "arrays.npz": (loaders.Npz(), arrays),
        "small.npz": (loaders.Npz(compress=True), arrays),
        "model.joblib": (loaders.Joblib(compress=3), arrays),
        "tensors.safetensors": (loaders.Safetensors(), arrays),
        "plot.png": (loaders.Figure(), figure),
        "plot.svg": (loaders.Figure(tight=True), figure),
        "plot.svgz": (loaders.Figure(), figure),
        "plot.pdf": (loaders.Figure(), figure),
        "plot.eps": (loaders.Figure(), figure),
        "image.png": (loaders.Image(), image),
        "image.jpg": (loaders.Image(quality=90), image),
        "data.bin": (loaders.Bytes(), b"\0\r\n"),
        "data.toml": (loaders.TOML(), {"a": 1, "t": {"when": dt.date(2024, 1, 2), "list": [1.5, "é"]}}),
    }


def write(directory: pathlib.Path) -> None:
    """Write each sample into the directory."""
    for name, (loader, value) in samples().items():
        loader.save(value, directory / name)


if __name__ == "__main__":
    ahead, now = float(sys.argv[2]) * 86400, time.time
    time.time = lambda: now() + ahead
    write(pathlib.Path(sys.argv[1]))
