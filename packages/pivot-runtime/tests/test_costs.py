"""What a run does for each stage depends neither on the number of stages nor on the length of their file."""

import collections
import contextlib
import pathlib
import sys
from collections.abc import Iterator

from workshop import Workshop

_counted: list[collections.Counter[str]] = []
"""Where accesses are counted now; a hook cannot be removed."""


def _count(event: str, arguments: tuple[object, ...]) -> None:
    if not _counted:
        return
    if event == "sqlite3.connect":
        _counted[0]["connections"] += 1
    elif event in ("open", "os.mkdir", "os.remove", "os.rename", "os.listdir", "os.scandir"):
        path = str(arguments[0])
        if "/.pivot/cache/" not in path:  # whether a shard exists already depends on the digest
            _counted[0]["accesses"] += 1


sys.addaudithook(_count)


@contextlib.contextmanager
def counting() -> Iterator[collections.Counter[str]]:
    found: collections.Counter[str] = collections.Counter()
    _counted.append(found)
    try:
        yield found
    finally:
        _counted.clear()


def cost(root: pathlib.Path, stages: int) -> collections.Counter[str]:
    """What the first run of a chain costs, from files to the databases of what it has learned."""
    root.mkdir()
    shop = Workshop(root)
    for number in range(stages):
        shop.copying(f"s{number}", f"data/{number}", f"data/{number + 1}", lambda text: f"{text}x")
    shop.write("data/0", "text")
    with counting() as found:
        assert len(shop.run().ran) == stages
    return found


def test_a_stage_costs_the_same_however_many_there_are(tmp_path: pathlib.Path) -> None:
    cost(tmp_path / "imports", 2)
    ten, twenty, thirty = (cost(tmp_path / str(stages), stages) for stages in (10, 20, 30))

    assert ten["connections"] == thirty["connections"] <= 3
    assert thirty["accesses"] - twenty["accesses"] == twenty["accesses"] - ten["accesses"] <= 10 * 12
