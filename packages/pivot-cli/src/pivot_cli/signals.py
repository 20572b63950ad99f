"""Signals that end a command like Ctrl-C, but with the exit code that shells expect."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process received a signal to end; `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def raise_on_termination() -> Iterator[None]:
    """Make SIGTERM and SIGHUP interrupt the block as Ctrl-C does, so that it can clean up.

    Ignored signals, as under `nohup`, stay ignored.
    """
    heeded = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in heeded:
        signal.signal(number, _terminate)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


_asked: list[int] = []
"""The signals that asked this process to end, since code in between may have handled them as Ctrl-C."""


def raise_again() -> None:
    """Raise the last termination signal again, after it was handled as Ctrl-C.

    Raises:
        Terminated: There was such a signal.
    """
    if _asked:
        raise Terminated(_asked[-1])


def _terminate(number: int, _: FrameType | None) -> None:
    _asked.append(number)
    raise Terminated(number)
