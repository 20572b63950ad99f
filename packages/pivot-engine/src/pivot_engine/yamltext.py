"""YAML as data with lines: what a text says, and for each key the line on which it stands.

Plain words are read as YAML 1.2 does: ``yes``, ``no``, ``on``, ``off`` and dates are texts, ``1e-3`` is a number.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import yaml

from pivot_core.values import Value
from pivot_engine.errors import EngineError

type Path = tuple[str | int, ...]

_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
_INT = re.compile(r"[-+]?[0-9]+$|0o[0-7]+$|0x[0-9a-fA-F]+$")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}


class YamlError(EngineError):
    """A file is not the YAML that it must be."""

    exit_code: ClassVar[int] = 2


@attrs.frozen(eq=False, repr=False)
class Document(Value):
    """What a file says.

    Attributes:
        name: Of the file, for errors.
        data: The value of the whole; None where it is empty.
        lines: By the path of keys and positions that leads to it, the line of each key and item.
    """

    name: str
    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Path = ()) -> int:
        """The line of a key or item, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def where(self, path: Path = ()) -> str:
        """``file:line`` of a key or item, or of the nearest one around it."""
        return f"{self.name}:{self.line(path)}"


class _Loader(yaml.SafeLoader):
    """The words of YAML 1.2's core schema.

    Attributes:
        own: By the identity of a mapping, those of the keys that stand in it and are not merged into it.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # it is one of the class

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.own: dict[int, set[int]] = {}


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:  # noqa: ARG001  # yaml's signature
    return float(_SPECIAL.get(str(node.value).lower(), str(node.value)))


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:  # noqa: ARG001  # yaml's signature
    text = node.value
    return int(text, 8) if text.startswith("0o") else int(text, 16) if text.startswith("0x") else int(text)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"<<$"), ["<"])
_Loader.add_constructor("tag:yaml.org,2002:float", _float)
_Loader.add_constructor("tag:yaml.org,2002:int", _int)


def parse(text: str, name: str) -> Document:
    """What a text says.

    Raises:
        YamlError: It is not YAML, a key stands twice, or a key is not a text.
    """
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:  # a character that YAML does not have
        raise YamlError(f"{name}: this is not YAML: {' '.join(str(error).split())}") from None
    try:
        node = loader.get_single_node()
        lines: dict[Path, int] = {}
        data = None if node is None else _read(loader, node, name, (), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark is not None else name
        raise YamlError(f"{where}: this is not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlError(f"{name}: this is not YAML: {' '.join(str(error).split())}") from None
    finally:
        loader.dispose()
    return Document(name, data, lines)


def _forget(lines: dict[Path, int], path: Path) -> None:
    for each in [each for each in lines if each[: len(path)] == path]:
        del lines[each]


def _read(loader: Any, node: yaml.Node, name: str, path: Path, lines: dict[Path, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        own = loader.own.setdefault(id(node), {id(key_node) for key_node, _ in node.value})
        loader.flatten_mapping(node)  # what is merged in comes first, and gives way to what stands here
        found: dict[str, Any] = {}
        here: set[str] = set()
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise YamlError(f"{name}:{line}: the key {key!r} must be a text", hint="put it into quotes")
            if key in here:
                raise YamlError(f"{name}:{line}: the key {key!r} stands here for the second time", hint="keep one")
            if id(key_node) in own:
                here.add(key)
            if key in found:
                _forget(lines, (*path, key))
            lines[*path, key] = line
            found[key] = _read(loader, value_node, name, (*path, key), lines)
        return found
    if isinstance(node, yaml.SequenceNode):
        items = []
        for at, each in enumerate(node.value):
            lines[*path, at] = each.start_mark.line + 1
            items.append(_read(loader, each, name, (*path, at), lines))
        return items
    return loader.construct_object(node, deep=True)
