"""The protocol of remotes, their errors, and the lookup of a remote by its URL.

A remote keeps objects under their digests, as the local store does. It is used on an event loop, which this module does
not import: only using a remote has a cost, not naming it. Packages provide remotes through the entry-point group
`pivot.remotes`: one entry per URL scheme, which names a `Connect`.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Protocol, Self, runtime_checkable

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.remotes import entry_points
from pivot_core.values import Value

GROUP: Final = "pivot.remotes"
"""The entry-point group."""

_OBSTORE: Final = "pivot-remote-obstore"
_KNOWN: Final = {
    "s3": "pivot-remote-s3",
    "ssh": "pivot-remote-ssh",
    **dict.fromkeys(("az", "file", "gs", "http", "https"), _OBSTORE),
}
"""The package to suggest for a known scheme without a provider."""

_EXTRAS: Final = {
    "az": "pivot[azure]",
    "gs": "pivot[gcs]",
    "ssh": "pivot[ssh]",
    **dict.fromkeys(("file", "http", "https"), "pivot[remotes]"),
}
"""The extra that has this package, if the package's name does not say it."""


class RemoteError(CacheError):
    """A remote could not do a request; the message contains no secrets.

    Attributes:
        remote: The remote's name, as the user knows it.
    """

    exit_code: ClassVar[int] = 3
    default_hint: ClassVar[str | None] = None

    def __init__(self, remote: str, problem: str, *, hint: str | None = None) -> None:
        super().__init__(f"{remote}: {problem}", hint=hint or self.default_hint)
        self.remote = remote
        self.problem = problem


class RemoteNotFoundError(RemoteError):
    """The object is not on the remote or, without a digest, the remote itself does not exist.

    Attributes:
        digest: The object's digest.
    """

    default_hint = "`pivot push --refresh` where it was made, or `pivot repro` to compute it again"

    def __init__(self, remote: str, problem: str, *, digest: str | None = None, hint: str | None = None) -> None:
        super().__init__(remote, problem, hint=hint)
        self.digest = digest


class RemoteDeniedError(RemoteError):
    """The remote refused: missing, wrong or expired credentials, or insufficient permissions."""

    default_hint = "check the credentials for this remote, and what they allow"


class RemoteUnreachableError(RemoteError):
    """The remote did not answer, failed, or closed the connection; a retry may help."""

    default_hint = "check the network and the remote's URL; what was transferred is kept: repeat the command"


class RemoteAbsentError(RemoteUnreachableError):
    """No server was reached since the remote is open: there is no such host, or it refuses the connection."""


class RemoteTimeoutError(RemoteUnreachableError):
    """The remote took too long for one request; a retry rarely helps, and takes just as long."""

    default_hint = "repeat the command later: what was transferred is kept; remote.timeout sets the time limit"


class RemoteThrottledError(RemoteError):
    """The remote asked for fewer requests; a later retry helps."""

    default_hint = "repeat the command later, or with fewer --jobs; what was transferred is kept"


class RemoteCorruptError(RemoteError):
    """The remote's bytes do not match their digest; they were not used.

    Attributes:
        digest: The digest that the bytes should have.
    """

    default_hint = "delete the object on the remote and `pivot push --refresh` it again from a machine with a good copy"

    def __init__(self, remote: str, digest: str, *, hint: str | None = None) -> None:
        super().__init__(remote, f"object {digest} is corrupt", hint=hint)
        self.digest = digest


class RemoteForgedError(RemoteCorruptError):
    """The remote's bytes match their digest, but not the recorded SHA-256."""

    default_hint = "it was not used: find out who can write to this remote, and delete the object there"

    def __init__(self, remote: str, digest: str, *, hint: str | None = None) -> None:
        problem = f"object {digest} has its digest, but not the recorded SHA-256: somebody has forged it"
        RemoteError.__init__(self, remote, problem, hint=hint)
        self.digest = digest


class RemoteSchemeError(CacheError):
    """No installed package supports the scheme of the URL."""

    exit_code: ClassVar[int] = 2


class Body(Protocol):
    """The bytes of an object, or of a part of it, as they arrive.

    Attributes:
        size: The size of the whole object in bytes, as reported by the remote.
    """

    @property
    def size(self) -> int:
        """The size of the whole object in bytes."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Remote(Protocol):
    """A store of objects by digest on another machine.

    Creating one opens no connection. It is used inside ``async with``, by any number of tasks of one event loop. Every
    method may raise any `RemoteError`, and a `CacheError` for a text that is not a digest. No method retries; the
    caller does, and then `upload` continues where it stopped. Existing objects are never replaced.
    """

    @property
    def name(self) -> str:
        """The URL as the user knows it, without secrets."""
        ...

    @property
    def identity(self) -> str:
        """Equal only for the same set of objects: the URL, and everything else that selects another place."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """The existing ones of these objects, determined with as few requests as possible.

        Each with its size; None if the remote does not report it.
        """
        ...

    def digests(self) -> AsyncIterator[str]:
        """All objects."""
        ...

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Upload the bytes of a file, which have this digest, as an object, as a whole or not at all.

        Args:
            digest: The digest of the bytes.
            source: The file; it must not change meanwhile.
            sent: Called, as it grows, with the number of bytes that need not be sent again.

        Returns:
            False if the object already exists.
        """
        ...

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> AbstractAsyncContextManager[Body]:
        """The bytes of an object from ``start`` up to ``stop``, not verified.

        ``start`` is 0 or less than the object's size.

        Raises:
            RemoteNotFoundError: The object does not exist.
        """
        ...

    async def delete(self, digest: str) -> None:
        """Remove an object, for garbage collection; a missing object is no error."""
        ...


