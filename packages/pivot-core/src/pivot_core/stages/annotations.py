"""Annotations for the files in a stage's signature: `Dep`, `Out` and its variants, for use inside ``Annotated``."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

import attrs

from pivot_core.conversion.plain import plain_mapping
from pivot_core.errors import DefinitionError, suggest
from pivot_core.files.patterns import is_pattern
from pivot_core.loaders import JSON, PathOnly, Reader, Writer
from pivot_core.spec import METRIC, PLOT, PartView, PlotOptions
from pivot_core.values import LATER, Value

__pivot_module__ = "pivot"

type PathLike = str | os.PathLike[str]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://").match
_IMPORTED = re.compile(r"(https?|s3)://", re.IGNORECASE).match


def _path_text(value: PathLike) -> str:
    try:
        text = os.fspath(value)
    except TypeError:
        raise DefinitionError(f"a path must be a string or a Path, not {type(value).__name__}") from None
    if not isinstance(text, str):
        raise DefinitionError("a path must be a string or a Path, not bytes")
    return text


def _path_or_paths(value: PathLike | Sequence[PathLike]) -> str | tuple[str, ...] | list[str]:
    if isinstance(value, list):
        return [_path_text(each) for each in value]
    if isinstance(value, tuple):
        return tuple(_path_text(each) for each in value)
    return _path_text(value)  # type: ignore[arg-type] # the validator rejects other sequences


def _way_of_data(url: str) -> str:
    if _IMPORTED(url):
        return f"'pivot import-url {url}' brings it into the project, where its path can be a dep"
    return "bring it into the project with a tool for such URLs, and track it with 'pivot track': its path can be a dep"


def _meta(value: Any) -> Mapping[str, Any] | None:
    return None if value is None else plain_mapping("the meta of an out", value)


class _Several(Value):
    """One or several paths of an annotation."""

    __slots__ = ()
    path: str | tuple[str, ...] | list[str]

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths, in order."""
        return (self.path,) if isinstance(self.path, str) else tuple(self.path)

    def like(self, values: Sequence[Any]) -> Any:
        """One value per path, in the shape of `path`: the value itself, a list or a tuple."""
        if isinstance(self.path, str):
            return values[0]
        return list(values) if isinstance(self.path, list) else tuple(values)

    def _check_paths(self, url_hint: Callable[[str], str]) -> None:
        if not self.path and not isinstance(self.path, str):
            raise DefinitionError(f"{type(self).__name__} names no path")
        url = next(filter(_URL, self.paths), None)
        if url is not None:
            raise DefinitionError(
                f"{type(self).__name__}({url!r}): this is a URL, not the path of a file in the project",
                hint=url_hint(url),
            )
        twice = sorted({path for path in self.paths if self.paths.count(path) > 1})
        if twice:
            raise DefinitionError(f"{type(self).__name__} names {twice[0]!r} twice")


@attrs.frozen(eq=False, repr=False)
class Dep(_Several):
    """A file or directory that a stage reads, or all files that match a pattern, such as ``parts/*.csv``.

    Attributes:
        path: Relative to the directory of the stage's ``pipeline.py``; a list or tuple of paths
            makes the parameter's value a list or tuple, each item loaded from its path.
        loader: Turns the file into the parameter's value. For a path that ends with a ``/``, it loads each file of the
            directory, and the value is a mapping by relative path; with `PathOnly`, the value is the path itself. For a
            pattern, the value is a mapping by path, or with `PathOnly` a list of the paths.
        lazy: Load a file of such a mapping only when the stage gets it from the mapping, again each time.
        count: Whether another content is a reason to run the stage again. Otherwise, it must only exist, and a stage
            that writes it runs first.
    """

    path: str | tuple[str, ...] | list[str] = attrs.field(converter=_path_or_paths)
    loader: Reader[Any] = attrs.field(factory=PathOnly)
    lazy: bool = attrs.field(default=False, kw_only=True, metadata=LATER)
    count: bool = attrs.field(default=True, kw_only=True, metadata=LATER)

    def __attrs_post_init__(self) -> None:
        self._check_paths(_way_of_data)
        if isinstance(self.loader, type) or not isinstance(self.loader, Reader):
            raise DefinitionError(
                f"the loader of Dep({self.path!r}) has no method load(path): {_describe_loader(self.loader)}",
                hint=_call_hint(self.loader),
            )
        if self.lazy and self.path and not all(self.loads_files(path) for path in self.paths):
            raise DefinitionError(
                f"Dep({self.path!r}, lazy=True): its value is no mapping of files, which could be loaded later",
                hint="name a loader, and end the path of a directory with a /, as in Dep('parts/', Text(), lazy=True)",
            )

    def loads_files(self, path: str) -> bool:
        """Whether the value of one of its paths is a mapping of files."""
        return (path.endswith("/") or is_pattern(path)) and not isinstance(self.loader, PathOnly)


