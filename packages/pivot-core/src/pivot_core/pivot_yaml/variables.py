"""The values behind ``${name}``: those in a ``pivot.yaml``, in files that it names, and in ``params.yaml``."""

import posixpath
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol, cast

import attrs

from pivot_core.errors import DefinitionError, list_names, suggest
from pivot_core.pivot_yaml.measure import Measure
from pivot_core.pivot_yaml.validate import ValidationError, subject
from pivot_core.stages.interpolation import InterpolationError, Path, has_references, interpolate, path_in, references
from pivot_core.values import Value

LATER: Final = ("params", "deps", "outs")
"""First parts of references in a command that mean the stage's own parameters and paths."""

_NONE: Final[Mapping[str, Any]] = {}
_MOST_NAMES: Final = 10

type Given = Mapping[tuple[str, ...], Any]
"""Other values for variables, or for items in them, by their keys."""


class VariablesFiles(Protocol):
    """The files with variables."""

    def read(self, path: str) -> Mapping[str, Any]:
        """The values in a file, whose path is relative to the directory of the ``pivot.yaml``.

        Raises:
            DefinitionError: There is no such file, or no mapping in it.
        """
        ...

    def default(self) -> Mapping[str, Any]:
        """The values in the ``params.yaml`` beside the ``pivot.yaml``; none without one."""
        ...

    def where(self, path: str | None, keys: Path) -> str:
        """The ``file:line`` of a value in a file that was read, or of the nearest one around it; None is the default.

        Without a line if it is not known.
        """
        ...


class NoFiles:
    """There are no files."""

    def read(self, path: str) -> Mapping[str, Any]:
        """Raise an error.

        Raises:
            DefinitionError: Always.
        """
        raise DefinitionError(f"there is no file {path!r}")

    def default(self) -> Mapping[str, Any]:
        """Return no values."""
        return {}

    def where(self, path: str | None, keys: Path) -> str:  # noqa: ARG002  # there are none
        """Return nothing."""
        return ""


@attrs.frozen(eq=False, repr=False)
class Origin(Value):
    """One of the places that define a variable.

    Attributes:
        value: The value there.
        where: The ``file:line`` of an item in it, by the path that leads there.
        names: The variables to which it refers.
    """

    value: Any
    where: Callable[[Path], str]
    names: tuple[str, ...] = ()


@attrs.frozen(eq=False, repr=False)
class VariableScope(Value):
    """The variables at one place.

    Attributes:
        values: The values by name.
        places: By name, what defines it.
        loaded: The files that were read, with the names that were taken from them; None for all.
        replaced: The keys of the other values that were used.
        origins: By name, where its value, or parts of it, come from.
    """

    values: Mapping[str, Any] = _NONE
    places: Mapping[str, str] = attrs.field(factory=dict)
    loaded: Mapping[str, frozenset[str] | None] = attrs.field(factory=dict)
    replaced: frozenset[tuple[str, ...]] = frozenset()
    origins: Mapping[str, tuple[Origin, ...]] = attrs.field(factory=dict)


