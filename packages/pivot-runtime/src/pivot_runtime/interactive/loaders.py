"""Builds the loaders of Pivot's own packages again from plain data."""

import importlib
import operator
from typing import Any

from pivot_core.loaders import Reader
from pivot_core.stages.out_values import LOADER_PACKAGES


def build_loader(plain: list[Any]) -> Reader[Any]:
    """Return the loader of `pivot_core.stages.out_values.OutValue.loader`.

    Raises:
        LookupError: Its class is not one of Pivot's own.
    """
    module, name, options = plain
    if not module.startswith(LOADER_PACKAGES):
        raise LookupError(module)
    cls = operator.attrgetter(name)(importlib.import_module(module))
    loader: Reader[Any] = cls(**{option: _from_plain(value) for option, value in options.items()})
    return loader


def _from_plain(plain: Any) -> Any:
    if not isinstance(plain, list):
        return plain
    kind, items = plain
    if kind == "dict":
        return {_from_plain(key): _from_plain(item) for key, item in items}
    found = [_from_plain(item) for item in items]
    return tuple(found) if kind == "tuple" else found
