"""Finds shared results of stages for the current inputs, which `pivot fetch` downloads.

No pipeline is imported: stages that only an import can determine are skipped. No lock file is changed: a shared result
is like any other in the cache, and the next run restores it.
"""

from collections.abc import Container, Iterator, Mapping, Sequence

import attrs

from pivot_cache.remotes.protocol import RemoteError
from pivot_core.decide import Verdict
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import RunRecord
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.context import CommandContext
from pivot_runtime.evaluating.evaluate import Evaluation
from pivot_runtime.evaluating.session import open_session
from pivot_runtime.loading import static
from pivot_runtime.sharing.remote_view import RemoteView


@attrs.frozen(eq=False, repr=False)
class SharedResults(Value):
    """Shared results that a run would restore.

    Attributes:
        runs: The run record of each stage, by its address.
        not_asked: The reason why the remote was not asked, if so.
    """

    runs: Mapping[str, RunRecord]
    not_asked: RemoteError | None = None

    def outs(self) -> Iterator[Record]:
        """The outs of all these runs."""
        for address, run in self.runs.items():
            for path, artifact in run.outs.items():
                yield Record(ArtifactPath(path), artifact, address)

    def keep(self, stores: Stores) -> int:
        """Add the runs whose outs are all in the store to the run cache; return their number."""
        held = [run for run in self.runs.values() if all(map(stores.store.has_all, run.outs.values()))]
        for run in held:
            stores.runs.put(run)
        return len(held)


def find(context: CommandContext, stores: Stores, targets: Sequence[str], *, remote: str | None) -> SharedResults:
    """Find shared results for the stages of the targets; without targets, for all stages.

    Raises:
        TargetError: A target is unknown.
        CacheError: A record cannot be read.
    """
    selected = (
        {record.address for record in records.read(context).select(targets, context.project, lambda _: None)}
        if targets
        else None
    )
    try:
        return SharedResults(_found(context, stores, remote, selected))
    except RemoteError as error:
        return SharedResults({}, error)
    except PivotError:
        return SharedResults({})  # other commands report the problems of pipelines


def _found(
    context: CommandContext, stores: Stores, remote: str | None, selected: Container[str | None] | None
) -> dict[str, RunRecord]:
    """By address, the shared results of these stages that are missing here or incomplete."""
    assembly = static.readable(context)
    with open_session(context, assembly, stores=stores) as session:
        evaluations = session.evaluate(assembly.graph.stages, view=RemoteView(session, assembly.graph, remote=remote))
        return {
            address: run
            for address, evaluation in evaluations.items()
            if (selected is None or address in selected)
            and (run := _run(evaluation)) is not None
            and not (run in session.runs.get(run.key) and all(map(session.store.has_all, run.outs.values())))
        }


def _run(evaluation: Evaluation) -> RunRecord | None:
    """The run that would be restored, unless the lock file already names it."""
    run, lock = evaluation.decision.restore, evaluation.lock
    if evaluation.decision.verdict is not Verdict.RESTORE or run is None or not run.key:  # a frozen stage has no run
        return None
    return None if lock is not None and run.outs == lock.outs else run
