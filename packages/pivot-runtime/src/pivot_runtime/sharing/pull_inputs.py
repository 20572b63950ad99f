"""Fetches the inputs of runs with ``--pull``: those that the default remote has and the workspace lacks."""

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
"""The minimum interval between progress reports of a transfer."""


class InputFetcher:
    """Fetches the inputs of one run.

    Attributes:
        view: The source of facts for decisions, in which artifacts on the remote count as present.
    """

    def __init__(self, session: Session, graph: Graph, report: Reporter, view: RemoteView | None = None) -> None:
        """Ask the remote immediately, unless there is a ``view`` already.

        Raises:
            ConfigError: No remote is configured, or it is ambiguous which one is meant.
            RemoteError: The remote does not answer the question.
        """
        self._report = report
        if view is None:
            report(events.AskingRemote())
        self.view = view or RemoteView(session, graph)

    def run(self, spec: StageSpec) -> None:
        """Fetch and restore the inputs of a stage before its run.

        Raises:
            ArtifactError: An input is not available.
        """
        began = time.monotonic()
        brought = self.view.supply(spec, report_progress(spec.address, self.view.remote, self._report))
        if brought:
            took = time.monotonic() - began
            self._report(events.InputsFetched(spec.address, self.view.remote, brought, took))

    def restore(self, address: str, plan: CheckoutPlan) -> None:
        """Fetch missing objects of a stage's outs, as far as available, before the outs are restored from the cache.

        Raises:
            ArtifactError: The remote as a whole refuses or fails.
        """
        progress = report_progress(address, self.view.remote, self._report)
        self.view.fetch({**plan.create, **plan.replace}, progress)


def report_progress(
    address: str, remote: str, report: Reporter, clock: Callable[[], float] = time.monotonic
) -> "Callable[[TransferCounts], None]":
    """Create the progress callback of a transfer for a stage; it reports the first call, then one per interval."""
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
