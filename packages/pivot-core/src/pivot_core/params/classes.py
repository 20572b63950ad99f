"""Typed parameters: `StageParams` and other classes with fields, their fields, and their instances."""

import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, cast, dataclass_transform

import attrs

from pivot_core.conversion import convert, plain
from pivot_core.conversion.convert import ConversionError
from pivot_core.errors import DefinitionError
from pivot_core.files.digest import canonical_json
from pivot_core.values import Value

__pivot_module__ = "pivot"

_LOOKED_UP = (staticmethod, classmethod, property, functools.cached_property)


class Secret:
    """Marks a field whose value must not appear in locks or output: ``Annotated[str, pivot.Secret]``."""


class Uncounted:
    """Marks a field whose value does not count as an input: ``Annotated[int, pivot.Uncounted]``.

    The stage receives the value, and the lock records it, but another value makes nothing stale.
    """


def _convert_on_init(value: Any, instance: attrs.AttrsInstance, attribute: "attrs.Attribute[Any]") -> Any:
    declared = fields(type(instance))[attribute.name]
    try:
        return convert.convert(declared.hint, value, make)
    except ConversionError as error:
        raise TypeError(f"{type(instance).__name__}.{attribute.name}{describe_error(declared, error)}") from None


def _converter_after(first: Any) -> Any:
    own = attrs.Converter(_convert_on_init, takes_self=True, takes_field=True)
    return own if first is None else attrs.converters.pipe(first, own)


def _add_converters(cls: type, found: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    _refuse_untyped(cls)
    return [
        field.evolve(
            converter=_converter_after(field.converter),
            repr=field.repr and "Secret" not in str(field.type),
        )
        for field in found
    ]


def _attributes(cls: type) -> "tuple[attrs.Attribute[Any], ...]":
    return attrs.fields(cls) if attrs.has(cls) else ()


def _compared(instance: object) -> tuple[Any, ...]:
    return tuple(getattr(instance, each.name) for each in _attributes(type(instance)) if each.eq)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(attrs.field,))
