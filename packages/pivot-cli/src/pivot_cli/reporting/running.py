"""The state of a live view of a run: which stages are at work, for how long, and what they said last; pure."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pivot_cli.views import phrases
from pivot_runtime.history import events

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_OVERDUE = 1.0


class Row(NamedTuple):
    """One stage at work.

    Attributes:
        name: As it is shown.
        time: How long it has been at work, and about how long it will be.
        last: The last line that it printed.
        done: How much of the estimate has passed, up to 1; None if there is none.
    """

    name: str
    time: str
    last: str
    done: float | None


class Running:
    """The stages of one run, followed by its events."""

    def __init__(self, estimates: Callable[[], Mapping[str, float]]) -> None:
        """``estimates``: how long each stage took before, by address; asked once, when it is needed."""
        self._ask = estimates
        self._estimates: Mapping[str, float] | None = None
        self._names: Mapping[str, str] = {}
        self._total = 0
        self._done: set[str] = set()
        self._silent: dict[str, tuple[float, str | None]] = {}
        self._began: dict[str, float] = {}
        self._asking = False
        self._fetching: tuple[events.Fetching, float, float] | None = None

    def take(self, event: events.Event, now: float) -> None:
        """Follow an event that came at this moment."""
        self._asking = isinstance(event, events.AskingRemote)
        if isinstance(event, events.Fetching):
            before = self._fetching
            began = before[1] if before is not None and before[0].address == event.address else now
            self._fetching = (event, began, now)
            return
        self._fetching = None
        match event:
            case events.RunStarted(names=names, addresses=addresses):
                self._names, self._total = names, len(addresses)
            case events.StageStarted(address=address):
                self._began[address] = now
            case events.StageSilent(address=address, silent=silent):
                self._silent[address] = (now - silent, None)
            case (
                events.StageCached(address=address)
                | events.StageRestored(address=address)
                | events.StageRan(address=address)
                | events.StageInputsChanged(address=address)
                | events.StageFailed(address=address)
                | events.StageBlocked(address=address)
            ):
                self._began.pop(address, None)
                self._done.add(address)
            case _:
                pass

    def rows(self, now: float, last_line: Callable[[str], str]) -> list[Row]:
        """The stages at work, the longest first; ``last_line`` has the end of what each has printed, by address."""
        if self._began and self._estimates is None:
            self._estimates = self._ask()
        return [self._row(address, now, now - began, last_line(address)) for address, began in self._began.items()]

    def _last(self, address: str, now: float, printed: str) -> str:
        """The last words; or, as long as nothing more is printed, for how long there were none."""
        since, then = self._silent.get(address, (now, None))
        if address in self._silent and then in (None, printed):
            self._silent[address] = (since, printed)
            return f"no output for {phrases.whole_seconds(now - since)}"
        self._silent.pop(address, None)
        return last_words(printed)

    def _row(self, address: str, now: float, seconds: float, printed: str) -> Row:
        estimate = (self._estimates or {}).get(address)
        time = phrases.seconds(seconds)
        if estimate is not None and estimate >= _OVERDUE:
            time = f"{time} of about {phrases.seconds(estimate)}"
        done = min(1.0, seconds / estimate) if estimate else None
        return Row(self._names.get(address, address), time, self._last(address, now, printed), done)

    def transfer(self) -> str:
        """How far it is with what is being fetched; empty if nothing is."""
        if self._fetching is None:
            return ""
        event, began, now = self._fetching
        objects, moved = (event.objects, event.of_objects), (event.bytes, event.of_bytes)
        doing = f"fetching  {self._names.get(event.address, event.address)} "
        return phrases.transfer(doing, objects, moved, now - began)

    def footer(self) -> str:
        """How far the run is; empty as long as its stages are not known."""
        if self._asking:
            return "asking the remote what it has"
        if not self._names:
            return ""
        return f"{len(self._done)} of {phrases.counted(self._total, 'stage')} done"


def last_words(printed: str) -> str:
    """The last line that is not empty, as a terminal would show it at its end, without colours and the like."""
    for line in reversed(re.split(r"[\r\n]+", printed)):
        words = _CONTROL.sub("", line.replace("\t", " ")).strip()
        if words:
            return words
    return ""
