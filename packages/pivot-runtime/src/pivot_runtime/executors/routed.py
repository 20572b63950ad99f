"""The executor of runs on a cluster: it sends stages there, and runs the rest here."""

import pathlib
from collections.abc import Callable
from typing import Protocol

from pivot_core.lock import Inputs
from pivot_runtime.executors.base import Executor, Finished
from pivot_runtime.executors.host_executor import HostExecutor


class RemoteExecutor(Executor, Protocol):
    """An executor elsewhere, which sends messages through a descriptor."""

    @property
    def idle(self) -> bool:
        """Whether nothing has been started whose end was not reported."""
        ...

    def fileno(self) -> int:
        """Send what was started, and return the descriptor that becomes readable when there is a message.

        Raises:
            ExecutorError: It cannot be sent.
        """
        ...

    def received(self) -> Finished | None:
        """Return the end of a stage; None if there is none yet. It does not block.

        Raises:
            ExecutorError: The executor has ended.
        """
        ...


class RoutedExecutor:
    """Runs each stage here or elsewhere."""

    def __init__(
        self, here: Callable[[], HostExecutor], elsewhere: RemoteExecutor, is_sent: Callable[[str], bool]
    ) -> None:
        """Create the executor; the first stage that runs here calls ``here``.

        ``is_sent`` returns whether a stage, by address, runs elsewhere.
        """
        self._make_here = here
        self._here: HostExecutor | None = None
        self._elsewhere = elsewhere
        self._is_sent = is_sent
        self._waiting: list[tuple[str, pathlib.Path]] = []

    def start(self, address: str, log: pathlib.Path, inputs: Inputs) -> None:
        """See `Executor.start`; `wait` starts those that run here, after others are sent: it may import a pipeline."""
        if self._is_sent(address):
            self._elsewhere.start(address, log, inputs)
        else:
            self._waiting.append((address, log))

    def wait(self) -> Finished:
        """See `Executor.wait`.

        Raises:
            HostError: The host died; its stages have been killed.
            ExecutorError: The executor elsewhere failed.
        """
        while True:
            other = None if self._elsewhere.idle else self._elsewhere.fileno()
            self._start_here()
            if other is None and self._here is not None:
                return self._here.wait()
            finished = self._elsewhere.received()
            if finished is None and (self._here is None or self._here.idle):
                return self._elsewhere.wait()
            if finished is None and self._here is not None:
                finished = self._here.wait_or(other)
            if finished is not None:
                return finished

    def _start_here(self) -> None:
        waiting, self._waiting = self._waiting, []
        for address, log in waiting:
            if self._here is None:
                self._here = self._make_here()
            self._here.start(address, log)

    def stop(self) -> None:
        """See `Executor.stop`."""
        self._waiting.clear()
        try:
            self._elsewhere.stop()
        finally:
            if self._here is not None:
                self._here.stop()

    def kill(self) -> None:
        """See `Executor.kill`."""
        self._elsewhere.kill()
        if self._here is not None:
            self._here.kill()