class StageParams:
    """The parameters of a stage: a subclass declares them as annotated fields, usually with defaults.

    Instances are created by keyword, checked and converted to the declared types, and immutable::

        class TrainParams(pivot.StageParams):
            rate: float = 0.1
            layers: list[int] = [64, 64]
            token: Annotated[str, pivot.Secret] = ""
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the fields of a subclass its parameters.

        Raises:
            DefinitionError: A public attribute that looks like a parameter has no type annotation.
        """
        super().__init_subclass__(**options)
        # The code below serves all classes: generating methods with attrs would dominate the time to create each class.
        attrs.define(
            cls,
            auto_attribs=True,
            slots=False,
            frozen=True,
            kw_only=True,
            field_transformer=_add_converters,
            eq=False,
            repr=False,
            match_args=False,
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash((type(self), _compared(self)))

    def __repr__(self) -> str:
        parts = (f"{each.name}={getattr(self, each.name)!r}" for each in _attributes(type(self)) if each.repr)
        return f"{type(self).__qualname__}({', '.join(parts)})"


@attrs.frozen(eq=False, repr=False)
class Field(Value):
    """One parameter of a class.

    Attributes:
        name: Its name.
        hint: Its type.
        keyword: The keyword argument for it.
        secret: Its value must not be shown.
        uncounted: Its value does not count as an input.
        required: It has no default.
    """

    name: str
    hint: Any
    keyword: str
    secret: bool = False
    required: bool = False
    uncounted: bool = False


def is_params(cls: Any) -> bool:
    """Whether a class has fields that can be parameters: a `StageParams`, attrs class, dataclass or pydantic model."""
    return isinstance(cls, type) and (attrs.has(cls) or hasattr(cls, "__dataclass_fields__") or is_model(cls))


@functools.cache
def fields(cls: type) -> Mapping[str, Field]:
    """The parameters of a class by name, in order.

    Raises:
        DefinitionError: A type is not defined, or its values could not be compared.
    """
    try:
        found = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise DefinitionError(
            f"a field of {cls.__name__} names the type {error.name!r}, which is not defined",
            hint="define or import it at the top level of the module",
        ) from None
    made = {}
    for name, keyword, required in _declared(cls):
        hint = found.get(name, Any)
        made[name] = Field(name, hint, keyword, _has_mark(hint, Secret), required, _has_mark(hint, Uncounted))
        wrong = None if is_model(cls) else convert.unsupported_hint(hint, is_params)
        if wrong is not None:
            raise DefinitionError(
                f"{cls.__name__}.{name} has the type {convert.format_hint(wrong)}, which no parameter can have",
                hint="use numbers, strings, paths, dates, enums, or lists, dicts and classes with fields of these",
            )
    return made


def values_of(instance: object) -> Mapping[str, Any] | None:
    """The values of an instance by parameter; None if its class has no parameters."""
    if not is_params(type(instance)):
        return None
    cls: type = type(instance)
    return {name: getattr(instance, name) for name in fields(cls)}


def default(cls: type, name: str) -> Any:
    """The default of a parameter; None if there is none, or if it depends on other parameters."""
    if name not in fields(cls):
        return None
    if is_model(cls):
        return cls.model_fields[name].get_default(call_default_factory=True)  # type: ignore[attr-defined]
    if attrs.has(cls):
        found = getattr(attrs.fields(cls), name).default
        if isinstance(found, cast("type[Any]", attrs.Factory)):
            return None if found.takes_self else found.factory()
        return None if found is attrs.NOTHING else found
    import dataclasses  # lazy

    field = next(each for each in dataclasses.fields(cls) if each.name == name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


def holds_secrets(hint: Any) -> bool:
    """Whether a value of this type may contain a secret."""
    kinds = [each for each in _classes(hint) if is_params(each)]
    return any(field.secret for kind in kinds for field in fields(kind).values())


def make(cls: Any, given: Any) -> Any:
    """An instance from values by name; an instance is returned unchanged.

    Raises:
        ConversionError: A name is unknown, a value is missing or does not fit, or the class rejects the values.
    """
    kind = typing.get_origin(cls) or cls
    if isinstance(given, kind):
        return given
    if not isinstance(given, Mapping):
        raise ConversionError(kind.__name__, given)
    known = fields(kind)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ConversionError(f"one of {', '.join(known)}", unknown[0], f".{unknown[0]}")
    missing = [name for name, field in known.items() if field.required and name not in given]
    if missing:
        raise ConversionError("given", None, f".{missing[0]}")
    fitted = {known[name].keyword: convert_field(kind, name, value) for name, value in given.items()}
    try:
        return kind(**fitted)
    except Exception as error:  # noqa: BLE001  # whatever the user's validators raise
        secrets = any(field.secret for field in known.values())
        raise ConversionError(type(error).__name__ if secrets else describe_refusal(error), None, ": refused") from None


def convert_field(cls: type, name: str, value: Any) -> Any:
    """A value converted to the type of a field.

    Raises:
        ConversionError: The value does not fit.
    """
    if is_model(cls):
        return value
    try:
        return convert.convert(fields(cls)[name].hint, value, make)
    except ConversionError as error:
        raise ConversionError(error.wanted, error.value, f".{name}{error.inside}") from None


def describe_error(field: Field, error: ConversionError) -> str:
    """A description of a value's problem; it does not quote secrets."""
    quoted = "" if field.secret else f", not {shorten(error.value)}"
    if error.inside.endswith(": refused"):
        return f"{error.inside}: {error.wanted}"
    return f"{error.inside} must be {error.wanted}{quoted}"


def shorten(value: object, most: int = 60) -> str:
    """A value shortened for an error."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"


def describe_refusal(error: Exception) -> str:
    """A class's objection to its values, on one line and without links."""
    details = getattr(error, "errors", None)
    if callable(details):  # pydantic's, whose text has several lines
        return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in details())
    return " ".join(str(error).split()) or type(error).__name__


def to_plain(instance: object, seal: Callable[[str, str], str]) -> dict[str, Any]:
    """The parameters by name as plain data; inside the values of others, those that do not count are left out.

    Args:
        instance: An instance of a class with fields.
        seal: Returns the public part of a secret, from its name and the canonical text of its value.

    Raises:
        NotPlainError: A value has no plain form.
    """

    def opened(value: object) -> Mapping[str, object] | None:
        found = values_of(value)
        if found is None:
            return None
        cls: type = type(value)
        known = fields(cls)
        return _sealed(cls, {name: found[name] for name in found if not known[name].uncounted}, seal)

    found = values_of(instance) or {}
    return {name: plain.to_plain(each, opened) for name, each in _sealed(type(instance), found, seal).items()}


def _sealed(cls: type, values: Mapping[str, Any], seal: Callable[[str, str], str]) -> dict[str, Any]:
    sealed = {}
    for name, value in values.items():
        hidden = getattr(value, "get_secret_value", None)  # pydantic's SecretStr
        if callable(hidden) or fields(cls)[name].secret:
            clear = hidden() if callable(hidden) else value
            sealed[name] = plain.SecretDigest(seal(name, canonical_json(plain.to_plain(clear, values_of))))
        else:
            sealed[name] = value
    return sealed


def classes_with_code(cls: type, is_user_code: Callable[[str], bool]) -> tuple[type, ...]:
    """Those of ``cls`` and of the classes of its fields that have user code other than fields."""
    kinds = _classes(cls)
    return tuple(kind for kind in kinds if any(is_user_code(file) for base in kind.__mro__ for file in _files(base)))


def _classes(hint: Any) -> list[type]:
    """Every class in a hint, and those in their fields' hints."""
    seen: dict[type, None] = {}
    pending = [hint]
    while pending:
        each = convert.unwrap_hint(pending.pop())
        pending.extend(typing.get_args(each))
        if isinstance(each, type) and each not in seen:
            seen[each] = None
            if is_params(each):
                pending.extend(field.hint for field in fields(each).values())
    return list(seen)


@functools.cache
def _files(cls: type) -> frozenset[str]:
    """The files of the functions in a class's body; those that attrs, dataclasses and pydantic generate have none."""
    codes = (_code(value) for value in vars(cls).values())
    return frozenset(code.co_filename for code in codes if code is not None)


def _code(value: Any) -> Any:
    if isinstance(value, types.FunctionType):
        return value.__code__
    inner = (getattr(value, name, None) for name in ("__func__", "fget", "func", "wrapped"))
    return next((code for each in (value, *inner) if (code := getattr(each, "__code__", None)) is not None), None)


def _declared(cls: type) -> list[tuple[str, str, bool]]:
    """The name and keyword of each settable field, and whether it is required."""
    if is_model(cls):
        models: Mapping[str, Any] = cls.model_fields  # type: ignore[attr-defined]
        return [(name, each.alias or name, each.is_required()) for name, each in models.items()]
    if attrs.has(cls):
        return [
            (each.name, each.alias or each.name, each.default is attrs.NOTHING)
            for each in attrs.fields(cls)
            if each.init
        ]
    import dataclasses  # lazy

    return [
        (each.name, each.name, each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING)
        for each in dataclasses.fields(cls)
        if each.init
    ]


def is_model(cls: type) -> bool:
    """Whether a class is a pydantic model, which converts its values itself."""
    return hasattr(cls, "model_fields") and hasattr(cls, "model_validate")


def _has_mark(hint: Any, mark: type) -> bool:
    """Whether a hint contains a mark anywhere, as in ``Annotated[str, Secret] | None``."""
    metadata = getattr(hint, "__metadata__", ())
    if any(each is mark or isinstance(each, mark) for each in metadata):
        return True
    alias = typing.get_origin(hint) or hint
    inner = (alias.__value__,) if isinstance(alias, typing.TypeAliasType) else typing.get_args(hint)
    return any(_has_mark(each, mark) for each in inner)


def _refuse_untyped(cls: type) -> None:
    for name, value in vars(cls).items():
        if name.startswith("_") or name in cls.__annotations__ or callable(value) or isinstance(value, _LOOKED_UP):
            continue
        raise DefinitionError(
            f"{cls.__name__}.{name} has no type, so it is not a parameter",
            hint=f"declare it: {name}: {type(value).__name__} = ...; or {name}: ClassVar = ... if it is a constant",
        )
