"""The protocol of readers of single URLs, for imported data, and their lookup by scheme.

Packages provide readers through the entry-point group `pivot.url_readers`: one entry per URL scheme, which names an
`OpenUrl`. Errors are those of remotes.
"""

import os
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, Protocol

from pivot_cache.formats.data_source import UrlState
from pivot_cache.remotes import entry_points
from pivot_cache.remotes.protocol import RemoteSchemeError
from pivot_core.progress import no_progress

GROUP: Final = "pivot.url_readers"
"""The entry-point group."""

_KNOWN: Final = {"s3": "pivot-remote-s3", **dict.fromkeys(("az", "gs"), "pivot-remote-obstore")}
"""The package to suggest for a known scheme without a provider."""


class PartialDownload:
    """The content of a URL that arrives in a file, in one or several requests.

    Attributes:
        size: The number of bytes in the file.
        state: The state of the content that these bytes begin; None for an empty file.
    """

    def __init__(
        self,
        file: BinaryIO,
        state: UrlState | None = None,
        *,
        begun: Callable[[UrlState], object] = no_progress,
        progress: Callable[[int, int | None], object] = no_progress,
    ) -> None:
        """Continue a file.

        Args:
            file: The file, opened for writing; it has the beginning of the content in the state ``state``.
            state: That state; None to begin with the first byte.
            begun: Called with the state before the first byte of it is written.
            progress: Called with the number of bytes in the file, and with that of all bytes if it is known.
        """
        self._file = file
        self._begun = begun
        self._progress = progress
        self.size = file.seek(0, os.SEEK_END)
        self.state = state if self.size else None

    def begin(self, state: UrlState, start: int) -> None:
        """Continue with the content in a state from byte ``start`` on, which is 0 or the current size."""
        if start != self.size:
            self._file.seek(start)
            self._file.truncate()
            self.size = start
        self.state = state
        self._begun(state)

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            OSError: The file cannot be written.
        """
        self._file.write(data)
        self.size += len(data)
        self._progress(self.size, None if self.state is None else self.state.size)


class UrlReader(Protocol):
    """Reads the content of one URL; each call is a request or two, and none is repeated after a failure.

    Every method may raise any `RemoteError`.
    """

    @property
    def name(self) -> str:
        """The URL without secrets."""
        ...

    async def state(self) -> UrlState:
        """The server's description of the content, which is not sent.

        Raises:
            RemoteNotFoundError: There is no such content.
        """
        ...

    async def download(self, target: PartialDownload) -> None:
        """Write the content, or the rest of it if the server still has the state of the target.

        Raises:
            RemoteNotFoundError: There is no such content.
            RemoteUnreachableError: The answer broke off; another call continues.
        """
        ...


type OpenUrl = Callable[[str, float | None], UrlReader]
"""Creates the reader of a URL, with the seconds without progress after which a request fails; opens no connection."""


def open_url(url: str, timeout: float | None, built_in: Mapping[str, OpenUrl]) -> UrlReader:
    """The reader of a URL, from ``built_in`` or from the package that provides its scheme; opens no connection.

    Raises:
        RemoteSchemeError: Nothing provides it.
        PivotError: The URL is invalid.
    """
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    make: OpenUrl | None = built_in.get(scheme) if separator else None
    if make is None and separator:
        make = entry_points.load_entry_point(GROUP, scheme, _KNOWN.get(scheme))
    if make is not None:
        return make(url, timeout)
    if separator and scheme in _KNOWN:
        raise RemoteSchemeError(
            f"{scheme}:// URLs need the package {_KNOWN[scheme]}",
            hint=f"install {_KNOWN[scheme]} from where you got Pivot",
        )
    hint = f"a URL begins with {' or '.join(f'{name}://' for name in sorted({*_KNOWN, *built_in}))}"
    if not separator:
        raise RemoteSchemeError(f"{url!r} is not a URL", hint=f"{hint}; 'pivot track' takes data that are here")
    raise RemoteSchemeError(f"data cannot be imported from {scheme}:// URLs", hint=hint)
