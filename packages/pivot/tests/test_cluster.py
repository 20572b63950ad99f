"""Runs whose stages run elsewhere, through an executor that starts the workers' code on this machine."""

import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from harness import SHOUT, Project, environment, s3_environment

LOOPBACK = pathlib.Path(__file__).with_name("loopback")


@dataclasses.dataclass
class Elsewhere:
    """A project, and an executor elsewhere."""

    project: Project
    executor: str
    env: dict[str, str]

    def pivot(self, *arguments: str, code: int = 0) -> str:
        """The stdout and the stderr of a command."""
        done = self.project.pivot(*arguments, code=code, env=self.env)
        return done.stdout + done.stderr

    def repro(self, *arguments: str, code: int = 0) -> str:
        return self.pivot("repro", "--executor", self.executor, *arguments, code=code)

    def there(self, *names: str) -> list[str]:
        """Those of some files that are in the workspace."""
        return [name for name in names if (self.project.root / name).exists()]


def elsewhere(project: Project, tmp_path: pathlib.Path, *, workers: int = 1, **env: str) -> Elsewhere:
    """With two workers, which take turns, stages read what was written on the other one."""
    paths = [str(LOOPBACK), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return Elsewhere(
        project,
        f"loopback://{tmp_path / 'worker'}?workers={workers}",
        {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **env},
    )


@pytest.fixture
def shouting(tmp_path: pathlib.Path) -> Project:
    project = Project(tmp_path / "project")
    project.write("pipeline.py", SHOUT)
    project.write("data/in.txt", "loud")
    project.pivot("init")
    return project


@pytest.fixture
def inline(shouting: Project, tmp_path: pathlib.Path) -> Elsewhere:
    return elsewhere(shouting, tmp_path, workers=2)


@pytest.fixture
def shared(shouting: Project, tmp_path: pathlib.Path) -> Elsewhere:
    (tmp_path / "shared").mkdir()
    shouting.pivot("config", "set", "cache.dir", str(tmp_path / "shared" / "cache"))
    shouting.pivot("config", "set", "executor.shared", str(tmp_path / "shared"))
    return elsewhere(shouting, tmp_path, workers=2)


@pytest.fixture
def remote(shouting: Project, tmp_path: pathlib.Path) -> Elsewhere:
    (tmp_path / "drive").mkdir()
    shouting.pivot("remote", "add", "team", f"file://{tmp_path / 'drive'}")
    return elsewhere(shouting, tmp_path)


@pytest.fixture
def two(remote: Elsewhere) -> Elsewhere:
    """The same, on two workers."""
    return dataclasses.replace(remote, executor=remote.executor.replace("workers=1", "workers=2"))


@pytest.fixture
def s3(shouting: Project, tmp_path: pathlib.Path, rclone_url: str, models_are_read_once: None) -> Elsewhere:
    import boto3  # lazy

    bucket = f"cluster-{uuid.uuid4()}"
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "hunter2"}
    boto3.client("s3", endpoint_url=rclone_url, region_name="us-east-1", **keys).create_bucket(Bucket=bucket)
    shouting.pivot("remote", "add", "team", f"s3://{bucket}/data")
    return elsewhere(shouting, tmp_path, workers=2, **s3_environment(rclone_url))


CHAIN = """\
import os
import time
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def first(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[str, pivot.Out("first.txt", Text())]:
    print("first runs")
    return text + "1"


@pipeline.register
def second(text: Annotated[str, pivot.Dep("first.txt", Text())]) -> Annotated[str, pivot.Out("second.txt", Text())]:
    return text + "2"


@pipeline.register(executor="local")
def third(text: Annotated[str, pivot.Dep("second.txt", Text())]) -> Annotated[str, pivot.Out("third.txt", Text())]:
    return text + "3"


@pipeline.register
def fourth(text: Annotated[str, pivot.Dep("third.txt", Text())]) -> Annotated[str, pivot.Out("fourth.txt", Text())]:
    return text + "4"
"""
OUTS = ("first.txt", "second.txt", "third.txt", "fourth.txt")


