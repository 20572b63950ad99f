"""The protocol of remotes, their errors, and the lookup of a remote by its URL.

A remote keeps objects under their digests, as the local store does. It is used on an event loop, and this module
imports none: naming a remote costs nothing, only using it does. Packages provide remotes through the entry-point
group `pivot.remotes`: one entry per URL scheme, which names a `Connect`.
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

_KNOWN: Final = {"s3": "pivot-remote-s3"}
"""Which package to install for a scheme that nothing provides."""


class RemoteError(CacheError):
    """A remote could not do what it was asked; the message holds no secret.

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
    """The object is not on the remote, or, with no digest, the remote itself does not exist.

    Attributes:
        digest: The object's digest.
    """

    default_hint = "`pivot push --refresh` where it was made, or `pivot repro` to compute it again"

    def __init__(self, remote: str, problem: str, *, digest: str | None = None, hint: str | None = None) -> None:
        super().__init__(remote, problem, hint=hint)
        self.digest = digest


class RemoteDeniedError(RemoteError):
    """The remote refused: no credentials, wrong or expired ones, or not the right to do this."""

    default_hint = "check the credentials for this remote, and what they allow"


class RemoteUnreachableError(RemoteError):
    """The remote did not answer, failed, or broke off; trying again may help."""

    default_hint = "check the network and the remote's URL; what was transferred is kept: repeat the command"


class RemoteTimeoutError(RemoteUnreachableError):
    """The remote took too long for one request; trying again seldom helps, and takes as long."""

    default_hint = "repeat the command later: what was transferred is kept; remote.timeout sets how long is waited"


class RemoteThrottledError(RemoteError):
    """The remote asked for fewer requests; trying again later helps."""

    default_hint = "repeat the command later, or with fewer --jobs; what was transferred is kept"


class RemoteCorruptError(RemoteError):
    """The remote's bytes do not have the digest that they are stored under; they were not used.

    Attributes:
        digest: The digest that the bytes should have.
    """

    default_hint = "delete the object on the remote and `pivot push --refresh` it again from where it is good"

    def __init__(self, remote: str, digest: str, *, hint: str | None = None) -> None:
        super().__init__(remote, f"object {digest} is corrupt", hint=hint)
        self.digest = digest


class RemoteForgedError(RemoteCorruptError):
    """The remote's bytes have the digest that they are stored under, and are not those that were recorded."""

    default_hint = "nothing of it was used: find out who can write to this remote, and delete the object there"

    def __init__(self, remote: str, digest: str, *, hint: str | None = None) -> None:
        problem = f"object {digest} has its digest, but not the recorded SHA-256: somebody has forged it"
        RemoteError.__init__(self, remote, problem, hint=hint)
        self.digest = digest


class RemoteSchemeError(CacheError):
    """Nothing that is installed knows remotes with such a URL."""

    exit_code: ClassVar[int] = 2


class Body(Protocol):
    """The bytes of an object, or of a part of it, as they arrive.

    Attributes:
        size: The number of bytes of the whole object, as the remote tells it.
    """

    @property
    def size(self) -> int:
        """The number of bytes of the whole object."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Remote(Protocol):
    """Objects under their digests, somewhere else.

    Making one connects to nothing. It is used inside ``async with``, by any number of tasks of one event loop.
    Every method may raise any `RemoteError`, and a `CacheError` for what is not a digest. None of them tries again
    what failed: whoever calls does, and then `upload` goes on where it stopped. Nothing that is there is ever replaced.
    """

    @property
    def name(self) -> str:
        """The URL that the user knows; no secret is in it."""
        ...

    @property
    def identity(self) -> str:
        """Equal only where the same objects are meant: the URL, and what else leads to another place."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """Those of the objects that are there, in as few requests as the remote can do with.

        Each with its length; None where the remote does not say.
        """
        ...

    def digests(self) -> AsyncIterator[str]:
        """All objects."""
        ...

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Make the bytes of a file, which have this digest, an object, whole or not at all.

        Args:
            digest: The digest of the bytes.
            source: The file; it does not change meanwhile.
            sent: Called, as it grows, with the number of its bytes that need not be sent again.

        Returns:
            False if the object is there already.
        """
        ...

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> AbstractAsyncContextManager[Body]:
        """The bytes of an object from ``start`` to before ``stop``, not verified.

        ``start`` is before the object's end, or 0.

        Raises:
            RemoteNotFoundError: The object is not there.
        """
        ...

    async def delete(self, digest: str) -> None:
        """Remove an object, for garbage collection; one that is not there is no error."""
        ...


@runtime_checkable
class RunKeeper(Protocol):
    """A remote that also keeps run records: small texts, some under each inputs key, none of which is ever replaced."""

    async def keep_run(self, key: str, data: bytes) -> bool:
        """Keep a record under an inputs key; False if it is there already."""
        ...

    async def runs(self, key: str, most: int) -> list[bytes]:
        """The records under an inputs key, the newest first, but ``most`` of them; not verified."""
        ...


@attrs.frozen(eq=False, repr=False)
class RemoteSettings(Value):
    """Options of a remote besides its URL.

    Attributes:
        jobs: The most requests at once.
        state: A directory where it may keep what lets an interrupted upload go on; None for none.
        timeout: The seconds that a request may take in which nothing moves; None for what is usual there.
        options: Further options of this kind of remote, by name.
    """

    jobs: int = 20
    state: Path | None = None
    timeout: float | None = None
    options: Mapping[str, str] = attrs.field(factory=dict)


type Connect = Callable[[str, RemoteSettings], Remote]
"""Makes the remote of a URL; it checks the URL and the options, and connects to nothing."""


def connect(url: str, settings: RemoteSettings | None = None) -> Remote:
    """The remote of a URL, from the package that provides its scheme; nothing is connected to.

    Raises:
        RemoteSchemeError: No package that is installed does.
        PivotError: The URL or an option is wrong.
    """
    scheme, separator, _ = url.partition("://")
    scheme = scheme.lower()
    make: Connect | None = entry_points.provided(GROUP, scheme, _KNOWN.get(scheme)) if separator else None
    if make is None:
        raise _unknown(scheme if separator else None)
    return make(url, settings or RemoteSettings())


def _unknown(scheme: str | None) -> RemoteSchemeError:
    if scheme in _KNOWN:
        return RemoteSchemeError(
            f"remotes with {scheme}:// URLs need the package {_KNOWN[scheme]}",
            hint=f"install {_KNOWN[scheme]} from where you got Pivot",
        )
    schemes = sorted({*_KNOWN, *(entry.name for entry in entry_points.registered(GROUP))})
    said = "the URL of a remote has no scheme" if scheme is None else f"no remote has a URL with {scheme!r}://"
    return RemoteSchemeError(said, hint=f"a remote's URL begins with {' or '.join(f'{name}://' for name in schemes)}")
