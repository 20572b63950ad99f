"""A stage starts before the objects of the last one are written; what fails then counts as never run."""

import pathlib
from collections.abc import Callable

import pytest
from workshop import Workshop, parts_of

from pivot_cache.errors import CacheError
from pivot_core.lock import Inputs
from pivot_runtime.executors.base import Executor, Finished
from pivot_runtime.history import events


class Watching:
    """An executor that calls a function before each start."""

    def __init__(self, inner: Executor, before: Callable[[str], object]) -> None:
        self._inner, self._before = inner, before
        self.stop, self.kill = inner.stop, inner.kill

    def start(self, address: str, log: pathlib.Path, inputs: Inputs) -> None:
        self._before(address)
        self._inner.start(address, log, inputs)

    def wait(self) -> Finished:
        return self._inner.wait()


@pytest.fixture
def chain(shop: Workshop) -> Workshop:
    """``a`` makes ``middle`` of ``in``, ``b`` makes ``end`` of it."""
    shop.copying("a", "in", "middle", lambda text: f"{text}a")
    shop.copying("b", "middle", "end", lambda text: f"{text}b")
    shop.write("in", "1")
    return shop


def objects(shop: Workshop) -> int:
    return len(list(shop.layout.objects_dir.glob("??/*")))


def test_a_stage_starts_before_the_objects_of_the_last_one_are_written(chain: Workshop) -> None:
    found: dict[str, tuple[int, set[str]]] = {}

    def look(address: str) -> None:
        found[address] = objects(chain), set(chain.locks()) if chain.layout.stages_dir.exists() else set()

    assert chain.run(wrap=lambda inner: Watching(inner, look)).complete
    assert found == {"p.a": (0, set()), "p.b": (0, set())}
    assert (objects(chain), set(chain.locks())) == (2, {"p.a.lock", "p.b.lock"})


def test_large_objects_do_not_wait_in_memory(shop: Workshop) -> None:
    shop.copying("a", "in", "middle", lambda text: text * 5000)
    shop.copying("b", "middle", "end", lambda text: text[:1])
    shop.write("in", "1")
    found: dict[str, int] = {}

    def look(address: str) -> None:
        found[address] = objects(shop)

    assert shop.run(wrap=lambda inner: Watching(inner, look)).complete
    assert found == {"p.a": 0, "p.b": 1}


def test_outs_that_cannot_be_stored_are_put_back(chain: Workshop) -> None:
    """Although the next stage runs already; both run again when the cache can be written."""
    assert chain.run().complete
    before = chain.locks()
    chain.write("in", "2")
    cache = chain.layout.cache_dir

    def breaking(address: str) -> None:
        if address == "p.b":
            cache.rename(cache.with_name("elsewhere"))
            cache.touch()

    with pytest.raises(CacheError, match="cannot write to"):
        chain.run(wrap=lambda inner: Watching(inner, breaking))
    assert [chain.read("middle"), chain.read("end"), chain.locks()] == ["1a", "1ab", before]
    assert chain.told(events.RunStopped)

    cache.unlink()
    cache.with_name("elsewhere").rename(cache)
    assert parts_of(chain.run()) == {"ran": {"a", "b"}}
    assert chain.read("end") == "2ab"
    assert parts_of(chain.run()) == {"cached": {"a", "b"}}


def test_a_stage_is_restored_from_an_object_that_is_not_yet_written(chain: Workshop) -> None:
    """The first stage computes again what the second wrote once, and the cache has lost."""
    chain.copying("c", "end", "last", lambda _: "1a")
    assert chain.run().complete
    chain.object_of("c", "last").unlink()
    (chain.root / "last").unlink()
    (chain.root / "middle").unlink()
    chain.versions["a"] = 1

    assert parts_of(chain.run()) == {"ran": {"a"}, "cached": {"b"}, "restored": {"c"}}
    assert chain.read("last") == "1a"