def chain(of: Elsewhere) -> Elsewhere:
    of.project.write("pipeline.py", CHAIN)
    of.project.write("in.txt", "0")
    return of


def test_small_outs_travel_home(inline: Elsewhere) -> None:
    said = inline.repro()

    assert "2 ran" in said
    assert inline.project.read("upper.txt") == "LOUD"
    assert inline.project.read("parts/a/1.txt") == "loud"
    assert inline.project.read("last.txt") == "D"
    assert inline.project.read("metric.json").strip() == "4"
    assert inline.project.states() == {"shout": "cached", "last": "cached"}


def test_larger_ones_need_another_way(inline: Elsewhere) -> None:
    inline.project.write("data/in.txt", "x" * (9 << 20))

    said = inline.repro(code=1)

    assert "its dep data/in.txt has 9.0 MiB; only 8 MiB travel with a task" in said
    assert "pivot remote add" in said
    assert "executor.shared" in said


def test_outs_stay_in_the_shared_cache(shared: Elsewhere, tmp_path: pathlib.Path) -> None:
    said = shared.repro()

    assert "2 ran" in said
    assert shared.there("upper.txt", "parts", "last.txt", "metric.json") == ["metric.json"]
    assert "pivot checkout" in said
    assert shared.pivot("show").count("  (on ") == 2, "the worker of each stage"
    assert shared.repro("--dry-run").splitlines() == ["cached         shout", "cached         last"]
    assert "2 stages cached" in shared.repro()
    assert not list((tmp_path / "shared/cache/probes").iterdir()), "a run that sends nothing leaves nothing, either"

    for command in ("status", "repro"):  # where the outs are does not depend on the executor of this command
        said = shared.pivot(command)
        assert "2 stages" in said
        assert "all cached" in said or "2 stages cached" in said
        assert shared.there("upper.txt", "parts", "last.txt") == []
    shared.pivot("checkout")
    assert shared.project.read("last.txt") == "D"
    assert shared.project.states() == {"shout": "cached", "last": "cached"}
    (shared.project.root / "upper.txt").unlink()
    assert shared.project.states()["shout"] == "stale", "it was here"
    assert "2 stages cached" in shared.repro()
    assert shared.project.states()["shout"] == "stale", "no run has left it"


def test_outs_stay_on_the_remote_until_something_here_needs_them(two: Elsewhere, tmp_path: pathlib.Path) -> None:
    chain(two)

    said = two.repro()

    assert "4 ran" in said
    assert two.there(*OUTS) == ["second.txt", "third.txt"]
    assert two.project.read("third.txt") == "0123"
    assert "pivot pull" in said
    assert "first runs" in two.project.pivot("logs", "first").stdout
    assert "4 stages cached" in two.repro()

    for file in (two.project.root / ".pivot/state.db").glob("remotes.sqlite*"):
        file.unlink()
    (tmp_path / "drive").rename(tmp_path / "unmounted")
    said = two.pivot("status")
    assert "all cached" in said
    assert "it is not known whether remote team still has the outs that a cluster has left there" in said
    (tmp_path / "unmounted").rename(tmp_path / "drive")
    assert "2 outs are on the remote 'team', not in the workspace: 'pivot pull' brings them" in two.pivot("status")
    said = two.pivot("repro")
    assert "4 stages cached" in said
    assert "2 outs are on the remote 'team'" in said
    two.project.replace("pipeline.py", 'text + "2"', 'text + "zwei"')
    said = two.pivot("repro")
    assert "first.txt, from 'team'" in said
    assert "3 ran, 1 cached" in said
    assert two.project.read("fourth.txt") == "01zwei34"
    two.project.replace("pipeline.py", 'text + "zwei"', 'text + "2"')

    two.pivot("config", "set", "executor", two.executor)
    assert "cached" in two.pivot("status")
    two.project.write("in.txt", "x")
    assert "4 ran" in two.pivot("repro", "--fetch-outs")
    assert [two.project.read(name) for name in OUTS] == ["x1", "x12", "x123", "x1234"]


