"""Hosts that are started when a pipeline must be imported or its first stage runs, and hosts that outlive a command."""

import contextlib
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from pivot_runtime.config.settings import WorkerStart
from pivot_runtime.errors import HostError, ImportRequiredError, StaleSnapshotError
from pivot_runtime.loading.loaded import Loaded
from pivot_runtime.processes.startup_state import StartupState

if TYPE_CHECKING:
    from pivot_runtime.context import CommandContext
    from pivot_runtime.loading.fork_server import ForkServer
    from pivot_runtime.loading.host_client import HostClient, SlowImports
    from pivot_runtime.loading.library_processes import LibraryProcesses
    from pivot_runtime.warm.command import WarmProcess


class HostStarter:
    """Starts hosts: a single one directly, and several from a common fork server."""

    def __init__(
        self,
        *,
        quiet: bool,
        guard: int | None = None,
        startup_state: StartupState | None = None,
        may_start: bool = True,
        warm: "WarmProcess | None" = None,
        libraries: "LibraryProcesses | None" = None,
    ) -> None:
        """Start nothing yet, nor later unless ``may_start``.

        If there is one, ``warm`` is preferred; ``libraries`` are the processes with libraries to use. The other
        arguments are those of `HostClient.begin`.
        """
        self._warm = warm
        self._startup_state = startup_state
        self._quiet = quiet
        self._guard = guard
        self._may_start = may_start
        self._fork_server: ForkServer | None = None
        self._started = 0
        self._libraries = libraries
        self._file: pathlib.Path | None = None
        self._warm_servers: list[ForkServer] = []
        self._warm_server: ForkServer | None = None

    @classmethod
    def of_command(
        cls, context: "CommandContext", guard: int | None, *, quiet: bool, may_start: bool, starts_warm: bool
    ) -> Self:
        """Return that of a command; a ``guard`` is not for hosts that outlive it."""
        pool, warm, libraries = context.host_pool, None, None
        held = guard if pool is None else None
        if context.settings.warm:
            from pivot_runtime.warm.command import WarmProcess  # lazy

            warm = WarmProcess.of(context, quiet=quiet, held=held, may_start=starts_warm)
        if may_start and context.settings.worker_start is WorkerStart.FORK:
            from pivot_runtime.loading.library_processes import LibraryProcesses  # lazy

            libraries = LibraryProcesses(context.project.layout) if pool is None else pool.library_processes(context)
        state = context.startup_state
        return cls(quiet=quiet, guard=held, startup_state=state, may_start=may_start, warm=warm, libraries=libraries)

    def host(
        self,
        file: pathlib.Path,
        together: Sequence[pathlib.Path] = (),
        slow: "SlowImports | None" = None,
    ) -> "HostClient":
        """Start and return a host for a pipeline file; ``together`` are the files that this command will import.

        Raises:
            ImportRequiredError: No host may be started.
        """
        if not self._may_start:
            raise ImportRequiredError
        from pivot_runtime.loading import host_client  # lazy

        self._file = self._file or file
        if self._libraries is not None:
            files = together or (self._libraries.together(file))
            host = self._libraries.host(self.server, file, files, quiet=self._quiet, slow=slow or host_client.NO_REPORT)
            if host is not None:
                return host
        if self._warm is not None and self._warm_server is None:
            self._warm_server = self._of_warm(())
        if self._warm_server is not None:
            with contextlib.suppress(HostError):  # it has ended, and others can do the same
                return self._warm_server.host()
        self._started += 1
        if self._started == 1 and len(together) <= 1:
            return host_client.HostClient.begin(quiet=self._quiet, guard=self._guard, startup_state=self._startup_state)
        if self._fork_server is None:
            self._fork_server = self.server(quiet=self._quiet)
        return self._fork_server.host()

    def server(self, names: tuple[str, ...] = (), *, quiet: bool = False) -> "ForkServer":
        """Start and return a fork server; if possible, one that has imported the modules of these names."""
        from pivot_runtime.loading import fork_server  # lazy: one host alone needs none

        found = self._of_warm(names) if names else None
        return found or fork_server.ForkServer.begin(quiet=quiet, guard=self._guard, startup_state=self._startup_state)

    def _of_warm(self, names: tuple[str, ...]) -> "ForkServer | None":
        """Return a fork server of the warm process that has imported these modules."""
        line = None if self._warm is None else self._warm.line(names)
        if line is None:
            return None
        from pivot_runtime.loading import fork_server  # lazy

        self._warm_servers.append(fork_server.ForkServer(line.line, line.pid, line))
        return self._warm_servers[-1]

    def loaded(self, file: pathlib.Path, loaded: Loaded, host: "HostClient") -> None:
        """Note the libraries that a host has imported, for the next import of its file."""
        if self._libraries is not None:
            seconds = 0.0 if loaded.times is None else sum(loaded.times.libraries.values())
            self._libraries.known.imported(file, host.asked, host.libraries, seconds)

    def loaded_together(self, files: Sequence[pathlib.Path]) -> None:
        """Note that a command has loaded these files."""
        if self._libraries is not None:
            self._libraries.known.loaded_together(files)

    def close(self) -> None:
        """End the fork server, and those with libraries unless they outlive the command; their hosts live on."""
        if self._libraries is not None and not self._libraries.lasting:
            self._libraries.close()
        if self._fork_server is not None:
            self._fork_server.close()
            self._fork_server = None
        if self._warm_server is not None:
            self._warm_server.close()
            self._warm_server = None
        if self._warm is not None and self._file is not None:
            names = () if self._libraries is None else self._libraries.next_names(self._file)
            outdated, unfit = (
                any(getattr(each, name) for each in self._warm_servers) for name in ("outdated", "unfit")
            )
            self._warm.finish(self._file, names, outdated=outdated, unfit=unfit)
            self._file = None


