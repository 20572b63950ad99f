"""Decides which silent stages to report; pure."""

from collections.abc import Callable
from typing import NamedTuple


class Silent(NamedTuple):
    """A silent stage to report.

    Attributes:
        number: Its number in `Silence.begin`.
        seconds: The seconds since its start.
        silent: The seconds since its last output.
    """

    number: int
    seconds: float
    silent: float


class _State(NamedTuple):
    began: float
    spoke: float
    step: float


class Silence:
    """The running stages; each is due after ``first`` seconds of silence, after twice as long, and so on."""

    def __init__(self, first: float) -> None:
        """Create the object; with 0, no stage is ever reported."""
        self._first = first
        self._states: dict[int, _State] = {}

    def begin(self, number: int, now: float) -> None:
        """A stage begins."""
        if self._first:
            self._states[number] = _State(now, now, self._first)

    def end(self, number: int) -> None:
        """A stage has ended."""
        self._states.pop(number, None)

    def patience(self, now: float) -> float | None:
        """The seconds until the next check; None for never."""
        if not self._states:
            return None
        return max(0.0, min(state.spoke + state.step for state in self._states.values()) - now)

    def due(self, now: float, quiet: Callable[[int], float | None]) -> list[Silent]:
        """The stages to report now.

        ``quiet`` has the seconds since the last output of each stage; None if it has printed nothing.
        """
        found = []
        for number, state in list(self._states.items()):
            if now < state.spoke + state.step:
                continue
            age = quiet(number)
            last = state.began if age is None else min(now, max(state.began, now - age))
            heard = state if last <= state.spoke else _State(state.began, last, self._first)
            step = heard.step
            if now >= heard.spoke + step:
                found.append(Silent(number, now - heard.began, now - heard.spoke))
                while heard.spoke + step < now + self._first / 2:  # a check may be late
                    step *= 2
            self._states[number] = heard._replace(step=step)
        return found