@attrs.frozen(eq=False, repr=False)
class ListedObject(Value):
    """An object on a remote.

    Attributes:
        digest: Its digest.
        size: Its size in bytes; None if the remote does not report it.
        modified: When it was uploaded, in seconds since the epoch; None if unknown.
    """

    digest: str
    size: int | None
    modified: float | None


@runtime_checkable
class ObjectLister(Protocol):
    """A remote that lists its objects with their ages, so that it can be collected."""

    def listed(self) -> AsyncIterator[ListedObject]:
        """All objects."""
        ...


@runtime_checkable
class PartCopier(Protocol):
    """A remote whose objects are files, which the system may copy without moving their bytes."""

    async def upload_verified(self, digest: str, source: str) -> bool | None:
        """As `Remote.upload`, but the bytes are read once, and compared with the digest while they are copied.

        Returns:
            Whether the object is new; None if the file does not have this digest, or cannot be read.
        """
        ...

    async def copy_part(
        self,
        digest: str,
        target: int,
        start: int = 0,
        stop: int | None = None,
        seen: Callable[[memoryview], object] | None = None,
    ) -> int:
        """Copy the bytes of an object from ``start`` up to ``stop``, not verified, to the same place in an open file.

        Args:
            digest: The object's digest.
            target: The descriptor of the file.
            start: The first byte.
            stop: The byte after the last one; None for the end.
            seen: Called with all copied bytes in order, in any thread.

        Returns:
            The size of the whole object in bytes.

        Raises:
            RemoteNotFoundError: The object does not exist.
        """
        ...


@runtime_checkable
class BatchMover(Protocol):
    """A remote on which many small objects cost less together than one by one.

    Both methods may handle only some of the objects, but at least one: the caller asks again for the rest, and lets a
    slow remote work on several batches at once. An error concerns the whole remote, and no object has been handled.
    """

    async def upload_batch(self, sources: Mapping[str, str]) -> Mapping[str, bool | None]:
        """Upload the bytes of small files, each read once and compared with its digest before anything is uploaded.

        Args:
            sources: The path of each file, by the digest that it should have.

        Returns:
            For each handled object, whether it is new; None if the file does not have this digest, cannot be read, or
            is better uploaded alone.
        """
        ...

    async def read_batch(self, sizes: Mapping[str, int]) -> Mapping[str, bytes | None]:
        """The bytes of small objects, not verified.

        Args:
            sizes: The size of each object.

        Returns:
            For each handled object, its bytes; None if it does not exist, has another size, or is better read alone.
        """
        ...


@runtime_checkable
class RunKeeper(Protocol):
    """A remote that also stores run records: small texts, several under each inputs key, which are never replaced."""

    async def keep_run(self, key: str, data: bytes) -> bool:
        """Store a record under an inputs key; False if it already exists."""
        ...

    async def runs(self, key: str, most: int) -> list[bytes]:
        """The records under an inputs key, the newest first, at most ``most`` of them; not verified."""
        ...


@attrs.frozen(eq=False, repr=False)
class RemoteSettings(Value):
    """Options of a remote besides its URL.

    Attributes:
        jobs: The maximum number of simultaneous requests.
        state: A directory for the records from which interrupted uploads resume; None for none.
        timeout: The number of seconds without progress after which a request fails; None for the remote's default.
        options: Further options of this kind of remote, by name.
    """

    jobs: int = 20
    state: Path | None = None
    timeout: float | None = None
    options: Mapping[str, str] = attrs.field(factory=dict)


type Connect = Callable[[str, RemoteSettings], Remote]
"""Creates the remote for a URL; it checks the URL and the options, but opens no connection."""


def connect(url: str, settings: RemoteSettings | None = None) -> Remote:
    """The remote for a URL, from the package that provides its scheme; opens no connection.

    Raises:
        RemoteSchemeError: No installed package provides it.
        PivotError: The URL or an option is invalid.
    """
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    make: Connect | None = entry_points.load_entry_point(GROUP, scheme, _KNOWN.get(scheme)) if separator else None
    if make is None:
        raise _unknown(scheme if separator else None)
    return make(url, settings or RemoteSettings())


def _unknown(scheme: str | None) -> RemoteSchemeError:
    if scheme in _KNOWN:
        extra = f": the extra {_EXTRAS[scheme]} has it" if scheme in _EXTRAS else ""
        return RemoteSchemeError(
            f"remotes with {scheme}:// URLs need the package {_KNOWN[scheme]}",
            hint=f"install {_KNOWN[scheme]} from where you got Pivot{extra}",
        )
    schemes = sorted({"s3", *(entry.name for entry in entry_points.list_entry_points(GROUP))})
    said = "the URL of a remote has no scheme" if scheme is None else f"no remote supports URLs with {scheme!r}://"
    return RemoteSchemeError(said, hint=f"a remote's URL begins with {' or '.join(f'{name}://' for name in schemes)}")
