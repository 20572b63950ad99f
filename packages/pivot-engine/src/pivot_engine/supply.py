"""What a run takes from elsewhere: nothing; or, if it pulls, what the usual remote has and a stage that runs reads."""

import time
from typing import TYPE_CHECKING

from pivot_cache.checkout import CheckoutPlan
from pivot_core.graph import Graph
from pivot_core.stage import StageSpec
from pivot_engine import events
from pivot_engine.events import Reporter
from pivot_engine.observe import World
from pivot_engine.session import Session

if TYPE_CHECKING:
    from pivot_engine.afar import Afar


class Supply:
    """Where one run looks and what it brings.

    Attributes:
        world: What decisions rest on.
    """

    def __init__(self, session: Session, graph: Graph, report: Reporter, *, pull: bool) -> None:
        """With ``pull`` the remote is asked at once.

        Raises:
            ConfigError: No remote is configured, or nothing says which one is meant.
            RemoteError: The remote cannot tell what it has.
        """
        self._afar = _afar(session, graph) if pull else None
        self._report = report
        self.world: World = self._afar or session

    def run(self, spec: StageSpec) -> None:
        """Before a run of a stage: bring here what it reads.

        Raises:
            ArtifactError: Something cannot be had.
        """
        if self._afar is None:
            return
        began = time.monotonic()
        brought = self._afar.supply(spec)
        if brought:
            took = time.monotonic() - began
            self._report(events.InputsFetched(spec.address, self._afar.remote, brought, took))

    def restore(self, plan: CheckoutPlan) -> None:
        """Before outs are written from the cache: bring into it what it lacks, as far as that can be had.

        Raises:
            ArtifactError: The remote as a whole refuses or fails.
        """
        if self._afar is not None:
            self._afar.fetch({**plan.create, **plan.replace})


def _afar(session: Session, graph: Graph) -> "Afar":
    from pivot_engine.afar import Afar  # noqa: PLC0415  # start-up time: most runs ask no remote

    return Afar(session, graph)
