"""Templates of a ``pivot.yaml``: variables, variants and references, resolved to plain stages; pure."""

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from pivot_core.conversion import masking
from pivot_core.pivot_yaml import schema, uses, validate
from pivot_core.pivot_yaml.arguments import command_text
from pivot_core.pivot_yaml.matrix import Combination, MatrixError, combinations, each_of
from pivot_core.pivot_yaml.measure import Measure
from pivot_core.pivot_yaml.validate import ValidationError
from pivot_core.pivot_yaml.variables import LATER, Given, Variables, VariableScope, VariablesFiles, refuse_taken
from pivot_core.stages.interpolation import NOTHING, Left, Path, interpolate, parts_of, references, text_of
from pivot_core.values import Value

_VALUES_OF_A_STAGE: Final = 20
_WITHOUT_KEYS: Final = ("params",)
"""Parts of a stage whose keys are names, in which nothing is replaced."""


@attrs.frozen(eq=False, repr=False)
class PlainStage(Value):
    """A stage without references.

    Attributes:
        name: Its name, with the variant.
        group: The name that it has in the file.
        path: The path of its declaration, for errors.
        data: The declared keys and values.
        variables: By name, the text and the place of the values that its references stand for.
    """

    name: str
    group: str
    path: Path
    data: Mapping[str, Any]
    variables: Mapping[str, tuple[str, str]]


