"""The protocol of packages that run stages on a cluster, and their lookup by the address of an executor.

Packages provide executors through the entry-point group `pivot.executors`: one entry per scheme, which names a
`ConnectBackend`. An address is ``SCHEME://...`` or ``SCHEME+...``.
"""

import pathlib
import re
from collections.abc import Mapping
from typing import Final, Protocol, cast

import attrs

from pivot_cache.remotes import entry_points
from pivot_core.values import Value
from pivot_runtime.errors import ConfigError

GROUP: Final = "pivot.executors"
"""The entry-point group."""

_KNOWN: Final = {"dask": ("pivot-dask", "pivot[dask]")}
"""For each known scheme, the package that provides it, and the extra that installs it."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9.]*)(?:://|\+)")


class ClusterEvents(Protocol):
    """Receives the events of a cluster, from any thread; events of unknown or ended stage runs are ignored."""

    def connected(self, *, dashboard: str, workers: int, threads: int) -> None:
        """The scheduler has answered; ``dashboard`` is the URL of its pages, or empty."""
        ...

    def started(self, number: int, worker: str) -> None:
        """A stage run has started; a second time if its worker was lost and it starts again elsewhere."""
        ...

    def output(self, number: int, lines: list[str]) -> None:
        """A stage has printed lines."""
        ...

    def answered(self, number: int, answer: bytes) -> None:
        """A worker has answered, with JSON."""
        ...

    def failed(self, number: int, summary: str, hint: str | None) -> None:
        """No answer will come."""
        ...

    def waiting(self, number: int, reason: str) -> None:
        """A stage run does not start, since nothing in the cluster can run it now; called once for each."""
        ...

    def note(self, message: str) -> None:
        """The user should know something that prevents nothing."""
        ...

    def lost(self, summary: str, hint: str | None) -> None:
        """The cluster is gone; there will be no more events."""
        ...


class ClusterBackend(Protocol):
    """A connection to a cluster. Its methods do not wait, except for `stop` and `close`."""

    def add_sources(self, digest: str, archive: bytes) -> None:
        """Provide an archive of sources for the stage runs that name its digest."""
        ...

    def submit(
        self, number: int, task: bytes, *, sources: str, name: str, resources: Mapping[str, float], priority: int
    ) -> None:
        """Send a stage run to the cluster.

        Args:
            number: Its number, which no other stage run of this connection has.
            task: A `StageTask` as JSON.
            sources: The digest of its sources.
            name: Its name for people, without secrets.
            resources: The resources that a worker must have free for it, as a number of each.
            priority: A stage run with a higher one starts earlier.
        """
        ...

    def stop(self) -> None:
        """Cancel and interrupt all stage runs, and wait until none runs, at most about ten seconds."""
        ...

    def close(self) -> None:
        """Disconnect, and end the cluster if this connection created it."""
        ...


@attrs.frozen(eq=False, repr=False)
class ExecutorSettings(Value):
    """The circumstances of a connection.

    Attributes:
        root: The root of the project.
        run: The ID of the run, which no other run has.
        resources: The most of each resource that one stage of the run needs.
        jobs: The most stage runs at the same time.
        log: The path, from the root, of the file that gets what libraries and a function of the user's print.
    """

    root: pathlib.Path
    run: str
    resources: Mapping[str, float] = attrs.field(factory=dict)
    jobs: int = 1
    log: str = ""


class ConnectBackend(Protocol):
    """Connects to the cluster of an address.

    It raises a `PivotError` if that is not possible, in about ten seconds if nothing answers at the address.
    """

    def __call__(self, address: str, settings: ExecutorSettings, events: ClusterEvents, /) -> ClusterBackend:
        """Connect; see above."""
        ...


def check(address: str) -> None:
    """Check that a package for the address is installed, without importing it.

    Raises:
        ConfigError: There is none, or the address has no scheme.
    """
    scheme = _scheme(address)
    if scheme not in {entry.name for entry in entry_points.list_entry_points(GROUP)}:
        raise _unknown(address, scheme)


def find(address: str) -> ConnectBackend:
    """The way to connect to the cluster of an address, from the package that provides its scheme.

    Raises:
        ConfigError: No installed package provides it, or the address has no scheme.
    """
    scheme = _scheme(address)
    found = entry_points.load_entry_point(GROUP, scheme, _KNOWN.get(scheme, (None,))[0]) if scheme else None
    if found is None:
        raise _unknown(address, scheme)
    return cast("ConnectBackend", found)


def _scheme(address: str) -> str:
    match = _SCHEME.match(address)
    return match[1].lower() if match else ""


def _unknown(address: str, scheme: str) -> ConfigError:
    if scheme in _KNOWN:
        package, extra = _KNOWN[scheme]
        return ConfigError(
            f"{scheme} addresses need the package {package}",
            key="executor",
            hint=f"install {extra} from where you got Pivot",
        )
    schemes = sorted({*_KNOWN, *(entry.name for entry in entry_points.list_entry_points(GROUP))})
    said = f"no executor supports addresses with {scheme!r}" if scheme else f"{address!r} is no address of an executor"
    forms = " or ".join(f"{name}://HOST:PORT" for name in schemes)
    return ConfigError(said, key="executor", hint=f"an executor is local or {forms}")
