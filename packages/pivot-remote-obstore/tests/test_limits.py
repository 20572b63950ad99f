"""Deadlines of requests: one timer serves all of them, whatever the order in which they end."""

import asyncio

from pivot_remote_obstore.limits import Deadlines, RequestClock


class Requests:
    """Requests to a server that never answers, on an event loop whose time passes only in `pass_time`."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        loop.time = lambda: self.now  # type: ignore[method-assign]
        self.clock = RequestClock(Deadlines(timeout=100, rate=1), "server")
        self.late: list[str] = []

    async def pass_time(self, seconds: float) -> None:
        for later in (0, seconds):  # what has just begun begins before the time passes
            self.now += later
            for _ in range(5):
                await asyncio.sleep(0)

    async def begin(self, name: str, moves: int = 0, continues: asyncio.Event | None = None) -> None:
        try:
            async with self.clock.request(moves) as go_on:
                if continues is not None:
                    await continues.wait()
                    go_on()
                await asyncio.Event().wait()
        except TimeoutError:
            self.late.append(name)
            go_on()  # it has ended, and that changes nothing


def test_each_request_has_its_own_deadline() -> None:
    async def work() -> None:
        requests = Requests()
        async with asyncio.TaskGroup() as tasks:
            for name, moves in (("1000 s", 900), ("150 s", 50), ("100 s", 0)):
                tasks.create_task(requests.begin(name, moves))
            ended = tasks.create_task(requests.begin("ended"))
            await requests.pass_time(99)
            assert requests.late == []
            ended.cancel()
            await requests.pass_time(2)
            assert requests.late == ["100 s"]
            tasks.create_task(requests.begin("100 s later"))
            await requests.pass_time(50)
            assert requests.late == ["100 s", "150 s"]
            await requests.pass_time(51)
            assert requests.late == ["100 s", "150 s", "100 s later"]
            await requests.pass_time(800)
            assert requests.late[3:] == ["1000 s"]
        requests.clock.close()

    asyncio.run(work())


def test_a_request_that_continues_has_a_new_deadline() -> None:
    async def work() -> None:
        requests, continues = Requests(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(requests.begin("continues", continues=continues))
            tasks.create_task(requests.begin("does not"))
            await requests.pass_time(99)
            continues.set()
            await requests.pass_time(2)
            assert requests.late == ["does not"]
            await requests.pass_time(98)
            assert requests.late == ["does not", "continues"]
        requests.clock.close()

    asyncio.run(work())
