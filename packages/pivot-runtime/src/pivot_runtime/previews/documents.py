"""Documents: the nested values in JSON, YAML and TOML, cut where there are many."""

import json
import tomllib
from typing import Any, BinaryIO, Final

import attrs

from pivot_core.values import Value
from pivot_runtime.comparing import series
from pivot_runtime.errors import ContentError, YamlError
from pivot_runtime.previews.cells import cut_value

_YAML: Final = (".yaml", ".yml")
_SLOW: Final = (*_YAML, ".toml")
_MOST_SLOW: Final = 1 << 18
_MOST_DOTS: Final = 50
"""The dots in a line of TOML; a key of very many parts would take memory by the square of their number."""
MOST_BYTES: Final = 1 << 23
"""The bytes of the largest file of JSON that is parsed; of YAML and TOML, which take longer, it is less."""


@attrs.frozen(eq=False, repr=False)
class DocumentPreview(Value):
    """The nested value in a file.

    Attributes:
        value: Its first parts, as JSON data.
        cut: Whether parts are left out.
    """

    value: Any
    cut: bool


def read(stream: BinaryIO, name: str) -> DocumentPreview:
    """The value in a file, by the suffix of its name.

    Raises:
        ContentError: It is too large to be parsed, or no such document.
    """
    suffix = series.suffix(name)
    most = _MOST_SLOW if suffix in _SLOW else MOST_BYTES
    data = stream.read(most + 1)
    if len(data) > most:
        raise ContentError(f"it has more than {most >> 10} KiB: it is shown as a text")
    kind = "YAML" if suffix in _YAML else "TOML" if suffix == ".toml" else "JSON"
    try:
        return DocumentPreview(*cut_value(_parsed(data.decode("utf-8-sig"), name, kind)))
    except UnicodeDecodeError:
        raise ContentError("it is not UTF-8") from None
    except YamlError as error:
        raise ContentError(str(error), hint=error.hint) from None
    except (ValueError, RecursionError) as error:
        raise ContentError(f"it is not {kind}: {error}") from None


def _parsed(text: str, name: str, kind: str) -> Any:
    if kind == "YAML":
        from pivot_runtime.definitions import yaml_document  # lazy

        return yaml_document.parse(text, name, every_key=True).data
    if kind == "JSON":
        return json.loads(text)
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        raise ContentError(f"a line has more than {_MOST_DOTS} dots: it is shown as a text")
    return tomllib.loads(text)
