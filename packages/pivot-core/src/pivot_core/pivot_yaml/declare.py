"""Stages declared in a ``pivot.yaml``: validates its content, with references resolved, and declares its stages."""

from collections.abc import Mapping
from typing import Any, Protocol, cast

import attrs

from pivot_core.errors import DefinitionError
from pivot_core.pivot_yaml import schema, validate
from pivot_core.pivot_yaml.expand import Expansion, PlainStage
from pivot_core.pivot_yaml.validate import ValidationError
from pivot_core.pivot_yaml.variables import NoFiles, VariablesFiles
from pivot_core.spec import Location
from pivot_core.stages.annotations import Dep, DirectoryOut, Metric, Out, Plot
from pivot_core.stages.interpolation import InterpolationError, Path
from pivot_core.stages.options import PlainOptions
from pivot_core.values import Value


class YamlSource(Protocol):
    """A parsed file."""

    @property
    def name(self) -> str:
        """The name of the file."""
        ...

    @property
    def data(self) -> Any:
        """The content as JSON-like data."""
        ...

    def line(self, path: Path = ()) -> int:
        """The line of a key or item, or of the nearest one that contains it."""
        ...


class DeclarationError(DefinitionError):
    """A ``pivot.yaml`` contains an invalid declaration."""


@attrs.frozen(eq=False, repr=False)
class Declaration(Value):
    """One stage.

    Attributes:
        name: Its name, with the variant.
        location: Its location.
        python: The function as ``module:function``; None of other stages.
        notebook: The path of the notebook; None of other stages.
        executed: The out for the executed copy of the notebook.
        command: The shell command, or several; None of a Python stage.
        deps: Deps by parameter of the function, by name, or by path: paths, or `Dep` for more than a path.
        outs: Outs by key, by name, or by path: paths for a Python stage, `Out` for a shell stage.
        params: By name.
        places: The location of each parameter.
        options: The other options.
    """

    name: str
    location: Location
    python: str | None = None
    notebook: str | None = None
    executed: Any = None
    command: str | list[str] | None = None
    deps: Mapping[str, Any] = attrs.field(factory=dict)
    outs: Mapping[str, Any] = attrs.field(factory=dict)
    params: Mapping[str, Any] | None = None
    places: Mapping[str, str] = attrs.field(factory=dict)
    options: PlainOptions = attrs.field(factory=PlainOptions)


@attrs.frozen(eq=False, repr=False)
class Declarations(Value):
    """A whole file.

    Attributes:
        pipeline: The pipeline's name.
        root: The root of its paths.
        stages: Its stages, in order.
        variables: The names of the variables that exist.
    """

    pipeline: str
    root: str
    stages: tuple[Declaration, ...]
    variables: frozenset[str] = frozenset()


def read_declarations(
    text: YamlSource,
    variables: Mapping[tuple[str, ...], Any] | None = None,
    files: VariablesFiles | None = None,
) -> Declarations:
    """The declarations of a file.

    Args:
        text: The file.
        variables: Other values for its variables, or for items in them, by their keys; unknown names do not count.
        files: The files with variables.

    Raises:
        DeclarationError: A declaration is invalid; the message has file and line.
    """
    try:
        data = {} if text.data is None else text.data
        validate.check(data, schema.SCHEMA)
        found = Expansion(data, files or NoFiles(), variables or {}, lambda path: f"{text.name}:{text.line(path)}")
        stages = tuple(_stage(text, each) for each in found.stages)
        return Declarations(data["pipeline"], data.get("root", "."), stages, found.names)
    except (ValidationError, InterpolationError) as error:
        raise _at(text, error.path, error) from None


def _stage(text: YamlSource, plain: PlainStage) -> Declaration:
    path, filled = plain.path, plain.data
    validate.check(filled, schema.STAGE, path)
    command, python = filled.get("cmd"), "python" in filled
    filled = _with_file_params(filled, path)
    params = filled.get("params")
    return Declaration(
        name=plain.name,
        location=Location(text.name, text.line(("stages", plain.group))),
        python=filled.get("python"),
        notebook=filled.get("notebook"),
        executed=_executed(filled, path),
        command=command,
        deps=_deps(filled.get("deps", {}), path, shell=not python),
        outs=_outs(filled.get("outs", {}), path, shell=not python),
        params=params,
        places={key: f"{text.name}:{text.line((*path, 'params', key))}" for key in params or ()},
        options=cast("PlainOptions", {key: filled[key] for key in PlainOptions.__annotations__ if key in filled}),
    )


