"""Results of calls, with a short text and a table for notebooks."""

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from pivot_core.values import Value

_GOOD: Final = frozenset({"cached", "restored", "ran"})


@attrs.frozen(eq=False, repr=False)
class StageResult(Value):
    """The result of one stage in a run.

    Attributes:
        name: The displayed name.
        address: Its address.
        outcome: ``cached``, ``restored`` or ``ran``; ``failed``, ``blocked`` (it cannot run), ``changed`` (its inputs
            were edited while it ran, so that its outs are not recorded) or ``not started`` (the run ended before).
        reason: The reason for which it ran or was restored, or the problem.
        seconds: The duration of its run.
        detail: For a failed stage, its last output and its traceback.
    """

    name: str
    address: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is up to date now."""
        return self.outcome in _GOOD

    def __str__(self) -> str:
        took = f" in {_duration(self.seconds)}" if self.seconds else ""
        return f"{self.name}: {self.outcome}{took}" + (f" ({self.reason})" if self.reason else "")


@attrs.frozen(eq=False, repr=False)
class ReproResult(Value):
    """The result of `repro`.

    Attributes:
        stages: The result of each stage by its displayed name, in the order in which they ended.
        seconds: The duration of the call.
        ok: Whether all stages are up to date now.
    """

    stages: Mapping[str, StageResult]
    seconds: float
    ok: bool = attrs.field(kw_only=True)

    def __repr__(self) -> str:
        counts = _counted(stage.outcome for stage in self.stages.values())
        return f"<pivot.repro: {counts}, {_duration(self.seconds)}{'' if self.ok else ', not complete'}>"

    def _repr_html_(self) -> str:
        rows = [
            (stage.name, stage.outcome, _duration(stage.seconds) if stage.seconds else "", stage.reason)
            for stage in self.stages.values()
        ]
        return _table(("stage", "outcome", "time", "reason"), rows, repr(self))


@attrs.frozen(eq=False, repr=False)
class StageState(Value):
    """The state of one stage.

    Attributes:
        name: The displayed name.
        address: Its address.
        cached: Whether it is up to date.
        verdict: The action of a run: ``up_to_date``, ``run``, ``restore`` or ``blocked`` (it cannot run).
        reason: The most important reason; empty if it is up to date.
    """

    name: str
    address: str
    cached: bool
    verdict: str
    reason: str = ""


@attrs.frozen(eq=False, repr=False)
class StatusResult(Value):
    """The result of `status`.

    Attributes:
        stages: The state of each stage by its displayed name, in the order of the graph.
    """

    stages: Mapping[str, StageState]

    @property
    def cached(self) -> bool:
        """Whether all stages are up to date."""
        return all(stage.cached for stage in self.stages.values())

    def __repr__(self) -> str:
        return f"<pivot.status: {_counted(_word(stage) for stage in self.stages.values())}>"

    def _repr_html_(self) -> str:
        rows = [(stage.name, _word(stage), stage.reason) for stage in self.stages.values()]
        return _table(("stage", "status", "reason"), rows, repr(self))


def _word(stage: StageState) -> str:
    return "cached" if stage.cached else "stale"


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in Counter(words).items()) or "no stages"


def _duration(seconds: float) -> str:
    minute = 60
    if seconds < minute:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), minute)
    return f"{minutes} min {rest} s"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """An HTML table; all texts are escaped."""

    def line(tag: str, cells: Sequence[str]) -> str:
        return (
            "<tr>" + "".join(f'<{tag} style="text-align:left">{html.escape(cell)}</{tag}>' for cell in cells) + "</tr>"
        )

    body = "".join(line("td", row) for row in rows)
    text = html.escape(caption.strip("<>"))
    return f"<table><caption>{text}</caption><thead>{line('th', titles)}</thead><tbody>{body}</tbody></table>"
