"""Hosts that are started when a pipeline must be imported or its first stage runs, and hosts that outlive a command."""

import contextlib
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from pivot_runtime.errors import HostError, ImportRequiredError, StaleSnapshotError
from pivot_runtime.loading.loaded import Loaded
from pivot_runtime.processes.startup_state import StartupState

if TYPE_CHECKING:
    from pivot_runtime.loading.host_client import ForkServer, HostClient
    from pivot_runtime.warm.fork_server import WarmForkServer


class HostStarter:
    """Starts hosts: a single one directly, and several from a common fork server."""

    def __init__(
        self,
        *,
        quiet: bool,
        guard: int | None = None,
        startup_state: StartupState | None = None,
        may_start: bool = True,
        warm: "WarmForkServer | None" = None,
    ) -> None:
        """Start nothing yet, nor later unless ``may_start``; other arguments are those of `HostClient.begin`.

        If there is one, ``warm`` is preferred.
        """
        self._warm = warm
        self._startup_state = startup_state
        self._quiet = quiet
        self._guard = guard
        self._may_start = may_start
        self._fork_server: ForkServer | None = None
        self._started = 0

    def host(self, *, many: bool = False) -> "HostClient":
        """Start and return a host; ``many`` means that there will be more.

        Raises:
            ImportRequiredError: No host may be started.
        """
        if not self._may_start:
            raise ImportRequiredError
        from pivot_runtime.loading import host_client  # lazy

        if self._warm is not None and self._warm.is_ready():
            with contextlib.suppress(HostError):  # it has ended, and others can do the same
                return host_client.HostClient(self._warm.fork, child=False, end_leftovers=self._warm.end_leftovers)
        self._started += 1
        if self._started == 1 and not many:
            return host_client.HostClient.begin(quiet=self._quiet, guard=self._guard, startup_state=self._startup_state)
        if self._fork_server is None:
            self._fork_server = host_client.ForkServer(
                quiet=self._quiet, guard=self._guard, startup_state=self._startup_state
            )
        return self._fork_server.host()

    def close(self) -> None:
        """End the fork server; its hosts live on."""
        if self._fork_server is not None:
            self._fork_server.close()
            self._fork_server = None
        if self._warm is not None:
            self._warm.finish()


class LazyHost:
    """The host of one pipeline file; its process may not be started yet.

    Attributes:
        kept: A `HostPool` keeps it, and ends it.
    """

    def __init__(
        self,
        expected: Loaded | None,
        load: Callable[[], tuple[Loaded, "HostClient"]],
        process: "HostClient | None" = None,
    ) -> None:
        """Describe the host.

        Args:
            expected: The required result of its load; None if every result is accepted.
            load: Starts the process and loads the file.
            process: The process, if it has been started.
        """
        self._expected = expected
        self._load = load
        self._process = process
        self.kept = False

    def process(self) -> "HostClient":
        """Return the process; start it if necessary.

        Raises:
            StaleSnapshotError: Its load differs from the expected one.
            PivotError: The pipeline can no longer be loaded.
        """
        if self._process is None:
            loaded, process = self._load()
            expected = self._expected
            if expected is not None and (loaded.schema != expected.schema or loaded.stages != expected.stages):
                process.close()
                raise StaleSnapshotError
            self._process = process
        return self._process

    def is_of(self, loaded: Loaded) -> bool:
        """Return whether its process has loaded, or must load, exactly this."""
        return loaded == self._expected

    def close(self) -> None:
        """End the process and all that it runs, and wait for that, unless a `HostPool` keeps it."""
        if self._process is not None and not self.kept:
            self._process.close()

    def kill(self) -> None:
        """Kill the process, which may be busy in user code, unless a `HostPool` keeps it."""
        if self._process is not None and not self.kept:
            self._process.kill()


class HostPool:
    """Hosts that outlive a command, by pipeline file; each is kept as long as its load holds."""

    def __init__(self) -> None:
        """Keep no hosts yet."""
        self._hosts: dict[pathlib.Path, LazyHost] = {}

    def take(self, file: pathlib.Path, loaded: Loaded) -> LazyHost | None:
        """Return the host that has loaded exactly this from the file, if there is one."""
        host = self._hosts.get(file)
        return host if host is not None and host.is_of(loaded) else None

    def put(self, file: pathlib.Path, host: LazyHost) -> None:
        """Keep a host, and end the file's previous one."""
        before = self._hosts.get(file)
        if before is not host:
            if before is not None:
                _end(before)
            host.kept = True
            self._hosts[file] = host

    def close(self) -> None:
        """End all hosts."""
        while self._hosts:
            _end(self._hosts.popitem()[1])


def _end(host: LazyHost) -> None:
    host.kept = False
    host.kill()