def test_bytes_go_through_s3(s3: Elsewhere) -> None:
    s3.pivot("config", "set", "cache.fsync", "all")  # of what is here
    assert "2 ran" in s3.repro()
    assert s3.there("upper.txt", "parts", "last.txt", "metric.json") == ["metric.json"]

    s3.pivot("pull")
    assert s3.project.read("parts/2.txt") == "loudloud"


PROGRAM = """

program = pivot.command(f"{sys.executable} program.py > program.txt", outs=["program.txt"])
pipeline.register(program, name="program")
"""


def test_an_edit_runs_what_depends_on_it(remote: Elsewhere) -> None:
    chain(remote).project.write("pipeline.py", CHAIN.replace("import os", "import os\nimport sys") + PROGRAM)
    remote.project.write("program.py", "import importlib\n\nimportlib.import_module('plug' + 'in').run()\n")
    remote.project.write("plugin.py", "def run():\n    print(5)\n")
    assert "plugin.py exists here, and was not sent" in remote.repro("program", code=1)
    remote.pivot("config", "set", "worker.include", "plugin.py")
    remote.repro()
    remote.project.replace("pipeline.py", 'text + "2"', 'text + "zwei"')
    remote.project.replace("plugin.py", "5", "6")  # which only the run has shown

    said = remote.repro("--fetch-outs")

    assert "1 cached, 4 ran" in said or "4 ran, 1 cached" in said
    assert remote.project.read("fourth.txt") == "01zwei34"
    assert remote.project.read("program.txt") == "6\n"


def test_a_failure_elsewhere_reads_as_one_here(remote: Elsewhere) -> None:
    chain(remote).project.replace("pipeline.py", 'return text + "2"', "return text / 0")

    there = remote.repro(code=1)
    here = remote.pivot("repro", code=1)

    for line in ("TypeError", "return text / 0", "BLOCKED"):
        assert line in there
        assert line in here
    assert re.search(r"error: stage 'second' failed on loopback \d: TypeError", there)
    assert "error: stage 'second' failed: TypeError" in here


def test_a_file_that_workers_do_not_have_is_named(remote: Elsewhere) -> None:
    chain(remote).project.write("factor.txt", "f")
    remote.project.replace("pipeline.py", 'return text + "1"', 'return text + open("factor.txt").read()')

    said = remote.repro(code=1)

    assert "factor.txt exists here; workers have only declared files" in said

    remote.pivot("config", "set", "worker.include", "factor.txt")
    assert "4 ran" in remote.repro("--fetch-outs")
    assert remote.project.read("first.txt") == "0f"


def test_outs_are_as_before_after_a_failure(remote: Elsewhere) -> None:
    chain(remote).repro("--fetch-outs")
    locks = {name: remote.project.lock(f"p.{name}") for name in ("first", "second")}
    remote.project.replace("pipeline.py", 'return text + "2"', "raise ValueError(text)")

    remote.repro(code=1)

    assert remote.project.read("second.txt") == "012"
    assert {name: remote.project.lock(f"p.{name}") for name in ("first", "second")} == locks


FAILING = """\
pipeline: p
stages:
  whole:
    cmd: cp data/in.txt a.txt; mkdir -p d; cp data/in.txt d/1.txt; echo 1 > m.json; exit 3
    deps: [data/in.txt]
    outs: [a.txt, d/, {path: m.json, metric: true}]
  part:
    cmd: cp data/in.txt b.txt; exit 4
    deps: [data/in.txt]
    outs: [b.txt, c.txt]
  after:
    cmd: cat a.txt d/1.txt > after.txt
    deps: [a.txt, d]
    outs: [after.txt]
"""


