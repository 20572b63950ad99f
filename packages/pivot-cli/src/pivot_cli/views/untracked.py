"""Formats the code that a fingerprint could not follow: each reason once, the most important first."""

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from pivot_core.lock import UnresolvedCode
from pivot_core.spec import Location
from pivot_core.values import Value
from pivot_runtime.inspecting.status import StageStatus

_SHOWN: Final = 20
_LIGHT: Final = (
    " is computed",
    "looks modules up in",
    "looks names up in",
    "asks a class for its subclasses",
    " is not defined",
    " cannot be found",
    " has no attribute ",
    " at run time",
)
"""Parts of reasons why something is unknown before a stage runs, although observing the run covers it."""


@attrs.frozen(eq=False, repr=False)
class ReasonGroup(Value):
    """A reason with its places.

    Attributes:
        reason: The reason.
        places: Its places, in order; empty if there are none to name.
        count: How often it occurs.
    """

    reason: str
    places: tuple[Location, ...]
    count: int


def edges(stage: StageStatus) -> list[UnresolvedCode]:
    """Return the code that the last run of a stage could not observe or its fingerprint could not follow."""
    unseen = [UnresolvedCode(f"seen when it ran: {reason}") for reason in stage.stats.get("unseen", ())]
    return [*unseen, *stage.evaluation.observation.unresolved]


def groups(every: Sequence[UnresolvedCode]) -> list[ReasonGroup]:
    """Group by reason, beginning with those that observing a run cannot cover."""
    found: dict[str, list[UnresolvedCode]] = {}
    for edge in every:
        found.setdefault(edge.reason, []).append(edge)
    grouped = [
        ReasonGroup(reason, tuple(edge.location for edge in several if edge.location is not None), len(several))
        for reason, several in found.items()
    ]
    return sorted(grouped, key=lambda group: any(part in group.reason for part in _LIGHT))


def explanation_lines(unresolved: Sequence[UnresolvedCode], *, verbose: bool) -> Iterator[str]:
    """Return lines for `pivot status --explain`; with ``verbose``, all reasons and all places."""
    every = groups(unresolved)
    listed = every if verbose else every[:_SHOWN]
    for group in listed:
        yield f"    {group.reason}"
        for place in group.places if verbose else group.places[:1]:
            yield f"      File: {place}"
        if group.count > 1 and not verbose:
            yield f"      {group.count - 1} more like this: --verbose shows all"
    if len(every) > len(listed):
        yield f"    {len(every) - len(listed)} more reasons: --verbose shows all"


def fingerprint_lines(unresolved: Sequence[UnresolvedCode], *, verbose: bool) -> Iterator[str]:
    """Return the same for `pivot fingerprint`, in one line per reason."""
    for group in groups(unresolved):
        places = [f"  {place}" for place in group.places] or [""]
        for place in places if verbose else places[:1]:
            more = f" and {group.count - 1} more" if group.count > 1 and not verbose else ""
            yield f"    {group.reason}{place}{more}"