@attrs.frozen(eq=False, repr=False)
class PlaceholderDep(Dep):
    """A dep whose path is set by each registration of the function: ``register(func, deps={parameter: path})``."""

    path: str | tuple[str, ...] | list[str] = attrs.field(init=False, default="")


@attrs.frozen(eq=False, repr=False)
class Out(_Several):
    """A file that a stage writes, or, if its path ends with a ``/``, a directory, as with `DirectoryOut`.

    Attributes:
        path: Relative to the directory of the stage's ``pipeline.py``; a list or tuple of paths takes as many values,
            and each is saved to its path.
        loader: Turns the returned value into the file.
        cache: Whether its content is stored in the cache; otherwise it is for git, and only hashed.
        persist: When a run starts, a copy of the last content is in place, which the stage goes on from; without the
            cache, that is the file in its place, whatever it is, and the stage runs on this machine. A parameter
            may have the same annotation if the loader can also load: it receives the last value, or None on the first
            run.
        temp: Remove it from the workspace once every stage that reads it is up to date. Its content stays in the cache,
            from which it is restored when a stage that reads it must run.
        check: Called with the value after it has been saved; with `PathOnly`, that is the path. If it raises an
            exception or returns False, the stage has failed. Its code counts as code of the stage.
        desc: Its meaning, for the reader.
        meta: Any further data for the reader; neither this nor ``desc`` counts as a change.
    """

    role: ClassVar[str] = ""

    path: str | tuple[str, ...] | list[str] = attrs.field(converter=_path_or_paths)
    loader: Writer[Any] = attrs.field(factory=PathOnly)
    cache: bool = attrs.field(default=True, kw_only=True)
    persist: bool = attrs.field(default=False, kw_only=True, metadata=LATER)
    temp: bool = attrs.field(default=False, kw_only=True, metadata=LATER)
    check: Callable[[Any], object] | None = attrs.field(default=None, kw_only=True, metadata=LATER)
    desc: str = attrs.field(default="", kw_only=True, eq=False, metadata=LATER)
    meta: Mapping[str, Any] | None = attrs.field(default=None, converter=_meta, kw_only=True, eq=False, metadata=LATER)

    def __attrs_post_init__(self) -> None:
        self._check_paths(lambda _: "let the stage write a file, which 'pivot push' uploads to a remote")
        if isinstance(self.loader, type) or not isinstance(self.loader, Writer):
            raise DefinitionError(
                f"the loader of {type(self).__name__}({self.path!r}) has no method save(value, path): "
                f"{_describe_loader(self.loader)}",
                hint=_call_hint(self.loader),
            )
        if self.check is not None and (isinstance(self.check, type) or not callable(self.check)):
            raise DefinitionError(
                f"the check of {type(self).__name__}({self.path!r}) is no function: {_describe_loader(self.check)}",
                hint="give a function that takes the value, such as pivot.checks.not_empty",
            )
        if self.temp and (self.persist or not self.cache):
            other = "persist=True" if self.persist else "cache=False"
            why = "its next run starts from it" if self.persist else "it is restored from the cache"
            raise DefinitionError(
                f"{type(self).__name__}({self.path!r}, temp=True, {other}): {why}", hint="remove one of the two"
            )
        if len({path.endswith("/") for path in self.paths}) > 1 and not isinstance(self, DirectoryOut):
            raise DefinitionError(
                f"{type(self).__name__} names both files and directories: {', '.join(self.paths)}",
                hint="end all of its paths with a /, or none",
            )

    @property
    def directory(self) -> bool:
        """Whether it is a directory, or, for several paths, whether each of them is one."""
        return self.paths[0].endswith("/")

    @property
    def options(self) -> PlotOptions | None:
        """How it is drawn, if it is a plot."""
        return None

    @property
    def inside(self) -> tuple[PartView, ...]:
        """The metrics and plots in it, if it is a directory with some."""
        return ()


