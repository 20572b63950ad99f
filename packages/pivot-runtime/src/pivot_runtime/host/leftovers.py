"""Leftover processes of a stage run: found once its own process has ended, asked to end, and then killed."""

import contextlib
import os
import signal
from collections.abc import Collection, Mapping
from typing import NamedTuple

from pivot_runtime.processes import process_tree

_LINGER_SECONDS = 0.1
"""The time from the end of the stage's process until its leftovers are asked to end."""
_ROUND_SECONDS = 0.5
"""The time between two rounds."""
_HELPER_ROUNDS = 10
"""The rounds in which helper processes, which tidy up after others, may end by themselves."""


class Leftovers:
    """The processes that one stage run has left running.

    Attributes:
        running: Their command lines, by pid.
        ended: Descriptions of the processes that had to be ended.
        unkillable: Processes that still run although they were killed.
    """

    def __init__(self, pid: int, output: int) -> None:
        """Expect the leftovers of a process ``pid``, which leads a group and prints to the pipe ``output``."""
        self.running: dict[int, str] = {}
        self.ended: list[str] = []
        self.unkillable: set[int] = set()
        self._marks = {f"group {pid}", f"pipe:[{os.fstat(output).st_ino}]"}
        self._rounds = 0
        self._next_at = 0.0

    def begin(self, now: float) -> None:
        """Count the time from now, when the process of the stage has ended."""
        self._next_at = now + _LINGER_SECONDS

    def find(self, known: Collection[int]) -> None:
        """Look for them again: they are the children of this process but for the ``known`` ones."""
        found = process_tree.leftovers(known)
        self.running = {pid: command for pid, command in found.items() if pid not in self.unkillable}
        for pid in self.running:
            self._marks |= process_tree.shared_ids(pid)

    def claims(self, pid: int) -> bool:
        """Whether a process was started by this run, as far as its group, session and output show."""
        return not self._marks.isdisjoint(process_tree.shared_ids(pid))

    def end(self, now: float) -> None:
        """Do the next round of ending them, if it is time."""
        if not self.running or now < self._next_at:
            return
        if self._rounds == 0:
            self.ended += process_tree.describe(self.running)
        signum, pids = end_round(self._rounds, self.running)
        if signum is None:
            self.unkillable |= pids
            self.running = {pid: command for pid, command in self.running.items() if pid not in pids}
        else:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signum)
        self._rounds += 1
        self._next_at = now + _ROUND_SECONDS


class EndRound(NamedTuple):
    """One round of ending leftovers.

    Attributes:
        signum: The signal to send; None if nothing more can be done.
        pids: The processes that it is for.
    """

    signum: signal.Signals | None
    pids: frozenset[int]


def end_round(rounds: int, running: Mapping[int, str]) -> EndRound:
    """The round after so many: SIGTERM to all, then SIGKILL; helper processes are killed only after some rounds."""
    if rounds == 0:
        return EndRound(signal.SIGTERM, frozenset(running))
    patient = rounds < _HELPER_ROUNDS
    late = frozenset(pid for pid, command in running.items() if not (patient and process_tree.is_helper(command)))
    return EndRound(signal.SIGKILL if rounds in (1, _HELPER_ROUNDS) else None, late)
