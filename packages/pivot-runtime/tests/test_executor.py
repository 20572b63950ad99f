"""The contract of every executor, for the real one and for the one of the tests; and what only processes give."""

import contextlib
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from inline_executor import InlineExecutor
from processes import alive, wait_until
from source_projects import Sources, new_host

from pivot_core.discovery import import_pipeline
from pivot_core.lock import Inputs
from pivot_runtime.errors import HostError
from pivot_runtime.executors.base import Executor, Failure, Finished
from pivot_runtime.executors.host_executor import HostExecutor
from pivot_runtime.loading import host_client

PIPELINE = """
import os
import sys
import time

class Two(TypedDict):
    left: Annotated[str, Out("left.txt", Text())]
    right: Annotated[str, Out("sub/right.txt", Text())]

def good(x: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("good.txt", Text())]:
    print("printed")
    return x.upper()

def both() -> Two:
    return Two(left="l", right="r")

def silent() -> None:
    pathlib.Path("silent.txt").write_text("was here")

def helper():
    raise ValueError("first line\\nlast line")

def bad() -> Annotated[str, Out("bad.txt", Text())]:
    helper()

def wrong_json(table: Annotated[dict, Dep("table.json", JSON())]) -> Annotated[str, Out("w.txt", Text())]:
    return ""

def wrong_text() -> Annotated[str, Out("number.txt", Text())]:
    return 5

def unserialisable() -> Annotated[str, Out("object.json", JSON())]:
    return object()

def wrong_keys() -> Two:
    return {"left": "l", "middle": "m"}

def no_mapping() -> Two:
    return "l"

def nothing_declared() -> None:
    return 5

def moves() -> Annotated[str, Out("moved.txt", Text())]:
    os.chdir("..")
    return "m"

def leaves() -> Annotated[str, Out("left.txt", Text())]:
    sys.exit("enough")

def not_written() -> Annotated[pathlib.Path, Out("not_written.txt", PathOnly())]:
    return pathlib.Path("not_written.txt")

def where() -> Annotated[str, Out("where.txt", Text())]:
    return os.getcwd()

class Mute(Exception):
    def __str__(self):
        raise RuntimeError

def mute() -> None:
    raise Mute

def killed() -> None:
    os.kill(os.getpid(), 9)

def ends() -> None:
    print("last words")
    os._exit(7)

def interrupted() -> None:
    raise KeyboardInterrupt

def waits() -> None:
    pathlib.Path("waiting").touch()
    while True:
        time.sleep(60)

def stubborn() -> None:
    import signal
    signal.signal(signal.SIGINT, lambda *_: pathlib.Path("interrupted").touch())
    signal.signal(signal.SIGTERM, lambda *_: pathlib.Path("asked").touch())
    pathlib.Path("waiting").touch()
    while True:
        time.sleep(60)

def waits_for_go() -> None:
    with open("go") as go:
        go.read()

def noisy() -> None:
    os.write(1, b"to the descriptor\\n")
    os.system("echo from a process")
    print("to stderr", file=sys.stderr)

def reads_input() -> Annotated[str, Out("input.txt", Text())]:
    return sys.stdin.read()

for stage in [good, both, silent, bad, wrong_json, wrong_text, unserialisable, wrong_keys, no_mapping,
              nothing_declared, moves, leaves, not_written, where, mute, killed, ends, interrupted, waits,
              stubborn, waits_for_go, noisy, reads_input]:
    pipeline.register(stage)
"""


class Bench:
    """An executor on a project."""

    def __init__(self, project: Sources, executor: Executor) -> None:
        self.project = project
        self.root = project.root
        self.executor = executor

    def start(self, name: str) -> pathlib.Path:
        log = self.root / f"{name}.log"
        self.executor.start(f"p.{name}", log, Inputs(schema=1))
        return log

    def run(self, name: str) -> Finished:
        self.start(name)
        return self.executor.wait()

    def failure(self, name: str) -> Failure:
        finished = self.run(name)
        assert finished.failure is not None
        return finished.failure

    def until(self, name: str) -> None:
        """Wait for a file that a stage makes."""
        while not (self.root / name).exists():
            os.sched_yield()


@contextlib.contextmanager
def host_executor(project: Sources) -> Iterator[HostExecutor]:
    """In a host without an interpreter of its own, which takes longer than most of these tests."""
    _, host = host_client.load_in(new_host, project.root, project.root / "pipeline.py")
    with host:
        yield HostExecutor(lambda _: host)


@contextlib.contextmanager
def inline_executor(project: Sources) -> Iterator[InlineExecutor]:
    path, module = list(sys.path), sys.modules.get("pipeline")
    try:
        (pipeline,) = import_pipeline(project.root / "pipeline.py", root=project.root)
        yield InlineExecutor({f"p.{name}": (stage, project.root) for name, stage in pipeline.stages.items()})
    finally:
        sys.path[:] = path
        sys.modules.pop("pipeline")
        if module is not None:
            sys.modules["pipeline"] = module


