"""Files of values that declarations refer to: YAML, JSON, TOML, and literals in Python; pure.

Reading is bounded as in `yaml_document`, and runs no code. A key that is no text becomes the text that stands for it.
"""

import ast
import datetime as dt
import json
import re
import tomllib
import warnings
from typing import Any, Final

from pivot_runtime.definitions import yaml_document
from pivot_runtime.errors import YamlError

_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")
_LARGEST: Final = 10**yaml_document.MOST_DIGITS
_PLAIN: Final = (str, int, float, bool, type(None))


def parse(content: bytes, name: str) -> Any:
    """The value in a file, as in `document`."""
    return document(content, name).data


def document(content: bytes, name: str) -> yaml_document.Document:
    """The value in a file, as JSON-like data; an empty mapping for an empty file. Only of YAML, the lines are known.

    The suffix of its name decides how it is read: ``.json``, ``.toml``, ``.py`` (see `_assigned`), all others as YAML.

    Raises:
        YamlError: The file has another content, or exceeds the limits; the message has file and line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise YamlError(f"{name}: this is not UTF-8") from None
    if not text.strip():
        return yaml_document.Document(name, {}, {})
    suffix = name[name.rfind(".") :].lower()
    reader = {".json": _json, ".toml": _toml, ".py": _python}.get(suffix)
    if reader is None:
        read = yaml_document.parse(text, name, every_key=True)
        return yaml_document.Document(name, {}, {}) if read.data is None else read
    if len(text) > yaml_document.MOST_CHARACTERS:
        raise YamlError(
            f"{name}: this contains more than {yaml_document.MOST_CHARACTERS:,} characters", hint=yaml_document.SMALLER
        )
    try:
        found = reader(text, name)
    except (RecursionError, MemoryError):
        raise _too_deep(name) from None
    _check(found, name)
    return yaml_document.Document(name, found, {})


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise YamlError(f"{name}:{error.lineno}: this is not JSON: {error.msg}") from None
    except ValueError as error:
        raise YamlError(f"{name}: this is not JSON: {error}") from None


def _toml(text: str, name: str) -> Any:
    try:
        return _as_data(tomllib.loads(text))
    except ValueError as error:
        line = _LINE.search(str(error))
        problem = _LINE.sub("", str(error)).strip()
        raise YamlError(f"{name}{f':{line[1]}' if line else ''}: this is not TOML: {problem}") from None


def _python(text: str, name: str) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # the program that imports the file reports them
            tree = ast.parse(text)
    except SyntaxError as error:
        raise YamlError(f"{name}:{error.lineno or 1}: this is not Python: {error.msg}") from None
    except ValueError as error:
        raise YamlError(f"{name}: this is not Python: {error}") from None
    return _assigned(tree.body)


def _assigned(body: list[ast.stmt], owner: str = "") -> dict[str, Any]:
    """The names to which literals are assigned, and classes as mappings of such names in them.

    In a class, names that ``__init__`` assigns to its first parameter count as well; ``owner`` is that parameter there.
    Other values are skipped; a name that gets one later has no value.
    """
    found: dict[str, Any] = {}
    for each in body:
        match each:
            case ast.Assign(targets=targets, value=value):
                _assign(found, targets, value, owner)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                _assign(found, [target], value, owner)
            case ast.AugAssign(target=target):
                found.pop(_target(target, owner) or "", None)
            case ast.ClassDef():
                found[each.name] = _assigned(each.body)
            case ast.FunctionDef(name="__init__", args=ast.arguments(args=[first, *_])):
                found |= _assigned(each.body, first.arg)
    return found


def _assign(found: dict[str, Any], targets: list[ast.expr], value: ast.expr, owner: str) -> None:
    names = [name for target in targets if (name := _target(target, owner)) is not None]
    try:
        literal = _as_data(ast.literal_eval(value))
    except (ValueError, TypeError, SyntaxError):
        for name in names:
            found.pop(name, None)
    else:
        found |= dict.fromkeys(names, literal)


def _target(target: ast.expr, owner: str) -> str | None:
    match target:
        case ast.Name() if not owner:
            return target.id
        case ast.Attribute(value=ast.Name(id=of)) if owner == of:
            return target.attr
    return None


def _as_data(value: Any) -> Any:
    """A value as JSON-like data.

    Raises:
        TypeError: It has no such form.
    """
    if isinstance(value, dict):
        return {str(key): _as_data(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_data(each) for each in value]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if not isinstance(value, _PLAIN):
        raise TypeError
    return value


def _check(data: Any, name: str) -> None:
    """Refuse data that exceed the limits of a YAML document."""
    count, level, depth = 0, [data], 0
    while level:
        depth += 1
        count += len(level)
        if depth > yaml_document.DEEPEST:
            raise _too_deep(name)
        if count > yaml_document.MOST_NODES:
            most = yaml_document.MOST_NODES
            raise YamlError(f"{name}: this contains more than {most:,} keys and values", hint=yaml_document.SMALLER)
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
            elif isinstance(each, int) and abs(each) >= _LARGEST:
                most = yaml_document.MOST_DIGITS
                raise YamlError(f"{name}: a number of more than {most:,} digits", hint="put it in quotes")
        level = inner


def _too_deep(name: str) -> YamlError:
    return YamlError(f"{name}: this is nested more than {yaml_document.DEEPEST} levels deep", hint="reduce the nesting")
