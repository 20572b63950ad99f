"""S3 remotes keep the contract of every remote, on each server."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pivot_cache.remotes.protocol import Remote
from pivot_cache.testing.remote_contract import RemoteContract
from pivot_remote_s3 import S3Location, S3Remote, S3Settings


class TestS3Remote(RemoteContract):
    @pytest.fixture
    def make(self, settings: S3Settings, location: S3Location, tmp_path: Path) -> Callable[[], Remote]:
        return lambda: S3Remote(location, settings, jobs=4, state=tmp_path / "state", part=self.part - 1)


class TestS3RemoteOnRclone(RemoteContract):
    @pytest.fixture
    def make(self, rclone: S3Settings, rclone_location: S3Location, tmp_path: Path) -> Callable[[], Remote]:
        return lambda: S3Remote(rclone_location, rclone, jobs=4, state=tmp_path / "state", part=self.part - 1)
