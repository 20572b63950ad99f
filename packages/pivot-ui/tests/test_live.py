"""All that tabs hear while the page is open: edits, runs of any terminal, commands of the page."""

import asyncio
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

from served import ServedProject, until

from pivot_ui.live.follower import ChangeCheck
from pivot_ui.live.hub import EventHub


def pivot(root: pathlib.Path, *words: str) -> None:
    """Run a command in the project, as another terminal does."""
    command = [sys.executable, "-P", "-m", "pivot_cli", *words]
    subprocess.run(command, cwd=root, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def let_stage_wait(root: pathlib.Path) -> None:
    """Let the first stage wait until somebody writes into `wait.fifo`."""
    declared = (root / "pivot.yaml").read_text()
    (root / "pivot.yaml").write_text(declared.replace("tr a-z A-Z < words.txt", "cat wait.fifo"))
    os.mkfifo(root / "wait.fifo")


def states(served: ServedProject) -> set[str]:
    return {each["state"] for each in served.api("status")["stages"]}


def test_an_edit_is_heard_and_the_status_is_that_after_it(served: ServedProject) -> None:
    pivot(served.root, "repro")
    served.follower.start()
    with served.events() as events:
        until(events, "status")
        assert states(served) == {"cached"}

        (served.root / "words.txt").write_text("d e f\n")

        until(events, "status", lambda _: "stale" in states(served))


def test_an_edit_before_anybody_watches_is_found_by_the_first_look(served: ServedProject) -> None:
    seen = served.service.evaluated()
    (served.root / "words.txt").write_text("d e f\n")
    check = ChangeCheck(seen.read_set)
    assert check.due()
    assert check.is_outdated()


class FaultyVariables(dict[str, str]):
    """Environment variables that the follower cannot read for a while."""

    faulty = False

    def __iter__(self) -> Iterator[str]:
        self._check()
        return super().__iter__()

    def get(self, *words: Any) -> Any:
        self._check()
        return super().get(*words)

    def _check(self) -> None:
        if self.faulty and threading.current_thread().name == "follow the project":
            raise RuntimeError("no such variables")


def test_an_error_of_the_follower_is_told_and_it_goes_on(served: ServedProject) -> None:
    served.service.environment = variables = FaultyVariables(os.environ)
    served.follower.start()
    with served.events() as events:
        until(events, "status", lambda _: states(served) == {"stale"})
        variables.faulty = True
        (served.root / "words.txt").write_text("d e f\n")

        until(events, "status", lambda _: served.api("status")["problem"] is not None)

        told = served.api("status")
        assert "RuntimeError: no such variables" in told["problem"]["error"]
        assert {each["state"] for each in told["stages"]} == {"stale"}
        variables.faulty = False
        pivot(served.root, "repro")
        until(events, "status", lambda _: states(served) == {"cached"} and not served.api("status")["problem"])
    assert len(served.bugs) == 1
    assert "RuntimeError" in served.bugs.pop()


def test_a_project_that_was_away_is_followed_again(served: ServedProject) -> None:
    served.follower.start()
    with served.events() as events:
        until(events, "status")
        away = served.root.rename(served.root.with_name("away"))
        until(events, "status", lambda _: served.api("status")["problem"] is not None)

        away.rename(served.root)

        until(events, "status", lambda _: served.api("status")["problem"] is None)
        assert states(served) == {"stale"}


def test_a_run_of_another_terminal_is_heard_until_its_end_and_its_results_count(served: ServedProject) -> None:
    served.follower.start()
    with served.events() as events:
        until(events, "status")

        pivot(served.root, "repro")

        ended = until(events, "run", lambda plain: plain["state"] == "done")
        assert ended["counts"] == {"ran": 2}
        if states(served) != {"cached"}:  # otherwise that was heard before the end of the run
            until(events, "status", lambda _: states(served) == {"cached"})


def test_a_run_is_heard_while_it_works(served: ServedProject) -> None:
    let_stage_wait(served.root)
    served.follower.start()
    command = [sys.executable, "-P", "-m", "pivot_cli", "repro"]
    with (
        served.events() as events,
        subprocess.Popen(command, cwd=served.root, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run,
    ):
        found = until(events, "run", lambda plain: plain["counts"].get("running") == 1)
        assert found["state"] == "running"
        with (served.root / "wait.fifo").open("w") as fifo:
            fifo.write("x\n")
        until(events, "run", lambda plain: plain["state"] == "done")
        assert run.wait() == 0


def test_a_run_whose_process_is_killed_is_heard_as_dead(served: ServedProject) -> None:
    let_stage_wait(served.root)
    served.follower.start()
    command = [sys.executable, "-P", "-m", "pivot_cli", "repro"]
    with (
        served.events() as events,
        subprocess.Popen(command, cwd=served.root, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run,
    ):
        until(events, "run", lambda plain: plain["counts"].get("running") == 1)
        run.kill()
        until(events, "run", lambda plain: plain["state"] == "died")


def test_each_tab_hears_what_is_the_case_when_it_opens(served: ServedProject) -> None:
    pivot(served.root, "repro")
    served.follower.start()
    with served.events() as one:
        until(one, "run")
        with served.events() as other:
            assert until(other, "run")["state"] == "done"


def test_an_unfinished_edit_is_heard_and_its_fix(served: ServedProject) -> None:
    declared = (served.root / "pivot.yaml").read_text()
    served.follower.start()
    with served.events() as events:
        until(events, "status")
        (served.root / "pivot.yaml").write_text("pipeline: [words\n")
        until(events, "status", lambda _: served.api("status")["problem"] is not None)
        (served.root / "pivot.yaml").write_text(declared)
        until(events, "status", lambda _: served.api("status")["problem"] is None)


def test_the_end_of_the_server_ends_all_streams(root: pathlib.Path) -> None:
    with ServedProject(root) as served, served.events() as events:
        served.hub.publish("status", {"version": 1})
        until(events, "status")
        served.hub.close()
        assert list(events) == []


def test_a_slow_listener_hears_the_newest_event_of_each_kind() -> None:
    async def listen() -> list[tuple[str, Any] | None]:
        hub = EventHub()
        hub.publish("status", 0)
        found: list[tuple[str, Any] | None] = []
        async for each in hub.events(0.01):
            found.append(each)
            if len(found) == 1:
                for number in range(1000):
                    hub.publish("status", number)
                hub.publish("run", "r")
            if each is None:
                hub.close()
        return found

    assert asyncio.run(listen()) == [("status", 0), ("status", 999), ("run", "r"), None]
