"""The random state of forked stages: their own, but what the user's module has seeded is theirs to rely on."""

import json
import pathlib
import random

import pytest
from source_projects import Sources

from pivot_runtime.executors.host_executor import HostExecutor
from pivot_runtime.loading import host_client

np = pytest.importorskip("numpy")

PIPELINE = """
import json
import random
import numpy

SEED

def draw(name):
    pathlib.Path(name).write_text(json.dumps([random.random(), numpy.random.rand()]))

def one() -> None:
    draw("one")

def two() -> None:
    draw("two")

pipeline.register(one)
pipeline.register(two)
"""


def drawn(root: pathlib.Path, seed: str) -> list[list[float]]:
    project = Sources(root, {"pipeline.py": PIPELINE.replace("SEED", seed)})
    _, host = host_client.load(project.root, project.root / "pipeline.py", quiet=True)
    with host:
        executor = HostExecutor(lambda _: host)
        for name in ("one", "two"):
            executor.start(f"p.{name}", root / f"{name}.log")
            assert executor.wait().failure is None
    return [json.loads((root / name).read_text()) for name in ("one", "two")]


def test_no_two_stages_share_random_numbers(tmp_path: pathlib.Path) -> None:
    one, two = drawn(tmp_path / "project", "")

    assert one[0] != two[0]
    assert one[1] != two[1]


def test_seeds_set_during_the_import_count(tmp_path: pathlib.Path) -> None:
    """As if the stage were called right after the import."""
    one, two = drawn(tmp_path / "project", "random.seed(1); numpy.random.seed(2)")

    assert one == two == [random.Random(1).random(), np.random.RandomState(2).rand()]
