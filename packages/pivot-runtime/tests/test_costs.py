"""The cost of a stage in a run depends neither on the number of stages nor on the length of their file."""

import collections
import contextlib
import math
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from workshop import Workshop

from pivot_runtime.evaluating import source_texts

_counted: list[collections.Counter[str]] = []
"""Where accesses are counted now; a hook cannot be removed."""


def _count(event: str, arguments: tuple[object, ...]) -> None:
    if not _counted:
        return
    if event == "sqlite3.connect":
        _counted[0]["connections"] += 1
    elif event in ("open", "os.mkdir", "os.remove", "os.rename", "os.listdir", "os.scandir"):
        path = str(arguments[0])
        # Directories in the cache depend on digests, and data are read again until they are settled: neither counts.
        if "/.pivot/stages/" in path or "/.pivot/state.db/" in path:
            _counted[0]["accesses"] += 1
        elif "/.pivot/cache/kept/" in path:
            _counted[0]["saved"] += 1


sys.addaudithook(_count)


@contextlib.contextmanager
def counting() -> Iterator[collections.Counter[str]]:
    found: collections.Counter[str] = collections.Counter()
    _counted.append(found)
    try:
        yield found
    finally:
        _counted.clear()


def cost(root: pathlib.Path, stages: int, prepare: Callable[[Workshop], object] = id) -> collections.Counter[str]:
    """The accesses to files, and the connections to databases, in the first run of a chain."""
    root.mkdir()
    shop = Workshop(root)
    prepare(shop)
    for number in range(stages):
        shop.copying(f"s{number}", f"data/{number}", f"data/{number + 1}", lambda text: f"{text}x")
    shop.write("data/0", "text")
    with counting() as found:
        assert len(shop.run().ran) == stages
    return found


def test_a_stage_costs_the_same_however_many_there_are(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_texts, "_PERIOD_S", math.inf)  # else a slow machine connects more often
    cost(tmp_path / "imports", 2)
    ten, twenty, thirty = (cost(tmp_path / str(stages), stages) for stages in (10, 20, 30))

    assert max(ten["connections"], twenty["connections"], thirty["connections"]) <= 3
    assert thirty["accesses"] - twenty["accesses"] == twenty["accesses"] - ten["accesses"] <= 10 * 8


def save_a_file(shop: Workshop) -> None:
    """Let a run replace a file of the user, and wait until any further change would show."""
    shop.copying("first", "data/a", "data/b")
    shop.write("data/a", "text")
    shop.write("data/b", "mine")
    assert len(shop.run().ran) == 1
    settled = shop.layout.kept_dir.stat().st_ctime_ns + 20_000_000
    while time.time_ns() < settled:
        os.sched_yield()


def test_saved_content_is_not_read_for_each_stage(tmp_path: pathlib.Path) -> None:
    found = [cost(tmp_path / str(stages), stages, save_a_file)["saved"] for stages in (5, 15)]

    assert found[0] == found[1] > 0
