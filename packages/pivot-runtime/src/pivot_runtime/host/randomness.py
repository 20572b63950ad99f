"""The random state of a forked stage: its own, unless the user's module has chosen one while it was imported."""

import random
import sys
from typing import Any

_UNTOUCHED = 623
"""Where numpy's global generator stands before it is used or seeded."""


class Randomness:
    """Compares the generators of the standard library and of numpy with what they were before the import."""

    def __init__(self) -> None:
        """Call this before the user's module is imported."""
        self._before = random.getstate()
        self._chosen: Any = None

    def imported(self) -> None:
        """Call this afterwards."""
        state = random.getstate()
        self._chosen = None if state == self._before else state

    def settle(self) -> None:
        """In the child: what was seeded goes on from there, as Python does not let it; all else is seeded again."""
        if self._chosen is not None:
            random.setstate(self._chosen)
        numpy: Any = sys.modules.get("numpy.random")
        if numpy is not None and numpy.get_state()[2] == _UNTOUCHED:
            numpy.seed()
