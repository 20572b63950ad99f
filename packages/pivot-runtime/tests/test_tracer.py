"""The observations of a stage in its own process: files of the project, environment variables, what it cost."""

import contextlib
import os
import pathlib

import pytest
from source_projects import Sources

from pivot_runtime.executors.base import Finished
from pivot_runtime.executors.host_executor import HostExecutor
from pivot_runtime.loading import host_client
from pivot_runtime.tracing.usage import TraceOptions, UsedFiles

PIPELINE = """
import os
import shutil
import sqlite3
import subprocess

HERE = pathlib.Path(__file__).parent

def reads(x: Annotated[str, Dep("in.txt", Text())]) -> Annotated[str, Out("out.txt", Text())]:
    pathlib.Path("a.csv").read_text()
    (HERE / "deep/../b.csv").read_bytes()
    with open(os.open(b"c.csv", os.O_RDONLY)) as file:
        file.read()
    for absent in ["absent.csv", "no/where.csv"]:
        pathlib.Path(absent).exists()
        try:
            open(absent)
        except OSError:
            pass
    os.listdir(".")
    open("/etc/passwd").close()
    for installed in ["project.egg-info/PKG-INFO", "env/lib/site-packages/x.txt", ".git/HEAD", "__pycache__/x.pyc"]:
        pathlib.Path(installed).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(installed).write_text("x")
    return x

def writes() -> Annotated[pathlib.Path, Out("plots", PathOnly())]:
    os.makedirs("plots/deep", exist_ok=True)
    pathlib.Path("plots/deep/1.txt").touch()
    pathlib.Path("log.txt").write_text("x")
    pathlib.Path("log.txt").read_text()
    pathlib.Path("temporary").write_text("x")
    os.rename("temporary", "renamed.txt")
    pathlib.Path("gone.txt").write_text("x")
    os.unlink("gone.txt")
    shutil.copyfile("in.txt", "copied.txt")
    pathlib.Path("state.txt").read_text()
    pathlib.Path("state.txt").write_text("new")
    return pathlib.Path("plots")

def imports() -> None:
    import late
    import traceback
    try:
        late.fails()
    except ValueError:
        traceback.format_exc()
    assert open("late.py").read()

def forks() -> None:
    def child():
        pathlib.Path("a.csv").read_text()
        pathlib.Path("log.txt").write_text("x")
    import multiprocessing
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()

def pools() -> None:
    import concurrent.futures
    import multiprocessing
    import sys
    import work
    for number, way in enumerate(["fork", "spawn", "forkserver"]):
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(way)) as pool:
            pool.submit(work.work, f"{way}.csv", f"{way}.out", f"BY_{way}").result()
    subprocess.run([sys.executable, "work.py", "child.csv", "child.out", "BY_child"], check=True)

def hands() -> None:
    subprocess.run(["sh", "-c", "exit 0 # $NAMED"])
    subprocess.run(["true"])
    subprocess.run(["/bin/sh", "-c", ""])
    subprocess.run(["true"], env={"PATH": os.environ["PATH"]})
    os.system("true secret")
    os.path.expandvars("$EXPANDED")

def copies() -> None:
    assert {**os.environ}["NAMED"]
    assert os.environb[b"BYTES"]

def database() -> None:
    sqlite3.connect("known.db").close()
    sqlite3.connect("new.db").execute("create table t (x)")

def asks() -> None:
    os.environ.get("ASKED")
    os.getenv("ALSO_ASKED", "x")
    "IN" in os.environ
    dict(os.environ)
    os.environ.copy()
    {**os.environ}
    list(os.environ)
    subprocess.run(["true"])
    import tempfile
    tempfile.gettempdir()
    os.environ["SET"] = "x"
    assert os.environ["HOME"]

def fails() -> None:
    raise ValueError

def works_hard() -> None:
    x = bytearray(64 << 20)
    end = os.times().user + 0.05
    while os.times().user < end:
        pass

for name in ["NAMED", "EXPANDED"]:
    os.environ[name] = "x"
os.environb[b"BYTES"] = b"x"
os.putenv("PUT", "x")
for stage in [pools, hands, copies, reads, writes, imports, forks, database, asks, fails, works_hard]:
    pipeline.register(stage)
"""


WORK = """
import os
import sys

def work(read, write, name):
    open(read).close()
    open(write, "w").close()
    os.environ.get(name)

if __name__ == "__main__":
    work(*sys.argv[1:])
"""


