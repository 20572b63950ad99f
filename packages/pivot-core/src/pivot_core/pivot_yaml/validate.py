"""Validates data against the subset of JSON Schema that `pivot_yaml.schema` uses; errors have a path and a hint."""

import re
from collections.abc import Mapping
from typing import Any

from pivot_core.errors import DefinitionError, suggest
from pivot_core.stages.interpolation import Path

_KINDS: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_SAID: Mapping[str, str] = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


class ValidationError(DefinitionError):
    """Data do not match a schema.

    Attributes:
        path: The path of the invalid part.
    """

    def __init__(self, message: str, path: Path, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


def check(data: Any, schema: Mapping[str, Any], path: Path = ()) -> None:
    """Check that data match a schema.

    Args:
        data: JSON-like data.
        schema: With ``type``, ``properties``, ``additionalProperties``, ``required``, ``minProperties`` and
            ``maxProperties`` (of a mapping by path), ``items``, ``minItems``, ``minLength``, ``minimum``, ``pattern``,
            ``anyOf`` of different types or required keys, and ``oneOf`` of ``required``.
        path: The path of the data.

    Raises:
        ValidationError: They do not match.
    """
    if "anyOf" in schema:
        check(data, _alternative(data, schema["anyOf"], path), path)
        return
    kind = schema.get("type")
    if kind is not None and not _is(data, kind):
        hint = "a text that contains ': ' must be in quotes" if kind == "string" and isinstance(data, Mapping) else None
        raise ValidationError(f"{subject(path)} must be {_SAID[kind]}, not {_describe(data)}", path, hint=hint)
    if kind == "object":
        _check_mapping(data, schema, path)
    elif kind == "array":
        _check_list(data, schema, path)
    elif kind == "string" and len(data) < schema.get("minLength", 0):
        raise ValidationError(f"{subject(path)} must not be empty", path)
    elif kind == "integer" and data < schema.get("minimum", data):
        raise ValidationError(f"{subject(path)} must be at least {schema['minimum']}, not {data}", path)


def _check_mapping(data: Mapping[Any, Any], schema: Mapping[str, Any], path: Path) -> None:
    properties: Mapping[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for key in data:
        if key not in properties and others is False:
            within = next((name for name, each in properties.items() if key in each.get("properties", ())), None)
            known = f"move it below {within!r}" if within else f"known keys: {', '.join(properties)}"
            hint = suggest(str(key), properties) or known
            where = f" in {subject(path)}" if path else ""
            raise ValidationError(f"the key {key!r} is not known{where}", (*path, key), hint=hint)
    for key in schema.get("required", ()):
        if key not in data:
            where = f"{subject(path)} has" if path else "there is"
            raise ValidationError(f"{where} no {key!r}", path, hint=_purpose(key, properties))
    choices = [key for choice in schema.get("oneOf", ()) for key in choice["required"]]
    given = [key for key in choices if key in data]
    if choices and len(given) != 1:
        has = f"has {' and '.join(map(repr, given))}" if given else f"has neither {' nor '.join(map(repr, choices))}"
        raise ValidationError(f"{subject(path)} {has}", path, hint=f"give it one of {', '.join(choices)}")
    if not schema.get("minProperties", 0) <= len(data) <= schema.get("maxProperties", len(data)):
        hint = "write 'path: …' as one of its keys, or the path as its only key, and all else below it"
        raise ValidationError(f"{subject(path)} has no 'path'", path, hint=hint)
    for key, value in data.items():
        inner = properties.get(key, others)
        if isinstance(inner, Mapping):
            check(value, inner, (*path, key))


def _check_list(data: list[Any], schema: Mapping[str, Any], path: Path) -> None:
    if len(data) < schema.get("minItems", 0):
        raise ValidationError(f"{subject(path)} must not be empty", path)
    for at, each in enumerate(data):
        check(each, schema.get("items", {}), (*path, at))


def _alternative(data: Any, schemas: list[Mapping[str, Any]], path: Path) -> Mapping[str, Any]:
    """The alternative for this type of data; if there are several, one whose pattern or first required key matches."""
    fitting = [
        each
        for each in schemas
        if _is(data, each["type"]) and ("pattern" not in each or re.search(each["pattern"], data) is not None)
    ]
    if fitting:
        if not isinstance(data, Mapping):
            return fitting[0]
        return next((each for each in fitting if each.get("required", [None])[0] in data), fitting[-1])
    wanted = [_SAID[each["type"]] for each in schemas if "pattern" not in each]
    hint = f"write [{data}]" if _SAID["array"] in wanted and isinstance(data, str) else None
    problem = f"{subject(path)} must be {' or '.join(dict.fromkeys(wanted))}, not {_describe(data)}"
    raise ValidationError(problem, path, hint=hint)


def _is(data: Any, kind: str) -> bool:
    return isinstance(data, _KINDS[kind]) and (kind == "boolean" or not isinstance(data, bool))


def subject(path: Path) -> str:
    """A readable path: ``'deps' of 'fit'``."""
    if not path:
        return "this"
    *before, last = path
    said = f"item {last + 1}" if isinstance(last, int) else repr(last)
    if path[:1] == ("stages",) and before[2:3] == ["do"]:
        del before[2]
    owner = next((key for key in reversed(before) if isinstance(key, str)), None)
    return said if owner is None or owner in ("stages", "vars") else f"{said} of {owner!r}"


def _purpose(key: str, properties: Mapping[str, Any]) -> str | None:
    purpose = (properties.get(key) or {}).get("description")
    return None if purpose is None else f"add '{key}: …': {purpose[0].lower()}{purpose[1:].removesuffix('.')}"


def _describe(data: Any, most: int = 40) -> str:
    if data is None:
        return "nothing"
    if isinstance(data, dict | list):
        return _SAID["object" if isinstance(data, dict) else "array"]
    text = repr(data)
    return text if len(text) <= most else f"{text[:most]}…"