class LazyHost:
    """The host of one pipeline file; its process may not be started yet.

    Attributes:
        kept: A `HostPool` keeps it, and ends it.
        ending: It must not be used any more.
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
        self.ending = False

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

    def begin_to_close(self) -> None:
        """Let the process end, unless a `HostPool` keeps it; `close` waits for that."""
        if self._process is not None and not self.kept:
            self._process.begin_to_close()

    def close(self) -> None:
        """End the process and all that it runs, and wait for that, unless a `HostPool` keeps it."""
        if self._process is not None and not self.kept:
            self._process.close()

    def kill(self) -> None:
        """Kill the process, which may be busy in user code, unless a `HostPool` keeps it."""
        if self._process is not None and not self.kept:
            if self.ending:
                self._process.close()
            else:
                self._process.kill()

    def begin_to_end(self) -> None:
        """Let the idle process end at once, without its exit handlers; `close` and `kill` wait for that."""
        if self._process is not None and not self.ending:
            self._process.begin_to_end()
        self.ending = True


class HostPool:
    """Hosts that outlive a command, by pipeline file; each is kept as long as its load holds.

    Attributes:
        libraries: The processes with libraries that outlive the command; None if the first command has none so far.
    """

    def __init__(self) -> None:
        """Keep no hosts yet."""
        self.libraries: LibraryProcesses | None = None
        self._hosts: dict[pathlib.Path, LazyHost] = {}

    def take(self, file: pathlib.Path, loaded: Loaded) -> LazyHost | None:
        """Return the host that has loaded exactly this from the file, if there is one."""
        host = self._hosts.get(file)
        return host if host is not None and not host.ending and host.is_of(loaded) else None

    def let_go(self, file: pathlib.Path) -> None:
        """Begin to end the host of a file that is imported again; `put` and `close` wait for its end."""
        host = self._hosts.get(file)
        if host is not None:
            host.begin_to_end()

    def put(self, file: pathlib.Path, host: LazyHost) -> None:
        """Keep a host, and end the file's previous one."""
        before = self._hosts.get(file)
        if before is not host:
            if before is not None:
                before.kept = False
                before.begin_to_end()
                before.close()
            host.kept = True
            self._hosts[file] = host

    def library_processes(self, context: "CommandContext") -> "LibraryProcesses":
        """Return the processes with libraries, which are started when they are needed."""
        if self.libraries is None:
            from pivot_runtime.loading.library_processes import LibraryProcesses  # lazy

            self.libraries = LibraryProcesses(context.project.layout, lasting=True)
        return self.libraries

    def prepare(self, context: "CommandContext") -> None:
        """Begin to import, in processes of their own, the libraries of the files that have hosts."""
        if context.settings.worker_start is WorkerStart.FORK:
            self.library_processes(context).prepare(HostStarter(quiet=False).server, self._hosts)

    def close(self) -> None:
        """End all hosts, and the processes with libraries."""
        while self._hosts:
            host = self._hosts.popitem()[1]
            host.kept = False
            host.kill()
        if self.libraries is not None:
            self.libraries.close()
