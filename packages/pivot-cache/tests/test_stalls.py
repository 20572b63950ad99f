"""Reports of silent servers: one per timer. The watch never delays a request."""

import asyncio
import contextlib
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.remotes import stalls
from pivot_cache.remotes.stalls import StallTimer, StallWatch, server_address

PATIENCE = 10.0

steps = st.lists(st.tuples(st.sampled_from(["begin", "end", "moved", "look"]), st.floats(0, 30)), max_size=40)


@given(steps)
def test_each_silence_is_reported_once(steps: list[tuple[str, float]]) -> None:
    """Compare with the plain definition: a request is open, and no byte has moved for the patience."""
    timer, now, under_way, since, reported = StallTimer(PATIENCE), 0.0, 0, 0.0, False
    for step, after in steps:
        now += after
        match step:
            case "begin":
                timer.begin(now)
                since = now if not (under_way or reported) else since
                under_way += 1
            case "end" if under_way:
                timer.end()
                under_way -= 1
            case "moved":
                timer.moved(now)
                since, reported = now, False
            case _:
                wait, due = timer.wait(now), timer.due(now)
                assert (wait is None) == (reported or not under_way)
                silent = bool(under_way and not reported and now >= since + PATIENCE)
                assert due == (now - since if silent else None)
                assert not silent or wait == 0
                reported = reported or silent


def heard(work: Callable[[StallWatch], None], *, patience: float = 0.0) -> list[str]:
    """Return the servers that are reported during the work and shortly after it."""
    found: list[str] = []

    async def main() -> None:
        watch = StallWatch(patience)
        work(watch)
        for _ in range(5):
            await asyncio.sleep(0.001)
        watch.close()

    with stalls.listen(lambda address, _: found.append(address)):
        asyncio.run(main())
    return found


URL = "http://me:hunter2@127.0.0.1:9000/bucket/files?X-Amz-Signature=hunter2"


def test_a_server_is_named_without_credentials_and_path() -> None:
    assert heard(lambda watch: watch.begin(URL)) == ["http://127.0.0.1:9000"]
    assert server_address("https://[::1]:9000/x") == "https://[::1]:9000"


def test_a_request_that_has_ended_or_is_recent_is_not_reported() -> None:
    def ended(watch: StallWatch) -> None:
        watch.begin(URL)
        watch.end()
        watch.begin()
        watch.moved()
        watch.end()

    assert heard(ended) == []
    assert heard(lambda watch: watch.begin(URL), patience=60) == []


def test_a_second_silence_is_reported_as_well() -> None:
    async def main() -> None:
        reported = asyncio.Event()
        with stalls.listen(lambda *_: reported.set()):
            watch = StallWatch(0.0)
            watch.begin(URL)
            for _ in range(2):
                await reported.wait()
                reported.clear()
                watch.moved()
            watch.end()
            watch.close()

    asyncio.run(main())


def test_a_listener_hears_nothing_after_its_block() -> None:
    found: list[str] = []
    with contextlib.suppress(KeyboardInterrupt), stalls.listen(lambda address, _: found.append(address)):
        stalls.report("http://x", 1)
        raise KeyboardInterrupt
    stalls.report("http://y", 1)
    assert found == ["http://x"]
