"""Who gives the parameters of a stage which values: defaults, the registration, files, the command line; later wins."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from pivot_core import fitting, hints, params
from pivot_core.errors import DefinitionError, PivotError
from pivot_core.fitting import MisfitError


class ParamError(DefinitionError):
    """A parameter is given that does not exist, or a value that it cannot have."""


@attrs.frozen
class Given:
    """Values for the parameters of a stage, from one place.

    Attributes:
        values: By name.
        where: The place, for errors, or by name where each has its own.
    """

    values: Mapping[str, Any]
    where: str | Mapping[str, str] = ""

    def place(self, name: str) -> str:
        """Where a value stands."""
        return self.where if isinstance(self.where, str) else self.where[name]


@attrs.frozen
class Override:
    """One ``-p STAGE.NAME=VALUE``.

    Attributes:
        text: As it was written.
        parts: The part before ``=``, at its dots.
        value: The part behind it.
    """

    text: str
    parts: tuple[str, ...]
    value: str

    @classmethod
    def parse(cls, text: str) -> "Override":
        """Take one apart.

        Raises:
            ParamError: It has not the form.
        """
        target, equals, value = text.partition("=")
        parts = tuple(target.strip().split("."))
        if not equals or len(parts) < 2 or not all(parts):  # noqa: PLR2004  # a stage and a name
            raise ParamError(f"{text!r} gives no parameter a value", hint="write -p STAGE.NAME=VALUE")
        return cls(text, parts, value)

    def path(self, pipeline: str, stage: str, names: Iterable[str]) -> tuple[str, ...] | None:
        """Which parameter of a stage is meant, and what inside it; None if none of this stage's.

        The stage is named by its name, without a variant for all of its variants, or by its address.
        """
        known = frozenset(names)
        spoken = (stage, base_name(stage))
        if self.parts[0] in spoken and self.parts[1] in known:
            return self.parts[1:]
        if len(self.parts) > 2 and self.parts[0] == pipeline and self.parts[1] in spoken and self.parts[2] in known:  # noqa: PLR2004
            return self.parts[2:]
        return None


@attrs.frozen
class Takes:
    """What is known of a stage when overrides are checked: its names, and those of its parameters."""

    pipeline: str
    stage: str
    names: tuple[str, ...]


def base_name(stage: str) -> str:
    """The name of a stage without its variant."""
    return stage.partition("@")[0]


def names_for(pipeline: str, stage: str) -> tuple[str, ...]:
    """The keys of a params file that mean a stage, the most general first."""
    base = base_name(stage)
    return tuple(dict.fromkeys((base, f"{pipeline}.{base}", stage, f"{pipeline}.{stage}")))


def check(overrides: Iterable[Override], stages: Sequence[Takes]) -> None:
    """Every override must mean something, and not in two pipelines.

    Raises:
        ParamError: One does not.
    """
    for override in overrides:
        meant = [each for each in stages if override.path(each.pipeline, each.stage, each.names)]
        if not meant:
            raise _unknown(override, stages)
        if len({each.pipeline for each in meant}) > 1:
            addresses = ", ".join(f"{each.pipeline}.{each.stage}" for each in meant)
            raise ParamError(f"-p {override.text}: several stages have that name", hint=f"say which: {addresses}")


def settle(
    stage: str, cls: type, layers: Iterable[Given], overrides: Iterable[tuple[Override, tuple[str, ...]]] = ()
) -> Any:
    """The instance that a stage is called with: its class's defaults under the layers under the overrides.

    Raises:
        ParamError: A name is not known, a value does not fit, or one is missing.
    """
    values: dict[str, Any] = {}
    for given in layers:
        for name, value in given.values.items():
            before = values[name] if name in values else params.default(cls, name)
            values[name] = _fitted(stage, cls, given.place(name), name, _merged(before, value))
    for override, path in overrides:
        before = values[path[0]] if path[0] in values else params.default(cls, path[0])
        values[path[0]] = _typed(stage, cls, override, path, before)
    try:
        return params.make(cls, values)
    except MisfitError as error:
        name = error.inside.removeprefix(".")
        if name in params.fields(cls):
            raise ParamError(
                f"stage {stage!r}: parameter {name!r} of {cls.__name__} has no value and no default",
                hint=f"give it one: in params.yaml, by register(..., params=...), or with -p {stage}.{name}=VALUE",
            ) from None
        raise ParamError(f"stage {stage!r}: {cls.__name__} refuses its values: {error.wanted}") from None


def _fitted(stage: str, cls: type, where: str, name: str, value: Any) -> Any:
    known = params.fields(cls)
    at = f"{where}: " if where else ""
    if name not in known:
        import difflib  # noqa: PLC0415  # start-up time: only where something is wrong

        close = difflib.get_close_matches(str(name), known, n=1)
        raise ParamError(
            f"{at}stage {stage!r} has no parameter {name!r}",
            hint=f"did you mean {close[0]}?" if close else f"it has: {', '.join(known) or 'none'}",
        )
    try:
        params.fit(cls, name, value)
    except MisfitError as error:
        inner = attrs.evolve(known[name], secret=known[name].secret or params.holds_secrets(known[name].hint))
        raise ParamError(f"{at}stage {stage!r}: parameter {params.told(inner, error).removeprefix('.')}") from None
    return value


def _typed(stage: str, cls: type, override: Override, path: tuple[str, ...], before: Any) -> Any:
    where = f"-p {'.'.join(override.parts)}"
    field = params.fields(cls)[path[0]]
    try:
        value = _at(field.hint, before, path[1:], override.value)
    except MisfitError as error:
        if not params.is_model(cls):
            hidden = attrs.evolve(field, secret=field.secret or params.holds_secrets(field.hint))
            raise ParamError(f"{where}: stage {stage!r}: parameter {path[0]}{params.told(hidden, error)}") from None
        value = override.value  # a model reads texts itself
    return _fitted(stage, cls, where, path[0], value)


def _merged(before: Any, value: Any) -> Any:
    """A mapping changes the fields of an instance that it names, and leaves the others."""
    fields = params.values_of(before)
    if fields is None or not isinstance(value, Mapping):
        return value
    return {**fields, **{name: _merged(fields.get(name), each) for name, each in value.items()}}


def _at(hint: Any, before: Any, path: tuple[str, ...], text: str) -> Any:
    """The value with one place inside it changed."""
    if not path:
        return fitting.from_text(hint, text, params.make)
    kind = next((each for each in hints.members(hint) if params.is_params(each)), None)
    known = params.fields(kind) if kind is not None else {}
    inner = known[path[0]].hint if path[0] in known else Any
    held = params.values_of(before) or (before if isinstance(before, Mapping) else {})
    return {**held, path[0]: _at(inner, held.get(path[0]), path[1:], text)}


def _unknown(override: Override, stages: Sequence[Takes]) -> PivotError:
    target = ".".join(override.parts)
    known = [f"{each.stage}.{name}" for each in stages for name in each.names]
    import difflib  # noqa: PLC0415  # start-up time: only where something is wrong

    close = difflib.get_close_matches(target, known, n=3)
    if close:
        hint = f"did you mean {' or '.join(dict.fromkeys(close))}?"
    elif known:
        hint = f"known parameters: {', '.join(known[:10])}{' …' if len(known) > 10 else ''}"  # noqa: PLR2004
    else:
        hint = "no stage here takes parameters"
    return ParamError(f"no stage has the parameter {target!r}", hint=hint)
