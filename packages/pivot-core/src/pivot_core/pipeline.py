"""`Pipeline`: the stages that one ``pipeline.py`` registers."""

import functools
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, overload

from pivot_core import _signature
from pivot_core.errors import DefinitionError
from pivot_core.params import values_of
from pivot_core.stage import Location, Stage, StageError, StageSpec, Taken

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_@=,+-]{0,99}")
_NAME_HINT = "use at most 100 letters, digits and any of _ - @ = , +, and begin with a letter, a digit or _"


class Pipeline:
    """A named set of stages; their order and wiring follow from the files they name.

    Attributes:
        name: Unique in the project: the first half of every stage's address.
    """

    def __init__(self, name: str) -> None:
        """Make an empty pipeline.

        Raises:
            DefinitionError: The name cannot be part of an address.
        """
        if not _NAME.fullmatch(name):
            raise DefinitionError(f"{name!r} cannot be the name of a pipeline", hint=_NAME_HINT)
        self.name = name
        self._stages: dict[str, Stage] = {}

    def __repr__(self) -> str:
        return f"Pipeline({self.name!r})"

    @property
    def stages(self) -> Mapping[str, Stage]:
        """The stages by name, in the order of registration."""
        return MappingProxyType(self._stages)

    @overload
    def register[**P, R](
        self, func: Callable[P, R], *, name: str | None = None, params: Any = None
    ) -> Callable[P, R]: ...

    @overload
    def register[**P, R](
        self, *, name: str | None = None, params: Any = None
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def register(self, func: Any = None, *, name: str | None = None, params: Any = None) -> Any:
        """Add a function as a stage; returns it, so that this also works as a decorator, with and without a name.

        Args:
            func: A function whose parameters are annotated with `Dep` or a class of parameters (or have
                defaults) and whose return type declares its `Out`; left out, a decorator is returned.
            name: The stage's name; by default the function's.
            params: Values of its parameters: an instance of their class, or a mapping that names some.

        Raises:
            StageError: Its signature leaves something open, or the name is taken.
        """
        if func is None:
            return functools.partial(self.register, name=name, params=params)
        stage_name = name if name is not None else getattr(func, "__name__", "")
        location = _signature.location_of(func)
        if isinstance(func, type) or not callable(func):
            raise DefinitionError(f"{self!r}: only a function can be registered, not {_shown(func)}")
        if not _NAME.fullmatch(stage_name):
            raise StageError(
                stage_name or repr(func),
                location,
                f"{stage_name!r} cannot be the name of a stage",
                hint=f"pipeline.register(func, name=...): {_NAME_HINT}",
            )
        known = self._stages.get(stage_name)
        if known is not None:
            raise StageError(
                stage_name,
                location,
                f"pipeline {self.name!r} already has a stage of that name, from {known.location}",
                hint="give one of them another name: pipeline.register(func, name=...)",
            )
        declared = _signature.read(stage_name, func)
        self._stages[stage_name] = Stage(
            name=stage_name,
            func=func,
            location=location,
            deps=MappingProxyType(declared.deps),
            outs=MappingProxyType(declared.outs),
            single=declared.single,
            previous=MappingProxyType(declared.previous),
            params=_given(stage_name, location, declared.params, params),
        )
        return func

    def specs(self, *, base: str, root: str) -> tuple[StageSpec, ...]:
        """All stages as plain data, for a pipeline whose file lies in ``base`` below ``root``.

        Raises:
            StageError: A declared path cannot be an artifact.
        """
        return tuple(stage.spec(self.name, base=base, root=root) for stage in self._stages.values())


def _given(stage: str, location: Location, taken: Taken | None, params: Any) -> Taken | None:
    """What a stage takes, with what its registration gives."""
    if params is None:
        return taken
    if taken is None:
        raise StageError(
            stage,
            location,
            "it is registered with params, but no parameter of its function takes any",
            hint="annotate one with a class derived from pivot.StageParams",
        )
    values = values_of(params) if isinstance(params, taken.cls) else params
    if not isinstance(values, Mapping):
        raise StageError(
            stage,
            location,
            f"params must be a mapping or an instance of {taken.cls.__name__}, not {type(params).__name__}",
        )
    return Taken(taken.parameter, taken.cls, {**taken.given, **values})


def _shown(thing: object) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else type(thing).__name__


def plain_call(stage: Stage, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Call a stage with the values of its deps; the values of its outs by key.

    Raises:
        StageError: What it returned is not what its return type declares.
    """
    returned = stage.func(**values)
    if stage.single:
        return {"return": returned}
    if not stage.outs:
        if returned is not None:
            raise StageError(stage.name, stage.location, f"it returned {type(returned).__name__} but declares None")
        return {}
    if not isinstance(returned, Mapping):
        raise StageError(
            stage.name,
            stage.location,
            f"it returned {type(returned).__name__}, but declares the keys {sorted(stage.outs)}",
        )
    missing = sorted(stage.outs.keys() - returned.keys())
    unknown = sorted(map(str, returned.keys() - stage.outs.keys()))
    if missing or unknown:
        parts = [f"without {missing}"] * bool(missing) + [f"with the undeclared {unknown}"] * bool(unknown)
        raise StageError(stage.name, stage.location, f"it returned its outs {' and '.join(parts)}")
    return {key: returned[key] for key in stage.outs}