def test_outs_of_a_stage_that_failed_are_left_with_ignore_errors_if_it_wrote_all(inline: Elsewhere) -> None:
    of = dataclasses.replace(inline, executor=f"{inline.executor}&also=pivot.yaml")
    (of.project.root / "pipeline.py").unlink()
    of.project.write("pivot.yaml", FAILING)
    of.project.write("b.txt", "mine")

    said = of.repro("--ignore-errors", "--fetch-outs", code=1)

    assert "2 failed, 1 ran" in said
    assert of.there("a.txt", "d/1.txt", "m.json", "c.txt") == ["a.txt", "d/1.txt", "m.json"]
    assert of.project.read("pivot.yaml") == FAILING
    assert (of.project.read("after.txt"), of.project.read("b.txt")) == ("loudloud", "mine")
    assert of.project.states() == {"whole": "stale", "part": "stale", "after": "stale"}
    assert "2 failed, 1 blocked" in of.repro("--keep-going", code=1)
    assert of.there("a.txt", "d/1.txt", "m.json", "b.txt") == ["a.txt", "d/1.txt", "m.json", "b.txt"]


def test_retries_run_again_elsewhere(remote: Elsewhere, tmp_path: pathlib.Path) -> None:
    chain(remote)
    mark = tmp_path / "mark"
    remote.project.replace("pipeline.py", "@pipeline.register\ndef first", "@pipeline.register(retries=1)\ndef first")
    failing = f"if not os.path.exists({str(mark)!r}):\n        open({str(mark)!r}, 'w').close()\n        raise OSError"
    remote.project.replace("pipeline.py", 'print("first runs")', failing)

    assert "4 ran" in remote.repro()


@pytest.mark.parametrize("cache", [True, False])
def test_what_the_user_writes_in_the_place_of_an_out_during_a_run_is_kept(
    remote: Elsewhere, tmp_path: pathlib.Path, cache: bool
) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    waiting = f"""\
open({str(begun)!r}, "w").close()
    while not os.path.exists({str(go)!r}):
        time.sleep(0.01)"""
    chain(remote).project.replace("pipeline.py", 'print("first runs")', waiting)
    if not cache:  # then it is brought here at the end of the stage
        remote.project.replace(
            "pipeline.py", 'pivot.Out("first.txt", Text())', 'pivot.Out("first.txt", Text(), cache=False)'
        )
    command = remote.project.start("repro", "--executor", remote.executor, env=environment() | remote.env)
    wait_until(begun.exists)
    remote.project.write("first.txt", "mine")
    go.touch()
    _, said = command.communicate(timeout=60)

    if cache:
        assert remote.project.read("first.txt") == "mine"
        assert remote.project.read("third.txt") == "mine23"
        said = remote.repro("--fetch-outs")
    assert "first.txt was not what a recorded run wrote" in said
    assert "first.txt" in remote.pivot("checkout", "--kept")
    assert [remote.project.read(name) for name in OUTS[:3]] == ["01", "012", "0123"]


def test_what_the_user_writes_in_the_place_of_an_out_stays_if_the_run_is_interrupted(
    remote: Elsewhere, tmp_path: pathlib.Path
) -> None:
    begun = tmp_path / "begun"
    endless = f"""\
open({str(begun)!r}, "w").close()
    while True:
        time.sleep(0.01)"""
    chain(remote).repro("--fetch-outs")
    remote.project.replace("pipeline.py", 'print("first runs")', endless)
    for before in (True, False):
        begun.unlink(missing_ok=True)
        if not before:
            (remote.project.root / "first.txt").unlink()
        command = remote.project.start("repro", "--executor", remote.executor, env=environment() | remote.env)
        wait_until(begun.exists)
        remote.project.write("first.txt", f"mine {before}")
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)

        assert remote.project.read("first.txt") == ("01" if before else "mine False")
        assert ("first.txt was not what a recorded run wrote" in said) == before
    assert "first.txt" in remote.pivot("checkout", "--kept")


