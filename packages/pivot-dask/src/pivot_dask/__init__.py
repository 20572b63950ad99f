"""Runs the stages of Pivot's pipelines on a Dask cluster."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pivot_dask.address import parse
    from pivot_dask.backend import connect

__all__ = ["connect", "parse"]

_MODULES = {"connect": "pivot_dask.backend", "parse": "pivot_dask.address"}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: checking an address needs no Dask."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'pivot_dask' has no attribute {name!r}")
