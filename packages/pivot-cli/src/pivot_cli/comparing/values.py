"""Formats values at several revisions as text, as Markdown and as the documented JSON; pure."""

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from pivot_cli.comparing import tables
from pivot_cli.terminal import formats
from pivot_core.errors import list_names
from pivot_core.values import Value
from pivot_runtime.comparing.comparison import ComparedValues, Comparison
from pivot_runtime.comparing.values import Absent, Difference, is_number


@attrs.frozen(eq=False, repr=False)
class Wording(Value):
    """The words for one kind of values.

    Attributes:
        plural: Their name, which is also the key in JSON: ``metrics``.
        subject: The name of the column and of the field by which they are grouped: ``path``.
        none: The answer if there are none.
    """

    plural: str
    subject: str
    none: str


METRICS = Wording("metrics", "path", "No metrics are recorded: stages write them to pivot.Metric(...) outs.")
PARAMS = Wording("params", "stage", "No stage takes parameters.")


def show_table(
    found: Comparison, words: Wording, precision: int, *, markdown: bool = False, targets: Sequence[str] = ()
) -> str:
    """Return a table with a column for each revision, of the values that belong to ``targets``, if there are some."""
    rows = [
        (subject.name, value.name, *(tables.shown(side, precision) for side in value.sides))
        for subject in found.subjects
        for value in subject.values
    ]
    if not rows:
        none = f"No {words.plural} belong to {formats.one_line(list_names(targets))}." if targets else words.none
        return f"No {words.plural} can be read.\n" if found.problems else f"{none}\n"
    right = {2 + column for column in range(len(found.sides)) if _numeric(found, column)}
    return _table((*_head(words, markdown), *found.sides), rows, right, markdown=markdown)


def diff_table(found: Comparison, words: Wording, precision: int, *, every: bool, markdown: bool = False) -> str:
    """Return a table of two revisions and the changes between them; with ``every``, also of what is unchanged."""
    old, new = found.sides
    rows = []
    for subject in found.subjects:
        for value in subject.values:
            if every or value.changed:
                pair = tables.shown_apart if value.changed else _alike
                texts = pair(value.sides[0], value.sides[-1], precision)
                change = tables.signed(value.change, precision) if value.changed else ""
                rows.append((subject.name, value.name, *texts, change))
    if not rows:
        names = ["the workspace" if side == "workspace" else formats.one_line(side) for side in (old, new)]
        known = " that can be read" if found.problems else ""
        return f"No {words.plural}{known} changed between {names[0]} and {names[1]}.\n"
    header = (*_head(words, markdown), old, new, "change" if markdown else "CHANGE")
    right = {2 + column for column in range(2) if _numeric(found, column)} | {4}
    return _table(header, rows, right, markdown=markdown)


def metrics_markdown(found: Comparison) -> str:
    """Return a table in Markdown of all metrics at one revision, or at two and their changes."""
    if len(found.sides) == 1:
        return show_table(found, METRICS, tables.PRECISION, markdown=True)
    return diff_table(found, METRICS, tables.PRECISION, every=True, markdown=True)


def show_json(found: Comparison, words: Wording) -> dict[str, Any]:
    """Return the values by revision and name as the documented JSON; a name that a revision lacks is left out."""
    return {
        "revisions": list(found.sides),
        words.plural: [
            {
                **_subject(subject, words),
                "values": {
                    side: {
                        value.name: tables.plain(value.sides[column])
                        for value in subject.values
                        if _is_there(value, column)
                    }
                    for column, side in enumerate(found.sides)
                },
            }
            for subject in found.subjects
        ],
        "problems": [problem for problem, _ in found.problems],
    }


def diff_json(found: Comparison, words: Wording, *, every: bool) -> dict[str, Any]:
    """Return the changes as the documented JSON; ``old`` or ``new`` is left out where there is none."""
    return {
        "from": found.sides[0],
        "to": found.sides[1],
        "changed": found.changed,
        words.plural: [
            {
                **_subject(subject, words),
                "values": [_change(value) for value in subject.values if every or value.changed],
            }
            for subject in found.subjects
            if every or any(value.changed for value in subject.values)
        ],
        "problems": [problem for problem, _ in found.problems],
    }


def notes(found: Comparison, words: Wording) -> Iterator[tuple[str, str | None]]:
    """Return remarks for people on the values, each with a hint or None."""
    for side in found.empty:
        hint = "'pivot repro' runs the stages" if side == "workspace" else "commit .pivot/stages/*.lock after a run"
        where = "in the workspace" if side == "workspace" else f"at {side}"
        yield f"no run is recorded {where}: there are no lock files", hint
    for subject in found.subjects:
        if subject.edited:
            yield f"{subject.name} is not what the last run wrote: it was edited since", None
    stale = sorted(
        {found.stage_names.get(each.stage, each.stage) for each in found.subjects if each.stale and not each.edited}
    )
    if stale:
        whose = "its" if len(stale) == 1 else "their"
        verb = "is" if len(stale) == 1 else "are"
        yield (
            f"{', '.join(stale)} {verb} stale: {whose} {words.plural} are those of the last run",
            "'pivot repro' runs what is stale",
        )
    unknown = _stages(found, [each for each in found.subjects if each.stale is None])
    if unknown:
        verb = "is" if len(unknown) == 1 else "are"
        yield (
            f"it is not known whether {', '.join(unknown)} {verb} stale, without an import",
            "'pivot status' imports what has changed",
        )
    for note in found.notes:
        yield note, None


def _stages(found: Comparison, subjects: Sequence[ComparedValues]) -> list[str]:
    return sorted({found.stage_names.get(each.stage, each.stage) for each in subjects})


def _head(words: Wording, markdown: bool) -> tuple[str, str]:  # noqa: FBT001  # private
    return (words.subject, "name") if markdown else (words.subject.upper(), "NAME")


def _table(header: tuple[str, ...], rows: Sequence[Sequence[str]], right: set[int], *, markdown: bool) -> str:
    return (tables.markdown_table if markdown else tables.text_table)(header, rows, right)


def _alike(one: Any, other: Any, precision: int) -> tuple[str, str]:
    return tables.shown(one, precision), tables.shown(other, precision)


def _numeric(found: Comparison, column: int) -> bool:
    values = [value.sides[column] for subject in found.subjects for value in subject.values if _is_there(value, column)]
    return bool(values) and all(map(is_number, values))


def _is_there(value: Difference, column: int) -> bool:
    return not isinstance(value.sides[column], Absent)


def _change(value: Difference) -> dict[str, Any]:
    return {
        "name": value.name,
        **({"old": tables.plain(value.sides[0])} if _is_there(value, 0) else {}),
        **({"new": tables.plain(value.sides[-1])} if _is_there(value, -1) else {}),
        "changed": value.changed,
        **({"change": tables.plain(value.change)} if value.change is not None else {}),
    }


def _subject(subject: ComparedValues, words: Wording) -> dict[str, Any]:
    if words.subject == "stage":
        return {"stage": subject.name}
    return {"path": subject.path, "stage": subject.stage, "edited": subject.edited, "stale": subject.stale}
