"""Options of a registration, and their checks: each raises a `StageError` that shows how to write the option."""

import os
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypedDict

from pivot_core.conversion import plain
from pivot_core.conversion.durations import seconds_of
from pivot_core.conversion.sizes import amount_of
from pivot_core.errors import DefinitionError
from pivot_core.params import file_keys
from pivot_core.spec import LOCAL, Location, StageError

_VARIABLE = re.compile(r"[^=\0]+")


class PlainOptions(TypedDict, total=False):
    """The options that a ``pipeline.py`` and a ``pivot.yaml`` share; `Pipeline.register` says what they mean."""

    env: Sequence[str]
    mutex: Sequence[str]
    resources: Mapping[str, int | str] | None
    timeout: float | str | None
    retries: int
    always: bool
    frozen: bool
    ttl: float | str | None
    after: Sequence[str]
    priority: int
    desc: str | None
    uncounted_params: Sequence[str]
    executor: str | None
    wdir: str | os.PathLike[str]
    file_params: Sequence[str | Mapping[str, Sequence[str] | None]]
    meta: Mapping[str, Any] | None


class StageOptions(PlainOptions, total=False):
    """All options of `Pipeline.register` besides the name, for type checkers."""

    variant: str | None
    params: Any
    deps: Mapping[str, Any] | None
    outs: Mapping[str, Any] | None


def variables(stage: str, location: Location, env: Sequence[Any]) -> tuple[str, ...]:
    """The environment variables of a stage, sorted."""
    if isinstance(env, str) or not all(isinstance(name, str) and _VARIABLE.fullmatch(name) for name in env):
        problem = "env must be a list of names of environment variables"
        raise StageError(stage, location, problem, hint='env=["API_URL"]')
    return tuple(sorted(set(env)))


def groups(stage: str, location: Location, mutex: Sequence[Any]) -> tuple[str, ...]:
    """The mutex groups of a stage, sorted."""
    if isinstance(mutex, str) or not all(isinstance(group, str) and group for group in mutex):
        raise StageError(stage, location, "mutex must be a list of names", hint='mutex=["database"]')
    return tuple(sorted(set(mutex)))


def needs(stage: str, location: Location, resources: Mapping[Any, Any] | None) -> Mapping[str, int]:
    """The resources of a stage, sizes in bytes."""
    found = {}
    for name, amount in (resources or {}).items():
        if not isinstance(name, str) or not name:
            problem = f"resources: {name!r} must be the name of a resource"
            raise StageError(stage, location, problem, hint='resources={"gpu": 1}')
        try:
            found[name] = amount_of(f"resources: {name!r}", amount, 'resources={"gpu": 1, "memory": "8 GiB"}')
        except DefinitionError as error:
            raise StageError(stage, location, str(error), hint=error.hint) from None
    return MappingProxyType(found)


def duration(stage: str, location: Location, option: str, given: Any, example: str) -> float | None:
    """The seconds of a duration; None if it is not given."""
    if given is None:
        return None
    try:
        return seconds_of(option, given, example)
    except DefinitionError as error:
        raise StageError(stage, location, str(error), hint=error.hint) from None


def flag(stage: str, location: Location, option: str, given: Any) -> bool:
    """An option that is True or False."""
    if not isinstance(given, bool):
        raise StageError(stage, location, f"{option} must be True or False, not {given!r}")
    return given


def retries(stage: str, location: Location, given: Any) -> int:
    """The number of retries."""
    if type(given) is not int or given < 0:
        raise StageError(stage, location, "retries must be a whole number of at least 0", hint="retries=2")
    return given


def names_of_stages(stage: str, location: Location, after: Sequence[Any]) -> tuple[str, ...]:
    """The stages that a stage runs after, each once."""
    if isinstance(after, str) or not all(isinstance(name, str) and name for name in after):
        raise StageError(stage, location, "after must be a list of names of stages", hint='after=["fetch"]')
    return tuple(dict.fromkeys(after))


def priority(stage: str, location: Location, given: Any) -> int:
    """The priority of a stage."""
    if type(given) is not int:
        raise StageError(stage, location, f"priority must be a whole number, not {given!r}", hint="priority=1")
    return given


def executor(stage: str, location: Location, given: Any) -> str:
    """Where a stage runs: `LOCAL`, or ``""`` for where the run says."""
    if given in (None, ""):
        return ""
    if given != LOCAL:
        raise StageError(
            stage,
            location,
            f"executor must be {LOCAL!r}, not {given!r}",
            hint=f'executor="{LOCAL}" keeps the stage on this machine; where all others run is a setting: '
            "pivot config set executor ADDRESS",
        )
    return LOCAL


def directory(stage: str, location: Location, wdir: Any) -> str:
    """The directory of a stage, as declared."""
    if not isinstance(wdir, str | os.PathLike) or not isinstance(text := os.fspath(wdir), str):
        raise StageError(stage, location, f"wdir must be a path, not {wdir!r}", hint='wdir="analysis"')
    return text


def file_params(stage: str, location: Location, given: Any) -> Mapping[str, tuple[str, ...]]:
    """The keys of values files by file, as declared."""
    try:
        return MappingProxyType(file_keys.parse(given))
    except DefinitionError as error:
        raise StageError(stage, location, str(error), hint=error.hint) from None


def meta(stage: str, location: Location, given: Any) -> Mapping[str, Any]:
    """The data for the reader, as plain data."""
    try:
        return plain.plain_mapping("meta", {} if given is None else given)
    except DefinitionError as error:
        raise StageError(stage, location, str(error), hint=error.hint) from None
