"""Hosts as a command needs them: each is started when a pipeline must be imported, or the first of its stages run."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pivot_engine.errors import OutdatedError
from pivot_engine.loaded import Loaded

if TYPE_CHECKING:
    from pivot_engine.hosting import HostProcess, Seed


class Starter:
    """Starts hosts: the first is an interpreter of its own; where there are more, they are forked from a common one."""

    def __init__(self, *, quiet: bool, guard: int | None = None) -> None:
        """Nothing is started yet; ``quiet`` and ``guard`` as for `HostProcess.spawn`."""
        self._quiet = quiet
        self._guard = guard
        self._seed: Seed | None = None
        self._started = 0

    def host(self, *, many: bool = False) -> "HostProcess":
        """A new host; ``many`` says that there will be more."""
        from pivot_engine import hosting  # noqa: PLC0415  # start-up time: most commands start none

        self._started += 1
        if self._started == 1 and not many:
            return hosting.HostProcess.spawn(quiet=self._quiet, guard=self._guard)
        if self._seed is None:
            self._seed = hosting.Seed(quiet=self._quiet, guard=self._guard)
        return self._seed.host()

    def close(self) -> None:
        """End what the hosts are forked from; they live on."""
        if self._seed is not None:
            self._seed.close()
            self._seed = None


class WarmHost:
    """The host of one pipeline file; there may be no process yet."""

    def __init__(
        self,
        expected: Loaded,
        load: Callable[[], tuple[Loaded, "HostProcess"]],
        process: "HostProcess | None" = None,
    ) -> None:
        """Know how to start it.

        Args:
            expected: What its load must give.
            load: Starts it and loads the file.
            process: The process, if it has been started.
        """
        self._expected = expected
        self._load = load
        self._process = process

    def process(self) -> "HostProcess":
        """The process, which is started if need be.

        Raises:
            OutdatedError: What it loaded is not what was expected.
            PivotError: The pipeline cannot be loaded any more.
        """
        if self._process is None:
            loaded, process = self._load()
            if loaded.schema != self._expected.schema or loaded.stages != self._expected.stages:
                process.close()
                raise OutdatedError
            self._process = process
        return self._process

    def close(self) -> None:
        """End the process and all that it runs, and wait until it is gone."""
        if self._process is not None:
            self._process.close()

    def kill(self) -> None:
        """End a process that may be busy in the user's code."""
        if self._process is not None:
            self._process.kill()