def _with_file_params(filled: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The keys of a stage with a list of ``params``, which are keys of files, as its ``file_params``."""
    params = filled.get("params")
    if not isinstance(params, list):
        return filled
    if "file_params" in filled:
        raise ValidationError(
            "'params' as a list and 'file_params' mean the same", (*path, "file_params"), hint="write one list"
        )
    return {**{key: value for key, value in filled.items() if key != "params"}, "file_params": params}


def _executed(filled: Mapping[str, Any], path: Path) -> Any:
    if "executed" not in filled:
        return None
    if "notebook" not in filled:
        raise ValidationError("'executed' is for stages with a notebook", (*path, "executed"), hint="remove it")
    return _out(filled["executed"], (*path, "executed"))


def _deps(raw: Any, path: Path, *, shell: bool) -> Mapping[str, Any]:
    if shell:
        pairs = raw.items() if isinstance(raw, Mapping) else [(_key(each), each) for each in raw]
        return {key: _dep(each, (*path, "deps", key)) for key, each in pairs}
    if isinstance(raw, Mapping):
        for key, each in raw.items():
            if isinstance(each, Mapping):
                raise ValidationError(
                    f"{key!r} of 'deps' of a python stage must be a path, since its function declares the rest",
                    (*path, "deps", key),
                    hint="write 'parameter: path', and 'count' in the function's annotation",
                )
        return raw
    raise ValidationError(
        "'deps' of a python stage must be a mapping", (*path, "deps"), hint="write 'parameter: path' for each"
    )


def _dep(raw: str | list[str] | Mapping[str, Any], at: Path) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    try:
        return Dep(raw["path"], count=raw.get("count", True))
    except DefinitionError as error:
        raise ValidationError(str(error), at, hint=error.hint) from None


def _outs(raw: Any, path: Path, *, shell: bool) -> Mapping[str, Any]:
    if shell:
        pairs = raw.items() if isinstance(raw, Mapping) else [(_key(each), each) for each in raw]
        outs: dict[str, Out] = {}
        for key, each in pairs:
            if key in outs:
                raise ValidationError(f"'outs' names {key!r} twice", (*path, "outs"), hint="remove one of the two")
            outs[key] = _out(each, (*path, "outs", key))
        return outs
    if not isinstance(raw, Mapping):
        raise ValidationError(
            "'outs' of a python stage must be a mapping",
            (*path, "outs"),
            hint="write 'key: path' for each key of what the function returns; the key of a single out is 'return'",
        )
    for key, each in raw.items():
        if isinstance(each, Mapping):
            raise ValidationError(
                f"{key!r} of 'outs' of a python stage must be a path, since its function declares the rest",
                (*path, "outs", key),
                hint="write 'key: path', and 'cache' or 'directory' in the function's annotation",
            )
    return raw


def _key(raw: str | Mapping[str, Any]) -> str:
    path = raw if isinstance(raw, str) else raw["path"]
    return path if isinstance(path, str) else " ".join(path)


def _out(raw: str | list[str] | Mapping[str, Any], at: Path) -> Out:
    facts: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {"path": raw}
    path = facts["path"]
    paths = [path] if isinstance(path, str) else path
    directory = facts.get("directory", all(each.endswith("/") for each in paths))
    if not directory:
        path = path.rstrip("/") if isinstance(path, str) else [each.rstrip("/") for each in path]
    try:
        if facts.get("metric", False):
            return _metric(facts, path, at, directory=directory)
        flags = _flags(facts)
        if facts.get("plot", False) is not False:
            path = path if not directory else f"{paths[0]}/"  # which a plot refuses
            return Plot(path, **flags, **(facts["plot"] if facts["plot"] is not True else {}))
        kind = DirectoryOut if directory else Out
        return kind(path, **flags)
    except DefinitionError as error:
        raise ValidationError(str(error), at, hint=error.hint) from None


def _metric(facts: Mapping[str, Any], path: str | list[str], at: Path, *, directory: bool) -> Metric:
    other = "a directory" if directory else "a plot" if facts.get("plot", False) is not False else ""
    if other:
        raise ValidationError(f"an out cannot be both a metric and {other}", at, hint="remove 'metric'")
    return Metric(path, **_flags(facts))


def _flags(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: facts[name] for name in ("cache", "persist", "temp") if name in facts}


def _at(text: YamlSource, path: Path, error: DefinitionError) -> DeclarationError:
    return DeclarationError(f"{text.name}:{text.line(path)}: {error}", hint=error.hint)
