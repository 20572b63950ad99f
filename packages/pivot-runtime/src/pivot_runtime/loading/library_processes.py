"""The fork servers with libraries that a command has, or that `--watch` keeps: which there are, and who uses which."""

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pivot_cache.layout import Layout
from pivot_runtime.errors import HostError
from pivot_runtime.libraries.known_imports import KnownImports

if TYPE_CHECKING:
    from pivot_runtime.loading.fork_server import ForkServer
    from pivot_runtime.loading.host_client import HostClient, SlowImports

_ATTEMPTS: Final = 3
_MOST: Final = 3
"""The fork servers that are kept, each with other libraries."""

type StartServer = Callable[[tuple[str, ...]], "ForkServer"]
"""Starts a fork server for some modules, which has imported them already if it is ``preloaded``."""


class LibraryProcesses:
    """The fork servers with libraries; each serves the pipelines for which the same modules are imported in advance.

    Attributes:
        known: The libraries that each pipeline imported last.
        lasting: They outlive a command.
    """

    def __init__(self, layout: Layout, *, lasting: bool = False) -> None:
        """Start none yet."""
        self.lasting = lasting
        self.known = KnownImports(layout)
        self._root = layout.root
        self._servers: dict[tuple[str, ...], ForkServer] = {}
        self._ended: list[ForkServer] = []
        self._unshared: set[pathlib.Path] = set()

    def together(self, file: pathlib.Path) -> Sequence[pathlib.Path]:
        """Return the files for which the libraries of this one are imported: those that are loaded in one command."""
        return (file,) if self.lasting else self.known.together(file)

    def next_names(self, file: pathlib.Path) -> tuple[str, ...]:
        """Return the modules that the next command imports in advance if it must import a file again."""
        files = self.together(file)
        return self.known.names(file) if len(files) == 1 else self.known.common(files)

    def host(
        self, start: StartServer, file: pathlib.Path, files: Sequence[pathlib.Path], *, quiet: bool, slow: "SlowImports"
    ) -> "HostClient | None":
        """Return a host of ``file`` with the libraries that all ``files`` import; None if there are none."""
        for _ in range(_ATTEMPTS):
            names = self._names(file, files)
            if not names and not (self.lasting and names in self._servers):
                return None
            from pivot_runtime.loading.fork_server import PreloadError  # lazy

            server = self._server(start, file, names)
            try:
                return server.host(quiet=quiet, slow=slow, unshared=self._unshare(file, names))
            except PreloadError as error:
                self._end(names)
                if error.name:
                    self.known.leave_out(error.name, error.reason, lasting=error.lasting)
            except HostError:  # it has ended
                self._end(names)
        self._unshared.add(file)
        return None

    def prepare(self, start: StartServer, files: Iterable[pathlib.Path]) -> None:
        """Begin to import the libraries of these files, each of which will be imported alone again.

        Also where there are none: a fork server is faster than an interpreter.
        """
        self._end_all(self._ended)
        self._unshared.clear()
        wanted = {self._names(file, (file,)): file for file in files}
        for names in [each for each in self._servers if each not in wanted]:
            self._end(names)
        for names, file in [*wanted.items()][:_MOST]:
            self._server(start, file, names)

    def close(self) -> None:
        """End all; their hosts live on."""
        for names in list(self._servers):
            self._end(names)
        self._end_all(self._ended)

    def _names(self, file: pathlib.Path, files: Sequence[pathlib.Path]) -> tuple[str, ...]:
        if file in self._unshared:
            return ()
        return self.known.names(file) if len(files) == 1 else self.known.common(files)

    def _server(self, start: StartServer, file: pathlib.Path, names: tuple[str, ...]) -> "ForkServer":
        server = self._servers.get(names)
        if server is None:
            server = self._servers[names] = start(names)
            if not server.preloaded:
                server.preload(self._root, file, names)
        return server

    def _unshare(self, file: pathlib.Path, names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], None]:
        def unshared(answer: Mapping[str, Any]) -> None:
            self._unshared.add(file)
            server = self._servers.get(names)
            if server is not None:
                server.outdated = server.outdated or answer["outdated"]
                server.unfit = server.unfit or not answer["name"]
            if answer["outdated"] or not names:
                self._end(names)
            elif answer["name"]:
                self.known.refuse(file, answer["name"], answer["file"])

        return unshared

    @staticmethod
    def _end_all(servers: "list[ForkServer]") -> None:
        while servers:
            servers.pop().close()

    def _end(self, names: tuple[str, ...]) -> None:
        """Use a fork server no more; it ends in `close`, since a host that loads may still depend on it."""
        server = self._servers.pop(names, None)
        if server is not None:
            self._ended.append(server)
