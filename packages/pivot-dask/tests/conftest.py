"""A scheduler and two workers as processes of their own, each in a directory of its own, for all tests of a session."""

import pathlib
import sys
from collections.abc import Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from clusters_for_tests import Connection, Processes, connected, processes


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("cluster")) as made:
        made.start("scheduler")
        made.start("plain")
        made.start("second", "--resources", "gpu=1 memory=8e9")
        yield made


@pytest.fixture
def connection(cluster: Processes, request: pytest.FixtureRequest) -> Iterator[Connection]:
    with connected(cluster.address, request.node.name) as made:
        made.backend._client.wait_for_workers(2)
        yield made
