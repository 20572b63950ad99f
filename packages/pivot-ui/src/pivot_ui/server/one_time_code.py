"""A code in the link that a browser gets on its command line, which other users of the machine can see."""

import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final, Literal

__all__ = ["CODE_SECONDS", "OneTimeCode"]

CODE_SECONDS: Final = 60.0

type CodeState = Literal["fits", "used", "late", "wrong"]


class OneTimeCode:
    """A code that opens the page once, within a minute of its making; it is nowhere but in memory.

    Attributes:
        text: The code.
    """

    def __init__(self, warn: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        """Make a code; ``warn`` is called at the first report of a second use."""
        self.text = secrets.token_urlsafe(32)
        self._warn = warn
        self._clock = clock
        self._end = clock() + CODE_SECONDS
        self._used = False
        self._reported = False

    def redeem(self, given: str) -> CodeState:
        """Use the code up; return whether a given one ``fits``, and otherwise why it does not."""
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self.text.encode()):
            return "wrong"
        if self._used:
            return "used"
        if self._clock() > self._end:
            return "late"
        self._used = True
        return "fits"

    def report_second_use(self) -> None:
        """Warn that somebody has used the code after somebody else; only once."""
        if not self._reported:
            self._reported = True
            self._warn()
