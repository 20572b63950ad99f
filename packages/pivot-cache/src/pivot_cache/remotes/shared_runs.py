"""Run records on a remote: results of others with the same inputs, read without trust.

A record says which contents some run left. Nothing of it is executed, and what it names is fetched and verified like
anything else. That the contents are what the stage would have left is what whoever wrote the record says.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from pivot_cache.remotes.options import Retry, TransferSettings
from pivot_cache.remotes.protocol import Remote, RemoteError, RunKeeper
from pivot_cache.state import run_cache
from pivot_core.digest import digest_bytes
from pivot_core.errors import PathError
from pivot_core.lock import CodeEntry, RunRecord
from pivot_core.paths import ArtifactPath

MOST: Final = 16
"""So many records of a key are looked at."""
LONGEST: Final = 1 << 20
"""A longer text is no record."""


def share(records: Iterable[RunRecord], remote: Remote, options: TransferSettings) -> int:
    """Bring run records to a remote; returns how many are new there. Records that are known to be there are not sent.

    Raises:
        RemoteError: The remote refuses, fails, or cannot keep run records.
    """
    wanted = {_name(record.key, data): (record.key, data) for record in records for data in [run_cache.dumps(record)]}
    if options.known is not None and not options.refresh:
        for name in options.known.among(remote.identity, wanted):
            del wanted[name]
    return asyncio.run(_share(wanted, remote, options)) if wanted else 0


async def _share(wanted: Mapping[str, tuple[str, bytes]], remote: Remote, options: TransferSettings) -> int:
    retry, new = options.retry or Retry(), 0
    async with remote:
        keeper = _keeper(remote)
        for name, (key, data) in wanted.items():
            new += await retry(lambda key=key, data=data: keeper.keep_run(key, data))  # type: ignore[misc]
            if options.known is not None:
                options.known.add(remote.identity, [name])
    return new


def find(keys: Iterable[str], remote: Remote, options: TransferSettings) -> dict[str, tuple[RunRecord, ...]]:
    """The run records that a remote has under each inputs key, asked for together; what is not understood is none.

    Raises:
        RemoteError: The remote refuses, fails, or cannot keep run records.
    """
    wanted = list(dict.fromkeys(keys))
    found = asyncio.run(_find(wanted, remote, options)) if wanted else []
    return {
        key: tuple(record for data in each for record in _understood(key, data))
        for key, each in zip(wanted, found, strict=True)
    }


async def _find(keys: Iterable[str], remote: Remote, options: TransferSettings) -> list[list[bytes]]:
    retry, most = options.retry or Retry(), asyncio.Semaphore(options.jobs)
    async with remote:
        keeper = _keeper(remote)

        async def ask(key: str) -> list[bytes]:
            async with most:
                return await retry(lambda: keeper.runs(key, MOST))

        return await asyncio.gather(*map(ask, keys))


def _understood(key: str, data: bytes) -> tuple[RunRecord, ...]:
    if len(data) > LONGEST:
        return ()
    try:
        return tuple(record for record in run_cache.loads(key, data) if all(map(_inside, record.observed.values())))
    except ValueError:
        return ()


def _inside(entry: CodeEntry) -> bool:
    """Whether looking at this code does not lead out of the project."""
    try:
        return entry.location is None or bool(ArtifactPath.parse(entry.location.file))
    except PathError:
        return False


def _keeper(remote: Remote) -> RunKeeper:
    if not isinstance(remote, RunKeeper):
        raise RemoteError(remote.name, "it cannot keep run records", hint="set remote.run_cache to false")
    return remote


def _name(key: str, data: bytes) -> str:
    return f"run {key} {digest_bytes(data)}"
