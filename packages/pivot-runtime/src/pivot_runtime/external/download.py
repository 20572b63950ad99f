"""Downloads the content of a URL into the object store: repeats failed requests, and resumes interrupted downloads."""

import asyncio
import contextlib
import fcntl
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final

import attrs

from pivot_cache.errors import CacheError, as_cache_errors
from pivot_cache.files import atomic
from pivot_cache.formats import data_source
from pivot_cache.formats.artifact_json import FieldError
from pivot_cache.formats.data_source import UrlSource, UrlState
from pivot_cache.remotes.options import Retry, TransferCounts
from pivot_cache.remotes.url_reader import OpenUrl, PartialDownload, UrlReader, open_url
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.external.http_reader import HttpReader

_BUILT_IN: Final[Mapping[str, OpenUrl]] = {"http": HttpReader, "https": HttpReader}


def reader_of(url: str, stores: Stores) -> UrlReader:
    """The reader of a URL; it opens no connection.

    Raises:
        RemoteSchemeError: Nothing reads URLs of this kind.
        PivotError: The URL is invalid.
    """
    return open_url(url, stores.settings.remote_timeout, _BUILT_IN)


def state(reader: UrlReader) -> UrlState:
    """The server's description of the content.

    Raises:
        RemoteError: The server does not give it.
    """
    return asyncio.run(Retry()(reader.state))


def download(
    reader: UrlReader, stores: Stores, progress: Callable[[TransferCounts], object] = no_progress
) -> tuple[Artifact, UrlState]:
    """Store the content of a URL, flushed to the disk; return it, and the server's description.

    The bytes that have arrived are kept after a failure or an interruption, and the next download continues.

    Raises:
        RemoteError: The server does not send the content.
        CacheError: Another command downloads it into the same cache, or the cache cannot be written.
    """
    partial = stores.layout.partial_download(reader.name)
    description = partial.with_name(f"{partial.name}.json")
    with as_cache_errors("write", partial):
        partial.parent.mkdir(parents=True, exist_ok=True)
        with _locked(partial, reader.name) as file:
            target = PartialDownload(
                file,
                _recall(description),
                begun=lambda state: _remember(description, state),
                progress=lambda done, of: progress(TransferCounts(0, 1, done, of or 0)),
            )
            asyncio.run(Retry()(lambda: reader.download(target), lambda: target.size))
            file.flush()
            artifact = attrs.evolve(stores.store.put(partial), executable=False)
            stores.store.persist(artifact)
            for path in (description, partial):  # in this order: then the next process may create both
                with contextlib.suppress(OSError):
                    os.unlink(path)
    return artifact, target.state or UrlState()


@contextlib.contextmanager
def _locked(partial: pathlib.Path, name: str) -> Iterator[BinaryIO]:
    """The file, open and locked; the process that had the lock may have removed the file that was opened first."""
    while True:
        with open(partial, "a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CacheError(
                    f"another command downloads {name} into the same cache", hint="repeat the command when it has ended"
                ) from None
            if _is_at(file, partial):
                yield file
                return


def _is_at(file: BinaryIO, path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _remember(file: pathlib.Path, state: UrlState) -> None:
    atomic.write_bytes(file, json.dumps(UrlSource("", state).encoded()).encode())


def _recall(file: pathlib.Path) -> UrlState | None:
    try:
        source = data_source.parse(json.loads(file.read_bytes()), "")
    except (OSError, ValueError, RecursionError, FieldError):
        return None
    return source.state if isinstance(source, UrlSource) else None
