"""Loaders for tables, arrays, models, plots and images; users import them from `pivot.loaders`."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pivot_loaders.arrays import Npy, Npz
    from pivot_loaders.documents import TOML, Bytes
    from pivot_loaders.images import Figure, Image
    from pivot_loaders.models import Joblib, Safetensors, Torch
    from pivot_loaders.sheets import Excel, PolarsCSV
    from pivot_loaders.tables import Feather, Parquet

__all__ = [
    "TOML",
    "Bytes",
    "Excel",
    "Feather",
    "Figure",
    "Image",
    "Joblib",
    "Npy",
    "Npz",
    "Parquet",
    "PolarsCSV",
    "Safetensors",
    "Torch",
]

_HOMES = {
    "TOML": "pivot_loaders.documents",
    "Bytes": "pivot_loaders.documents",
    "Excel": "pivot_loaders.sheets",
    "Feather": "pivot_loaders.tables",
    "Figure": "pivot_loaders.images",
    "Image": "pivot_loaders.images",
    "Joblib": "pivot_loaders.models",
    "Npy": "pivot_loaders.arrays",
    "Npz": "pivot_loaders.arrays",
    "Parquet": "pivot_loaders.tables",
    "PolarsCSV": "pivot_loaders.sheets",
    "Safetensors": "pivot_loaders.models",
    "Torch": "pivot_loaders.models",
}


if not TYPE_CHECKING:  # a type checker would take any name for a loader

    def __getattr__(name: str) -> Any:
        """Import a loader on first access, since every module of this package imports the package first."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(home), name)
