"""Tests that every remote that moves batches must pass."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

from pivot_cache.errors import CacheError
from pivot_cache.remotes.protocol import BatchMover, Remote
from pivot_cache.testing.remote_contract import RemoteContract
from pivot_core.files.digest import digest_bytes


class BatchContract(RemoteContract):
    """The contract of a `BatchMover`: as `RemoteContract`, which it contains."""

    def test_objects_move_in_batches(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        contents = [b"", *(b"%d" % number for number in range(30)), bytes(range(256)) * 5000]
        digests = [digest_bytes(data) for data in contents]
        damaged, lost = digest_bytes(b"damaged"), digest_bytes(b"lost")
        for digest, data in zip((*digests, damaged), (*contents, b"wrong"), strict=True):
            (tmp_path / digest).write_bytes(data)
        sources = {digest: str(tmp_path / digest) for digest in (*digests, damaged, lost)}

        async def work(remote: Remote) -> None:
            assert isinstance(remote, BatchMover)
            assert await remote.upload_batch({}) == {}
            await remote.upload(digests[1], Path(sources[digests[1]]), lambda _: None)
            sent = await _all(sources, remote.upload_batch)
            if sent[digests[-1]] is None:  # it is too large for a batch
                sent[digests[-1]] = await remote.upload(digests[-1], Path(sources[digests[-1]]), lambda _: None)
            assert sent == {**dict.fromkeys(digests, True), digests[1]: False, damaged: None, lost: None}
            assert {digest async for digest in remote.digests()} == set(digests)
            sizes = {digest: len(data) for digest, data in zip(digests, contents, strict=True)}
            found = await _all({**sizes, damaged: 5, digests[1]: 9}, remote.read_batch)
            found[digests[-1]] = found[digests[-1]] or contents[-1]  # it may be too large for a batch
            assert found == {**dict(zip(digests, contents, strict=True)), damaged: None, digests[1]: None}

        self.run(make, work)

    def test_only_digests_become_names_in_batches(self, make: Callable[[], Remote]) -> None:
        async def work(remote: Remote) -> None:
            assert isinstance(remote, BatchMover)
            for call in (partial(remote.upload_batch, {"..": "/dev/null"}), partial(remote.read_batch, {"..": 1})):
                try:
                    await call()
                except CacheError as error:
                    assert "is not a digest" in str(error)
                else:
                    raise AssertionError("'..' was taken for a digest")

        self.run(make, work)


async def _all[A, B](
    wanted: Mapping[str, A], move: Callable[[Mapping[str, A]], Awaitable[Mapping[str, B]]]
) -> dict[str, B]:
    """The outcome of batches until every object has been handled."""
    outcome: dict[str, B] = {}
    while rest := {digest: each for digest, each in wanted.items() if digest not in outcome}:
        handled = await move(rest)
        assert handled.keys() <= rest.keys()
        assert handled
        outcome.update(handled)
    return outcome