class Bench:
    """A project whose stages run, and what was seen of each."""

    def __init__(self, project: Sources) -> None:
        self.root = project.root

    def run(self, name: str, *, files: bool = True, trace: bool = False) -> Finished:
        _, host = host_client.load(self.root, self.root / "pipeline.py", quiet=True)
        with host:
            executor = HostExecutor(lambda _: host, TraceOptions(files=files, trace=trace))
            executor.start(f"p.{name}", self.root / ".pivot" / f"{name}.log")
            return executor.wait()

    def seen(self, name: str, *, files: bool = True, trace: bool = False) -> UsedFiles:
        finished = self.run(name, files=files, trace=trace)
        assert finished.failure is None, finished.failure
        return finished.seen


@pytest.fixture
def bench(tmp_path: pathlib.Path) -> Bench:
    files = dict.fromkeys(["in.txt", "a.csv", "b.csv", "c.csv", "state.txt", "deep/x", "late.py"], "text")
    files |= dict.fromkeys(["fork.csv", "spawn.csv", "forkserver.csv", "child.csv"], "text")
    files["work.py"] = WORK
    files["late.py"] = "def fails():\n    raise ValueError\n"
    project = Sources(tmp_path / "project", {"pipeline.py": PIPELINE, **files})
    with contextlib.suppress(OSError):
        os.mkfifo(project.root / "pipe")
    return Bench(project)


def test_files_that_were_read_however_they_were_named(bench: Bench) -> None:
    assert bench.seen("reads") == UsedFiles(read=("a.csv", "b.csv", "c.csv"))


def test_files_that_were_written_and_are_there(bench: Bench) -> None:
    seen = bench.seen("writes")

    assert seen.wrote == ("copied.txt", "log.txt", "renamed.txt", "state.txt")
    assert seen.read == ("in.txt", "state.txt")  # what was written first is not read


def test_an_executed_source_is_not_a_read_file(bench: Bench) -> None:
    assert bench.seen("imports").read == ("late.py",)
    (bench.root / "pipeline.py").write_text(
        (bench.root / "pipeline.py").read_text().replace("assert open", "0 and open")
    )
    assert bench.seen("imports").read == ()


def test_files_used_by_forked_children_count(bench: Bench) -> None:
    assert bench.seen("forks") == UsedFiles(read=("a.csv",), wrote=("log.txt",))


def test_files_used_by_other_interpreters_count(bench: Bench) -> None:
    ways = ["child", "fork", "forkserver", "spawn"]

    assert bench.seen("pools") == UsedFiles(
        read=tuple(f"{way}.csv" for way in ways),
        wrote=tuple(f"{way}.out" for way in ways),
        variables=tuple(f"BY_{way}" for way in ways),
    )


def test_variables_that_the_import_has_set_are_read_in_more_ways(bench: Bench) -> None:
    hands = bench.seen("hands")
    assert hands.variables == ("EXPANDED", "NAMED", "PATH")
    assert [reason.partition(", set")[0] for reason in hands.unseen] == [
        f"`{program}` was given `BYTES`, `PUT`" for program in ("/bin/sh", "sh", "true")
    ]
    copies = bench.seen("copies")
    assert copies.variables == ("BYTES", "EXPANDED", "NAMED")
    assert copies.unseen == ()


def test_databases_that_are_opened_by_a_c_library(bench: Bench) -> None:
    (bench.root / "known.db").touch()

    assert bench.seen("database") == UsedFiles(read=("known.db",), wrote=("new.db",))


def test_nothing_is_seen_of_files_where_nobody_asked(bench: Bench) -> None:
    assert bench.seen("writes", files=False) == UsedFiles()


def test_variables_that_were_asked_for_by_name(bench: Bench) -> None:
    of_import = {"BYTES", "EXPANDED", "NAMED"}  # which copies of all ask for, too
    assert {*bench.seen("asks").variables} - of_import == {"ALSO_ASKED", "ASKED", "HOME", "IN"}


def test_the_usage_of_a_run_even_if_it_failed(bench: Bench) -> None:
    usage, failed = bench.run("works_hard").usage, bench.run("fails").usage

    assert usage is not None
    assert usage.cpu >= 0.05
    assert usage.memory >= 64 << 20
    assert failed is not None
    assert failed.memory > 0