@pytest.fixture
def project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    files = {"pipeline.py": PIPELINE, "in.txt": "abc", "table.json": "{", "sub/.keep": ""}
    return Sources((tmp_path / "project").resolve(), files)


@pytest.fixture(params=[host_executor, inline_executor])
def bench(project: Sources, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Of each executor."""
    kind: Callable[[Sources], contextlib.AbstractContextManager[Executor]] = request.param
    with kind(project) as executor:
        yield Bench(project, executor)


@pytest.fixture
def hosted(project: Sources) -> Iterator[Bench]:
    """Of the executor with processes."""
    with host_executor(project) as executor:
        yield Bench(project, executor)


# -- every executor


def test_success(bench: Bench) -> None:
    finished = bench.run("good")

    assert (finished.address, finished.failure) == ("p.good", None)
    assert finished.seconds >= 0
    assert (bench.root / "good.txt").read_text() == "ABC"
    assert (bench.root / "good.log").exists()


def test_several_outs_and_none(bench: Bench) -> None:
    assert (bench.run("both").failure, bench.run("silent").failure) == (None, None)
    assert (bench.root / "left.txt").read_text() == "l"
    assert (bench.root / "sub/right.txt").read_text() == "r"
    assert (bench.root / "silent.txt").exists()


def test_every_start_has_its_end(bench: Bench) -> None:
    started = ["good", "both", "bad", "silent"]
    for name in started:
        bench.start(name)
    ended = [bench.executor.wait() for _ in started]

    assert sorted(finished.address for finished in ended) == sorted(f"p.{name}" for name in started)
    assert [finished.address for finished in ended if finished.failure] == ["p.bad"]


def test_one_stage_twice(bench: Bench) -> None:
    assert bench.run("good").failure is None
    (bench.root / "good.txt").unlink()
    assert bench.run("good").failure is None
    assert (bench.root / "good.txt").exists()


def test_failure_with_its_traceback(bench: Bench) -> None:
    """Of the user's code only, whole."""
    failure = bench.failure("bad")

    assert failure.summary == "ValueError: last line"
    assert failure.detail.startswith("Traceback (most recent call last):\n")
    assert failure.detail.endswith("ValueError: first line\nlast line\n")
    assert ", in bad\n" in failure.detail
    assert ", in helper\n" in failure.detail
    assert "plain_call" not in failure.detail
    assert "_worker" not in failure.detail
    assert not (bench.root / "bad.txt").exists()


def test_loader_error_names_file_and_parameter(bench: Bench) -> None:
    failure = bench.failure("wrong_json")

    assert failure.summary.startswith("JSONDecodeError: ")
    assert "while loading 'table.json' for parameter 'table'" in failure.summary


def test_missing_dep_names_file_and_parameter(bench: Bench) -> None:
    (bench.root / "in.txt").unlink()
    failure = bench.failure("good")

    assert failure.summary.startswith("FileNotFoundError: ")
    assert "while loading 'in.txt' for parameter 'x'" in failure.summary


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("wrong_text", ["'number.txt'", "Text() saves a str, not int"]),
        ("unserialisable", ["cannot keep the value", "while saving 'object.json'"]),
        ("wrong_keys", ["without ['right']", "undeclared ['middle']"]),
        ("no_mapping", ["returned str", "['left', 'right']"]),
        ("nothing_declared", ["returned int but declares None"]),
        ("not_written", ["'not_written.txt' but did not write it"]),
        ("leaves", ["sys.exit('enough')"]),
        ("mute", ["Mute"]),
    ],
)
def test_failures_have_a_summary_of_one_line(bench: Bench, name: str, told: list[str]) -> None:
    summary = bench.failure(name).summary

    assert [part for part in told if part not in summary] == []
    assert len(summary.splitlines()) == 1
    assert bench.run("good").failure is None


def test_stage_runs_in_its_directory(bench: Bench) -> None:
    before = pathlib.Path.cwd()
    bench.run("where")

    assert (bench.root / "where.txt").read_text() == str(bench.root)
    assert pathlib.Path.cwd() == before


def test_stage_that_changes_its_directory(bench: Bench) -> None:
    """Its outs are written where they are declared, and the next stage starts where it should."""
    before = pathlib.Path.cwd()

    assert bench.run("moves").failure is None
    assert (bench.root / "moved.txt").exists()
    assert bench.run("good").failure is None
    assert pathlib.Path.cwd() == before


def test_stop_without_stages(bench: Bench) -> None:
    bench.executor.stop()

    assert bench.run("good").failure is None


def test_stopped_stages_count_as_never_run(bench: Bench) -> None:
    bench.start("good")
    bench.executor.stop()

    assert bench.run("both").address == "p.both"


# -- processes


def test_the_log_has_the_output_of_its_stage(hosted: Bench) -> None:
    hosted.run("noisy")

    assert (hosted.root / "noisy.log").read_text() == "to the descriptor\nfrom a process\nto stderr\n"
    hosted.run("good")
    assert (hosted.root / "good.log").read_text() == "printed\n"


