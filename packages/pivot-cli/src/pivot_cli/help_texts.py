"""Help texts that come with the package, since importing click takes longer than all else that a request for help does.

They are written by `nox -s reference`, and a test compares them with click's.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTHS = (78, 98)
"""The widths of the texts: those for a terminal of 80 columns or none, and for all of 100 columns or more."""

_COLUMNS, _WIDEST, _NARROWEST = 80, 100, 50


def width() -> int:
    """Return the width of help texts; click would import an archive module to determine it."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns <= 0:
        try:
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ is not None else 0
        except (OSError, ValueError):  # no terminal, or it is closed
            columns = 0
    return max(min(columns or _COLUMNS, _WIDEST) - 2, _NARROWEST)


def find(given: "Sequence[str]") -> str | None:
    """Return the help that these arguments, whose last is the option for it, request; None if it is not kept."""
    columns = width()
    if columns not in WIDTHS:
        return None
    words = given[:-1]
    if not all(word.isascii() and word.replace("-", "").isalpha() for word in words):
        return None
    with open(path(columns), encoding="utf-8") as file:
        _, found, rest = file.read().partition(heading(words))
    return rest.partition(heading())[0] if found else None


def path(columns: int) -> str:
    """Return the path of the texts of one width."""
    return os.path.join(os.path.dirname(__file__), f"help_texts_{columns}.txt")


def heading(words: "Sequence[str] | None" = None) -> str:
    """Return what is before the text of a command; without ``words``, what is before each text."""
    return "\n# pivot" if words is None else f"\n# {' '.join(('pivot', *words))}\n"
