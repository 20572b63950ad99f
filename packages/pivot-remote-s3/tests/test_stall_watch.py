"""Notes of silent servers: one per silence. Watching never delays a request."""

import asyncio
import contextlib
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from pivot_cache import stalls
from pivot_remote_s3.limits import StallTimer, StallWatch, server_address

PATIENCE = 10.0

steps = st.lists(st.tuples(st.sampled_from(["begin", "end", "moved", "look"]), st.floats(0, 30)), max_size=40)


@given(steps)
def test_silence_is_told_once_for_each_time_that_it_lasts(steps: list[tuple[str, float]]) -> None:
    """Against the plain definition: a request is under way, and since it began nothing has moved for so long."""
    silence, now, under_way, since, told = StallTimer(PATIENCE), 0.0, 0, 0.0, False
    for step, after in steps:
        now += after
        match step:
            case "begin":
                silence.begin(now)
                since = now if not (under_way or told) else since
                under_way += 1
            case "end" if under_way:
                silence.end()
                under_way -= 1
            case "moved":
                silence.moved(now)
                since, told = now, False
            case _:
                wait, due = silence.wait(now), silence.due(now)
                assert (wait is None) == (told or not under_way)
                silent = bool(under_way and not told and now >= since + PATIENCE)
                assert due == (now - since if silent else None)
                assert not silent or wait == 0
                told = told or silent


def heard(work: Callable[[StallWatch], None], *, patience: float = 0.0) -> list[str]:
    """The notes that are given while something is done and then the loop has nothing else to do."""
    found: list[str] = []

    async def main() -> None:
        watch = StallWatch(patience)
        work(watch)
        for _ in range(5):
            await asyncio.sleep(0.001)
        watch.close()

    with stalls.heard(lambda address, _: found.append(address)):
        asyncio.run(main())
    return found


URL = "http://me:hunter2@127.0.0.1:9000/bucket/files?X-Amz-Signature=hunter2"


def test_a_server_is_named_without_who_asks_and_for_what() -> None:
    assert heard(lambda watch: watch.begin(URL)) == ["http://127.0.0.1:9000"]
    assert server_address("https://[::1]:9000/x") == "https://[::1]:9000"


def test_nobody_is_told_of_what_has_ended_or_will_be_told_of_later() -> None:
    def ended(watch: StallWatch) -> None:
        watch.begin(URL)
        watch.end()
        watch.begin()
        watch.moved()
        watch.end()

    assert heard(ended) == []
    assert heard(lambda watch: watch.begin(URL), patience=60) == []


def test_what_stops_again_is_told_of_again() -> None:
    async def main() -> None:
        told = asyncio.Event()
        with stalls.heard(lambda *_: told.set()):
            watch = StallWatch(0.0)
            watch.begin(URL)
            for _ in range(2):
                await told.wait()
                told.clear()
                watch.moved()
            watch.end()
            watch.close()

    asyncio.run(main())


def test_who_has_listened_is_told_nothing_more() -> None:
    found: list[str] = []
    with contextlib.suppress(KeyboardInterrupt), stalls.heard(lambda address, _: found.append(address)):
        stalls.tell("http://x", 1)
        raise KeyboardInterrupt
    stalls.tell("http://y", 1)
    assert found == ["http://x"]
