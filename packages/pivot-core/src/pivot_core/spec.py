"""A stage as plain data, in the form that crosses process boundaries."""

import os
import posixpath
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

import attrs

from pivot_core.errors import DefinitionError
from pivot_core.files import paths
from pivot_core.files.paths import ArtifactPath
from pivot_core.values import Value

METRIC: Final = "metric"
"""The kind of an out with values that `pivot metrics` shows."""
PLOT: Final = "plot"
"""The kind of an out that `pivot plots` draws."""
LOCAL: Final = "local"
"""The executor that runs stages on the machine of the command."""

type Shape = Literal["one", "list", "tuple"]


@attrs.frozen(order=True)
class Location:
    """A line of a file; printed as ``file:line``. With the line 0, it is the file as a whole."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def below(self, root: str) -> "Location":
        """The same location, with its file relative to ``root`` if it is below it."""
        return attrs.evolve(self, file=paths.below(self.file, root) or self.file)


@attrs.frozen(eq=False, repr=False)
class PlotOptions(Value):
    """How a plot is drawn; no run depends on it. An empty value leaves the choice to Pivot.

    Attributes:
        kind: ``line``, ``scatter``, ``bar`` or ``confusion``.
        x: The column of the horizontal axis; for ``confusion``, that of the predicted class.
        y: The columns of the vertical axis; for ``confusion``, that of the actual class.
        group: The column whose values are drawn in different colours.
        title: The title.
        x_label: The name of the horizontal axis.
        y_label: The name of the vertical axis.
    """

    kind: str = ""
    x: str = ""
    y: tuple[str, ...] = ()
    group: str = ""
    title: str = ""
    x_label: str = ""
    y_label: str = ""

    def to_plain(self) -> dict[str, Any]:
        """The options that are not empty, as data for JSON."""
        plain = {name: getattr(self, name) for name in attrs.fields_dict(PlotOptions) if getattr(self, name)}
        return plain | ({"y": list(self.y)} if self.y else {})

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The options in such data."""
        return cls(**{**plain, "y": tuple(plain.get("y", ()))})


@attrs.frozen(eq=False, repr=False)
class PartView(Value):
    """The use that people make of files in an out that is a directory; no run depends on it.

    Attributes:
        path: A file or a directory in it; ``""`` is all of it.
        kind: `METRIC`, for one file, or `PLOT`.
        plot: How a `PLOT` is drawn.
    """

    path: str
    kind: str
    plot: PlotOptions | None = None

    def to_plain(self) -> list[Any]:
        """The use as data for JSON."""
        return [self.path, self.kind, None if self.plot is None else self.plot.to_plain()]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Self:
        """The use of such data."""
        path, kind, plot = plain
        return cls(path, kind, None if plot is None else PlotOptions.from_plain(plot))


@attrs.frozen(eq=False, repr=False)
class OutSpec(Value):
    """The declaration of an out; every field except its kind, its plot and ``temp`` is part of the inputs key.

    Attributes:
        path: Its path.
        cache: Whether its content is stored in the cache.
        directory: Whether it is a directory.
        incremental: Whether a run starts from its last content.
        kind: The use that people make of its content, such as `METRIC`; ``""`` for most outs. It is not compared.
        plot: How a `PLOT` is drawn; it is neither compared nor recorded.
        temp: Whether it is removed from the workspace once every stage that reads it is up to date. It is not compared.
        desc: Its meaning, for the reader.
        meta: Any further data for the reader. Neither this nor ``desc`` is compared or recorded.
        inside: The metrics and plots in a directory; they are neither compared nor recorded.
    """

    path: ArtifactPath
    cache: bool = True
    directory: bool = False
    incremental: bool = False
    kind: str = attrs.field(default="", eq=False)
    plot: PlotOptions | None = attrs.field(default=None, eq=False)
    temp: bool = attrs.field(default=False, eq=False)
    desc: str = attrs.field(default="", eq=False)
    meta: Mapping[str, Any] = attrs.field(factory=dict, eq=False)
    inside: tuple[PartView, ...] = attrs.field(default=(), eq=False)

    def facts(self) -> dict[str, bool]:
        """Everything that is compared, except the path; rarely set flags are omitted if false."""
        facts = {"cache": self.cache}
        if self.directory:
            facts["directory"] = True
        if self.incremental:
            facts["incremental"] = True
        return facts


