"""The values that a stage returns, as plain data: their paths, and the loader that reads them back."""

from collections.abc import Iterator
from typing import Any, Final

import attrs

from pivot_core.files.paths import ArtifactPath
from pivot_core.loaders import PathOnly, Reader
from pivot_core.spec import OutValue
from pivot_core.stages.stage import Stage

LOADER_PACKAGES: Final = ("pivot_core.", "pivot_loaders.")
"""The packages whose loaders can be built again from their options."""


def out_values(stage: Stage, *, base: str, root: str) -> Iterator[OutValue]:
    """The values that a stage returns, with their paths resolved against ``base``."""
    for key, out in stage.outs.items():
        loader = out.loader
        yield OutValue(
            key,
            tuple(ArtifactPath.resolve(path, base=base, root=root) for path in out.paths),
            "one" if isinstance(out.path, str) else "list" if isinstance(out.path, list) else "tuple",
            directory=out.directory,
            loader=_loader_to_plain(loader),
            loader_name=type(loader).__qualname__,
            path_only=isinstance(loader, PathOnly),
            readable=isinstance(loader, Reader),
        )


def _loader_to_plain(loader: object) -> list[Any] | None:
    """A loader of Pivot's own as plain data; None for others, and for options that are not plain."""
    cls = type(loader)
    if not cls.__module__.startswith(LOADER_PACKAGES) or not attrs.has(cls):
        return None
    options = {}
    for field in attrs.fields(cls):
        value = getattr(loader, field.name)
        if not field.init or (type(value) is type(field.default) and value == field.default):
            continue
        try:
            options[field.alias] = _to_plain(value)
        except TypeError:
            return None
    return [cls.__module__, cls.__qualname__, options]


def _to_plain(value: object) -> Any:
    """Options as data for JSON; a collection becomes a pair of its kind and its items."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, tuple | list):
        return ["tuple" if isinstance(value, tuple) else "list", [_to_plain(item) for item in value]]
    if isinstance(value, dict):
        return ["dict", [[_to_plain(key), _to_plain(item)] for key, item in value.items()]]
    raise TypeError
