"""`pivot status`: what would have to happen to each stage, and why; changes nothing."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pivot_core.decide import Verdict
from pivot_engine import records
from pivot_engine.broken import Broken
from pivot_engine.facts import about, stage_facts
from pivot_engine.forms import diffs
from pivot_engine.grounds import Grounds
from pivot_engine.observe import Evaluation
from pivot_engine.project import Project
from pivot_engine.session import loading, opened
from pivot_engine.targets import short_names
from pivot_engine.tracked import TrackedFile, states


@attrs.frozen
class StageStatus:
    """One stage.

    Attributes:
        name: As it is shown.
        evaluation: How it is.
        diffs: By key what was edited, where that is known.
        facts: What earlier runs have taught of it, by the names in `pivot_engine.facts`.
    """

    name: str
    evaluation: Evaluation
    diffs: Mapping[str, str] = attrs.field(factory=dict)
    facts: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def cached(self) -> bool:
        """Nothing has to be done."""
        return self.evaluation.decision.verdict is Verdict.UP_TO_DATE


@attrs.frozen
class Status:
    """The stages asked for, in graph order, the names by which all stages are shown, and tracked data.

    Attributes:
        broken: Pipelines that cannot be loaded and may write what is read here.
        grounds: What the loads rested on.
    """

    stages: tuple[StageStatus, ...]
    names: dict[str, str]
    tracked: tuple[TrackedFile, ...] = ()
    broken: tuple[Broken, ...] = ()
    grounds: tuple[Grounds, ...] = ()

    @property
    def cached(self) -> bool:
        """Nothing has to be done to any of them."""
        return all(stage.cached for stage in self.stages)


def status(  # noqa: PLR0913  # one parameter per question
    project: Project,
    targets: Iterable[str] = (),
    *,
    everything: bool = False,
    closure: bool = False,
    force: bool = False,
    quiet: bool = False,
    diff: bool = False,
    tracked: bool = False,
    facts: bool = False,
) -> Status:
    """Evaluate the targets; if there are none, the stages of the command's pipeline and all that they rest on.

    Args:
        project: Where.
        targets: Stage names, addresses or out paths.
        everything: Load every pipeline of the project.
        closure: List also the stages that the targets rest on.
        force: Evaluate as a forced run would.
        quiet: Drop what the user's code prints while it is imported.
        diff: Find out what was edited.
        tracked: Look also at data that are tracked without a stage.
        facts: Add what earlier runs have taught of each stage.

    Raises:
        PivotError: The pipeline cannot be loaded, or a target is not known.
    """
    with loading(project, everything=everything, quiet=quiet) as assembly:
        assembly.close()
    with opened(project, assembly) as session:
        wanted = session.resolve(targets) if (targets := list(targets)) else tuple(session.graph.stages)
        evaluations = session.evaluate(wanted, force=force)
        names = short_names(session.graph)
        known = stage_facts(project.layout).recall() if facts else {}
        return Status(
            tuple(
                StageStatus(
                    names[address],
                    evaluation,
                    diffs(evaluation.stage, evaluation.decision.changes, session.forms, project.root) if diff else {},
                    about(evaluation.lock, known.get(address, {})),
                )
                for address, evaluation in evaluations.items()
                if closure or address in wanted
            ),
            dict(names),
            tuple(states(project, session.stores.files, records.read_tracked(project))) if tracked else (),
            assembly.broken,
            assembly.grounds,
        )
