"""The family of errors that Pivot raises on purpose: each says what is wrong and the way out."""

from collections.abc import Callable, Iterable
from typing import ClassVar

__pivot_module__ = "pivot"


class PivotError(Exception):
    """Something the user can act on; ``str()`` is one sentence without a final full stop.

    Attributes:
        hint: The way out, or None where the sentence already says it.
        exit_code: The exit code of a command that ends with this error: 1 "the answer is no",
            2 "wrong usage or configuration", 3 "could not tell".
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class DefinitionError(PivotError):
    """A stage or pipeline is described wrongly in the user's code."""


class PathError(DefinitionError):
    """A declared path cannot be an artifact of the project."""


class GraphError(DefinitionError):
    """The stages do not form a graph that can be run."""


class DiscoveryError(PivotError):
    """No project or no pipeline where one is needed."""


class LoaderError(PivotError):
    """A value does not fit its loader, or the library that a loader needs is missing."""

    exit_code: ClassVar[int] = 1


def suggest(name: str, known: Iterable[str], *, most: int = 1, shown: Callable[[str], str] = str) -> str | None:
    """A hint that asks for the known names that are like one that is not known; None if there are none.

    Args:
        name: The name that is not known.
        known: All names that are known.
        most: The most names in the hint.
        shown: How the hint shows a name.
    """
    import difflib  # noqa: PLC0415  # start-up time: only where something is wrong

    close = difflib.get_close_matches(name, list(known), n=most)
    return f"did you mean {' or '.join(map(shown, dict.fromkeys(close)))}?" if close else None
