"""Runs of one command in several processes: each asks before it runs a stage, so that equal stages run only once."""

import enum
import functools
from typing import Protocol

from pivot_core.decide import Decision, Verdict, decide
from pivot_core.lock import Observation, StageLock
from pivot_runtime.history import events
from pivot_runtime.running.outs import Outs
from pivot_runtime.running.runner import Runner, StageOutcome


class Turn(enum.Enum):
    """The answer to a process that is about to run a stage."""

    GO = "go"
    RESTORE = "restore"
    FAILED = "failed"


class Turns(Protocol):
    """The other processes of a command, as one of them sees them."""

    def take(self, address: str, key: str) -> Turn:
        """Wait until a stage with this inputs key may run, or has run elsewhere; an empty key equals no other.

        After `Turn.GO`, `end` must follow.
        """
        ...

    def end(self, address: str, *, done: bool | None) -> None:
        """Report the end of a stage that was recorded, or failed; None if another try could end otherwise."""
        ...


_ENDS = {StageOutcome.FAILED: False, StageOutcome.TORN: None}


class TurnRunner(Runner):
    """A runner that takes turns; it runs one stage after the other, and stores all outs in the cache."""

    @functools.cached_property
    def _jobs(self) -> int:
        return 1  # who waits for a turn must not have another

    @functools.cached_property
    def _outs(self) -> Outs:
        return Outs(self._session, self._report, all_stored=True)

    @property
    def _turns(self) -> Turns:
        if self._options.turns is None:
            raise AssertionError
        return self._options.turns

    def _start(self, address: str, lock: StageLock | None, observation: Observation, decision: Decision) -> None:
        self._record()  # what has ended is for the others to find
        incremental = any(out.incremental for out in self._graph.stages[address].outs)
        answer = self._turns.take(address, "" if incremental else observation.inputs.key())
        if answer is Turn.RESTORE:
            observation = self._observe(address, lock)
            found = decide(lock, observation, self._view.memory())
            if found.verdict is Verdict.RESTORE and found.restore is not None:
                self._restore(address, lock, observation, found.restore)
                self._settle(address, StageOutcome.RESTORED, events.StageRestored(address, found, 0.0))
                return
            answer = self._turns.take(address, "")  # its outs are gone, or it used other code
        if answer is Turn.FAILED:
            summary = "it has failed with the same inputs in another combination"
            self._settle(address, StageOutcome.FAILED, events.StageFailed(address, 0.0, summary))
            return
        super()._start(address, lock, observation, decision)

    def _settle(self, address: str, outcome: StageOutcome, event: events.Event) -> None:
        super()._settle(address, outcome, event)
        if outcome in _ENDS:
            self._turns.end(address, done=_ENDS[outcome])

    def _record(self) -> list[str]:
        ended = super()._record()
        for address in ended:
            self._turns.end(address, done=True)
        return ended
