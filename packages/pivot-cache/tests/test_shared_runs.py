"""Run records on a remote: many at once, and those that were sent are known whatever comes."""

from pathlib import Path

import pytest

from pivot_cache.remotes import shared_runs
from pivot_cache.remotes.protocol import RemoteDeniedError
from pivot_cache.remotes.transfer import TransferSettings
from pivot_cache.state.known_objects import KnownObjects
from pivot_cache.testing.remote_contract import MemoryRemote
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import RunRecord

RECORDS = [RunRecord(digest_bytes(b"%d" % number), {}) for number in range(12)]


def test_records_are_sent_and_found_together() -> None:
    remote, options = MemoryRemote(), TransferSettings(jobs=5)

    assert shared_runs.share(RECORDS, remote, options) == len(RECORDS)
    assert remote.busiest == options.jobs
    remote.busiest = 0
    found = shared_runs.find([record.key for record in RECORDS], remote, options)
    assert found == {record.key: (record,) for record in RECORDS}
    assert remote.busiest == options.jobs


def test_records_that_were_sent_before_a_failure_are_known(tmp_path: Path) -> None:
    class FullRemote(MemoryRemote):
        async def keep_run(self, key: str, data: bytes) -> bool:
            if len(self.run_records) == 7:
                raise RemoteDeniedError(self.name, "enough")
            return await super().keep_run(key, data)

    remote, options = FullRemote(), TransferSettings(jobs=1, known=KnownObjects(tmp_path / "remotes.sqlite"))
    with pytest.raises(RemoteDeniedError):
        shared_runs.share(RECORDS, remote, options)

    other = MemoryRemote()
    assert shared_runs.share(RECORDS, other, options) == len(RECORDS) - 7
