"""The remotes keep the contract of every remote, on each server; that on web servers the part about reading."""

from collections.abc import Callable
from pathlib import Path

import pytest
from gcs_server import GcsServer

from pivot_cache.layout import sharded
from pivot_cache.remotes.protocol import Remote
from pivot_cache.testing.batch_contract import BatchContract
from pivot_cache.testing.remote_contract import ReadingContract
from pivot_core.files.digest import digest_bytes
from pivot_remote_obstore import BucketLocation, BucketRemote, BucketSettings, DirectoryRemote, WebsiteRemote


class TestGoogleRemote(BatchContract):
    @pytest.fixture
    def make(self, bucket: BucketLocation, gcs_settings: BucketSettings) -> Callable[[], Remote]:
        return lambda: BucketRemote(bucket, gcs_settings, jobs=4, part=self.part - 1)


class TestAzureRemote(BatchContract):
    @pytest.fixture
    def make(self, container: BucketLocation, azurite: BucketSettings) -> Callable[[], Remote]:
        return lambda: BucketRemote(container, azurite, jobs=4, part=self.part - 1)


class TestDirectoryRemote(BatchContract):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Callable[[], Remote]:
        (tmp_path / "drive").mkdir()
        return lambda: DirectoryRemote(tmp_path / "drive", jobs=4)


class TestWebsiteRemote(ReadingContract):
    @pytest.fixture
    def make(self, website: tuple[str, Path]) -> Callable[[], Remote]:
        url, self.directory = website
        return lambda: WebsiteRemote(url, jobs=4)

    async def place(self, _: Remote, data: bytes, __: Path) -> None:
        path = sharded(self.directory / "files", digest_bytes(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class TestWebsiteRemoteWithRanges(ReadingContract):
    @pytest.fixture
    def make(self, gcs: GcsServer, bucket: BucketLocation) -> Callable[[], Remote]:
        self.gcs, self.objects = gcs, gcs.buckets[bucket.bucket]
        return lambda: WebsiteRemote(f"{gcs.url}/{bucket.bucket}", jobs=4)

    async def place(self, _: Remote, data: bytes, __: Path) -> None:
        self.gcs.put(self.objects, sharded(Path("files"), digest_bytes(data)).as_posix(), data)