@attrs.frozen(eq=False, repr=False)
class StageSpec(Value):
    """A stage as plain data, which can cross process boundaries.

    Attributes:
        name: The stage's own name, unique in its pipeline.
        pipeline: The pipeline's name, unique in the project.
        base: The directory in which it runs, relative to the root; by default that of its ``pipeline.py``; ``""`` is
            the root.
        location: Where its function is defined.
        deps: The artifacts it reads, sorted, each once.
        uncounted: Those of the deps whose content is no reason to run it.
        outs: The artifacts it writes, sorted.
        mutex: The groups in which only one stage runs at a time.
        resources: The resources that it uses while it runs, and how much of each; sizes in bytes.
        named: The files that a shell stage's command names without declaring them as deps or outs.
        timeout: The maximum duration of a run in seconds; None for no limit. Neither this nor `retries` is part of the
            key.
        retries: How often a failed run is repeated.
        always: Whether it runs in every run, even if nothing has changed.
        frozen: Whether it never runs, even if something has changed.
        ttl: For how many seconds its result counts, from the start of the run that made it; None without a limit. None
            of these three is part of the key.
        after: The stages that it runs after although it reads none of their outs: names in its pipeline, or addresses.
        priority: Of stages that could start, those with the highest priority do.
        desc: Its purpose, in one line for the reader.
        uncounted_params: The names of its parameters that do not count as inputs.
        executor: `LOCAL` if it always runs on the machine of the command; ``""`` if it runs where the command says. It
            is not part of the key.
        file_params: By values file, the keys whose values are parameters, or none for all of it. The files are deps
            whose content as a whole is no reason to run it, unless it declares them as such, too.
        meta: Any data for the reader, which count as nothing.
        variables: By name, the canonical text and the place of the values of a ``pivot.yaml``'s variables from which it
            is made; they are neither compared nor recorded.
    """

    name: str
    pipeline: str
    base: str
    location: Location
    deps: tuple[ArtifactPath, ...] = ()
    outs: tuple[OutSpec, ...] = ()
    mutex: tuple[str, ...] = ()
    resources: Mapping[str, int] = attrs.field(factory=dict)
    named: tuple[ArtifactPath, ...] = ()
    timeout: float | None = None
    retries: int = 0
    always: bool = False
    frozen: bool = False
    ttl: float | None = None
    uncounted: tuple[ArtifactPath, ...] = ()
    after: tuple[str, ...] = ()
    priority: int = 0
    desc: str = ""
    uncounted_params: tuple[str, ...] = ()
    executor: str = ""
    file_params: Mapping[ArtifactPath, tuple[str, ...]] = attrs.field(factory=dict)
    meta: Mapping[str, Any] = attrs.field(factory=dict)
    variables: Mapping[str, tuple[str, str]] = attrs.field(factory=dict, eq=False)

    @property
    def address(self) -> str:
        """``<pipeline>.<stage>``, which does not depend on the other stages loaded."""
        return f"{self.pipeline}.{self.name}"


@attrs.frozen(eq=False, repr=False)
class OutValue(Value):
    """One value that a stage returns, and the outs that it is saved to.

    Attributes:
        key: Its key in the returned mapping, or the name of a shell stage's out; ``return`` if it is the only value.
        paths: The outs.
        shape: Whether it is the content of ``one`` path, or a list or tuple with an item for each path.
        directory: Whether each path is a directory.
        loader: The loader as plain data, its class and options; None if only the process that imported it has it.
        loader_name: The name of the loader's class.
        path_only: The value is the path itself.
        readable: The loader can load.
    """

    key: str
    paths: tuple[ArtifactPath, ...]
    shape: Shape = "one"
    directory: bool = False
    loader: Any = None
    loader_name: str = "PathOnly"
    path_only: bool = True
    readable: bool = True

    def like(self, values: list[Any]) -> Any:
        """One value per path, in the shape that the stage returns."""
        if self.shape == "one":
            return values[0]
        return tuple(values) if self.shape == "tuple" else values

    def to_plain(self) -> list[Any]:
        """The value as data for JSON."""
        flags = (self.directory, self.path_only, self.readable)
        return [self.key, list(self.paths), self.shape, list(flags), self.loader_name, self.loader]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Self:
        """The value of such data."""
        key, paths, shape, (directory, path_only, readable), name, loader = plain
        return cls(key, tuple(map(ArtifactPath, paths)), shape, directory, loader, name, path_only, readable)


class StageError(DefinitionError):
    """A stage's signature lacks information that Pivot needs.

    Attributes:
        stage: The stage's name.
        location: Where its function is defined.
        problem: The problem.
    """

    def __init__(self, stage: str, location: Location, problem: str, *, hint: str | None = None) -> None:
        super().__init__(problem, hint=hint)
        self.stage = stage
        self.location = location
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.location}: stage {self.stage!r}: {self.problem}"

    def below(self, root: str) -> "StageError":
        """The same error with its location relative to ``root``."""
        return StageError(self.stage, self.location.below(root), self.problem, hint=self.hint)


def base_of(pipeline_file: str | os.PathLike[str], root: str | os.PathLike[str]) -> str:
    """The directory of a pipeline's file in the form of `StageSpec.base`."""
    relative = posixpath.relpath(posixpath.dirname(os.fspath(pipeline_file)), os.fspath(root))
    return "" if relative == "." else relative
