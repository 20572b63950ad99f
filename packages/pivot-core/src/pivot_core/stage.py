"""What a stage is: the live `Stage` that a user registered, and the plain `StageSpec` it amounts to."""

import os
import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pivot_core.annotations import Dep, IncrementalOut, Out
from pivot_core.assigning import Given, Override, settle
from pivot_core.errors import DefinitionError, PathError
from pivot_core.paths import ArtifactPath


@attrs.frozen(order=True)
class Location:
    """A line of a file; printed as ``file:line``."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def below(self, root: str) -> "Location":
        """The same place, its file relative to ``root`` where it lies below it."""
        prefix = root.rstrip("/") + "/"
        return attrs.evolve(self, file=self.file.removeprefix(prefix))


@attrs.frozen
class OutSpec:
    """What is declared of an out; all of it is part of the inputs key.

    Attributes:
        path: Where it lies.
        cache: Whether its content is kept in the object store.
        directory: Whether it is a directory.
        incremental: Whether a run starts from what the last one left.
    """

    path: ArtifactPath
    cache: bool = True
    directory: bool = False
    incremental: bool = False

    def facts(self) -> dict[str, bool]:
        """Everything but the path; what is seldom true is left out where it is not."""
        facts = {"cache": self.cache}
        if self.directory:
            facts["directory"] = True
        if self.incremental:
            facts["incremental"] = True
        return facts


@attrs.frozen
class StageSpec:
    """A stage as plain data: what crosses process boundaries.

    Attributes:
        name: The stage's own name, unique in its pipeline.
        pipeline: The pipeline's name, unique in the project.
        base: The directory in which it runs, that of its ``pipeline.py`` unless its pipeline says otherwise, relative
            to the root; ``""`` is the root.
        location: Where its function is defined.
        deps: The artifacts it reads, sorted, each once.
        outs: The artifacts it writes, sorted.
        mutex: The groups of stages of which only one runs at a time.
        resources: What it occupies while it runs, and how much.
        named: What a shell stage's command names without declaring it as a dep or out.
        timeout: After how many seconds it is ended; None for never. No part of the key, nor are retries.
        retries: How often it is run again after it has failed.
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

    @property
    def address(self) -> str:
        """``<pipeline>.<stage>``: the same whatever else is loaded."""
        return f"{self.pipeline}.{self.name}"


@attrs.frozen(eq=False)
class Taken:
    """The parameters that a stage takes.

    Attributes:
        parameter: The name of the function's parameter.
        cls: Its class.
        given: The values by name that the registration gives.
        places: By name, where a value stands, if it is not where the stage stands.
    """

    parameter: str
    cls: type
    given: Mapping[str, Any] = attrs.field(factory=dict)
    places: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(eq=False)
class Stage:
    """A registered function and what its signature declares.

    Attributes:
        name: The stage's own name.
        func: What runs: a function, or a `pivot_core.command.Command`.
        location: Where it is defined, with the file's absolute path.
        deps: By parameter.
        outs: By the key of the returned TypedDict; `single` has the key ``"return"``.
        single: The return value itself is the value of the only out.
        previous: By parameter, the outs of which it takes the previous value.
        params: The typed parameters that it takes, or None.
        values: By parameter, what it is called with besides what is loaded.
        env: The environment variables that it rests on.
        mutex: The groups of stages of which only one runs at a time.
        resources: What it occupies while it runs, and how much.
        timeout: After how many seconds it is ended; None for never. No part of the key, nor are retries.
        retries: How often it is run again after it has failed.
    """

    name: str
    func: Any
    location: Location
    deps: Mapping[str, Dep]
    outs: Mapping[str, Out]
    single: bool = False
    previous: Mapping[str, IncrementalOut] = attrs.field(factory=dict)
    params: Taken | None = None
    values: Mapping[str, Any] = attrs.field(factory=dict)
    env: tuple[str, ...] = ()
    mutex: tuple[str, ...] = ()
    resources: Mapping[str, int] = attrs.field(factory=dict)
    timeout: float | None = None
    retries: int = 0

    def settled(
        self,
        layers: Iterable[Given] = (),
        overrides: Iterable[tuple[Override, tuple[str, ...]]] = (),
        *,
        root: str = "/",
    ) -> "Stage":
        """This stage with the values of its parameters: its own under ``layers`` under ``overrides``.

        Errors name files relative to ``root``.

        Raises:
            ParamError: A name is not known, a value does not fit, or one is missing.
        """
        if self.params is None:
            return self
        here = str(self.location.below(root))
        own = Given(self.params.given, {name: self.params.places.get(name, here) for name in self.params.given})
        value = settle(self.name, self.params.cls, (own, *layers), overrides)
        return attrs.evolve(self, values={**self.values, self.params.parameter: value})

    def spec(self, pipeline: str, *, base: str, root: str) -> StageSpec:
        """This stage as plain data, its paths resolved against ``base``.

        Raises:
            StageError: A path leaves the project, or one path is declared as two outs.
        """
        deps = {
            self._resolve(path, f"Dep of parameter {name!r}", base, root)
            for name, dep in self.deps.items()
            for path in dep.paths
        }
        outs: dict[ArtifactPath, OutSpec] = {}
        labels: dict[ArtifactPath, str] = {}
        for key, out in self.outs.items():
            label = "the returned value" if self.single else repr(key)
            for declared in out.paths:
                path = self._resolve(declared, f"{type(out).__name__} of {label}", base, root)
                if path in outs:
                    raise StageError(
                        self.name, self.location, f"{labels[path]} and {label} are both written to {str(path)!r}"
                    )
                labels[path] = label
                outs[path] = OutSpec(path, cache=out.cache, directory=out.directory, incremental=out.incremental)
        return StageSpec(
            name=self.name,
            pipeline=pipeline,
            base=base,
            location=self.location.below(root),
            deps=tuple(sorted(deps)),
            outs=tuple(spec for _, spec in sorted(outs.items())),
            mutex=self.mutex,
            resources=self.resources,
            timeout=self.timeout,
            retries=self.retries,
        )

    def _resolve(self, declared: str, what: str, base: str, root: str) -> ArtifactPath:
        try:
            return ArtifactPath.resolve(declared, base=base, root=root)
        except PathError as error:
            raise StageError(self.name, self.location, f"{what}: {error}", hint=error.hint) from None


class StageError(DefinitionError):
    """A stage's signature does not say what Pivot needs to know.

    Attributes:
        stage: The stage's name.
        location: Where its function is defined.
        problem: What is wrong with it.
    """

    def __init__(self, stage: str, location: Location, problem: str, *, hint: str | None = None) -> None:
        super().__init__(problem, hint=hint)
        self.stage = stage
        self.location = location
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.location}: stage {self.stage!r}: {self.problem}"

    def below(self, root: str) -> "StageError":
        """The same error, its location relative to ``root``."""
        return StageError(self.stage, self.location.below(root), self.problem, hint=self.hint)


def base_of(pipeline_file: str | os.PathLike[str], root: str | os.PathLike[str]) -> str:
    """The directory of a pipeline's file as `StageSpec.base` writes it."""
    relative = posixpath.relpath(posixpath.dirname(os.fspath(pipeline_file)), os.fspath(root))
    return "" if relative == "." else relative
