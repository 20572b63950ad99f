"""The values of recorded parameters as a ``params.yaml`` holds them, and the edits that lead to them; pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pivot_core.conversion import plain
from pivot_core.files.digest import canonical_json
from pivot_core.params.overrides import base_name
from pivot_runtime.errors import EngineError

_SECONDS_PER_DAY = 86400
_SAME = ("$path", "$datetime", "$date", "$time", "$decimal")


class InexpressibleError(EngineError):
    """A value has no form in a ``params.yaml``."""


def differences(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The parameters of a stage that differ: the path to each, and its recorded value as plain data.

    Of a value that is a class with fields, only the fields that differ are named.
    """
    for name, value in then.items():
        if name in now:
            yield from _differences((name,), now[name], value)


def _differences(path: tuple[str, ...], now: Any, then: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if canonical_json(now) == canonical_json(then):
        return
    both = isinstance(now, Mapping) and isinstance(then, Mapping)
    if both and "$class" in then and now.get("$class") == then["$class"] and now.keys() == then.keys():
        for name, value in then.items():
            yield from _differences((*path, name), now[name], value)
    else:
        yield path, then


def for_yaml(value: Any) -> Any:  # noqa: PLR0911  # one return per kind
    """Plain data as numbers, texts, truth values, None, lists and mappings, from which Pivot makes the same value.

    Raises:
        InexpressibleError: There is no such form, as for a secret.
    """
    match value:
        case list():
            return [for_yaml(each) for each in value]
        case {"$class": _}:
            return {name: for_yaml(each) for name, each in value.items() if name != "$class"}
        case {"$enum": str(name), "value": _}:
            return name.rpartition(".")[2]
        case {"$tuple": list(items)} | {"$set": list(items)}:
            return [for_yaml(each) for each in items]
        case {"$timedelta": [days, seconds, micros]}:
            return days * _SECONDS_PER_DAY + seconds + (micros / 1_000_000 if micros else 0)
        case {"$dict": list(pairs)} if all(isinstance(key, str) for key, _ in pairs):
            return {key: for_yaml(each) for key, each in pairs}
        case {plain.SECRET: _}:
            raise InexpressibleError("it is a secret, of which only a digest is recorded")
        case Mapping():
            return _mapping(value)
    return value


def _mapping(value: Mapping[str, Any]) -> Any:
    tag = next(iter(value), "")
    if tag in _SAME and len(value) == 1:
        return value[tag]
    if tag.startswith("$"):
        raise InexpressibleError(f"a value of the kind {tag.removeprefix('$')} cannot be written into a params.yaml")
    return {key: for_yaml(each) for key, each in value.items()}


def key_of(pipeline: str, stage: str, name: str, *, beside: bool, found: Mapping[str, Any]) -> str:
    """The key of a stage in a params file for one of its parameters.

    Args:
        pipeline: The stage's pipeline.
        stage: Its name.
        name: The parameter.
        beside: Whether the file is in the directory of the pipeline, so that its keys are names of stages.
        found: The content of the file.
    """
    alone = base_name(stage) == stage
    own: Sequence[str] = (f"{pipeline}.{stage}", stage) if beside or not alone else (f"{pipeline}.{stage}",)
    for key in own:
        if name in (found.get(key) or {}):
            return key
    return stage if beside else f"{pipeline}.{stage}"
