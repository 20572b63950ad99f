"""A stage as plain data: all of it that crosses process boundaries."""

import os
import posixpath
from collections.abc import Mapping

import attrs

from pivot_core.errors import DefinitionError
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value


@attrs.frozen(order=True)
class Location:
    """A line of a file; printed as ``file:line``."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def below(self, root: str) -> "Location":
        """The same place, its file relative to ``root`` where it is below it."""
        prefix = root.rstrip("/") + "/"
        return attrs.evolve(self, file=self.file.removeprefix(prefix))


@attrs.frozen(eq=False, repr=False)
class OutSpec(Value):
    """The declaration of an out; all of it is part of the inputs key.

    Attributes:
        path: Where it is.
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


@attrs.frozen(eq=False, repr=False)
class StageSpec(Value):
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
        resources: The resources that it uses while it runs, and how much of each.
        named: The files that a shell stage's command names without declaring them as deps or outs.
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


class StageError(DefinitionError):
    """A stage's signature does not say what Pivot needs to know.

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
        """The same error, its location relative to ``root``."""
        return StageError(self.stage, self.location.below(root), self.problem, hint=self.hint)


def base_of(pipeline_file: str | os.PathLike[str], root: str | os.PathLike[str]) -> str:
    """The directory of a pipeline's file as `StageSpec.base` writes it."""
    relative = posixpath.relpath(posixpath.dirname(os.fspath(pipeline_file)), os.fspath(root))
    return "" if relative == "." else relative
