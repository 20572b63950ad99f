"""The command's end of the backend process, if that does not read, or a signal interrupts the command."""

import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest
from processes import alive

from pivot_runtime.cluster.backend_client import BackendClient


@pytest.fixture
def client() -> Iterator[BackendClient]:
    made = BackendClient()
    yield made
    made.kill()


class _InterruptedError(Exception):
    pass


def interrupt(_: int, __: FrameType | None) -> None:
    raise _InterruptedError


def test_the_process_leads_a_group_as_soon_as_it_is_started(client: BackendClient) -> None:
    """Without a group, it could not be killed."""
    assert os.getpgid(client.pid) == client.pid


def test_a_message_that_a_signal_has_interrupted_does_not_damage_the_next(client: BackendClient) -> None:
    before = signal.signal(signal.SIGALRM, interrupt)
    os.kill(client.pid, signal.SIGSTOP)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(_InterruptedError):
            client.send({"op": "stop", "more": "x" * (1 << 20)})
    finally:
        signal.signal(signal.SIGALRM, before)
    assert not client.stopped(0.05)
    os.kill(client.pid, signal.SIGCONT)

    assert client.stopped(60.0)


def test_a_process_that_does_not_read_is_not_waited_for_forever(client: BackendClient) -> None:
    os.kill(client.pid, signal.SIGSTOP)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(_InterruptedError):
            client.close()
    finally:
        signal.signal(signal.SIGALRM, before)

    client.kill()

    assert not alive(client.pid)