KINDS = """\
import pathlib
import time
from typing import Annotated

import pivot
from pivot.loaders import PathOnly, Text

pipeline = pivot.Pipeline("p")


ALONE = pathlib.Path({alone!r})


class Fit(pivot.StageParams):
    factor: int = 1


def fit(
    params: Fit, text: Annotated[str, pivot.Dep("in.txt", Text())]
) -> Annotated[str, pivot.Out("parts/x.csv", Text())]:
    with ALONE.open("x"):
        time.sleep(0.02)
    ALONE.unlink()
    return text * params.factor


for name in ("a", "b", "c"):
    pipeline.register(fit, variant=name, outs={"return": f"parts/{name}.csv"}, mutex=["disk"])


@pipeline.register
def joined(
    parts: Annotated[dict[str, str], pivot.Dep("parts/*.csv", Text())],
    paths: Annotated[list[pathlib.Path], pivot.Dep("parts/**/*.csv")],
    raw: Annotated[dict[str, str], pivot.Dep("raw/**/*.txt", Text())],
) -> Annotated[str, pivot.Out("joined.txt", Text(), temp=True)]:
    return " ".join(f"{name}={text}" for name, text in sorted((parts | raw).items())) + f" {len(paths)}"


@pipeline.register
def uncached(
    joined: Annotated[str, pivot.Dep("joined.txt", Text())],
) -> Annotated[str, pivot.Out("small.txt", Text(), cache=False)]:
    return joined.upper()


@pipeline.register(ttl="1d", after=["uncached"])
def dated(
    raw: Annotated[pathlib.Path, pivot.Dep("raw", PathOnly())],
) -> Annotated[str, pivot.Out("dated.txt", Text())]:
    return f"{sorted(str(each.relative_to(raw)) for each in raw.rglob('*'))} {time.time()}"


@pipeline.register(always=True)
def again(small: Annotated[str, pivot.Dep("small.txt", Text())]) -> Annotated[str, pivot.Out("again.txt", Text())]:
    return str(len(small))


@pipeline.register
def last(
    again: Annotated[str, pivot.Dep("again.txt", Text())], dated: Annotated[str, pivot.Dep("dated.txt", Text())]
) -> Annotated[dict[str, str], pivot.DirectoryOut("final", Text())]:
    return {"a/again.txt": again, "dated.txt": dated.partition("]")[0]}


"""


def test_families_groups_patterns_and_all_kinds_of_outs_run_elsewhere_as_here(
    two: Elsewhere, tmp_path: pathlib.Path
) -> None:
    project, names = two.project, ("parts", "joined.txt", "small.txt", "dated.txt", "again.txt", "final")
    project.write("pipeline.py", KINDS.replace("{alone!r}", repr(str(tmp_path / "alone"))))
    project.write("params.yaml", "fit:\n  factor: 2\nfit@c:\n  factor: 3\n")
    for name, text in (("in.txt", "a"), ("raw/1.txt", "r1"), ("raw/deep/2.txt", "r2")):
        project.write(name, text)

    assert "8 ran" in two.repro()
    assert two.there(*names) == ["small.txt"]
    assert project.read("small.txt") == (
        "PARTS/A.CSV=AA PARTS/B.CSV=AA PARTS/C.CSV=AAA RAW/1.TXT=R1 RAW/DEEP/2.TXT=R2 3"
    )

    project.write("raw/3.txt", "r3")
    project.write("params.yaml", "fit:\n  factor: 2\n")
    said = two.repro()
    assert "6 ran, 2 cached" in said
    assert "6 outs are on the remote" not in said, "the temporary one is not missed"
    assert project.read("small.txt") == (
        "PARTS/A.CSV=AA PARTS/B.CSV=AA PARTS/C.CSV=AA RAW/1.TXT=R1 RAW/3.TXT=R3 RAW/DEEP/2.TXT=R2 3"
    )

    said = two.pivot("repro")
    assert "1 ran, 7 cached" in said, "one always runs"
    assert two.there(*names) == ["small.txt", "again.txt"]
    two.pivot("pull")
    assert two.there(*names) == [name for name in names if name != "joined.txt"]
    assert project.read("final/dated.txt") == "['1.txt', '3.txt', 'deep', 'deep/2.txt'"


