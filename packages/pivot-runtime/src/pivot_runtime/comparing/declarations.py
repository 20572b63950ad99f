"""The stages and outs that the current pipelines declare, without an import where the last load still holds."""

from collections.abc import Iterable, Mapping

import attrs

from pivot_core.decide import Verdict
from pivot_core.discovery import DECLARED_FILE
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing.revisions import Revision
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.evaluating.evaluate import evaluate
from pivot_runtime.evaluating.session import open_session
from pivot_runtime.loading.assembly import Assembly, LoadOptions, assemble
from pivot_runtime.loading.loaded import LoadedStage
from pivot_runtime.loading.static import readable_and_closed


@attrs.frozen(eq=False, repr=False)
class KnownStages(Value):
    """The stages of a project as far as they are known.

    Attributes:
        assembly: The stages; None if none is known.
        complete: Whether these are all stages of the project.
        in_yaml: Whether the others include stages of a ``pivot.yaml``.
    """

    assembly: Assembly | None
    complete: bool
    in_yaml: bool = False

    @property
    def stages(self) -> Mapping[str, LoadedStage]:
        """The known stages by address."""
        return {} if self.assembly is None else self.assembly.stages

    def kind(self, record: Record) -> str:
        """The kind of a recorded out: as it is declared now, else as its lock says."""
        stage = self.stages.get(record.address or "")
        if stage is not None:
            for out in stage.spec.outs:
                if out.path == record.path:
                    return out.kind
        return record.kind


def without_import(context: CommandContext) -> KnownStages:
    """The stages known without an import: from the last load where it still holds, and in files without Python."""
    try:
        assembly, closed = readable_and_closed(context)
    except PivotError:
        return KnownStages(None, complete=False)
    return KnownStages(assembly, complete=not closed, in_yaml=any(file.name == DECLARED_FILE for file in closed))


def loaded(context: CommandContext) -> KnownStages:
    """All stages; pipelines are imported unless their last load holds; failing ones are left out with a notice."""
    known = without_import(context)
    if known.complete:
        return known
    if context.failed_load:
        return known
    try:
        assembly = assemble(context, LoadOptions(all_pipelines=True, quiet=True))
        assembly.close()
    except PivotError as error:
        context.notices.add(Notice(f"what the pipelines declare is unknown: {error}", error.hint))
        context.failed_load.append(error)
        return known
    for broken in assembly.broken:
        context.notices.add(Notice(f"what {broken.file} declares is unknown: {broken.error}", broken.error.hint))
    return KnownStages(assembly, complete=not assembly.broken)


def for_kinds(context: CommandContext, recorded: Iterable[Record]) -> KnownStages:
    """The known stages with the kinds of some outs.

    Locks name the kinds, except those of runs before kinds were recorded; then only outs for git are worth an import.
    They do not name those of files in directories, which only a ``pivot.yaml`` declares.
    """
    known = without_import(context)
    unsaid = (
        each
        for each in recorded
        if not (each.kind or each.cache or each.tracked) or (known.in_yaml and each.artifact.tree and not each.tracked)
    )
    if known.complete or all(each.address in known.stages for each in unsaid):
        return known
    return loaded(context)


def of_today(
    side: Revision, chosen: Mapping[ArtifactPath, Record], known: KnownStages
) -> Mapping[ArtifactPath, Record]:
    """The outs of a revision; of the workspace, without those of stages that no pipeline has any more.

    Their lock files stay until `pivot forget` removes them. Where not all stages are known, all count.
    """
    if not (side.is_workspace and known.complete):
        return chosen
    return {path: each for path, each in chosen.items() if each.address in known.stages}


def stale(context: CommandContext, known: KnownStages, addresses: Iterable[str]) -> dict[str, bool | None]:
    """For each stage, whether the next run would run it; None if that is unknown without an import."""
    found: dict[str, bool | None] = dict.fromkeys(addresses)
    if known.assembly is None:
        return found
    try:
        with open_session(context, known.assembly) as session:
            graph = session.graph.select(
                session.graph.ancestors(address for address in found if address in session.graph.stages)
            )
            for address, evaluation in evaluate(graph, session.stages, session, schema=session.schema).items():
                if address in found:
                    found[address] = evaluation.decision.verdict in (Verdict.RUN, Verdict.BLOCKED)
    except PivotError:  # other commands report problems of the project
        return dict.fromkeys(found)
    return found


def graph(sides: Iterable[Revision], known: KnownStages | None) -> Graph:
    """The stages at several revisions, as they are declared now or else in the last lock, without their deps and outs.

    Stages of different revisions may write the same outs, so there are no edges.
    """
    specs = {spec.address: spec for side in sides for spec in side.records.specs}
    if known is not None:
        specs |= {address: stage.spec for address, stage in known.stages.items()}
    return Graph.build(StageSpec(each.name, each.pipeline, "", each.location) for each in specs.values())
