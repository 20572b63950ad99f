"""The errors that Pivot raises on purpose: each names the problem and its solution."""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final

__pivot_module__ = "pivot"


class PivotError(Exception):
    """An error that the user can solve; ``str()`` is one sentence without a final full stop.

    Attributes:
        hint: How to solve it, or None if the sentence itself shows how.
        exit_code: The exit code of a command that ends with this error: 1 ("the answer is no"), 2 ("wrong usage or
            configuration") or 3 ("unknown").
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class DefinitionError(PivotError):
    """A stage or pipeline is declared incorrectly in the user's code.

    Attributes:
        kind: The name of the class that this error had in the process that found it; "" in that process.
    """

    kind = ""


class PathError(DefinitionError):
    """A declared path cannot be an artifact of the project."""


class GraphError(DefinitionError):
    """The stages do not form an executable graph."""


class DiscoveryError(PivotError):
    """A required project or pipeline does not exist."""


class LoaderError(PivotError):
    """A value does not fit its loader, or the library that a loader needs is missing."""

    exit_code: ClassVar[int] = 1


def list_names(names: Sequence[str], most: int = 3) -> str:
    """Format the first names of a list: ``a, b, c and 4 more``."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


_BEGINNING: Final = 3
"""The number of letters that are enough to find the names that begin with them."""


def suggest(name: str, known: Iterable[str], *, most: int = 1, format_name: Callable[[str], str] = str) -> str | None:
    """A hint with the known names that are similar to an unknown one; None if there are none.

    Args:
        name: The unknown name.
        known: All known names.
        most: The maximum number of names in the hint.
        format_name: Formats a name for the hint.
    """
    import difflib  # lazy

    every = list(known)
    close = difflib.get_close_matches(name, every, n=most)
    if not close and len(name) >= _BEGINNING:
        close = [each for each in every if each.startswith(name)][:most]
    return f"did you mean {' or '.join(map(format_name, dict.fromkeys(close)))}?" if close else None