def test_incremental_outs_start_from_their_last_content(remote: Elsewhere) -> None:
    remote.project.write(
        "pipeline.py",
        """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import PathOnly, Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def grow(
    text: Annotated[str, pivot.Dep("in.txt", Text())],
) -> Annotated[pathlib.Path, pivot.IncrementalOut("all.txt", PathOnly())]:
    file = pathlib.Path("all.txt")
    with file.open("a") as out:
        out.write(text)
    return file
""",
    )
    for text in ("a", "b", "c"):
        remote.project.write("in.txt", text)
        remote.repro()

    remote.pivot("pull")
    assert remote.project.read("all.txt") == "abc"


PARTS = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import PathOnly, Text

pipeline = pivot.Pipeline("p")


def names(directory):
    return " ".join(sorted(str(file.relative_to(directory)) for file in directory.rglob("*.txt")))


@pipeline.register
def parts(
    text: Annotated[str, pivot.Dep("in.txt", Text())],
) -> Annotated[dict[str, str], pivot.DirectoryOut("outs/parts", Text())]:
    return {"a/1.txt": text, "a/2.txt": text * 2, "b.txt": "b"}


@pipeline.register
def metric(text: Annotated[str, pivot.Dep("outs/parts/a/1.txt", Text())]) -> Annotated[int, pivot.Metric("m.json")]:
    return len(text)


@pipeline.register
def inner(
    number: Annotated[pathlib.Path, pivot.Dep("m.json", PathOnly())],
    directory: Annotated[pathlib.Path, pivot.Dep("outs/parts/a", PathOnly())],
    notes: Annotated[str, pivot.Dep("notes.txt", Text(), count=False)],
) -> Annotated[str, pivot.Out("outs/inner.txt", Text())]:
    return names(directory) + number.read_text() + notes


@pipeline.register
def around(
    directory: Annotated[pathlib.Path, pivot.Dep("outs", PathOnly())],
) -> Annotated[str, pivot.Out("around.txt", Text())]:
    return names(directory)
