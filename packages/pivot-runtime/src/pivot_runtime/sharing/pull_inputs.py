"""Fetches the inputs of a run with ``--pull``: those that the default remote has and the workspace has not."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pivot_cache.objects.checkout import CheckoutPlan
from pivot_core.graph import Graph
from pivot_core.spec import StageSpec
from pivot_runtime.evaluating.session import Session
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.sharing.remote_view import RemoteView

if TYPE_CHECKING:
    from pivot_cache.remotes.transfer import TransferCounts

_STEP_S: Final = 0.5
"""So often, at most, a transfer says how far it is."""


class InputFetcher:
    """Fetches the inputs of one run.

    Attributes:
        view: The facts that decisions depend on: artifacts of the remote count as here.
    """

    def __init__(self, session: Session, graph: Graph, report: Reporter) -> None:
        """Ask the remote at once.

        Raises:
            ConfigError: No remote is configured, or nothing says which one is meant.
            RemoteError: The remote cannot tell what it has.
        """
        self._report = report
        report(events.AskingRemote())
        self.view = RemoteView(session, graph)

    def run(self, spec: StageSpec) -> None:
        """Before a run of a stage: bring here what it reads.

        Raises:
            ArtifactError: Something is not available.
        """
        began = time.monotonic()
        brought = self.view.supply(spec, report_progress(spec.address, self.view.remote, self._report))
        if brought:
            took = time.monotonic() - began
            self._report(events.InputsFetched(spec.address, self.view.remote, brought, took))

    def restore(self, address: str, plan: CheckoutPlan) -> None:
        """Before outs of a stage are written from the cache: bring into it what it lacks, as far as that is available.

        Raises:
            ArtifactError: The remote as a whole refuses or fails.
        """
        progress = report_progress(address, self.view.remote, self._report)
        self.view.fetch({**plan.create, **plan.replace}, progress)


def report_progress(
    address: str, remote: str, report: Reporter, clock: Callable[[], float] = time.monotonic
) -> "Callable[[TransferCounts], None]":
    """The callback of a transfer for a stage: it reports the first call, and then one now and again."""
    last: float | None = None

    def on_progress(progress: "TransferCounts") -> None:
        nonlocal last
        now = clock()
        if progress.of_objects and (last is None or now - last >= _STEP_S):
            last = now
            report(
                events.Fetching(
                    address, remote, progress.objects, progress.of_objects, progress.bytes, progress.of_bytes
                )
            )

    return on_progress
