"""Signatures of stages: from type hints to deps and outs."""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import attrs

from pivot_core.conversion.convert import unwrap_hint
from pivot_core.errors import PivotError
from pivot_core.params.classes import fields, is_params
from pivot_core.spec import Location, StageError
from pivot_core.stages.annotations import Dep, Out
from pivot_core.stages.stage import ParamsBinding

type _Declared = tuple[Dep | Out, ...]

_FIELD_WRAPPERS = (typing.Required, typing.NotRequired, typing.ReadOnly)


def location_of(func: Callable[..., Any]) -> Location:
    """The location of the function inside all wrappers, partials and methods."""
    code = getattr(_innermost(func), "__code__", None)
    return Location(code.co_filename, code.co_firstlineno) if code is not None else Location("<unknown>", 0)


def docstring_of(func: Any) -> str:
    """The docstring of the function inside all wrappers, partials and methods; empty without one."""
    if not callable(func):
        return ""
    return inspect.cleandoc(_innermost(func).__doc__ or "")


class StageSignature(NamedTuple):
    """The declarations in a signature.

    Attributes:
        deps: By parameter.
        previous: By parameter, the outs whose previous value it takes.
        outs: By the key of the returned mapping.
        single: Whether the returned value itself is the value of the only out, whose key is ``return``.
        params: The parameter that takes typed parameters, or None.
    """

    deps: dict[str, Dep]
    previous: dict[str, Out]
    outs: dict[str, Out]
    single: bool
    params: ParamsBinding | None = None


def read_signature(name: str, func: Callable[..., Any]) -> StageSignature:
    """The declarations in the signature of a stage.

    Raises:
        StageError: The signature is incomplete.
    """
    return _Reader(name, func).read()