"""


@pytest.mark.parametrize("way", ["inline", "two", "shared"])
def test_stages_read_parts_of_outs_that_are_elsewhere_directories_with_some_and_deps_that_do_not_count(
    way: str, request: pytest.FixtureRequest
) -> None:
    of: Elsewhere = request.getfixturevalue(way)
    of.project.write("pipeline.py", PARTS)
    of.project.write("in.txt", "loud")
    of.project.write("notes.txt", "?")
    of.project.write("outs/mine.txt", "of the user")

    assert "4 ran" in of.repro()
    assert "4 stages cached" in of.repro()

    if way != "inline":
        of.pivot("pull" if way == "two" else "checkout")
    assert of.project.read("outs/inner.txt").split() == ["1.txt", "2.txt4", "?"]
    assert of.project.read("around.txt") == "inner.txt mine.txt parts/a/1.txt parts/a/2.txt parts/b.txt"
    assert set(of.project.states().values()) == {"cached"}


def test_a_temporary_out_that_changes_elsewhere_counts_in_the_same_run(shared: Elsewhere) -> None:
    of = chain(shared)
    of.project.replace("pipeline.py", 'pivot.Out("second.txt", Text())', 'pivot.Out("second.txt", Text(), temp=True)')
    of.repro()
    of.project.write("in.txt", "x")

    assert "4 ran" in of.repro("--fetch-outs")
    assert of.there(*OUTS) == ["first.txt", "third.txt", "fourth.txt"]
    assert of.project.read("fourth.txt") == "x1234"


def test_the_out_of_a_frozen_stage_is_restored_but_not_recorded_as_that_of_its_inputs(remote: Elsewhere) -> None:
    remote.repro()
    remote.project.write("pipeline.py", SHOUT.replace("len(text)", "-len(text)"))
    remote.pivot("freeze", "shout")
    (remote.project.root / "metric.json").unlink()

    remote.repro()
    assert remote.project.read("metric.json").strip() == "4"
    remote.pivot("unfreeze", "shout")
    assert "1 ran" in remote.repro()
    assert remote.project.read("metric.json").strip() == "-4"


def test_a_remote_that_loses_objects_is_filled_again(remote: Elsewhere, tmp_path: pathlib.Path) -> None:
    chain(remote).repro("--fetch-outs")
    for file in (tmp_path / "drive").rglob("*"):
        if file.is_file():
            file.unlink()
    remote.project.replace("pipeline.py", 'text + "2"', 'text + "zwei"')

    said = remote.repro(code=1)

    assert "remote team lacks 1 objects of the inputs" in said
    assert "repeat the command" in said
    assert "3 ran" in remote.repro("--fetch-outs")
    assert remote.project.read("fourth.txt") == "01zwei34"


def test_a_worker_that_would_run_something_else_refuses(remote: Elsewhere) -> None:
    chain(remote)
    remote.project.write("outside/helper.py", "VALUE = 1\n")
    remote.project.replace("pipeline.py", "import time\n", "import time\nNUMBER = os.environ.get('HOME', '')\n")
    remote.project.replace("pipeline.py", 'return text + "1"', "return text + NUMBER")

    said = remote.pivot("repro", "--executor", f"{remote.executor}&home=other", code=1)

    assert "would run something else" in said
    assert "NUMBER" in said


def test_a_damaged_answer_is_the_failure_of_its_stage(inline: Elsewhere) -> None:
    said = inline.pivot("repro", "--executor", f"{inline.executor}&damaged=9", code=1)

    assert "the answer of loopback 0 is damaged: it is not JSON" in said


EDITS = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


@pipeline.register(executor="local")
def first() -> Annotated[str, pivot.Out("first.txt", Text())]:
    pathlib.Path("helper.py").write_text("def f(): return 2")
    return ""


@pipeline.register
def second(text: Annotated[str, pivot.Dep("first.txt", Text())]) -> Annotated[str, pivot.Out("second.txt", Text())]:
    import helper

    return str(helper.f())
"""


LISTS = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


def stage() -> Annotated[str, pivot.Out("out.txt", Text())]:
    return ""


for each in pathlib.Path("data").glob("*.txt"):
    pipeline.register(stage, name=each.stem)
"""


def test_files_that_an_import_lists_are_named(inline: Elsewhere) -> None:
    inline.project.write("pipeline.py", LISTS)

    said = inline.repro(code=1)

    assert "loopback 0 finds no stage p.in in pipeline.py" in said
    assert "looks at data/, which workers do not have: pivot config set worker.include data/" in said


def test_code_that_is_edited_before_it_is_sent_is_named(inline: Elsewhere) -> None:
    inline.project.write("pipeline.py", EDITS)
    inline.project.write("helper.py", "def f(): return 1")

    said = inline.repro(code=1)

    assert "stage 'second' failed: helper.py was edited just before it ran" in said
    assert "run it again" in said


def test_a_shared_directory_without_the_cache(shouting: Project, tmp_path: pathlib.Path) -> None:
    of = elsewhere(shouting, tmp_path)
    of.pivot("config", "set", "executor.shared", str(tmp_path / "shared"))

    said = of.repro(code=2)

    assert "is not below it" in said
    assert "pivot config set cache.dir" in said

    of.pivot("config", "set", "cache.dir", str(tmp_path / "shared/cache"))
    said = of.repro(code=2)
    assert f"error: executor.shared: there is no directory {tmp_path / 'shared'}" in said
    assert "hint: mount the file system that the machines share; or create the directory: mkdir -p" in said
    assert not (tmp_path / "shared").exists()


def test_a_remote_that_workers_cannot_write_to(shouting: Project, tmp_path: pathlib.Path) -> None:
    of = elsewhere(shouting, tmp_path)
    of.pivot("remote", "add", "web", "https://host.example/data")

    said = of.repro(code=2)

    assert "the remote 'web' on a web server is only read, and workers must store outs on it" in said
    assert "pivot config set default_remote NAME" in said


def test_an_executor_that_nothing_provides(shouting: Project) -> None:
    said = shouting.pivot("repro", "--executor", "warp://x", code=2).stderr

    assert "warp" in said
    assert "dask" in said


@pytest.mark.parametrize("way", ["remote", "shared"])
def test_a_result_that_a_killed_command_did_not_record_is_taken_up(
    way: str, request: pytest.FixtureRequest, tmp_path: pathlib.Path
) -> None:
    of = chain(request.getfixturevalue(way))
    begun, go = tmp_path / "begun", tmp_path / "go"
    waiting = f"""\
