"""Stages declared in a ``pivot.yaml``: validates its content, with references resolved, and declares its stages."""

import posixpath
from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

import attrs

from pivot_core.errors import DefinitionError
from pivot_core.pivot_yaml import artifacts, schema, validate, views
from pivot_core.pivot_yaml.expand import Expansion, PlainStage
from pivot_core.pivot_yaml.validate import ValidationError
from pivot_core.pivot_yaml.variables import NoFiles, VariablesFiles
from pivot_core.spec import Location
from pivot_core.stages.annotations import Out
from pivot_core.stages.interpolation import InterpolationError, Path
from pivot_core.stages.options import PlainOptions
from pivot_core.values import Value

_ONLY_IN_DVC: Final = {
    "params": "'pivot params' shows the parameters of all stages; keys of files belong below 'params' of a stage",
    "artifacts": "an out may have 'desc', 'type', 'labels' and 'meta'",
    "datasets": "'pivot import' and 'pivot import-url' bring data into the project",
}
"""Keys of a ``dvc.yaml`` without a meaning here, each with the hint."""


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
        variables: By name, the text and the place of the values of variables that it uses.
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
    variables: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)


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
        _refuse_words_of_dvc(data)
        validate.check(data, schema.SCHEMA)
        found = Expansion(data, files or NoFiles(), variables or {}, lambda path: f"{text.name}:{text.line(path)}")
        shown = {key: found.filled(data[key], (key,)) for key in ("metrics", "plots") if key in data}
        for key, value in shown.items():
            validate.check(value, schema.SCHEMA["properties"][key], (key,))
        stages = _with_views([_stage(text, each) for each in found.stages], shown, data.get("root", "."))
        return Declarations(data["pipeline"], data.get("root", "."), tuple(stages), found.names)
    except (ValidationError, InterpolationError) as error:
        raise _at(text, error.path, error) from None


def _refuse_words_of_dvc(data: Any) -> None:
    for key, hint in _ONLY_IN_DVC.items():
        if isinstance(data, Mapping) and key in data:
            raise ValidationError(f"the key {key!r} is not known", (key,), hint=f"remove it: {hint}")


def _with_views(stages: list[Declaration], shown: Mapping[str, Any], root: str) -> list[Declaration]:
    """The stages with those outs as metrics and plots that the file lists as such."""
    if not shown:
        return stages
    outs = {}
    for stage in stages:
        base = posixpath.join(root, stage.options.get("wdir", "."))
        for key, out in stage.outs.items():
            if isinstance(out, Out) and len(out.paths) == 1:
                outs[posixpath.normpath(posixpath.join(base, out.paths[0]))] = (stage.name, key, out)
    for path, out in views.views(shown, {path: out for path, (_, _, out) in outs.items()}).items():
        name, key, _ = outs[path]
        stages = [attrs.evolve(each, outs={**each.outs, key: out}) if each.name == name else each for each in stages]
    return stages


def _stage(text: YamlSource, plain: PlainStage) -> Declaration:
    path, filled = plain.path, plain.data
    validate.check(filled, schema.STAGE, path)
    command, python = filled.get("cmd"), "python" in filled
    filled = _with_always(_with_file_params(filled, path), path)
    params = filled.get("params")
    return Declaration(
        name=plain.name,
        location=Location(text.name, text.line(("stages", plain.group))),
        python=filled.get("python"),
        notebook=filled.get("notebook"),
        executed=artifacts.executed(filled, path),
        command=command,
        deps=artifacts.deps(filled.get("deps", {}), path, shell=not python),
        outs=artifacts.outs(filled, path, shell=not python),
        params=params,
        places={key: f"{text.name}:{text.line((*path, 'params', key))}" for key in params or ()},
        options=cast("PlainOptions", {key: filled[key] for key in PlainOptions.__annotations__ if key in filled}),
        variables=plain.variables,
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


def _with_always(filled: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The keys of a stage with ``always_changed`` as ``always``."""
    if "always_changed" not in filled:
        return filled
    if "always" in filled:
        raise ValidationError(
            "'always_changed' and 'always' mean the same", (*path, "always_changed"), hint="remove one of the two"
        )
    return {**filled, "always": filled["always_changed"]}


def _at(text: YamlSource, path: Path, error: DefinitionError) -> DeclarationError:
    return DeclarationError(f"{text.name}:{text.line(path)}: {error}", hint=error.hint)
