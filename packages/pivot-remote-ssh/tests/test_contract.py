"""SSH remotes keep the contract of every remote, on each server."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pivot_cache.remotes.protocol import Remote
from pivot_cache.testing.remote_contract import RemoteContract
from pivot_remote_ssh import SshLocation, SshRemote


class TestSshRemote(RemoteContract):
    @pytest.fixture
    def make(self, location: SshLocation, tmp_path: Path) -> Callable[[], Remote]:
        return lambda: SshRemote(location, state=tmp_path / "state", resumed=self.part - 1, synced=self.part)


class TestSshRemoteOnOpenSsh(RemoteContract):
    @pytest.fixture
    def make(self, openssh_location: SshLocation, tmp_path: Path) -> Callable[[], Remote]:
        return lambda: SshRemote(openssh_location, state=tmp_path / "state", resumed=self.part - 1, synced=self.part)
