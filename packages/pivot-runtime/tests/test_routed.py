"""Stages of one run, some of which run elsewhere."""

import os
import pathlib
from collections import deque
from collections.abc import Iterator
from typing import cast

import pytest

from pivot_core.lock import Inputs
from pivot_runtime.errors import ExecutorError
from pivot_runtime.executors.base import Finished
from pivot_runtime.executors.host_executor import HostExecutor
from pivot_runtime.executors.routed import RoutedExecutor

INPUTS = Inputs(schema=1)
LOG = pathlib.Path("log")


class Elsewhere:
    """An executor whose stages end when a test says so, through a pipe as the real one has."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._running: list[str] = []
        self._ended: deque[str] = deque()
        self.ends: list[str] = []
        self.sent: list[str] = []

    def end(self, address: str) -> None:
        self._ended.append(address)
        os.write(self._writer, b".")

    @property
    def idle(self) -> bool:
        return not self._running

    def start(self, address: str, log: pathlib.Path, inputs: Inputs) -> None:
        del log
        assert inputs is INPUTS
        self._running.append(address)

    def fileno(self) -> int:
        self.sent = [*self._running]
        return self._reader

    def received(self) -> Finished | None:
        if not self._ended:
            return None
        return self.wait()

    def wait(self) -> Finished:
        os.read(self._reader, 1)
        address = self._ended.popleft()
        self._running.remove(address)
        return Finished(address, 1.0)

    def stop(self) -> None:
        self.ends.append("stop")

    def kill(self) -> None:
        self.ends.append("kill")

    def close(self) -> None:
        os.close(self._reader)
        os.close(self._writer)


class Here:
    """An executor whose stages end in order, unless something else happens first."""

    def __init__(self) -> None:
        self._running: deque[str] = deque()
        self.ends: list[str] = []

    @property
    def idle(self) -> bool:
        return not self._running

    def start(self, address: str, log: pathlib.Path, inputs: Inputs | None = None) -> None:
        del log, inputs
        self._running.append(address)

    def wait(self) -> Finished:
        return Finished(self._running.popleft(), 1.0)

    def wait_or(self, other: int) -> Finished | None:
        del other
        return self.wait()

    def stop(self) -> None:
        self.ends.append("stop")

    def kill(self) -> None:
        self.ends.append("kill")


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


def routed(here: Here, elsewhere: Elsewhere) -> RoutedExecutor:
    return RoutedExecutor(lambda: cast("HostExecutor", here), elsewhere, lambda address: address.startswith("far"))


def test_each_stage_ends_where_it_was_started(elsewhere: Elsewhere) -> None:
    here = Here()
    both = routed(here, elsewhere)
    both.start("far.a", LOG, INPUTS)
    both.start("near.a", LOG, INPUTS)
    both.start("near.b", LOG, INPUTS)

    first = both.wait().address
    elsewhere.end("far.a")
    others = {both.wait().address, both.wait().address}

    assert first == "near.a"
    assert others == {"far.a", "near.b"}


def test_stages_are_sent_before_others_start_here(elsewhere: Elsewhere) -> None:
    here = Here()
    sent: list[str] = []

    def make() -> HostExecutor:
        sent.extend(elsewhere.sent)
        return cast("HostExecutor", here)

    both = RoutedExecutor(make, elsewhere, lambda address: address.startswith("far"))
    both.start("near.a", LOG, INPUTS)
    both.start("far.a", LOG, INPUTS)

    assert both.wait().address == "near.a"
    assert sent == ["far.a"]


def test_nothing_is_started_here_if_all_stages_are_elsewhere(elsewhere: Elsewhere) -> None:
    def no_host() -> HostExecutor:
        raise AssertionError

    both = RoutedExecutor(no_host, elsewhere, lambda _: True)
    both.start("far.a", LOG, INPUTS)
    elsewhere.end("far.a")

    assert both.wait().address == "far.a"

    both.stop()
    both.kill()
    assert elsewhere.ends == ["stop", "kill"]


def test_all_are_stopped_also_if_one_cannot_be(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Here()
    both = routed(here, elsewhere)
    both.start("near.a", LOG, INPUTS)
    both.start("near.b", LOG, INPUTS)
    both.wait()

    def fail() -> None:
        raise ExecutorError("it is gone")

    monkeypatch.setattr(elsewhere, "stop", fail)
    with pytest.raises(ExecutorError, match="it is gone"):
        both.stop()

    assert here.ends == ["stop"]