class _Reader:
    def __init__(self, name: str, func: Callable[..., Any]) -> None:
        self.name = name
        self.func = func
        self.location = location_of(func)
        self.taken: ParamsBinding | None = None

    def error(self, problem: str, hint: str | None = None) -> StageError:
        return StageError(self.name, self.location, problem, hint=hint)

    def read(self) -> StageSignature:
        called = _called(self.func)
        if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
            raise self.error("a stage cannot be an async function", "call asyncio.run(...) inside a plain function")
        if inspect.isgeneratorfunction(called):
            raise self.error("a stage cannot be a generator", "return the values instead of yielding them")
        try:
            hints = typing.get_type_hints(_innermost(self.func), include_extras=True)
            outs, single = self._outs(hints)
            deps, previous = self._parameters(hints, outs)
            return StageSignature(deps, previous, outs, single, self.taken)
        except StageError:
            raise
        except PivotError as error:
            raise self.error(str(error), error.hint) from None
        except NameError as error:
            raise self.error(
                f"its type hints name {error.name!r}, which is not defined where the stage is registered",
                "define or import it at the top level of the module, before pipeline.register(...)",
            ) from None
        except Exception as error:  # any error from evaluating the user's hints and aliases
            raise self.error(f"its type hints cannot be read: {type(error).__name__}: {error}") from error

    def _parameters(self, hints: Mapping[str, Any], outs: Mapping[str, Out]) -> tuple[dict[str, Dep], dict[str, Out]]:
        deps: dict[str, Dep] = {}
        previous: dict[str, Out] = {}
        for parameter in inspect.signature(self.func).parameters.values():
            declared = _declared(hints.get(parameter.name))
            if len(declared) > 1:
                raise self.error(f"parameter {parameter.name!r} has more than one Dep or Out")
            if not declared:
                if _buried(hints.get(parameter.name)):
                    raise self.error(
                        f"parameter {parameter.name!r} has a Dep or Out inside another type, where it has no effect",
                        f"put Annotated outermost, as in {parameter.name}: Annotated[... | None, pivot.Dep(...)]",
                    )
                self._undeclared(parameter, hints.get(parameter.name))
                continue
            (item,) = declared
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise self.error(
                    f"parameter {parameter.name!r} has a {type(item).__name__} but cannot be passed by name"
                )
            if isinstance(item, Dep):
                deps[parameter.name] = item
            elif item.persist:
                previous[parameter.name] = self._previous(parameter.name, item, outs)
            else:
                raise self.error(
                    f"parameter {parameter.name!r} is annotated with an {type(item).__name__}; "
                    "parameters are inputs, so they take a Dep"
                )
        return deps, previous

    def _undeclared(self, parameter: inspect.Parameter, hint: Any) -> None:
        """Read a parameter without a Dep: it takes typed parameters, or needs a default."""
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            return
        has_default = parameter.default is not parameter.empty
        cls = unwrap_hint(hint)
        if not is_params(cls):
            if not has_default:
                raise self.error(
                    f"parameter {parameter.name!r} has neither a Dep nor a default",
                    f'declare it: {parameter.name}: Annotated[..., pivot.Dep("path", loader)], '
                    "or a class derived from pivot.StageParams",
                )
            return
        if has_default and not isinstance(parameter.default, cls):
            return
        try:
            names = fields(cls)
        except PivotError:
            if has_default:
                return  # an ordinary value
            raise
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise self.error(f"parameter {parameter.name!r} takes {cls.__name__} but cannot be passed by name")
        if self.taken is not None:
            raise self.error(
                f"parameters {self.taken.parameter!r} and {parameter.name!r} both take typed parameters",
                "make one class with a field for each",
            )
        values = {name: getattr(parameter.default, name) for name in names} if has_default else {}
        self.taken = ParamsBinding(parameter.name, cls, values)

    def _previous(self, name: str, item: Out, outs: Mapping[str, Out]) -> Out:
        """A parameter that takes the last content of an out."""
        written = {path for out in outs.values() if out.persist for path in out.paths}
        foreign = [path for path in item.paths if path not in written]
        if foreign:
            raise self.error(
                f"parameter {name!r} takes the previous {foreign[0]!r}, which the stage does not write",
                f"declare the same {type(item).__name__}({foreign[0]!r}, ...) in its return type",
            )
        if not hasattr(item.loader, "load"):
            raise self.error(f"parameter {name!r}: the loader of {item.path!r} cannot load")
        return item

    def _outs(self, hints: Mapping[str, Any]) -> tuple[dict[str, Out], bool]:
        if "return" not in hints:
            raise self.error(
                "its return type is not annotated, so its outs are unknown",
                "return a TypedDict of Annotated[..., pivot.Out(...)], one Annotated[..., pivot.Out(...)], or None",
            )
        returned = hints["return"]
        if returned is None or returned is types.NoneType:
            return {}, False
        declared = _declared(returned)
        if declared:
            return {"return": self._out("the return type", declared)}, True
        bare = _strip(returned)
        if typing.is_typeddict(bare):
            return self._fields(bare), False
        raise self.error(
            f"its return type {_name(returned)} declares no Out",
            "return a TypedDict of Annotated[..., pivot.Out(...)], one Annotated[..., pivot.Out(...)], or None",
        )

    def _fields(self, shape: type) -> dict[str, Out]:
        fields = typing.get_type_hints(shape, include_extras=True)
        if not fields:
            raise self.error(f"{_name(shape)} has no keys", "annotate the return type with None if nothing is written")
        plain = [key for key, hint in fields.items() if not _declared(hint)]
        if plain:
            if len(plain) == len(fields):
                problem = f"{_name(shape)}: none of its keys has an Out"
            else:
                problem = f"{_name(shape)}: {_join(plain)} without an Out, while the other keys have one"
            raise self.error(problem, f'annotate {_join(plain)} with Annotated[..., pivot.Out("path", loader)]')
        unmarked: frozenset[str] = getattr(shape, "__required_keys__", frozenset())
        optional = [key for key, hint in fields.items() if not _is_required(hint, default=key in unmarked)]
        if optional:
            raise self.error(
                f"{_name(shape)}: {_join(optional)} is optional, but a stage must write all its outs",
                "make the key required",
            )
        return {key: self._out(f"key {key!r} of {_name(shape)}", _declared(hint)) for key, hint in fields.items()}

    def _out(self, what: str, declared: _Declared) -> Out:
        if len(declared) > 1:
            raise self.error(f"{what} has more than one Out")
        (out,) = declared
        if not isinstance(out, Out):
            raise self.error(f"{what} is annotated with a Dep; returned values are outs, so they take an Out")
        return out


