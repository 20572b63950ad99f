"""The cache of another project on this machine, read as a remote is: every object is verified when it is taken."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.protocol import Body, RemoteDeniedError, RemoteError, RemoteNotFoundError

_CHUNK: Final = 1 << 20


class LocalCache:
    """A read-only `Remote` of the objects in a directory."""

    def __init__(self, objects: Path) -> None:
        """Describe the cache with the objects in a directory, which need not exist."""
        self.name = self.identity = os.fspath(objects)
        self._store = ObjectStore(objects)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """Return the sizes of the objects that exist."""
        found: dict[str, int | None] = {}
        for digest in digests:
            try:
                found[digest] = os.stat(self._store.path_of(digest)).st_size
            except OSError:
                continue
        return found

    async def digests(self) -> AsyncIterator[str]:
        """List all objects."""
        for digest in self._store.digests():
            yield digest

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:  # noqa: ARG002
        """Refuse: the cache belongs to another project."""
        raise RemoteDeniedError(self.name, "is the cache of another project, which is only read")

    def read(self, digest: str, start: int = 0, stop: int | None = None) -> AbstractAsyncContextManager[Body]:
        """Read some bytes of an object."""
        return self._read(digest, start, stop)

    async def delete(self, digest: str) -> None:  # noqa: ARG002
        """Refuse: the cache belongs to another project."""
        raise RemoteDeniedError(self.name, "is the cache of another project, which is only read")

    @contextlib.asynccontextmanager
    async def _read(self, digest: str, start: int, stop: int | None) -> AsyncIterator[Body]:
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(open(self._store.path_of(digest), "rb"))  # noqa: ASYNC230  # takes no time
            except FileNotFoundError:
                raise RemoteNotFoundError(self.name, f"does not have {digest}", digest=digest) from None
            except OSError as error:
                raise RemoteError(self.name, f"cannot read {digest}: {error.strerror}") from None
            yield _FileBody(file, start, stop)


class _FileBody:
    """A part of an open file."""

    def __init__(self, file: BinaryIO, start: int, stop: int | None) -> None:
        self.size = os.fstat(file.fileno()).st_size
        self._file = file
        self._left = (self.size if stop is None else min(stop, self.size)) - start
        file.seek(start)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._left > 0:
            data = self._file.read(min(_CHUNK, self._left))
            if not data:
                return
            self._left -= len(data)
            yield data
