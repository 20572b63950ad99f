"""Decides which stages have been silent for long enough to report it; pure."""

from collections.abc import Callable
from typing import NamedTuple


class Silent(NamedTuple):
    """A stage of which it is to be said.

    Attributes:
        number: As it was given to `Silence.begin`.
        seconds: How long it has been running.
        silent: For how long of that it has printed nothing.
    """

    number: int
    seconds: float
    silent: float


class _State(NamedTuple):
    began: float
    spoke: float
    step: float


class Silence:
    """Stages at work; each is due when it has been silent for ``first`` seconds, twice as long, and so on."""

    def __init__(self, first: float) -> None:
        """With 0, none is ever reported."""
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
        """After how many seconds there is something to look at; None for never."""
        if not self._states:
            return None
        return max(0.0, min(state.spoke + state.step for state in self._states.values()) - now)

    def due(self, now: float, quiet: Callable[[int], float | None]) -> list[Silent]:
        """Those of which it is to be said now.

        ``quiet`` has, of a stage, for how many seconds nothing was added to what it has printed; None if it has printed
        nothing.
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
                while heard.spoke + step < now + self._first / 2:  # a look may come late
                    step *= 2
            self._states[number] = heard._replace(step=step)
        return found
