"""The run of one stage within a run: what it started from, and how it may fail."""

import time

from pivot_core.decide import Decision
from pivot_core.lock import Observation, StageLock


class StageFailure(Exception):  # noqa: N818  # it ends a stage, not the run
    """A stage run whose outs are not stored; with ``final``, another try would end likewise."""

    def __init__(self, summary: str, *, detail: str = "", hint: str | None = None, final: bool = False) -> None:
        super().__init__(summary)
        self.summary, self.detail, self.hint, self.final = summary, detail, hint, final


class StageRun:
    """A stage that has started: its last run, as it was observed, why and since when it runs, and its retries."""

    def __init__(self, lock: StageLock | None, observation: Observation, decision: Decision, retries: int) -> None:
        self.lock, self.observation, self.decision, self.retries = lock, observation, decision, retries
        self.storing = 0.0
        """The seconds in which its outs were stored."""
        self.ran_at = int(time.time())
