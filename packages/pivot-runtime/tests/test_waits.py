"""Waits for messages, which every signal ends."""

import os
import select
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from pivot_runtime.processes import wire

_DEADLINE_MS = 60_000


class Handled(Exception):  # noqa: N818 - it is no error
    """The handler of the signal was called."""


@pytest.fixture
def waiting() -> Iterator[tuple[select.poll, int]]:
    """Something to wait for, and the descriptor that ends the wait."""
    ours, theirs = os.pipe()
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    yield poll, theirs
    os.close(ours)
    os.close(theirs)


@pytest.fixture
def elsewhere() -> Iterator[threading.Event]:
    """A thread that receives a signal of this process in place of the main thread, once the event is set."""
    asked = threading.Event()

    def main() -> None:
        asked.wait()
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=main)
    thread.start()
    before = signal.getsignal(signal.SIGUSR1)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    yield asked
    asked.set()
    thread.join()
    signal.signal(signal.SIGUSR1, before)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


def test_a_signal_in_another_thread_ends_a_wait(waiting: tuple[select.poll, int], elsewhere: threading.Event) -> None:
    """Like one that arrives a moment before the wait, it does not end the system call."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        raise Handled

    signal.signal(signal.SIGUSR1, handle)
    elsewhere.set()
    with pytest.raises(Handled):
        wire.poll(waiting[0], _DEADLINE_MS)
    assert waiting[0].poll(0) == []
    assert signal.set_wakeup_fd(-1) == -1


def test_a_handler_that_raises_nothing_does_not_end_a_wait(
    waiting: tuple[select.poll, int], elsewhere: threading.Event
) -> None:
    """The event loop of a process learns of the signal, too."""
    loop, of_loop = os.pipe()
    os.set_blocking(of_loop, False)
    poll, end = waiting
    try:
        signal.signal(signal.SIGUSR1, lambda *_: os.write(end, b"x"))
        signal.set_wakeup_fd(of_loop)
        elsewhere.set()
        assert [events for _, events in wire.poll(poll)] == [select.POLLIN]
        assert os.read(loop, 9) == bytes([signal.SIGUSR1])
        assert signal.set_wakeup_fd(-1) == of_loop
    finally:
        signal.set_wakeup_fd(-1)
        os.close(loop)
        os.close(of_loop)


def test_waits_end_in_time(waiting: tuple[select.poll, int]) -> None:
    poll, end = waiting
    for milliseconds in (0, 1):
        assert wire.poll(poll, milliseconds) == []
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(wire.poll(poll)))
    thread.start()
    os.write(end, b"x")
    thread.join()
    assert len(found) == 1
