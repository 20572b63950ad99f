"""The project that is shown: its last graph and status, which one thread at a time evaluates."""

import contextlib
import os
import pathlib
import threading
import time
from collections.abc import Mapping

import attrs

from pivot_cli.embedding.contexts import embedded_context
from pivot_core.errors import PivotError
from pivot_core.files.paths import STATE_DIR
from pivot_core.graph import Graph
from pivot_core.values import Value
from pivot_runtime.context import CommandContext
from pivot_runtime.freshness.stamps import ReadSet
from pivot_runtime.inspecting.overview import Overview
from pivot_runtime.inspecting.status import StageStatus, Status, StatusOptions, status
from pivot_runtime.project import pipeline_files
from pivot_runtime.running.watched_paths import note_code

__all__ = ["EvaluatedProject", "ProjectService", "evaluate_project"]

_OPTIONS = StatusOptions(
    all_pipelines=True, with_upstream=True, quiet=True, diff=True, variables=True, tracked=True, stats=True
)


@attrs.frozen(eq=False, repr=False)
class EvaluatedProject(Value):
    """The project as it was at one time.

    Attributes:
        version: Greater than that of all earlier evaluations.
        computed: The start of the evaluation, in seconds since the epoch.
        status: The status of all stages; without stages if they are not known.
        overview: The same stages as declared.
        problem: The reason why not all stages are known, or are as they were before.
        read_set: All that was read for this.
    """

    version: int
    computed: float
    status: Status
    overview: Overview
    problem: PivotError | None
    read_set: ReadSet = attrs.field(eq=False, repr=False)

    def stage(self, address: str) -> StageStatus | None:
        """Return the status of a stage; None if there is no such stage."""
        return next((each for each in self.status.stages if each.evaluation.stage.spec.address == address), None)


class ProjectService:
    """Everything that the answers of one server have in common. Any thread may use it.

    Attributes:
        root: The project's root.
        environment: The environment variables.
        allow_run: Whether the page may run stages.
        exported: Whether the answers become files.
    """

    def __init__(
        self, root: pathlib.Path, environment: Mapping[str, str], *, allow_run: bool = False, exported: bool = False
    ) -> None:
        """Read nothing yet."""
        self.root = root
        self.environment = environment
        self.allow_run = allow_run
        self.exported = exported
        self._turn = threading.Lock()
        self._evaluated: EvaluatedProject | None = None

    def context(self) -> CommandContext:
        """Return a context in which nothing has been read, for one answer.

        Raises:
            DiscoveryError: There is no project any more.
        """
        return embedded_context(self.root, self.environment)

    def evaluated(self) -> EvaluatedProject:
        """Return the last evaluation; make the first one if there is none."""
        known = self._evaluated
        if known is not None:
            return known
        with self._turn:
            return self._evaluated or self._evaluate()

    def evaluate_again(self) -> EvaluatedProject:
        """Evaluate the project as it is now."""
        with self._turn:
            return self._evaluate()

    def with_problem(self, problem: PivotError) -> EvaluatedProject:
        """Keep what is known, with the reason why it may be outdated."""
        with self._turn:
            self._evaluated = _outdated(self._evaluated, problem)
            return self._evaluated

    def _evaluate(self) -> EvaluatedProject:
        self._evaluated = evaluate_project(self.root, self.environment, self._evaluated)
        return self._evaluated


def evaluate_project(
    root: pathlib.Path, environment: Mapping[str, str], before: EvaluatedProject | None = None
) -> EvaluatedProject:
    """Evaluate a project; an error that prevents that is part of the result.

    If a pipeline cannot be loaded, the result has the stages of the root's own pipeline if these can be, and else those
    that were known ``before``. A project without a pipeline file has no stages, and no problem.
    """
    version, computed = 1 if before is None else before.version + 1, time.time()
    read_set = ReadSet()
    read_set.look(root)  # all that matters until there is a project again
    read_set.look(root / STATE_DIR)
    try:
        context = embedded_context(root, environment)
        read_set = context.read_set
        return _of_status(version, computed, status(context, (), _OPTIONS), None, read_set)
    except PivotError as error:
        problem = error
    except OSError as error:
        problem = PivotError(f"{os.fspath(error.filename or root)}: {error.strerror or error}")
    with contextlib.suppress(PivotError, OSError):
        context = embedded_context(root, environment)
        note_code(context)  # nobody knows what the load would have read
        described = any(True for _ in pipeline_files.every(context.project, context.read_set))
        read_set.add(context.read_set.stamps)
        if not described and (root / STATE_DIR).is_dir():
            return _of_status(version, computed, Status((), {}), None, read_set)  # nothing is wrong, but all is to come
        found = status(context, (), attrs.evolve(_OPTIONS, all_pipelines=False))
        return _of_status(version, computed, found, problem, read_set)
    return attrs.evolve(_outdated(before, problem), version=version, computed=computed, read_set=read_set)


def _outdated(before: EvaluatedProject | None, problem: PivotError) -> EvaluatedProject:
    """The evaluation from before, with a problem."""
    if before is None:
        return _of_status(1, time.time(), Status((), {}), problem, ReadSet())
    return attrs.evolve(before, version=before.version + 1, problem=problem)


def _of_status(
    version: int, computed: float, found: Status, problem: PivotError | None, read_set: ReadSet
) -> EvaluatedProject:
    graph = Graph.build(each.evaluation.stage.spec for each in found.stages)
    listed = Overview(graph, found.names, found.broken)
    return EvaluatedProject(version, computed, found, listed, problem, read_set)
