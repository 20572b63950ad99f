"""Pipeline files: a ``pipeline.py`` is imported; a ``pivot.yaml`` is read and its functions are imported."""

import importlib
import importlib.util
import os
import pathlib
from collections.abc import Collection, Iterable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import attrs

from pivot_cache.files import safe_read
from pivot_core.discovery import DECLARED_FILE, import_pipeline, put_on_path
from pivot_core.errors import DefinitionError, PivotError, suggest
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import below
from pivot_core.params.overrides import Override
from pivot_core.pipeline import Pipeline, Registration
from pivot_core.spec import Location, StageError, base_of
from pivot_core.stages.command import Command, make_command
from pivot_core.stages.notebook import make_notebook
from pivot_core.values import Value
from pivot_runtime.definitions.params_file import PARAMS_FILE
from pivot_runtime.definitions.source_import import ABSENT
from pivot_runtime.errors import EngineError, ImportRequiredError, YamlError

if TYPE_CHECKING:
    from pivot_core.pivot_yaml.declare import Declaration, Declarations
    from pivot_runtime.definitions.yaml_document import Document


@attrs.frozen(eq=False, repr=False)
class Definitions(Value):
    """The pipelines that a file defines.

    Attributes:
        pipelines: The pipelines, with their live stages.
        sources: The digest of a file that is not Python, by its absolute path.
    """

    pipelines: tuple[Pipeline, ...]
    sources: Mapping[str, str] = attrs.field(factory=dict)


def read_definitions(
    file: pathlib.Path, root: pathlib.Path, *, imports: bool = True, overrides: Iterable[Override] = ()
) -> Definitions:
    """Read the pipelines in a file. Exceptions of the user's modules during the import are passed on.

    Of the ``overrides``, those of variables count.

    Raises:
        ImportRequiredError: ``imports`` is False, and an import is required.
        PivotError: The file defines no pipeline, or is invalid.
    """
    if file.name != DECLARED_FILE:
        if not imports:
            raise ImportRequiredError
        return Definitions(import_pipeline(file, root=root))
    from pivot_core.pivot_yaml.declare import DeclarationError  # lazy

    said, document, sources = _read(file, root, overrides)
    if imports:
        put_on_path(file, root)
    elif any(stage.command is None for stage in said.stages):
        raise ImportRequiredError
    try:
        pipeline = Pipeline(said.pipeline, root=said.root)
    except DefinitionError as error:
        raise DeclarationError(f"{document.where(('pipeline',))}: {error}", hint=error.hint) from None
    try:
        pipeline.base(base_of(file, root), os.fspath(root))
    except DefinitionError as error:
        raise DeclarationError(f"{document.where(('root',))}: {error}", hint=error.hint) from None
    for stage in said.stages:
        _add(pipeline, stage, file)
    return Definitions((pipeline,), sources)


def variable_names(file: pathlib.Path, root: pathlib.Path, overrides: Iterable[Override]) -> Collection[str]:
    """Return the names of the variables of a pipeline file that was read before with the same ``overrides``."""
    if file.name != DECLARED_FILE:
        return ()
    try:
        return _read(file, root, overrides)[0].variables
    except PivotError:
        return ()


def _read(
    file: pathlib.Path, root: pathlib.Path, overrides: Iterable[Override]
) -> "tuple[Declarations, Document, dict[str, str]]":
    """Read a ``pivot.yaml``: its declarations, the document, and the digest of each file that this needed.

    Raises:
        PivotError: It is invalid.
    """
    from pivot_core.pivot_yaml.declare import read_declarations  # lazy
    from pivot_runtime.definitions import yaml_document  # lazy

    name = str(file.relative_to(root))
    try:
        content = safe_read.read_regular(file)
    except OSError as error:
        raise EngineError(f"{name} cannot be read: {error.strerror}") from None
    try:
        document = yaml_document.parse(content.decode(), name)
    except UnicodeDecodeError:
        raise YamlError(f"{name}: this is not UTF-8") from None
    variables = {each.parts: _value(each) for each in overrides if each.variable}
    files = ProjectVariables(file, root)
    said = read_declarations(document, variables, files)
    return said, document, {os.fspath(file): digest_bytes(content), **files.sources}