def test_log_holds_the_last_run_only(hosted: Bench) -> None:
    hosted.run("good")
    hosted.run("good")

    assert (hosted.root / "good.log").read_text() == "printed\n"


def test_input_is_empty(hosted: Bench) -> None:
    assert hosted.run("reads_input").failure is None
    assert (hosted.root / "input.txt").read_text() == ""


def test_killed_stage(hosted: Bench) -> None:
    failure = hosted.failure("killed")

    assert (failure.summary, failure.hint) == ("it was killed by SIGKILL", "it may have run out of memory")
    assert hosted.run("good").failure is None


def test_stage_that_ends_its_process(hosted: Bench) -> None:
    assert hosted.failure("ends").summary == "its process ended early with exit code 7"
    assert (hosted.root / "ends.log").read_text() == "last words\n"


def test_stage_that_raises_an_interrupt(hosted: Bench) -> None:
    assert hosted.failure("interrupted").summary == "KeyboardInterrupt"


def test_stages_run_at_once(hosted: Bench) -> None:
    """One that waits does not keep another from ending."""
    os.mkfifo(hosted.root / "go")
    hosted.start("waits_for_go")

    assert hosted.run("good").address == "p.good"
    (hosted.root / "go").write_text("")
    last = hosted.executor.wait()
    assert (last.address, last.failure) == ("p.waits_for_go", None)


def test_other_work_is_done_once_while_a_stage_takes_long(project: Sources) -> None:
    done: list[str] = []
    os.mkfifo(project.root / "go")

    def work() -> None:
        done.append("work")
        (project.root / "go").write_text("go")

    _, host = host_client.load(project.root, project.root / "pipeline.py", quiet=True)
    with host:
        bench = Bench(project, HostExecutor(lambda _: host, when_idle=work))
        assert bench.run("waits_for_go").failure is None
        assert bench.run("good").failure is None
    assert done == ["work"]


def test_stop_ends_running_stages(hosted: Bench) -> None:
    hosted.start("waits")
    hosted.until("waiting")
    hosted.executor.stop()

    assert hosted.run("good").address == "p.good"


def test_stop_ends_a_stubborn_stage_by_force(hosted: Bench) -> None:
    hosted.start("stubborn")
    hosted.until("waiting")
    hosted.executor.stop()

    assert (hosted.root / "interrupted").exists()
    assert (hosted.root / "asked").exists()
    assert hosted.run("good").address == "p.good"


class SlowToListen:
    """The end of a host that said long ago how long a stage took."""

    def __init__(self, events: int) -> None:
        self.events = events

    def send(self, message: Mapping[str, Any]) -> None:
        self.number = message["id"]

    def receive(self) -> Iterator[dict[str, Any]]:
        end = {"event": "finished", "id": self.number, "ok": True, "seconds": 0.001, "usage": (0.0, 0), "left": ()}
        seen = {"read": (), "wrote": (), "variables": ()}
        yield {**end, "observed": {}, "incomplete": (), "seen": seen}


def test_a_stage_takes_no_longer_because_nobody_listens() -> None:
    """The coordinator may be storing what another stage has left."""
    with open(os.devnull, "rb") as ready:
        executor = HostExecutor(lambda _: SlowToListen(ready.fileno()))  # type: ignore[arg-type, return-value]
        executor.start("p.good", pathlib.Path("log"))

        assert executor.wait().seconds == 0.001


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_children_that_wait_for_a_stage_may_be_killed(hosted: Bench) -> None:
    """They are forked while the second stage runs, and are used one after the other; the host ends with all of them."""
    assert isinstance(hosted.executor, HostExecutor)
    os.mkfifo(hosted.root / "go")
    assert hosted.run("good").failure is None
    hosted.start("waits_for_go")
    (host,) = hosted.executor._hosts
    children = pathlib.Path(f"/proc/{host.pid}/task/{host.pid}/children")
    while len(pids := children.read_text().split()) < 2:
        os.sched_yield()
    os.kill(int(pids[1]), signal.SIGKILL)
    wait_until(lambda: not alive(int(pids[1])))  # else it may still be given a stage
    (hosted.root / "go").write_text("")
    assert hosted.executor.wait().failure is None

    assert [hosted.run(name).failure for name in ("both", "silent", "moves")] == [None] * 3
    assert (hosted.root / "moved.txt").exists()


def test_host_that_dies(project: Sources) -> None:
    """Its program is gone, and that is reported as an error of ours."""
    _, host = host_client.load(project.root, project.root / "pipeline.py", quiet=True)
    with host:
        bench = Bench(project, HostExecutor(lambda _: host))
        bench.start("waits")
        bench.until("waiting")
        os.kill(host.pid, signal.SIGKILL)

        with pytest.raises(HostError, match="ended unexpectedly"):
            bench.executor.wait()
        bench.executor.stop()
