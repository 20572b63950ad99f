"""Tests that every executor must pass: a subclass says how to start it on a project."""

import os
import pathlib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

import attrs

from pivot_cache.layout import Layout
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Inputs
from pivot_runtime.executors.base import Executor, Finished

PIPELINE: Final = """\
import os
import pathlib
import subprocess
import sys
import time
from os import environ
from typing import Annotated

from pivot_core.loaders import Text
from pivot_core.pipeline import Pipeline
from pivot_core.stages.annotations import Dep, Out

pipeline = Pipeline("p")


@pipeline.register
def good(x: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("good.txt", Text())]:
    print("printed")
    subprocess.run(["echo", "by a program"], check=True)
    return x.upper()


def helper():
    raise ValueError("first line\\nlast line")


@pipeline.register
def bad() -> Annotated[str, Out("bad.txt", Text())]:
    helper()


@pipeline.register
def killed() -> None:
    os.kill(os.getpid(), 9)


@pipeline.register
def ends() -> None:
    print("last words")
    os._exit(7)


@pipeline.register
def unwritten() -> Annotated[str, Out("unwritten.txt", Text())]:
    os.chdir("/")
    return 5


@pipeline.register(timeout=0.2)
def late() -> None:
    time.sleep(1000)


@pipeline.register
def loud() -> None:
    for number in range(20000):
        print("line", number, "of many that make the log of this stage long")


@pipeline.register
def looks() -> Annotated[str, Out("looks.txt", Text())]:
    return pathlib.Path("undeclared.txt").read_text() + environ.get("SEEN_BY_A_TEST", "")


def waits() -> None:
    pathlib.Path(PIDS, str(os.getpid())).touch()
    time.sleep(1000)


for number in (1, 2):
    pipeline.register(waits, name=f"waits{number}")
"""
"""The pipeline of the project; it does not import `pivot`, which tests of other packages may lack."""

_FILES: Final = {"in.txt": "abc", "undeclared.txt": "u"}
_OUTCOMES: Final[Mapping[str, str | None]] = {
    "good": None,
    "bad": "ValueError: last line",
    "killed": "it was killed by SIGKILL",
    "ends": "its process ended early with exit code 7",
    "late": "it ran longer than its timeout",
    "loud": None,
    "looks": None,
}


@attrs.frozen(eq=False)
class ExecutorBench:
    """A started executor.

    Attributes:
        executor: The executor.
        inputs: Returns the current inputs of a stage.
    """

    executor: Executor
    inputs: Callable[[str], Inputs]


type OnOutput = Callable[[str, tuple[str, ...]], None]
"""Receives the lines that a stage prints, with its address."""


class ExecutorContract:
    """The tests; inherit them, and implement `bench`.

    Starting an executor may take long, so each test starts one and runs many stages.
    """

    def bench(self, root: pathlib.Path, on_output: OnOutput) -> AbstractContextManager[ExecutorBench]:
        """Start the executor on the project with this root, and stop it at the end."""
        raise NotImplementedError

    def test_each_start_has_its_end(self, tmp_path: pathlib.Path) -> None:
        """Success, failures, crashes, a timeout and long logs."""
        root, printed = project(tmp_path), dict[str, list[str]]()

        def on_output(address: str, lines: tuple[str, ...]) -> None:
            printed.setdefault(address, []).extend(lines)

        with self.bench(root, on_output) as bench:
            started = [f"p.{name}" for name in _OUTCOMES]
            for address in started:
                _start(bench, root, address)
            ends = {end.address: end for end in (bench.executor.wait() for _ in started)}
            _start(bench, root, "p.good")
            again = bench.executor.wait()

        assert ends.keys() == set(started)
        summaries = {address: end.failure.summary if end.failure else None for address, end in ends.items()}
        for name, wanted in _OUTCOMES.items():
            summary = summaries[f"p.{name}"]
            assert (summary is None) == (wanted is None), (name, summary)
            assert summary is None or summary.startswith(wanted or ""), (name, summary)
            assert ends[f"p.{name}"].seconds >= 0
        assert again.failure is None
        for end in (ends["p.good"], again):
            assert _digest(end, root, "good.txt") == digest_bytes(b"ABC")
        self._check_failure(ends["p.bad"])
        assert _log(root, "p.good") == "printed\nby a program\n"
        assert _log(root, "p.ends") == "last words\n"
        loud = _log(root, "p.loud").splitlines()
        assert (len(loud), loud[-1][:10]) == (20000, "line 19999")
        assert printed["p.good"][:2] == ["printed", "by a program"]
        assert printed["p.loud"] == loud
        looks = ends["p.looks"]
        assert looks.seen.read == ("undeclared.txt",)
        assert "SEEN_BY_A_TEST" in looks.seen.variables
        assert looks.usage is not None

    def test_stopped_stages_end(self, tmp_path: pathlib.Path) -> None:
        """They are gone when ``stop`` returns, and so are those that have not begun."""
        root = project(tmp_path)
        pids = tmp_path / "pids"
        pids.mkdir()
        with self.bench(root, lambda *_: None) as bench:
            for number in (1, 2):
                _start(bench, root, f"p.waits{number}")
            until = time.monotonic() + 60
            while not any(pids.iterdir()):
                assert time.monotonic() < until, "no stage has started"
                _turn(bench.executor)
            bench.executor.stop()

        assert [path.name for path in pids.iterdir() if pathlib.Path("/proc", path.name).exists()] == []

    @staticmethod
    def _check_failure(end: Finished) -> None:
        failure = end.failure
        assert failure is not None
        assert failure.detail.startswith("Traceback (most recent call last):\n")
        assert failure.detail.endswith("ValueError: first line\nlast line\n")
        assert [part for part in (", in bad\n", ", in helper\n") if part not in failure.detail] == []


def project(directory: pathlib.Path) -> pathlib.Path:
    """Write the project, and return its root."""
    from pivot_runtime.project.project import init  # lazy

    root = directory.resolve() / "project"
    root.mkdir()
    init(root)
    text = PIPELINE.replace("PIDS", repr(os.fspath(directory.resolve() / "pids")))
    Layout(root).config_file.write_text("worker:\n  include: undeclared.txt\n")
    for name, content in {**_FILES, "pipeline.py": text}.items():
        (root / name).write_text(content)
    return root


def _start(bench: ExecutorBench, root: pathlib.Path, address: str) -> None:
    bench.executor.start(address, root / f"{address}.log", bench.inputs(address))


def _turn(executor: Executor) -> None:
    """Let an executor work that sends what was started when it is waited for."""
    fileno = getattr(executor, "fileno", None)
    if fileno is not None:
        fileno()
    os.sched_yield()


def _digest(end: Finished, root: pathlib.Path, path: str) -> str:
    """The digest of an out, where the executor stores it."""
    if end.outs is None:
        return digest_bytes((root / path).read_bytes())
    return next(artifact.digest for name, artifact in end.outs.items() if name == path)


def _log(root: pathlib.Path, address: str) -> str:
    return (root / f"{address}.log").read_text()
