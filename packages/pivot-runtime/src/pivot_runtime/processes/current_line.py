"""The line of user code that a process executes, which another process requests by a signal."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Final

from pivot_runtime.processes import wire

ASKED: Final = signal.SIGURG
"""A signal that has no effect on a process without a handler."""


@contextlib.contextmanager
def answering(
    root: str, is_user_code: Callable[[str], bool], to: int, libraries: Callable[[], Mapping[str, float]]
) -> Iterator[None]:
    """While the block runs, answer each signal with a message on the descriptor ``to``.

    It has the current line of user code, and what ``libraries`` returns: how long each has been imported so far.
    Python runs the handler between two bytecodes, and also in a call that sleeps or waits for a lock.
    """

    def answer(_: int, frame: FrameType | None) -> None:
        wire.send(to, {"event": "at", "place": _place(frame, root, is_user_code), "libraries": dict(libraries())})

    before = signal.signal(ASKED, answer)
    try:
        yield
    finally:
        signal.signal(ASKED, signal.SIG_DFL if before is None else before)


def _place(frame: FrameType | None, root: str, is_user_code: Callable[[str], bool]) -> str:
    """The innermost line of user code, with a path relative to the root; empty if there is none.

    The main module is the script of the command, which need not be where libraries are.
    """
    while frame is not None:
        file = frame.f_code.co_filename
        if is_user_code(file) and frame.f_globals.get("__name__") != "__main__":
            return f"{os.path.relpath(file, root)}:{frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back
    return ""