@attrs.frozen(eq=False, repr=False)
class Metric(Out):
    """A small file for git, such as scores: hashed, but not stored in the cache. Saved as JSON by default.

    ``pivot metrics`` shows its values.
    """

    role: ClassVar[str] = METRIC

    loader: Writer[Any] = attrs.field(factory=JSON)
    cache: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.directory:
            raise DefinitionError(f"Metric({self.path!r}): a metric is a file", hint="remove the / at its end")


PLOT_KINDS: Final = ("line", "scatter", "bar", "confusion")
"""The kinds of charts."""


def _columns(value: str | Sequence[str]) -> tuple[str, ...]:
    return (() if not value else (value,)) if isinstance(value, str) else tuple(value)


@attrs.frozen(eq=False, repr=False)
class Plot(Out):
    """A plot: a series in CSV, JSON or JSONL, which ``pivot plots`` draws, or an image, which it shows.

    The options say how a series is drawn. They do not count as a change: a stage does not run again because of them.

    Attributes:
        kind: ``line`` (the default), ``scatter``, ``bar`` or ``confusion``, a matrix of predicted and actual classes.
        x: The column of the horizontal axis, by default the number of the row; for ``confusion``, the predicted class.
        y: The column or columns of the vertical axis, by default all numbers; for ``confusion``, the actual class.
        group: A column whose values are drawn in different colours.
        title: The title; by default the path.
        x_label: The name of the horizontal axis.
        y_label: The name of the vertical axis.
    """

    role: ClassVar[str] = PLOT

    kind: str = attrs.field(default="", kw_only=True)
    x: str = attrs.field(default="", kw_only=True)
    y: tuple[str, ...] = attrs.field(default=(), converter=_columns, kw_only=True)
    group: str = attrs.field(default="", kw_only=True)
    title: str = attrs.field(default="", kw_only=True)
    x_label: str = attrs.field(default="", kw_only=True)
    y_label: str = attrs.field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.directory:
            raise DefinitionError(f"Plot({self.path!r}): a plot is a file", hint="remove the / at its end")
        if self.kind and self.kind not in PLOT_KINDS:
            raise DefinitionError(
                f"Plot({self.path!r}, kind={self.kind!r}): there is no such kind",
                hint=suggest(str(self.kind), PLOT_KINDS) or f"it is one of {', '.join(PLOT_KINDS)}",
            )
        for name, value in attrs.asdict(self.options).items():
            if not all(isinstance(each, str) for each in (value if name == "y" else [value])):
                raise DefinitionError(f"Plot({self.path!r}): {name} must be a text, not {value!r}")

    @property
    def options(self) -> PlotOptions:
        """How it is drawn."""
        return PlotOptions(self.kind, self.x, self.y, self.group, self.title, self.x_label, self.y_label)


@attrs.frozen(eq=False, repr=False)
class DirectoryOut(Out):
    """A directory that a stage writes, with everything in it.

    With `PathOnly`, the stage itself writes into the directory. With another loader, the value is a mapping from
    relative paths to values, and the directory contains nothing else.
    """

    @property
    def directory(self) -> bool:
        """Always true."""
        return True


@attrs.frozen(eq=False, repr=False)
class ViewedDirectory(DirectoryOut):
    """A directory of a ``pivot.yaml`` with files that are metrics or plots."""

    parts: tuple[PartView, ...] = attrs.field(default=(), kw_only=True, eq=False)

    @property
    def inside(self) -> tuple[PartView, ...]:
        """The metrics and plots in it."""
        return self.parts


@attrs.frozen(eq=False, repr=False)
class IncrementalOut(Out):
    """The same as ``Out(..., persist=True)``: a file that a stage updates, or a directory."""

    persist: bool = attrs.field(init=False, default=True, metadata=LATER)


def _describe_loader(loader: object) -> str:
    return f"class {loader.__name__}" if isinstance(loader, type) else type(loader).__name__


def _call_hint(loader: object) -> str:
    if isinstance(loader, type):
        return f"give an instance: {loader.__name__}()"
    return "use one of pivot.loaders, or a class with load(path) and save(value, path)"
