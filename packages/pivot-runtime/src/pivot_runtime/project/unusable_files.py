"""Files that a command cannot use: each is reported once, and the command continues without it."""

from collections.abc import Callable

import attrs

from pivot_core.errors import PivotError
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class Doubt(Value):
    """Something that was passed over.

    Attributes:
        text: What, and why.
        hint: The way out.
        grave: Something is lacking therefore; else it only looks like a file of ours.
    """

    text: str
    hint: str | None = None
    grave: bool = True


def _silent(_: Doubt) -> None:
    """Nobody listens."""


class Doubts:
    """The records that one command has passed over."""

    def __init__(self, tell: Callable[[Doubt], object] = _silent) -> None:
        """``tell`` is called with each doubt, once."""
        self._tell = tell
        self._told: set[Doubt] = set()

    @property
    def grave(self) -> bool:
        """Something was passed over that the command should have respected."""
        return any(doubt.grave for doubt in self._told)

    def pass_over(self, error: PivotError) -> None:
        """The subject of this doubt is ignored."""
        self.add(Doubt(str(error), error.hint))

    def add(self, doubt: Doubt) -> None:
        """Report it, unless it has been reported."""
        if doubt not in self._told:
            self._told.add(doubt)
            self._tell(doubt)