class Variables:
    """All variables of one ``pivot.yaml``."""

    def __init__(self, files: VariablesFiles, given: Given, measure: Measure, where: Callable[[Path], str]) -> None:
        """Nothing has been read.

        Args:
            files: The files with variables.
            given: Other values; those of unknown names are ignored.
            measure: The limit.
            where: The ``file:line`` of a path in the ``pivot.yaml``.
        """
        self._files = files
        self._given = given
        self._measure = measure
        self._where = where
        self._default = _Default(files, given)
        self._names: dict[str, Any] = {}
        self._replaced: set[tuple[str, ...]] = set()
        self._contents: dict[str, Mapping[str, Any]] = {}
        self._scopes: dict[tuple[Path, str], VariableScope] = {}

    @property
    def names(self) -> frozenset[str]:
        """The names of all variables so far; of those in ``params.yaml``, the ones that were looked up."""
        return frozenset(self._names) | self._default.used

    def lookup(self, scope: VariableScope, above: Mapping[str, Any] = _NONE, below: Mapping[str, Any] = _NONE) -> Any:
        """The values for references: first ``above``, then the variables, then ``below``, then ``params.yaml``."""
        maps: list[Any] = [above, scope.values, below, self._default]
        return _Lookup(*maps)

    def place(self, scope: VariableScope, keys: tuple[str, ...]) -> str:
        """The ``file:line`` of a variable, or of an item in it; ``--var`` if the value comes from there."""
        for given in self._given:
            both = min(len(given), len(keys))
            if given[:both] == keys[:both]:
                return f"--var {'.'.join(given)}"
        for origin in scope.origins.get(keys[0], ()):
            path = path_in(origin.value, keys[1:])
            if path is not None:
                return origin.where(path)
        return self._default.where(keys)

    def check_given(self) -> None:
        """Check that every other value for a variable that exists has been used.

        Raises:
            ValidationError: The variable lacks the item.
        """
        for keys in self._given:
            if keys[0] in self._names and keys not in self._replaced:
                replaced(self._names[keys[0]], keys[1:], None, ("vars", keys[0]))

    def extended(  # where they are, and what surrounds them
        self,
        scope: VariableScope,
        raw: Any,
        path: Path,
        directory: str,
        *,
        above: Mapping[str, Any] = _NONE,
        below: Mapping[str, Any] = _NONE,
    ) -> VariableScope:
        """A scope with further variables.

        Args:
            scope: The scope around them.
            raw: The value of ``vars``: a mapping, or a list of mappings and files.
            path: Its path.
            directory: The directory to which the files are relative, itself relative to that of the ``pivot.yaml``.
            above: Values that no variable may hide.
            below: Values that variables hide.

        Raises:
            DefinitionError: A name is defined twice, a reference is unknown, or a file cannot be read.
        """
        if not raw:
            return scope
        key = (path, directory)
        if key in self._scopes:
            return self._scopes[key]
        added = _Added(scope, above)
        items = raw if isinstance(raw, list) else [raw]
        for position, item in enumerate(items):
            at = (*path, position) if isinstance(raw, list) else path
            if isinstance(item, str):
                self._add_file(added, interpolate(item, self.lookup(added.scope(), above, below), at), directory, at)
            else:
                self._add_mapping(added, item, at, lambda: self.lookup(added.scope(), above, below))
        if isinstance(raw, list):
            added.complete(self._default)
        found = added.scope()
        self._names.update(added.values)
        self._replaced |= found.replaced
        if not any(map(_refers, items)):
            self._scopes[key] = found
        return found

    def _add_mapping(
        self, added: "_Added", item: Mapping[str, Any], path: Path, lookup: Callable[[], Mapping[str, Any]]
    ) -> None:
        item = self._with_given(added, item)
        names = list(item)
        for at, (name, value) in enumerate(item.items()):
            refuse_taken(name, (*path, name))
            try:
                filled = interpolate(value, lookup(), (*path, name))
            except InterpolationError as error:
                if error.unknown in names[at:]:
                    itself = "a value cannot refer to itself" if error.unknown == name else ""
                    hint = itself or f"{error.unknown!r} is defined below it: move it up"
                    raise InterpolationError(str(error), error.path, hint=hint) from None
                raise
            self._measure.take(filled, (*path, name))
            named = tuple(references(value))
            origin = Origin(filled, lambda keys, name=name: self._where((*path, name, *keys)), named)  # type: ignore[misc]
            added.add(name, origin, self._where((*path, name)), (*path, name))

    def _add_file(self, added: "_Added", item: Any, directory: str, path: Path) -> None:
        if not isinstance(item, str):
            raise ValidationError(f"{subject(path)} must be a file, or a mapping", path)
        name, _, selected = item.partition(":")
        file = posixpath.normpath(posixpath.join(directory, name))
        keys = [key.strip() for key in selected.split(",") if key.strip()]
        if added.has_loaded(file, keys, name, path):
            return
        values = self._content(file, path)
        for key in keys:
            if key not in values:
                known = f"it has: {list_names(list(values), _MOST_NAMES) or 'nothing'}"
                raise ValidationError(f"{name!r} has no {key!r}", path, hint=suggest(key, values) or known)
        values = self._with_given(added, {key: values[key] for key in keys} if keys else values)
        self._measure.count(len(values), path)
        for key, value in values.items():
            origin = Origin(value, lambda keys, key=key: self._files.where(file, (key, *keys)))  # type: ignore[misc]
            added.add(key, origin, name, path)

    def _content(self, file: str, path: Path) -> Mapping[str, Any]:
        if file not in self._contents:
            try:
                self._contents[file] = self._files.read(file)
            except DefinitionError as error:
                raise ValidationError(str(error), path, hint=error.hint) from None
            self._measure.take(self._contents[file], path)
        return self._contents[file]

    def _with_given(self, added: "_Added", values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same values with the other ones in their places; those that were used before are left out."""
        for keys, value in self._given.items():
            if _has(values, keys):
                if keys in added.replaced:
                    values = _without(values, keys)
                else:
                    added.replaced.add(keys)
                    values = replaced(values, keys, value, ())
        return values


class _Added:
    """Variables that are added to a scope."""

    def __init__(self, scope: VariableScope, above: Mapping[str, Any]) -> None:
        self._scope, self._above = scope, above
        self.values: dict[str, Any] = {}
        self.replaced = set(scope.replaced)
        self._places: dict[str, str] = {}
        self._origins: dict[str, tuple[Origin, ...]] = {}
        self._loaded = dict(scope.loaded)

    def scope(self) -> VariableScope:
        """The whole scope so far."""
        before = self._scope
        values, places, origins = (
            cast("Mapping[str, Any]", ChainMap(*cast("list[dict[str, Any]]", each)) if each[1] else each[0])
            for each in ((self.values, before.values), (self._places, before.places), (self._origins, before.origins))
        )
        return VariableScope(values, places, self._loaded, frozenset(self.replaced), origins)

    def add(self, name: str, origin: Origin, place: str, path: Path) -> None:
        """Add a variable, or the items of a mapping to a variable."""
        value = origin.value
        if name in self._above:
            raise ValidationError(
                f"{name!r} is the stage's own: no variable may have this name", path, hint="rename it"
            )
        known = self.values.get(name, self._scope.values.get(name, _MISSING))
        if known is not _MISSING:
            before = self._places.get(name) or self._scope.places[name]
            value = _merged(known, value, (name,), lambda keys: _defined_twice(keys, before, place, path))
            place = f"{before} and {place}"
        self.values[name] = value
        self._places[name] = place
        self._origins[name] = (*self._origins.get(name, self._scope.origins.get(name, ())), origin)

    def has_loaded(self, file: str, keys: list[str], name: str, path: Path) -> bool:
        """Whether a whole file has been read before; notes that it is read now, wholly or these keys of it."""
        if file in self._loaded:
            before = self._loaded[file]
            if before is None and not keys:
                return True
            if before is None or not keys:
                raise ValidationError(
                    f"{name!r} is named both wholly and by some of its names", path, hint="keep one of the two"
                )
            twice = next((key for key in keys if key in before), None)
            if twice is not None:
                raise ValidationError(f"{twice!r} of {name!r} is named twice", path, hint="remove one")
            self._loaded[file] = before | set(keys)
        else:
            self._loaded[file] = frozenset(keys) if keys else None
        return False

    def complete(self, default: "_Default") -> None:
        """Add to mappings those items that only the mapping of the same name in ``default`` has."""
        for name, value in self.values.items():
            if isinstance(value, Mapping) and name in default and isinstance(default[name], Mapping):
                self.values[name] = _over(default[name], value)


class _Lookup(ChainMap[str, Any]):
    """Several mappings as one; the names of the first come first."""

    def __getitem__(self, name: str) -> Any:
        for each in self.maps:
            if name in each:
                return each[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        for each in self.maps:  # noqa: SIM110  # a generator takes longer than the few mappings
            if name in each:
                return True
        return False

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for each in self.maps for name in each))


class _Default:
    """The values of ``params.yaml``, which is read when the first of them is needed.

    Attributes:
        used: The names that were looked up.
    """

    def __init__(self, files: VariablesFiles, given: Given) -> None:
        self.used: frozenset[str] = frozenset()
        self._files, self._given = files, given
        self._values: Mapping[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        value = self._all()[name]
        self.used |= {name}
        return value

    def where(self, keys: tuple[str, ...]) -> str:
        """The ``file:line`` of a value in it."""
        return self._files.where(None, path_in(self._all(), keys) or ())

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def _all(self) -> Mapping[str, Any]:
        if self._values is None:
            values = self._files.default()
            for keys, value in self._given.items():
                if keys[0] in values:
                    values = replaced(values, keys, value, ("vars",))
            self._values = values
        return self._values


_MISSING: Final = object()


def refuse_taken(name: str, path: Path) -> None:
    """Refuse a name that means something else in a command.

    Raises:
        ValidationError: It is one.
    """
    if name in LATER:
        raise ValidationError(
            f"{name!r} cannot be the name of a variable, since ${{{name}.…}} means the stage's", path, hint="rename it"
        )


def replaced(values: Any, keys: tuple[str, ...], value: Any, path: Path) -> Any:
    """The same values with another one for the item that these keys lead to.

    Raises:
        ValidationError: There is no such item.
    """
    if not keys:
        return value
    if not isinstance(values, Mapping) or keys[0] not in values:
        raise ValidationError(f"{subject(path)} has no item {keys[0]!r}", path)
    return {**values, keys[0]: replaced(values[keys[0]], keys[1:], value, (*path, keys[0]))}


def _has(values: Any, keys: tuple[str, ...]) -> bool:
    return not keys or (isinstance(values, Mapping) and keys[0] in values and _has(values[keys[0]], keys[1:]))


def _without(values: Mapping[str, Any], keys: tuple[str, ...]) -> Mapping[str, Any]:
    rest = {key: value for key, value in values.items() if key != keys[0]}
    return rest if len(keys) == 1 else {**rest, keys[0]: _without(values[keys[0]], keys[1:])}


def _merged(
    known: Any, new: Any, keys: tuple[str, ...], twice: Callable[[tuple[str, ...]], ValidationError]
) -> Mapping[str, Any]:
    if not isinstance(known, Mapping) or not isinstance(new, Mapping):
        raise twice(keys)
    both = {key: _merged(known[key], new[key], (*keys, key), twice) for key in new if key in known}
    return {**known, **new, **both}


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Mapping[str, Any]:
    """Both mappings; where both have a value, that of ``above``."""
    both = {
        key: _over(below[key], value)
        for key, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
    }
    return {**below, **above, **both}


def _defined_twice(keys: tuple[str, ...], before: str, now: str, path: Path) -> ValidationError:
    return ValidationError(
        f"{'.'.join(keys)!r} is defined in {before} and in {now}",
        path,
        hint="remove one of the two; 'file.yaml:a,b' takes only the names a and b of a file",
    )


def _refers(value: Any) -> bool:
    if isinstance(value, str):
        return has_references(value)
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return any(map(_refers, inner))
