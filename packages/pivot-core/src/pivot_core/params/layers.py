"""The values of a stage's parameters from defaults, the registration, files and the command line; later ones win."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pivot_core.conversion import convert
from pivot_core.conversion.convert import ConversionError
from pivot_core.errors import suggest
from pivot_core.params import classes
from pivot_core.params.overrides import Override, ParamError
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class ParamLayer(Value):
    """Values for the parameters of a stage from one source.

    Attributes:
        values: By name.
        where: Their location, for errors, or a mapping from name to location.
    """

    values: Mapping[str, Any]
    where: str | Mapping[str, str] = ""

    def place(self, name: str) -> str:
        """The location of a value."""
        return self.where if isinstance(self.where, str) else self.where[name]


def resolve_params(
    stage: str, cls: type, layers: Iterable[ParamLayer], overrides: Iterable[tuple[Override, tuple[str, ...]]] = ()
) -> Any:
    """The instance that a stage is called with: defaults, overridden by layers, overridden by overrides.

    Raises:
        ParamError: A name is unknown, or a value is missing or does not fit.
    """
    values: dict[str, Any] = {}
    for given in layers:
        for name, value in given.values.items():
            before = values[name] if name in values else classes.default(cls, name)
            values[name] = _fitted(stage, cls, given.place(name), name, _merged(before, value))
    for override, path in overrides:
        before = values[path[0]] if path[0] in values else classes.default(cls, path[0])
        try:
            values[path[0]] = _typed(stage, cls, override, path, before)
        except ParamError as error:
            raise ParamError(str(error), hint=error.hint or _way_to_write(override.value)) from None
    try:
        return classes.make(cls, values)
    except ConversionError as error:
        name = error.inside.removeprefix(".")
        if name in classes.fields(cls):
            raise ParamError(
                f"stage {stage!r}: parameter {name!r} of {cls.__name__} has no value and no default",
                hint=f"give it one: in params.yaml, by 'params' of the stage, or with -p {stage}.{name}=VALUE",
            ) from None
        raise ParamError(f"stage {stage!r}: {cls.__name__} refuses its values: {error.wanted}") from None


def _fitted(stage: str, cls: type, where: str, name: str, value: Any) -> Any:
    known = classes.fields(cls)
    at = f"{where}: " if where else ""
    if name not in known:
        raise ParamError(
            f"{at}stage {stage!r} has no parameter {name!r}",
            hint=suggest(str(name), known) or f"it has: {', '.join(known) or 'none'}",
        )
    try:
        classes.convert_field(cls, name, value)
    except ConversionError as error:
        inner = attrs.evolve(known[name], secret=known[name].secret or classes.holds_secrets(known[name].hint))
        raise ParamError(
            f"{at}stage {stage!r}: parameter {classes.describe_error(inner, error).removeprefix('.')}"
        ) from None
    return value


def _typed(stage: str, cls: type, override: Override, path: tuple[str, ...], before: Any) -> Any:
    where = f"-p {'.'.join(override.parts)}"
    field = classes.fields(cls)[path[0]]
    try:
        value = _at(field.hint, before, path[1:], override.value)
    except ConversionError as error:
        if not classes.is_model(cls):
            hidden = attrs.evolve(field, secret=field.secret or classes.holds_secrets(field.hint))
            raise ParamError(
                f"{where}: stage {stage!r}: parameter {path[0]}{classes.describe_error(hidden, error)}"
            ) from None
        value = override.value  # a model converts texts itself
    return _fitted(stage, cls, where, path[0], value)


def _way_to_write(text: str) -> str | None:
    """How to write what a text of the command line, which does not fit, seems to mean."""
    if not text.startswith(("[", "{")):
        return "--compare runs with each of several values" if "," in text else None
    if convert.from_text(Any, text, classes.make) != text:
        return None
    return """lists and mappings are JSON here, in quotes for the shell: '["a", "b"]', '{"name": 1}'"""


def _merged(before: Any, value: Any) -> Any:
    """A mapping changes only the named fields of an instance."""
    fields = classes.values_of(before)
    if fields is None or not isinstance(value, Mapping):
        return value
    return {**fields, **{name: _merged(fields.get(name), each) for name, each in value.items()}}


def _at(hint: Any, before: Any, path: tuple[str, ...], text: str) -> Any:
    """The value with one part replaced."""
    if not path:
        return convert.from_text(hint, text, classes.make)
    kind = next((each for each in convert.members(hint) if classes.is_params(each)), None)
    known = classes.fields(kind) if kind is not None else {}
    inner = known[path[0]].hint if path[0] in known else Any
    held = classes.values_of(before) or (before if isinstance(before, Mapping) else {})
    return {**held, path[0]: _at(inner, held.get(path[0]), path[1:], text)}
