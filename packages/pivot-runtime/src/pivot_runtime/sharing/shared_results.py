"""`pivot fetch` where results are shared: besides what lock files name, what others have left with the inputs of now.

Nothing is imported for it: of stages that can only be known by an import nothing is looked for. No lock file is
changed either: what was found is a result like any other in the cache, which the next run restores.
"""

from collections.abc import Container, Iterable, Iterator

import attrs

from pivot_cache.remotes.protocol import RemoteError
from pivot_core.decide import Verdict
from pivot_core.errors import PivotError
from pivot_core.lock import RunRecord
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.records import Record
from pivot_runtime.cache.stores import open_stores
from pivot_runtime.evaluating.evaluate import Evaluation
from pivot_runtime.evaluating.session import opened
from pivot_runtime.loading import static
from pivot_runtime.project.project import Project
from pivot_runtime.sharing import transfer
from pivot_runtime.sharing.remote_view import RemoteView
from pivot_runtime.sharing.transfer import TransferOptions, TransferReport


@attrs.frozen(eq=False, repr=False)
class Fetched(Value):
    """The result.

    Attributes:
        moved: The objects that were brought here.
        unasked: Why nothing of others was looked for, if that is so.
    """

    moved: TransferReport
    unasked: RemoteError | None = None


def fetch(project: Project, targets: Iterable[str], wishes: TransferOptions) -> Fetched:
    """As `transfer.fetch`; fetches also the results of stages that must run, where others have shared them.

    Raises:
        ConfigError: No remote is configured, or none of that name.
        TargetError: A target is not known.
        CacheError: A record cannot be read.
    """
    named = list(targets)
    with open_stores(project) as stores:
        transfer.remote_of(stores, wishes.remote)
    selected = (
        {record.address for record in records.read(project).select(named, project, lambda _: None)} if named else None
    )
    unasked: RemoteError | None = None
    found: dict[str, RunRecord] = {}
    try:
        found = _found(project, wishes.remote, selected)
    except RemoteError as error:
        unasked = error
    except PivotError:
        found = {}  # what is wrong with the pipelines is for other commands to say
    moved = transfer.fetch(project, named, wishes, list(_outs(found)))
    if wishes.dry_run:
        return Fetched(attrs.evolve(moved, runs=len(found)), unasked)
    with open_stores(project) as stores:
        here = [run for run in found.values() if all(map(stores.store.holds, run.outs.values()))]
        for run in here:
            stores.runs.put(run)
    return Fetched(attrs.evolve(moved, runs=len(here)), unasked)


def _found(project: Project, remote: str | None, selected: Container[str | None] | None) -> dict[str, RunRecord]:
    """By address, what would be restored of each of these stages and is not known here, or not here in full."""
    assembly = static.readable(project)
    with opened(project, assembly) as session:
        evaluations = session.evaluate(assembly.graph.stages, world=RemoteView(session, assembly.graph, remote=remote))
        return {
            address: run
            for address, evaluation in evaluations.items()
            if (selected is None or address in selected)
            and (run := _run(evaluation)) is not None
            and not (run in session.runs.get(run.key) and all(map(session.store.holds, run.outs.values())))
        }


def _run(evaluation: Evaluation) -> RunRecord | None:
    """The run that would be restored, if the lock file does not name it."""
    run, lock = evaluation.decision.restore, evaluation.lock
    if evaluation.decision.verdict is not Verdict.RESTORE or run is None:
        return None
    return None if lock is not None and run.outs == lock.outs else run


def _outs(found: dict[str, RunRecord]) -> Iterator[Record]:
    for address, run in found.items():
        for path, artifact in run.outs.items():
            yield Record(ArtifactPath(path), artifact, address)