class ProjectVariables:
    """The files from which a ``pivot.yaml`` takes variables.

    Attributes:
        sources: The digest of each file, by absolute path; for a missing one, a marker.
    """

    def __init__(self, file: pathlib.Path, root: pathlib.Path) -> None:
        self.sources: dict[str, str] = {}
        self._documents: dict[str, Document] = {}
        self._directory = os.fspath(file.parent)
        self._root = os.fspath(root)

    def read(self, path: str) -> Mapping[str, Any]:
        """Return the values in a file.

        Raises:
            PivotError: There is none, or no mapping in it.
        """
        file = self._file(path)
        name = below(file, self._root)
        if name is None:
            raise DefinitionError(f"{path!r} is outside the project", hint="copy the file into the project")
        try:
            content = safe_read.read_regular(file)
        except FileNotFoundError:
            raise DefinitionError(f"there is no file {name!r}", hint=_similar(file, path)) from None
        except OSError as error:
            raise DefinitionError(f"{name!r} cannot be read: {error.strerror}") from None
        return self._values(content, file, name)

    def default(self) -> Mapping[str, Any]:
        """Return the values in the ``params.yaml`` beside the file.

        Raises:
            PivotError: It cannot be read, or there is no mapping in it.
        """
        file = self._file(PARAMS_FILE)
        name = os.path.relpath(file, self._root)
        try:
            return self._values(safe_read.read_regular(file), file, name)
        except FileNotFoundError:
            self.sources[file] = ABSENT
            return {}
        except OSError as error:
            raise EngineError(f"{name} cannot be read: {error.strerror}") from None

    def where(self, path: str | None, keys: tuple[str | int, ...]) -> str:
        """Return the ``file:line`` of a value in a file that was read; None is ``params.yaml``."""
        document = self._documents[self._file(path or PARAMS_FILE)]
        return document.where(keys) if document.lines else document.name

    def _file(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._directory, path))

    def _values(self, content: bytes, file: str, name: str) -> Mapping[str, Any]:
        from pivot_runtime.definitions import values_file  # lazy

        self.sources[file] = digest_bytes(content)
        document = self._documents[file] = values_file.document(content, name)
        if not isinstance(document.data, dict):
            raise YamlError(f"{name}:1: this must be a mapping", hint="write 'name: value' for each value")
        return document.data


def _similar(file: str, path: str) -> str | None:
    """Return a hint with the file that is probably meant."""
    try:
        names = os.listdir(os.path.dirname(file))
    except OSError:
        return None
    directory = os.path.dirname(path)
    return suggest(os.path.basename(file), names, format_name=lambda name: os.path.join(directory, name))


def _value(override: Override) -> Any:
    """Return the value of a variable, which is written as in the file; an empty text is a text."""
    from pivot_runtime.definitions import yaml_document  # lazy

    return yaml_document.parse(override.value, f"--var {'.'.join(override.parts)}").data if override.value else ""


def _add(pipeline: Pipeline, stage: "Declaration", file: pathlib.Path) -> None:
    location = Location(str(file), stage.location.line)
    given = Registration(
        stage.name,
        None,
        location,
        params=stage.params,
        options=stage.options,
        places=stage.places,
        variables=stage.variables,
    )
    if stage.python is not None:
        given = attrs.evolve(given, func=_function(stage, location), deps=stage.deps, outs=stage.outs)
    else:
        try:
            made = _command(stage, location)
        except DefinitionError as error:
            raise StageError(stage.name, location, str(error), hint=error.hint) from None
        given = attrs.evolve(given, func=made, params=stage.params or None)
    pipeline.add(given)


def _command(stage: "Declaration", location: Location) -> Command:
    """The command or the notebook of a stage."""
    params = stage.params or {}
    if stage.notebook is None:
        return make_command(stage.command, stage.deps, stage.outs, params, location)
    return make_notebook(stage.notebook, stage.deps, stage.outs, params, stage.executed, location=location)


def _function(stage: "Declaration", location: Location) -> Any:
    """Import the function of a stage."""
    name, colon, attribute = (stage.python or "").partition(":")
    if not colon or not attribute or not all(part.isidentifier() for part in name.split(".")):
        raise StageError(
            stage.name,
            location,
            f"python: {stage.python!r} does not name a function",
            hint="write python: module:function",
        )
    module = _module(name, stage, location)
    _refuse_shadowed(name, module, stage, location)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            members = vars(found) if hasattr(found, "__dict__") else {}
            raise StageError(
                stage.name,
                location,
                f"{name!r} has no function {attribute!r}",
                hint=suggest(part, [each for each, value in members.items() if callable(value)]),
            )
        found = getattr(found, part)
    if isinstance(found, type) or not callable(found):
        raise StageError(stage.name, location, f"{stage.python!r} is not a function")
    return found


def _module(name: str, stage: "Declaration", location: Location) -> ModuleType:
    """Import a module; its exceptions are passed on with a note."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            error.add_note(_importing(name, stage))
            raise
        raise StageError(
            stage.name,
            location,
            f"there is no module {name!r}",
            hint=suggest(name, _modules(os.path.dirname(location.file)))
            or "modules are searched for beside the file, and in the project's root",
        ) from None
    except BaseException as error:
        error.add_note(_importing(name, stage))
        raise


def _refuse_shadowed(name: str, module: ModuleType, stage: "Declaration", location: Location) -> None:
    """Raise an error if a module of the same name hides the file beside the pipeline."""
    beside = os.path.join(os.path.dirname(location.file), *name.split(".")) + ".py"
    imported = getattr(module, "__file__", None) or "the interpreter"
    if os.path.exists(beside) and os.path.realpath(beside) != os.path.realpath(imported):
        raise StageError(
            stage.name,
            location,
            f"another module is called {name!r}, too: {imported}",
            hint=f"rename the {os.path.basename(beside)} beside the file",
        )


def _importing(module: str, stage: "Declaration") -> str:
    return f"while importing {module!r} for stage {stage.name!r}"


def _modules(directory: str) -> list[str]:
    import pkgutil  # lazy

    return [module.name for module in pkgutil.iter_modules([directory])]
