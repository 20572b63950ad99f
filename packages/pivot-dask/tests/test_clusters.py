"""Clusters that exist for one run."""

import pathlib
import sys
from typing import Any

import pytest
from clusters_for_tests import Recorder

from pivot_dask.address import FunctionAddress
from pivot_dask.backend import connect
from pivot_dask.clusters import create
from pivot_runtime.cluster.backend import ExecutorSettings
from pivot_runtime.errors import ExecutorError

MODULE = """
asked = []

class Cluster:
    scheduler_address = "tcp://127.0.0.1:1"
    asynchronous = False

    def close(self):
        asked.append("close")

class Later(Cluster):
    asynchronous = True

def plain():
    return Cluster()

def slurm(resources):
    asked.append(resources)
    return Cluster()

def later():
    return Later()

def nothing():
    pass

def failing():
    return inner()

def inner():
    raise KeyError("partition")

value = 3
"""


@pytest.fixture
def settings(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> ExecutorSettings:
    (tmp_path / "my_cluster.py").write_text(MODULE)
    (tmp_path / "broken_cluster.py").write_text("import os\nimport no_such_library\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_cluster", raising=False)
    return ExecutorSettings(tmp_path, "r", {"gpu": 1, "memory": 8 << 30})


def refused(settings: ExecutorSettings, module: str, function: str) -> ExecutorError:
    with pytest.raises(ExecutorError) as caught:
        create(FunctionAddress(module, function), settings)
    return caught.value


def test_a_function_returns_a_cluster_and_may_ask_for_the_resources(settings: ExecutorSettings) -> None:
    cluster: Any = create(FunctionAddress("my_cluster", "slurm"), settings)

    assert cluster.scheduler_address == "tcp://127.0.0.1:1"
    assert sys.modules["my_cluster"].asked == [{"gpu": 1, "memory": 8589934592}]
    assert type(create(FunctionAddress("my_cluster", "plain"), settings)).__name__ == "Cluster"


@pytest.mark.parametrize(
    ("module", "function", "message", "hint"),
    [
        ("my_clusters", "slurm", "there is no module my_clusters, from which", "write my_clusters.py"),
        ("my_cluster", "slurn", "the module my_cluster has no function slurn", "did you mean slurm?"),
        ("my_cluster", "value", "my_cluster:value is an object of type int, and not a function", ""),
        ("my_cluster", "nothing", "my_cluster:nothing returned nothing, and not a cluster", "return a cluster object"),
        ("my_cluster", "later", "my_cluster:later returned an asynchronous cluster", "without asynchronous=True"),
    ],
)
def test_a_function_that_provides_no_cluster(
    settings: ExecutorSettings, module: str, function: str, message: str, hint: str
) -> None:
    error = refused(settings, module, function)

    assert message in str(error)
    assert hint in (error.hint or "")
    assert error.traceback == ""


def test_an_error_of_the_user_has_a_traceback_that_begins_there(settings: ExecutorSettings) -> None:
    failed, broken = refused(settings, "my_cluster", "failing"), refused(settings, "broken_cluster", "any")

    assert str(failed) == "my_cluster:failing failed: KeyError: 'partition'"
    assert [line.strip() for line in failed.traceback.splitlines()][1].startswith('File "')
    assert "my_cluster.py" in failed.traceback.splitlines()[1]
    assert str(broken) == "the import of broken_cluster failed: ModuleNotFoundError: No module named 'no_such_library'"
    assert "broken_cluster.py" in broken.traceback.splitlines()[1]
    assert "importlib" not in broken.traceback


def test_a_cluster_that_cannot_be_reached_is_closed(
    settings: ExecutorSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pivot_dask.backend.CONNECT_SECONDS", 0.2)
    with pytest.raises(ExecutorError, match="no Dask scheduler answers at dask\\+my_cluster:plain"):
        connect("dask+my_cluster:plain", settings, Recorder())
    assert sys.modules["my_cluster"].asked == ["close"]
