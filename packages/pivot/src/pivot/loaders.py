"""The built-in loaders, and those of the package pivot-loaders, which is imported when one of them is used."""

import sys
from typing import TYPE_CHECKING, Any

from pivot_core.errors import LoaderError
from pivot_core.loaders import CSV, JSON, JSONL, YAML, PathOnly, Pickle, Reader, Text, Writer

if TYPE_CHECKING:  # type checkers read this, and nothing imports it
    import pivot_loaders
    from pivot_loaders import *  # noqa: F403

__all__ = ["CSV", "JSON", "JSONL", "YAML", "PathOnly", "Pickle", "Reader", "Text", "Writer"]

if TYPE_CHECKING:
    __all__ += pivot_loaders.__all__

OF_PIVOT_LOADERS = (
    *("TOML", "Bytes", "Excel", "Feather", "Figure", "Image", "Joblib", "Npy", "Npz", "Parquet", "PolarsCSV"),
    *("Safetensors", "Torch"),
)


def __dir__() -> list[str]:
    """All loaders, also those that are not imported yet."""
    return sorted({*globals(), *OF_PIVOT_LOADERS})


if not TYPE_CHECKING:  # a type checker would take any name for a loader

    def __getattr__(name: str) -> Any:
        """A loader of the package pivot-loaders.

        Raises:
            LoaderError: The package is not installed.
        """
        if name not in OF_PIVOT_LOADERS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        try:
            import pivot_loaders  # lazy: an extra, and most pipelines do without
        except ModuleNotFoundError as error:
            if error.name != "pivot_loaders":
                raise
            raise LoaderError(
                f"loaders.{name} is part of pivot-loaders, which is not installed",
                hint="install pivot-loaders, which the extra pivot[loaders] adds",
            ) from None
        loader = globals()[name] = getattr(pivot_loaders, name)
        return loader
