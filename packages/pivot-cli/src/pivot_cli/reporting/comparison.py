"""Prints values at several revisions in the requested form, and notes on stderr."""

import json
from collections.abc import Iterable, Sequence

from pivot_cli.comparing import values
from pivot_cli.comparing.values import Wording
from pivot_cli.terminal import console
from pivot_runtime.comparing.comparison import Comparison


def print_values(found: Comparison, words: Wording, targets: Sequence[str], *, form: str, precision: int) -> int:
    """Print the values of targets at each revision, of all without any; return the exit code."""
    if form == "json":
        console.data(json.dumps(values.show_json(found, words), indent=2))
    else:
        console.data(values.show_table(found, words, precision, markdown=form == "md", targets=targets))
    return report_incomplete(values.notes(found, words), found.problems)


def print_changes(found: Comparison, words: Wording, *, form: str, precision: int, every: bool) -> int:
    """Print what differs between two revisions; return the exit code."""
    if form == "json":
        console.data(json.dumps(values.diff_json(found, words, every=every), indent=2))
    else:
        console.data(values.diff_table(found, words, precision, every=every, markdown=form == "md"))
    return report_incomplete(values.notes(found, words), found.problems)


def report_incomplete(notes: Iterable[tuple[str, str | None]], problems: Sequence[tuple[str, str | None]]) -> int:
    """Print notes, and problems because of which something is missing, with their hints; return the exit code."""
    for note, hint in notes:
        console.note(note)
        if hint:
            console.hint(hint)
    by_hint: dict[str | None, list[str]] = {}
    for problem, hint in problems:
        by_hint.setdefault(hint, []).append(problem)
    for hint, texts in by_hint.items():
        for text in texts:
            console.error(text)
        if hint:
            console.hint(hint)
    return 1 if problems else 0
