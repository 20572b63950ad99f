"""Run records on a remote: shared results for the same inputs, read as untrusted input.

A record names the outs of a run. Nothing in it is executed, and the objects that it names are fetched and verified like
any other. Only its writer vouches that the stage would have written these outs.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from pivot_cache.remotes import event_loop
from pivot_cache.remotes.options import Retry, TransferSettings
from pivot_cache.remotes.protocol import Remote, RemoteError, RunKeeper
from pivot_cache.state import run_cache
from pivot_core.errors import PathError
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import CodeEntry, RunRecord

MOST: Final = 16
"""The maximum number of records that are read for a key."""
LONGEST: Final = 1 << 20
"""The maximum length of a record."""


def share(records: Iterable[RunRecord], remote: Remote, options: TransferSettings) -> int:
    """Upload run records to a remote; return the number of new ones. Records known to be on the remote are not sent.

    Raises:
        RemoteError: The remote refuses, fails, or cannot keep run records.
    """
    wanted = {
        _known_name(record.key, data): (record.key, data) for record in records for data in [run_cache.dumps(record)]
    }
    if options.known is not None and not options.refresh:
        for name in options.known.among(remote.identity, wanted):
            del wanted[name]
    return event_loop.run(_share(wanted, remote, options)) if wanted else 0


async def _share(wanted: Mapping[str, tuple[str, bytes]], remote: Remote, options: TransferSettings) -> int:
    retry, rest = options.retry or Retry(), iter(wanted.items())
    new: dict[str, bool] = {}
    async with remote:
        keeper = _run_keeper(remote)

        async def work() -> None:
            for name, (key, data) in rest:
                new[name] = await retry(lambda key=key, data=data: keeper.keep_run(key, data))  # type: ignore[misc]

        try:
            async with event_loop.task_group() as tasks:
                for _ in range(min(options.jobs, len(wanted))):
                    tasks.create_task(work())
        finally:  # even after an interruption, those that were sent are known
            if options.known is not None:
                options.known.add(remote.identity, new)
    return sum(new.values())


def find(keys: Iterable[str], remote: Remote, options: TransferSettings) -> dict[str, tuple[RunRecord, ...]]:
    """Look up the run records that a remote has for each inputs key, all together; invalid ones are ignored.

    Raises:
        RemoteError: The remote refuses, fails, or cannot keep run records.
    """
    wanted = list(dict.fromkeys(keys))
    found = event_loop.run(_find(wanted, remote, options)) if wanted else []
    return {
        key: tuple(record for data in each for record in _parse(key, data))
        for key, each in zip(wanted, found, strict=True)
    }


async def _find(keys: Iterable[str], remote: Remote, options: TransferSettings) -> list[list[bytes]]:
    retry, most = options.retry or Retry(), asyncio.Semaphore(options.jobs)
    async with remote:
        keeper = _run_keeper(remote)

        async def ask(key: str) -> list[bytes]:
            async with most:
                return await retry(lambda: keeper.runs(key, MOST))

        return await asyncio.gather(*map(ask, keys))


def _parse(key: str, data: bytes) -> tuple[RunRecord, ...]:
    if len(data) > LONGEST:
        return ()
    try:
        return tuple(
            record for record in run_cache.loads(key, data) if all(map(_stays_inside, record.observed.values()))
        )
    except ValueError:
        return ()


def _stays_inside(entry: CodeEntry) -> bool:
    """Whether reading this code stays inside the project."""
    try:
        return entry.location is None or bool(ArtifactPath.parse(entry.location.file))
    except PathError:
        return False


def _run_keeper(remote: Remote) -> RunKeeper:
    if not isinstance(remote, RunKeeper):
        raise RemoteError(remote.name, "it cannot keep run records", hint="set remote.run_cache to false")
    return remote


def _known_name(key: str, data: bytes) -> str:
    return f"run {key} {digest_bytes(data)}"
