"""Stage runs that are under way, and those that wait because no worker of the cluster can run them."""

import math
from collections.abc import Mapping
from typing import Any, Final

import attrs

WAITS_SECONDS: Final = 2.0
"""A stage run that has not started for so long may lack a worker."""
_OFFERED_SECONDS: Final = 60.0
"""For so long, workers that offer certain resources are believed to stay, unless one ends: asking is costly."""

type Needs = frozenset[tuple[str, float]]
"""The resources of a stage run."""


@attrs.define(eq=False)
class SubmittedStage:
    """A stage run that is under way.

    Attributes:
        future: Its future in Dask.
        resources: The resources that it needs.
        since: When it was sent, or was last seen to start.
        worker: The address of the worker that has started it; empty if none has, or if that one has ended.
        waits: Whether the command knows that nothing can run it.
        ended: Whether the end of its task was seen.
    """

    future: Any
    resources: Mapping[str, float]
    since: float
    worker: str = ""
    waits: bool = False
    ended: bool = False

    @property
    def needs(self) -> Needs:
        """Its resources as a key."""
        return frozenset(self.resources.items())


def doubtful(
    stages: Mapping[int, SubmittedStage], offered: Mapping[Needs, float], now: float
) -> dict[int, SubmittedStage]:
    """The stage runs that have not started for some time, and that perhaps no worker can run.

    Args:
        stages: All that are under way.
        offered: When a worker was last seen that offers these resources.
        now: The current time.
    """
    return {
        number: stage
        for number, stage in stages.items()
        if not stage.worker
        and not stage.waits
        and now - stage.since > WAITS_SECONDS
        and now - offered.get(stage.needs, -math.inf) > _OFFERED_SECONDS
    }


def lacking(needed: Mapping[str, float], offered: list[dict[str, float]], log: str = "") -> str | None:
    """Why no worker can ever run a stage; None if one can, as soon as it is free.

    Args:
        needed: The resources of the stage.
        offered: Those of each worker.
        log: The file that tells why jobs of a cluster that this run created are refused; empty of other clusters.
    """
    if not offered:
        return f"the cluster has no workers yet{f' ({log} has its output)' if log else ''}"
    if any(all(worker.get(name, 0) >= amount for name, amount in needed.items()) for worker in offered):
        return None
    asked = " ".join(f"{name}={amount}" for name, amount in needed.items())
    return f'no worker of the cluster has {asked.replace(" ", " and ")}: `dask worker --resources "{asked}"` offers it'