class Expansion:
    """The stages of one file.

    Attributes:
        stages: The stages, in order.
        names: The names of the variables that exist.
    """

    def __init__(
        self, data: Mapping[str, Any], files: VariablesFiles, given: Given, where: Callable[[Path], str]
    ) -> None:
        """Resolve everything.

        Args:
            data: The content of the file, which has the form that the schema describes.
            files: The files with variables.
            given: Other values for variables.
            where: The ``file:line`` of a path.

        Raises:
            DefinitionError: Something is wrong.
        """
        self._measure = Measure()
        self._variables = Variables(files, given, self._measure, where)
        self._where = where
        self._named: dict[Path, tuple[tuple[str, bool], ...]] = {}
        self._uses: dict[tuple[str, tuple[Path, str | int]], uses.VariableUse] = {}
        self._root = data.get("root", ".")
        self._scope = self._variables.extended(VariableScope(), data.get("vars"), ("vars",), self._root)
        self.stages = tuple(each for name, raw in data["stages"].items() for each in self._stages(name, raw))
        self._variables.check_given()
        self.names = self._variables.names

    def filled(self, raw: Any, path: Path) -> Any:
        """A part of the file beside its stages, with its references resolved, also in keys.

        Raises:
            DefinitionError: A reference cannot be resolved.
        """
        value = interpolate(raw, self._variables.lookup(self._scope), path, keys=True)
        self._measure.take(value, path)
        return value

    def _stages(self, name: str, raw: Mapping[str, Any]) -> Iterator[PlainStage]:
        path: Path = ("stages", name)
        if "foreach" in raw:
            if "matrix" in raw["do"]:
                raise ValidationError(
                    f"{name!r} has both 'foreach' and 'matrix'",
                    (*path, "do", "matrix"),
                    hint="make the values of 'foreach' a dimension of the matrix",
                )
            for cell in self._each(raw["foreach"], (*path, "foreach")):
                at = _Cell(cell.values, {}, cell.at, {"item": raw["foreach"]}, {"item": (*path, "foreach")})
                yield self._stage(f"{name}@{cell.variant}", name, (*path, "do"), raw["do"], at)
        elif "matrix" in raw:
            body = {key: value for key, value in raw.items() if key != "matrix"}
            homes = {dimension: (*path, "matrix", dimension) for dimension in raw["matrix"]}
            for cell in self._combinations(raw["matrix"], (*path, "matrix")):
                below = {"item": cell.values, "key": cell.key}
                at = _Cell(cell.values, below, cell.at, raw["matrix"], homes)
                yield self._stage(f"{name}@{cell.variant}", name, path, body, at)
        else:
            yield self._stage(name, name, path, raw, _NO_CELL)

    def _each(self, raw: Any, path: Path) -> list[Combination]:
        values = self._value(raw, path)
        validate.check(values, schema.FOREACH["properties"]["foreach"], path)
        if isinstance(values, str):
            raise ValidationError(f"{validate.subject(path)} must be a list or a mapping, not {values!r}", path)
        try:
            return each_of(values)
        except MatrixError as error:
            raise ValidationError(str(error), path, hint=error.hint) from None

    def _combinations(self, raw: Any, path: Path) -> list[Combination]:
        matrix = self._value(raw, path)
        validate.check(matrix, schema.STAGE["properties"]["matrix"], path)
        for dimension in matrix:
            refuse_taken(dimension, (*path, dimension))
        try:
            return combinations(matrix)
        except MatrixError as error:
            raise ValidationError(str(error), (*path, error.dimension or ""), hint=error.hint) from None

    def _value(self, raw: Any, path: Path) -> Any:
        value = interpolate(raw, self._variables.lookup(self._scope), path)
        self._measure.take(value, path)
        return value

    def _stage(self, name: str, group: str, path: Path, raw: Mapping[str, Any], cell: "_Cell") -> PlainStage:
        self._measure.take([None] * (_VALUES_OF_A_STAGE - 1), path)
        scope, above, below = self._scope, cell.above, cell.below
        known = self._variables.lookup(scope, above, below)
        if "vars" in raw:
            wdir = interpolate(raw.get("wdir", "."), known, (*path, "wdir"))
            directory = posixpath.join(self._root, wdir if isinstance(wdir, str) else ".")
            scope = self._variables.extended(scope, raw["vars"], (*path, "vars"), directory, above=above, below=below)
            known = self._variables.lookup(scope, above, below)
        left = Left(_left_in_commands(raw, known), LATER)
        filled = {}
        for key, value in raw.items():
            if key != "vars":
                command = key == "cmd"
                filled[key] = interpolate(
                    value,
                    known,
                    (*path, key),
                    left=left if command else NOTHING,
                    write=command_text if command else text_of,
                    keys=not (key in _WITHOUT_KEYS and isinstance(value, Mapping)),
                )
                self._measure.take(filled[key], (*path, key))
        if path not in self._named:
            self._named[path] = uses.named(raw)
        variables = uses.used(self._named[path], left, lambda name: self._use(name, known, scope, cell))
        return PlainStage(name, group, path, filled, variables)

    def _use(self, name: str, known: Mapping[str, Any], scope: VariableScope, cell: "_Cell") -> uses.VariableUse:
        """The use of a variable by a stage, found once for all stages for which it is the same."""
        first, *rest = parts_of(name)
        of: tuple[Path, str | int] | None = None
        if first in cell.above or first not in scope.values:
            dimension = first if first in cell.at else "".join(rest[:1])
            if dimension in cell.at and (first in cell.above or first in cell.below):
                of = (cell.homes[dimension], cell.at[dimension])
        elif scope is self._scope:
            of = ((), "")
        found = None if of is None else self._uses.get((name, of))
        if found is None:
            behind = (each for origin in scope.origins.get(first, ()) for each in origin.names)
            found = uses.use(name, known, lambda keys: self._place(scope, cell, keys), behind)
            if of is not None:
                self._uses[name, of] = found
        return found

    def _place(self, scope: VariableScope, cell: "_Cell", keys: tuple[str, ...]) -> str:
        """The ``file:line`` of a variable, or of an item of the value for which the stage was created.

        ``""`` for what is neither, and if the value comes from what may be a secret by its name.
        """
        if keys[0] not in cell.above and keys[0] not in scope.values and keys[0] in cell.below:
            keys = keys[1:]  # ${item.dimension} of a matrix
        elif keys[0] not in cell.above:
            return self._variables.place(scope, keys)
        if not keys or keys[0] not in cell.at:  # ${key}
            return ""
        raw, at = cell.raw[keys[0]], cell.at[keys[0]]
        known_as = [str(at), *references(raw if isinstance(raw, str) else raw[at])]
        if any(map(masking.is_secret_name, known_as)):
            return ""
        if isinstance(raw, str):
            return self._variables.place(self._scope, (*parts_of(known_as[1]), str(at), *keys[1:]))
        return self._where((*cell.homes[keys[0]], at, *keys[1:]))


@attrs.frozen(eq=False, repr=False)
class _Cell(Value):
    """The values for which a stage is created: those above its variables, and those below.

    Where they are: by dimension, the key or position of its value, what is declared, and its path.
    """

    above: Mapping[str, Any]
    below: Mapping[str, Any]
    at: Mapping[str, str | int]
    raw: Mapping[str, Any]
    homes: Mapping[str, Path]


_NO_CELL: Final = _Cell({}, {}, {}, {}, {})


def _left_in_commands(raw: Mapping[str, Any], known: Mapping[str, Any]) -> Callable[[str], bool]:
    """Whether a reference in a command means the stage's own parameters and paths.

    A variable of such a name, which only a file can have, counts where the stage has nothing of the name.
    """

    def is_left(reference: str) -> bool:
        kind, _, name = reference.partition(".")
        if kind not in LATER:
            return False
        own = raw.get(kind, ())
        return isinstance(own, str) or name in own or name.partition(".")[0] in own or kind not in known

    return is_left