def _innermost(func: Callable[..., Any]) -> Callable[..., Any]:
    while True:
        if isinstance(func, functools.partial):
            func = func.func
        elif inspect.ismethod(func):
            func = func.__func__
        elif hasattr(func, "__wrapped__"):
            func = func.__wrapped__
        elif not inspect.isroutine(func) and not isinstance(func, type) and callable(func):
            func = type(func).__call__
        else:
            return func


def _called(func: Callable[..., Any]) -> Callable[..., Any]:
    """The function that a call enters: inside partials and methods, outside decorators, which may change its kind."""
    while True:
        if isinstance(func, functools.partial):
            func = func.func
        elif inspect.ismethod(func):
            func = func.__func__
        elif not inspect.isroutine(func):
            func = type(func).__call__
        else:
            return func


def _unalias(hint: Any) -> Any:
    """The hint with ``type`` aliases resolved, with or without type parameters."""
    while isinstance(alias := typing.get_origin(hint) or hint, typing.TypeAliasType):
        hint = alias.__value__
    return hint


def _strip(hint: Any) -> Any:
    """The type itself, without metadata and parameters."""
    hint = _unalias(hint)
    while typing.get_origin(hint) is typing.Annotated:
        hint = _unalias(typing.get_args(hint)[0])
    return typing.get_origin(hint) if typing.is_typeddict(typing.get_origin(hint)) else hint


def _is_required(hint: Any, *, default: bool) -> bool:
    """Whether a key is required; Python itself does not know if the evaluation of hints is postponed."""
    while (origin := typing.get_origin(hint)) in _FIELD_WRAPPERS or origin is typing.Annotated:
        if origin in (typing.Required, typing.NotRequired):
            return origin is typing.Required
        hint = typing.get_args(hint)[0]
    return default


def _declared(hint: Any) -> _Declared:
    """The Deps and Outs in a hint, including inside ``Required[...]`` and ``type`` aliases."""
    hint = _unalias(hint)
    origin = typing.get_origin(hint)
    if origin in _FIELD_WRAPPERS:
        return _declared(typing.get_args(hint)[0])
    if origin is not typing.Annotated:
        return ()
    inner, *metadata = typing.get_args(hint)
    return _declared(inner) + tuple(_for_type(item, inner) for item in metadata if isinstance(item, Dep | Out))


def _for_type(item: Dep | Out, hint: Any) -> Dep | Out:
    """The declaration with the loader for the annotated type, if its loader has a method for that."""
    choose = getattr(item.loader, "for_type", None)
    return item if choose is None else attrs.evolve(item, loader=choose(hint))


def _buried(hint: Any) -> bool:
    """Whether a hint contains a Dep or Out where it has no effect, as in ``Annotated[...] | None``."""
    pending = [hint]
    aliases: list[Any] = []
    while pending:
        part = pending.pop()
        if isinstance(part, Dep | Out):
            return True
        pending.extend(part if isinstance(part, list) else typing.get_args(part))
        origin = typing.get_origin(part) or part
        if any(origin is alias for alias in aliases):
            continue
        if isinstance(origin, typing.TypeAliasType):
            aliases.append(origin)
            pending.append(origin.__value__)
        elif typing.is_typeddict(origin):
            aliases.append(origin)
            pending.extend(typing.get_type_hints(origin, include_extras=True).values())
    return False


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


def _join(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
