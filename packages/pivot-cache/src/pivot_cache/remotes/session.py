"""The session of one transfer with a remote, on its own event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from pivot_cache.errors import ArtifactError, CacheError, CorruptObjectError, MissingObjectError, TreeError
from pivot_cache.files.hashing import hash_file
from pivot_cache.objects import sha256
from pivot_cache.objects.contents import ObjectSet, objects_of
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes import batches, event_loop, partial_file
from pivot_cache.remotes.download import PART, Downloader
from pivot_cache.remotes.options import IncompleteTreeError, Retry, TransferCounts, TransferResult, TransferSettings
from pivot_cache.remotes.protocol import (
    BatchMover,
    PartCopier,
    Remote,
    RemoteCorruptError,
    RemoteForgedError,
    RemoteNotFoundError,
)
from pivot_core.lock import Artifact

_OF_ONE_OBJECT = (
    RemoteCorruptError,
    CorruptObjectError,
    MissingObjectError,
    TreeError,
    ArtifactError,
    IncompleteTreeError,
)
"""Errors that concern only a single object."""

_SMALL = 1 << 20
"""Smaller objects are hashed without a thread, whose start would take longer."""


def push(
    wanted: ObjectSet, there: set[str], store: ObjectStore, remote: Remote, options: TransferSettings
) -> TransferResult:
    """Upload the wanted objects that are not known to be on the remote."""
    return event_loop.run(_Session(store, remote, options).push(wanted, there))


def fetch(
    artifacts: Collection[Artifact],
    here: set[str],
    absent: Collection[str],
    store: ObjectStore,
    remote: Remote,
    options: TransferSettings,
) -> TransferResult:
    """Download the objects of artifacts that the store lacks; which of the known ones it has is known."""
    return event_loop.run(_Session(store, remote, options).fetch(artifacts, here, absent))


def ask(sizes: Mapping[str, int | None], remote: Remote, options: TransferSettings) -> set[str]:
    """The ones of these objects that the remote has, with the right size if it is known."""
    return event_loop.run(_ask(sizes, remote, options))


async def _ask(sizes: Mapping[str, int | None], remote: Remote, options: TransferSettings) -> set[str]:
    async with remote:
        return (await _found(sizes, remote, options))[0]


async def _found(
    sizes: Mapping[str, int | None], remote: Remote, options: TransferSettings
) -> tuple[set[str], set[str]]:
    """The ones of these objects that the remote has, and those that it has with another size.

    Existing objects are recorded as known, and missing ones are forgotten.
    """
    retry = options.retry or Retry()
    found = await retry(lambda: remote.exists(sizes.keys()))
    cut = {
        digest for digest, length in found.items() if None not in (length, sizes[digest]) and length != sizes[digest]
    }
    there = found.keys() - cut
    if options.known is not None and not options.dry_run:
        options.known.forget(remote.identity, None if options.refresh else sizes.keys() - there)
        options.known.add(remote.identity, there)
    return there, cut


class _Session:
    """A transfer with the outcome of each object so far."""

    def __init__(self, store: ObjectStore, remote: Remote, options: TransferSettings) -> None:
        self._store = store
        self._remote = remote
        self._options = options
        self._retry = options.retry or Retry()
        self._transferred: set[str] = set()
        self._present: set[str] = set()
        self._missing: set[str] = set()
        self._failed: dict[str, CacheError] = {}
        self._cut: set[str] = set()
        self._stopped: CacheError | None = None
        self._done = self._objects = self._bytes = self._of_bytes = 0

    async def push(self, wanted: ObjectSet, there: set[str]) -> TransferResult:
        self._present |= there
        asked = wanted.sizes.keys() - there
        async with self._remote:
            try:
                found, self._cut = await _found(wanted.lengths(asked, self._store), self._remote, self._options)
                self._present |= found
            except CacheError as error:
                self._stop(asked, error)
                return self._outcome()
            lacking = asked - self._present
            self._failed.update((digest, error) for digest, error in wanted.broken.items() if digest in lacking)
            lacking -= self._failed.keys()
            self._missing = {digest for digest in lacking if not self._store.verified(digest, wanted.sizes[digest])}
            lacking -= self._missing
            if self._options.dry_run:
                for digest in wanted.listings.keys() & lacking:
                    files = wanted.listings[digest]
                    if files is None or not files <= lacking | self._present:
                        self._failed[digest] = IncompleteTreeError(digest)
                self._transferred = lacking - self._failed.keys()
                return self._outcome()
            try:
                sizes = {digest: self._size_of(digest, wanted) for digest in lacking}
                self._plan(sizes)

                async def send_listing(digest: str) -> None:
                    files = wanted.listings[digest]
                    if files is None or not files <= self._there():
                        raise IncompleteTreeError(digest)
                    await self._send(digest, sizes[digest])

                await self._send_small({digest: sizes[digest] for digest in (wanted.files & lacking) - self._cut})
                rest = (wanted.files & lacking) - self._there()
                await self._each(rest, lambda digest: self._send(digest, sizes[digest]))
                await self._each(wanted.listings.keys() & lacking, send_listing)
            finally:  # even an interruption leaves the sent parts in place
                self._remember_sent(wanted, there)
        return self._outcome()

    def _size_of(self, digest: str, wanted: ObjectSet) -> int:
        """The size of an object in the store, which has just been verified."""
        size = wanted.sizes[digest]
        return self._store.path_of(digest).stat().st_size if size is None else size

    async def _send_small(self, sizes: Mapping[str, int]) -> None:
        """Upload small files in batches, if the remote takes any; damaged ones are left."""
        remote = self._remote
        if not isinstance(remote, BatchMover):
            return

        async def send(batch: Mapping[str, int]) -> Collection[str]:
            sources = {digest: str(self._store.path_of(digest)) for digest in batch}
            outcome = await self._retry(lambda: remote.upload_batch(sources))
            for digest, new in outcome.items():
                if new is not None:
                    (self._transferred if new else self._present).add(digest)
                    self._done += 1
                    self._moved(batch[digest])
            return outcome.keys()

        await self._in_batches(sizes, send)

    async def _send(self, digest: str, size: int) -> None:
        path = self._store.path_of(digest)
        remote = self._remote
        if isinstance(remote, PartCopier) and digest not in self._cut:
            new = await self._retry(lambda: remote.upload_verified(digest, str(path)))
            if new is not None:
                (self._transferred if new else self._present).add(digest)
                self._moved(size)
                return
        seen = path.stat()
        hashed = hash_file(path) if size <= _SMALL else await asyncio.to_thread(hash_file, path)
        if hashed.digest != digest:
            self._store.quarantine(digest, seen)
            raise CorruptObjectError(digest)
        sent = 0

        def count(number: int) -> None:
            nonlocal sent
            self._moved(number - sent)
            sent = number

        if digest in self._cut:  # nothing is ever replaced there, and this is not the object
            await self._retry(lambda: self._remote.delete(digest))
        try:
            new = await self._retry(lambda: self._remote.upload(digest, path, count), lambda: sent)
        except BaseException:
            self._moved(-sent)
            raise
        (self._transferred if new else self._present).add(digest)
        self._moved(size - sent)

    def _there(self) -> set[str]:
        return self._transferred | self._present

    def _remember_sent(self, wanted: ObjectSet, before: Collection[str]) -> None:
        known = self._options.known
        if known is None:
            return
        there = self._there()
        contents = {digest: {digest, *files} for digest, files in wanted.listings.items() if files is not None}
        # Objects that were known before, and were not asked about, must be forgotten.
        whole = [digest for digest, parts in contents.items() if parts <= there and not parts.issubset(before)]
        known.add(self._remote.identity, self._transferred)
        known.add(self._remote.identity, whole, whole=True)

    async def fetch(self, artifacts: Collection[Artifact], here: set[str], absent: Collection[str]) -> TransferResult:
        self._present |= here
        async with self._remote:
            partials = self._options.partials or self._store.directory.parent / "partial"
            partial_file.sweep(partials)
            with self._store.temporary() as place:
                receiver = Downloader(
                    self._remote,
                    self._store,
                    place,
                    partials,
                    self._options.jobs,
                    self._retry,
                    self._options.part or PART,
                    {each.digest: each.sha256 for each in artifacts if each.sha256 and not each.tree},
                )
                try:
                    await self._bring(artifacts, absent, receiver)
                    self._refuse_forged(artifacts)
                finally:
                    self._remember_fetched()
        return self._outcome()

    async def _bring(self, artifacts: Collection[Artifact], absent: Collection[str], receiver: Downloader) -> None:
        listings = {artifact.digest for artifact in artifacts if artifact.tree} - self._present
        await self._receive(dict.fromkeys(listings), receiver)
        wanted = objects_of(artifacts, self._store)
        self._failed.update(wanted.broken)
        self._transferred -= wanted.broken.keys()
        self._present -= wanted.broken.keys()
        new = wanted.sizes.keys() - self._there() - self._missing - self._failed.keys()
        unknown = new.difference(absent)
        self._present.update(digest for digest in unknown if self._store.verified(digest, wanted.sizes[digest]))
        lacking = {digest: wanted.sizes[digest] for digest in new - self._present}
        if not self._options.dry_run:
            await self._receive(lacking, receiver)
            return
        try:
            found = (await _found(lacking, self._remote, self._options))[0] if lacking else set()
        except CacheError as error:
            self._stop(lacking, error)
            return
        self._transferred |= found
        self._missing |= lacking.keys() - found

    def _refuse_forged(self, artifacts: Collection[Artifact]) -> None:
        """Remove the objects of directories whose SHA-256 does not match the recorded one."""
        for artifact in artifacts:
            if not (artifact.tree and artifact.sha256) or self._options.dry_run:
                continue
            try:
                tree = self._store.tree(artifact)
                parts = {artifact.digest, *tree.digests()}
                if parts.isdisjoint(self._transferred) or sha256.is_genuine(tree, artifact.sha256, self._store):
                    continue
            except (MissingObjectError, CorruptObjectError, TreeError):
                continue  # it is incomplete, which has been reported
            for digest in parts & self._transferred:
                self._store.quarantine(digest, self._store.path_of(digest).stat())
            self._transferred -= parts
            self._failed[artifact.digest] = RemoteForgedError(self._remote.name, artifact.digest)

    async def _receive(self, sizes: dict[str, int | None], receiver: Downloader) -> None:
        self._plan({digest: size or 0 for digest, size in sizes.items()})
        await self._receive_small(sizes, receiver)

        async def receive(digest: str) -> None:
            moved = 0

            def count(number: int) -> None:
                nonlocal moved
                moved += number
                if sizes[digest] is None:
                    self._expect(number)
                self._moved(number)

            try:
                await receiver.receive(digest, sizes[digest], count)
            except BaseException:
                count(-moved)
                raise
            self._transferred.add(digest)

        await self._each(sizes.keys() - self._transferred, receive)

    async def _receive_small(self, sizes: Mapping[str, int | None], receiver: Downloader) -> None:
        """Download small objects in batches, if the remote gives any; missing and damaged ones are left."""
        remote = self._remote
        if not isinstance(remote, BatchMover):
            return

        async def receive(batch: Mapping[str, int]) -> Collection[str]:
            found = await self._retry(lambda: remote.read_batch(batch))
            for digest, data in found.items():
                if data is not None and receiver.keep(digest, data):
                    self._transferred.add(digest)
                    self._done += 1
                    self._moved(len(data))
            return found.keys()

        await self._in_batches(sizes, receive)

    def _remember_fetched(self) -> None:
        known = self._options.known
        if known is not None and not self._options.dry_run:
            known.add(self._remote.identity, self._transferred)
            if self._missing or any(isinstance(error, RemoteCorruptError) for error in self._failed.values()):
                known.forget(self._remote.identity)  # the owner of the object pushes it then, and trusts no record

    async def _in_batches(
        self, sizes: Mapping[str, int | None], move: Callable[[Mapping[str, int]], Awaitable[Collection[str]]]
    ) -> None:
        """Process small objects in batches; those that are left are for `_each`, which reports their errors."""

        async def handle(batch: Mapping[str, int]) -> Collection[str]:
            try:
                return () if self._stopped else await move(batch)
            except CacheError as error:
                self._stop(batch.keys() - self._there(), error)
                return ()

        await batches.move(batches.small(sizes), self._options.jobs, handle)

    async def _each(self, digests: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
        """Process several objects at the same time; errors become part of the outcome."""
        rest = iter(digests)

        async def worker() -> None:
            for digest in rest:
                if self._stopped is not None:
                    self._failed[digest] = self._stopped
                    continue
                try:
                    await work(digest)
                except RemoteNotFoundError as error:
                    if error.digest is None:
                        self._stop([digest], error)
                    else:
                        self._missing.add(digest)
                except _OF_ONE_OBJECT as error:
                    self._failed[digest] = error
                except CacheError as error:
                    self._stop([digest], error)
                self._done += 1
                self._moved(0)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._options.jobs):
                tasks.create_task(worker())

    def _stop(self, digests: Iterable[str], error: CacheError) -> None:
        self._stopped = self._stopped or error
        self._failed.update(dict.fromkeys(digests, error))

    def _plan(self, sizes: Mapping[str, int]) -> None:
        self._objects += len(sizes)
        self._expect(sum(sizes.values()))

    def _expect(self, number: int) -> None:
        self._of_bytes += number
        self._moved(0)

    def _moved(self, number: int) -> None:
        self._bytes += number
        self._options.progress(TransferCounts(self._done, self._objects, self._bytes, self._of_bytes))

    def _outcome(self) -> TransferResult:
        return TransferResult(
            frozenset(self._transferred),
            frozenset(self._present),
            frozenset(self._missing),
            self._failed,
            self._stopped,
        )
