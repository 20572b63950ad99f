"""Files that need no data library: `Bytes` and `TOML`."""

import datetime as dt
import pathlib
from collections.abc import Mapping
from typing import Any

import attrs

from pivot_core.errors import LoaderError
from pivot_core.values import Value
from pivot_loaders.libraries import misfit, require

__pivot_module__ = "pivot.loaders"


@attrs.frozen(eq=False, repr=False)
class Bytes(Value):
    """A whole file as ``bytes``."""

    def load(self, path: pathlib.Path) -> bytes:
        """The content."""
        return path.read_bytes()

    def save(self, value: bytes | bytearray | memoryview, path: pathlib.Path) -> None:
        """Write the content.

        Raises:
            LoaderError: The value is none of ``bytes``, ``bytearray`` and ``memoryview``.
        """
        if not isinstance(value, bytes | bytearray | memoryview):
            raise misfit("Bytes", "bytes", value)
        path.write_bytes(value)


@attrs.frozen(eq=False, repr=False)
class TOML(Value):
    """A mapping as TOML. Needs tomli-w to save, and nothing to load."""

    def load(self, path: pathlib.Path) -> dict[str, Any]:
        """The parsed mapping."""
        import tomllib  # lazy

        return tomllib.loads(path.read_text(encoding="utf-8"))

    def save(self, value: Mapping[str, Any], path: pathlib.Path) -> None:
        """Write the mapping, in its order.

        Raises:
            LoaderError: The value is not a mapping, or TOML cannot hold a part of it; it names the part.
        """
        tomli_w = require("tomli_w", "TOML", "tomli-w")
        given: object = value
        if not isinstance(given, Mapping):
            raise misfit("TOML", "a mapping", given)
        _check(given, "")
        path.write_text(tomli_w.dumps(given), encoding="utf-8", newline="")


def _check(value: object, where: str) -> None:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                raise LoaderError(
                    f"loaders.TOML() cannot keep {where or 'the value'!r}: its key {key!r} is no text",
                    hint="use texts as keys, or loaders.Pickle()",
                )
            _check(each, f"{where}.{key}" if where else key)
    elif isinstance(value, list | tuple):
        for at, each in enumerate(value):
            _check(each, f"{where}[{at}]")
    elif not isinstance(value, str | int | float | dt.date | dt.time):
        raise LoaderError(
            f"loaders.TOML() cannot keep {where!r}: TOML has no form for {type(value).__name__}",
            hint="leave it out, or use loaders.JSON() or loaders.YAML()" if value is None else "use loaders.Pickle()",
        )
