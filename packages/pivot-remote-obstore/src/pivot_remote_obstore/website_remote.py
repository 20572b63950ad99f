"""Remotes of ``https://`` and ``http://`` URLs: a web server that serves the files of a remote, which is only read."""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import attrs

from pivot_cache.remotes.protocol import Body, RemoteCorruptError, RemoteDeniedError, RemoteSettings
from pivot_core.values import Value
from pivot_remote_obstore.clients import open_website, wanted_range
from pivot_remote_obstore.errors import ClientErrors, ignores_ranges, status_of
from pivot_remote_obstore.limits import Deadlines, RequestClock
from pivot_remote_obstore.location import RemoteUrlError, object_key, run_prefix, website_of

if TYPE_CHECKING:
    import asyncio

    from obstore import GetResult
    from obstore.store import ObjectStore

_NOT_SATISFIABLE = 416
_NETWORK = "check the network, the proxy and the remote's URL, and repeat the command"
_ACCESS = "check the remote's URL, and the user and the password for its host in ~/.netrc"


@attrs.frozen(eq=False, repr=False)
class _OpenRemote(Value):
    """The parts of a remote that exist while it is open."""

    store: "ObjectStore"
    slots: "asyncio.Semaphore"
    clock: RequestClock


class WebsiteRemote:
    """A `pivot_cache.remotes.protocol.Remote` on a web server: its objects are read, and all changes are refused.

    Attributes:
        name: The URL.
        identity: The same.
    """

    def __init__(self, url: str, *, jobs: int = 20, limits: Deadlines | None = None) -> None:
        """Describe a remote, without importing obstore, reading files or connecting.

        Args:
            url: The URL of the directory with ``files/``.
            jobs: The most concurrent requests.
            limits: The limits of each request; by default `Deadlines()`.

        Raises:
            RemoteUrlError: It is not such a URL.
        """
        self.name = self.identity = website_of(url)
        self._jobs = jobs
        self._limits = limits or Deadlines()
        self._errors = ClientErrors(self.name, "remote at this URL", _ACCESS, _NETWORK)
        self._opened: _OpenRemote | None = None

    async def __aenter__(self) -> Self:
        import asyncio  # lazy

        with self._errors.as_opening_errors():
            store = open_website(self.name, self._limits, _authorization(self.name))
        self._opened = _OpenRemote(store, asyncio.Semaphore(self._jobs), RequestClock(self._limits, self.name))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.clock.close()
        self._opened = None

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """Ask for each of these objects."""
        from pivot_cache.remotes import event_loop  # lazy

        keys = {digest: object_key(digest) for digest in digests}
        found: dict[str, int | None] = {}

        async def ask(digest: str) -> None:
            with self._errors.as_remote_errors():
                async with self._open.slots, self._open.clock.request():
                    with contextlib.suppress(FileNotFoundError):
                        found[digest] = (await self._open.store.head_async(keys[digest]))["size"]

        async with event_loop.task_group() as tasks:
            for digest in keys:
                tasks.create_task(ask(digest))
        return found

    def digests(self) -> AsyncIterator[str]:
        """Fail: a web server does not list its files."""
        raise self._refused("cannot list its objects")

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Fail, unless the object exists."""
        if not await self.exists([digest]):
            raise self._refused("is only read")
        sent(source.stat().st_size)  # noqa: ASYNC240 - takes no time
        return False

    async def delete(self, digest: str) -> None:
        """Fail."""
        object_key(digest)
        raise self._refused("is only read")

    async def keep_run(self, key: str, data: bytes) -> bool:
        """Fail."""
        del data
        run_prefix(key)
        raise self._refused("is only read")

    async def runs(self, key: str, most: int) -> list[bytes]:
        """No run records, since a web server does not list them."""
        del most
        run_prefix(key)
        return []

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> AbstractAsyncContextManager[Body]:
        """Read some of the bytes of an object."""
        from pivot_remote_obstore.body import answer_to  # lazy

        request = partial(self._get, object_key(digest), digest, start, stop)
        return answer_to(request, (start, stop), self._errors, digest, self._open.slots, self._open.clock)

    async def _get(self, key: str, digest: str, start: int, stop: int | None) -> "GetResult":
        if start or stop is not None:
            try:
                return await self._open.store.get_async(key, options=wanted_range(start, stop))
            except Exception as error:
                if status_of(error) == _NOT_SATISFIABLE:
                    if start:  # the object ends before the range
                        raise RemoteCorruptError(self.name, digest) from None
                elif not ignores_ranges(error):
                    raise
        return await self._open.store.get_async(key)

    def _refused(self, problem: str) -> RemoteDeniedError:
        return RemoteDeniedError(
            self.name,
            f"a remote on a web server {problem}",
            hint="push to the storage that the server serves, by a remote such as s3://, gs:// or file://",
        )

    @property
    def _open(self) -> _OpenRemote:
        if self._opened is None:
            raise RuntimeError("the remote is used inside `async with`")
        return self._opened


def connect_website(url: str, settings: RemoteSettings) -> WebsiteRemote:
    """The remote of a URL: the entry points ``https`` and ``http`` of ``pivot.remotes``.

    Raises:
        RemoteUrlError: The URL has no host, or contains credentials; or there is an option.
    """
    if settings.options:
        raise RemoteUrlError(f"{min(settings.options)!r} is not an option of remotes on web servers")
    return WebsiteRemote(url, jobs=settings.jobs, limits=Deadlines.of(settings.timeout))


def _authorization(url: str) -> Mapping[str, str]:
    """The header for the host of a URL, from ``~/.netrc``."""
    import base64  # lazy
    import netrc  # lazy
    from urllib.parse import urlsplit  # lazy

    try:
        known = netrc.netrc().authenticators(urlsplit(url).hostname or "")
    except (OSError, netrc.NetrcParseError):
        return {}
    if known is None:
        return {}
    user, _, password = known
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
