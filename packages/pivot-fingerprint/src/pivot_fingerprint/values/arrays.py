"""Parts of numpy and pandas objects, by content; neither library is imported here."""

import sys
from typing import Any

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.values.encoder import Parts


def take_apart(value: object) -> Parts | None:
    """The parts of an array, a scalar of numpy, a frame, a series or an index; None for anything else."""
    kind = type(value)
    module = kind.__module__.partition(".")[0]
    if module == "numpy":
        numpy = sys.modules.get("numpy")
        return None if numpy is None else _numpy(numpy, value, kind)
    if module == "pandas":
        pandas = sys.modules.get("pandas")
        return None if pandas is None else _pandas(pandas, value)
    return None


def _numpy(numpy: Any, value: Any, kind: type) -> Parts | None:
    if kind is numpy.ndarray:
        if value.dtype.hasobject:
            return Parts("array", (_dtype(value.dtype), value.shape, value.tolist()), heavy=True)
        content = numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8) if value.size else b""
        digest = xxh3_128_hexdigest(memoryview(content))
        return Parts("array", (_dtype(value.dtype), value.shape, digest), heavy=True)
    if isinstance(value, numpy.generic):
        return Parts("number", (_dtype(value.dtype), value.item() if value.dtype.hasobject else value.tobytes()))
    if isinstance(value, numpy.dtype):
        return Parts("dtype", (_dtype(value),))
    return None


def _dtype(dtype: Any) -> object:
    return dtype.descr if dtype.names else dtype.str


def _pandas(pandas: Any, value: Any) -> Parts | None:
    if isinstance(value, pandas.DataFrame):
        columns = [_column(value.iloc[:, at]) for at in range(value.shape[1])]
        return Parts("frame", (value.columns, value.index, columns, value.attrs), heavy=True)
    if isinstance(value, pandas.Series):
        return Parts("series", (value.name, value.index, _column(value), value.attrs), heavy=True)
    if isinstance(value, pandas.MultiIndex):
        levels = [_column(value.get_level_values(at)) for at in range(value.nlevels)]
        return Parts("multi-index", (list(value.names), levels), heavy=True)
    if isinstance(value, pandas.Index):
        return Parts("index", (value.name, _column(value)), heavy=True)
    return None


def _column(column: Any) -> object:
    """A column as a numpy array where possible, else its type and its values."""
    dtype = column.dtype
    if hasattr(dtype, "descr") or dtype.__class__.__module__.startswith("numpy"):
        return column.to_numpy()
    if hasattr(dtype, "categories"):
        return (str(dtype.name), bool(dtype.ordered), _column(dtype.categories), column.tolist())
    return (str(dtype), column.tolist())
