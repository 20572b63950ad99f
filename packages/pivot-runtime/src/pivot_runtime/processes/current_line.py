"""The line of user code that a process executes, asked for by a signal."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

from pivot_runtime.processes import wire

ASKED: Final = signal.SIGURG
"""A signal without effect where nobody respects it."""


@contextlib.contextmanager
def answering(root: str, is_user_code: Callable[[str], bool], to: int) -> Iterator[None]:
    """In the block, each time that the signal comes, send the line of the user's code that runs to a descriptor.

    It comes in between two steps of Python code, and so also into what waits for a lock or sleeps.
    """

    def told(_: int, frame: FrameType | None) -> None:
        wire.send(to, {"event": "at", "place": _place(frame, root, is_user_code)})

    before = signal.signal(ASKED, told)
    try:
        yield
    finally:
        signal.signal(ASKED, signal.SIG_DFL if before is None else before)


def _place(frame: FrameType | None, root: str, is_user_code: Callable[[str], bool]) -> str:
    """The innermost line of the user's, with a path relative to the root; empty if there is none."""
    while frame is not None:
        file = frame.f_code.co_filename
        if is_user_code(file):
            return f"{os.path.relpath(file, root)}:{frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back
    return ""
