"""The libraries behind the loaders: imported when a file is read or written, and named where they are missing."""

import importlib
import typing
from collections.abc import Iterator
from typing import Any

from pivot_core.errors import LoaderError


def require(module: str, loader: str, distribution: str | None = None) -> Any:
    """Import a library's module.

    Args:
        module: The module, such as ``pyarrow.parquet``.
        loader: The name of the loader that needs it.
        distribution: The name by which to install the library, if it is not that of its top-level module.

    Raises:
        LoaderError: The library is not installed.
    """
    top = module.partition(".")[0]
    name = distribution or top
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != top:
            raise
        raise LoaderError(f"loaders.{loader} needs {name}, which is not installed", hint=f"install {name}") from None


def libraries_of(kind: type) -> set[str]:
    """The top-level modules that define a class and its bases; none of them is imported for this."""
    return {base.__module__.partition(".")[0] for base in kind.__mro__}


def types_in(hint: Any) -> Iterator[type]:
    """The classes in a type hint, such as ``dict[str, DataFrame] | None``, from outside to inside."""
    origin = typing.get_origin(hint) or hint
    if isinstance(origin, typing.TypeAliasType):
        yield from types_in(origin.__value__)
    elif isinstance(origin, type):
        yield origin
    for part in typing.get_args(hint):
        yield from types_in(part)


def misfit(loader: str, wanted: str, value: object, hint: str | None = None) -> LoaderError:
    """The error for a value that a loader does not save."""
    return LoaderError(
        f"loaders.{loader}() saves {wanted}, not {type(value).__name__}",
        hint=hint or f"return {wanted}, or use another loader",
    )