with open({str(begun)!r}, "a") as file:
        file.write("x")
    while not os.path.exists({str(go)!r}):
        time.sleep(0.01)"""
    of.project.replace("pipeline.py", 'print("first runs")', waiting)
    command = of.project.start("repro", "--executor", of.executor, env=environment() | of.env)
    wait_until(begun.exists)
    command.send_signal(signal.SIGSTOP)
    go.touch()
    records = tmp_path / ("drive" if way == "remote" else "shared/cache")
    wait_until(lambda: any(file.is_file() for runs in records.rglob("runs") for file in runs.rglob("*")))
    command.kill()
    command.communicate()

    said = of.repro("--fetch-outs")

    assert "1 restored" in said
    assert "3 ran" in said
    assert begun.read_text() == "x"
    assert of.project.read("fourth.txt") == "01234"


@contextlib.contextmanager
def endless_stage(of: Elsewhere, tmp_path: pathlib.Path) -> Iterator[subprocess.Popen[str]]:
    """A command whose first stage has run once and now runs endlessly elsewhere.

    Meanwhile, the output of the previous run is not that of the one that is running; the lock stays.
    """
    begun = tmp_path / "begun"
    endless = f"""\
with open({str(begun)!r}, "w") as file:
        file.write(str(os.getpid()))
    while True:
        time.sleep(0.01)"""
    chain(of).repro("first")
    lock = of.project.read(".pivot/stages/p.first.lock")
    of.project.replace("pipeline.py", 'print("first runs")', endless)
    with of.project.start("repro", "--executor", of.executor, env=environment() | of.env) as command:
        try:
            wait_until(lambda: begun.exists() and begun.read_text() != "")
            stage = int(begun.read_text())
            wait_until(lambda: "and its output comes when it has ended" in of.pivot("logs", "first"))
            assert "first runs" not in of.pivot("logs", "first")
            assert "first runs" in of.pivot("logs", "--back", "1", "first")

            yield command
            wait_until(lambda: not alive(stage))
            assert of.project.read(".pivot/stages/p.first.lock") == lock
        finally:
            command.kill()


def test_ctrl_c_leaves_nothing_running(remote: Elsewhere, tmp_path: pathlib.Path) -> None:
    with endless_stage(remote, tmp_path) as command:
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=30)

        assert command.returncode == 130
        assert "interrupted" in said.lower()


def test_a_backend_process_that_is_killed_ends_the_run(remote: Elsewhere, tmp_path: pathlib.Path) -> None:
    with endless_stage(remote, tmp_path) as command:
        (backend,) = [child for child in children(command.pid) if "cluster.backend_process" in words_of(child)]
        os.kill(backend, signal.SIGKILL)
        _, said = command.communicate(timeout=30)

        assert command.returncode == 3
        assert said.count("the process that talks to the cluster ended unexpectedly") == 1


def test_answers_from_before_the_end_of_a_cluster_count(inline: Elsewhere) -> None:
    said = chain(inline).pivot("repro", "--executor", f"{inline.executor}&lost=1", code=3)

    assert "error: the cluster was lost" in said
    assert inline.there(*OUTS) == ["first.txt"]
    assert "3 ran, 1 cached" in inline.repro()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120  # of a busy machine
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(each) for each in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def words_of(pid: int) -> str:
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
