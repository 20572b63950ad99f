"""Stages that fail: reported by name, nothing else harmed, nothing lost."""

import os
import pathlib
import resource
import shutil
import stat
from collections.abc import Callable

import pytest
from harness import Project

HEAD = """\
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from typing import Annotated, TypedDict

import pivot
from pivot import Dep, Out
from pivot.loaders import JSON, Text

pipeline = pivot.Pipeline("p")
"""

CHAIN = """
@pipeline.register
def before() -> Annotated[str, Out("before.txt", Text())]:
    return "before"


@pipeline.register
def middle(text: Annotated[str, Dep("before.txt", Text())]) -> Annotated[str, Out("middle.txt", Text())]:
    print("some output")
    return helper(text)


@pipeline.register
def after(text: Annotated[str, Dep("middle.txt", Text())]) -> Annotated[str, Out("after.txt", Text())]:
    return text


@pipeline.register
def aside(text: Annotated[str, Dep("side.txt", Text())]) -> Annotated[str, Out("aside.txt", Text())]:
    return text
"""

GOOD = "\n\ndef helper(text):\n    return text + '!'\n"
BAD = "\n\ndef helper(text):\n    pathlib.Path('middle.txt').write_text('half')\n    raise ValueError(f'no {text}')\n"


@pytest.fixture
def chain(make: Callable[[str], Project]) -> Project:
    project = make(HEAD + CHAIN + GOOD)
    project.write("side.txt", "side")
    project.pivot("repro")
    return project


def test_a_failed_stage_is_reported_and_nothing_else_is_affected(chain: Project) -> None:
    chain.write("pipeline.py", HEAD + CHAIN + BAD)
    before = chain.snapshot()
    done = chain.pivot("repro", "-j", "1", code=1)

    told = done.stderr
    assert "FAILED    middle" in told
    assert 'pipeline.py", line ' in told
    assert "in helper\n    raise ValueError(f'no {text}')" in told
    assert "ValueError: no before\n" in told
    assert "some output" in told
    assert "error: stage 'middle' failed: ValueError: no before" in told
    assert "pivot_runtime" not in told
    assert "BLOCKED   after" in told
    assert "Not done: 1 failed, 1 blocked" in done.stdout
    assert chain.snapshot() == before | {"pipeline.py": chain.snapshot()["pipeline.py"]} | {
        # put back: the same bytes, written again
        "middle.txt": chain.snapshot()["middle.txt"],
    }
    assert chain.read("middle.txt") == "before!"
    assert chain.states() == {"before": "cached", "middle": "stale", "after": "stale", "aside": "cached"}


def test_a_mended_stage_goes_on_from_there(chain: Project) -> None:
    chain.write("pipeline.py", HEAD + CHAIN + BAD)
    chain.pivot("repro", code=1)
    chain.write("pipeline.py", HEAD + CHAIN + GOOD.replace("'!'", "'?'"))

    assert "2 ran, 2 cached" in chain.pivot("repro").stdout
    assert chain.read("after.txt") == "before?"


def test_keep_going_runs_what_does_not_rest_on_the_failure(chain: Project) -> None:
    chain.write("pipeline.py", HEAD + CHAIN + BAD)
    chain.write("side.txt", "other side")

    first = chain.pivot("repro", "-j", "1", code=1)
    assert "1 not started" in first.stdout
    assert chain.read("aside.txt") == "side"
    second = chain.pivot("repro", "-j", "1", "--keep-going", code=1)
    assert "1 failed, 1 blocked, 1 ran" in second.stdout
    assert chain.read("aside.txt") == "other side"


# The body of a stage, and what must be reported.
ENDINGS = {
    "exits": ("sys.exit(3)", "it called sys.exit(3)"),
    "leaves": ("print('last words'); os._exit(0)", "its process ended early with exit code 0"),
    "segfaults": ("ctypes.string_at(0)", "it was killed by SIGSEGV"),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", "it was killed by SIGKILL"),
    "unpicklable": ("raise type('Odd', (Exception,), {'lock': threading.Lock()})('odd')", "Odd: odd"),
    "huge message": ("raise ValueError('z' * 50_000_000)", "ValueError: zzz"),
    "no message": (
        "def ends(_): raise SystemExit\n    raise type('Odd', (Exception,), {'__str__': ends, '__notes__': 5})(1)",
        "failed: Odd",
    ),
    "closes what it did not open": (
        "os.closerange(3, 256); global files; files = [open(f'{i}.tmp', 'w') for i in range(30)]",
        "its process ended early with exit code 1",
    ),
    "interrupts itself": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "writes nothing": ("return 'out.txt'", "did not write it"),
    "writes a directory": ("os.mkdir('out.txt'); return 'out.txt'", "is a directory"),
    "returns a wrong path": (
        "pathlib.Path('x.txt').touch(); return 'x.txt'",
        "returned the path 'x.txt', but its Out declares 'out.txt'",
    ),
    "returns a number": ("return 3", "returned int for 'out.txt'"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_way_to_end_badly(make: Callable[[str], Project], ending: str) -> None:
    body, told = ENDINGS[ending]
    project = make(
        HEAD
        + f"@pipeline.register\ndef stage() -> Annotated[str, Out('out.txt')]:\n    {body}\n"
        + "@pipeline.register\ndef other() -> Annotated[str, Out('other.txt', Text())]:\n    return ''\n"
    )
    done = project.pivot("repro", "--keep-going", code=1)

    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert error.startswith("error: stage 'stage' failed: ")
    assert told in error
    assert len(done.stderr) < 300_000
    assert "1 failed, 1 ran" in done.stdout
    assert not (project.root / "out.txt").exists()
    assert not (project.root / ".pivot/stages/p.stage.lock").exists()
    assert project.states() == {"stage": "stale", "other": "cached"}


HARMLESS = {
    "changes directory": "os.chdir('/')",
    "closes its output": "os.close(1); os.close(2); sys.stdout.close()",
    "prints a lot": "print('y' * 5_000_000)",
    "prints what is not UTF-8": "os.write(1, bytes(range(256)))",
    "leaves a thread": "threading.Thread(target=lambda: (time.sleep(0.1), open('late.txt', 'w').close())).start()",
    "leaves a file open": "global left; left = open('late.txt', 'w'); left.write('x')",
    "has something to do at exit": "import atexit; atexit.register(lambda: open('late.txt', 'w').write('x'))",
    "sets the umask": "os.umask(0o777)",
    "forks what exits": "pid = os.fork() or sys.exit(3); assert os.waitpid(pid, 0)[1] == 3 << 8",
    "forks what fails": "pid = os.fork() or 1 / 0; assert os.waitpid(pid, 0)[1] == 1 << 8",
    "forks what fails later": "os.fork() or (time.sleep(0.05), 1 / 0)",
}


@pytest.mark.parametrize("deed", HARMLESS)
def test_stages_are_isolated(make: Callable[[str], Project], deed: str) -> None:
    project = make(
        HEAD
        + "@pipeline.register\ndef stage() -> Annotated[str, Out('out.txt', Text())]:\n"
        + f"    {HARMLESS[deed]}\n    return 'done'\n"
    )
    done = project.pivot("repro")

    assert "1 ran" in done.stdout
    assert project.read("out.txt") == "done"
    assert project.states() == {"stage": "cached"}
    late = {"leaves a thread": "", "leaves a file open": "x", "has something to do at exit": "x"}
    assert (project.read("late.txt") if (project.root / "late.txt").exists() else None) == late.get(deed)


def test_no_more_processes_are_available(make: Callable[[str], Project]) -> None:
    """Stages that were started end well, and the stage that cannot be started is reported."""
    project = make(
        HEAD
        + """
left = [1]


def refuse(event, arguments):
    if event == "os.fork" and not (left and left.pop()):
        raise BlockingIOError(11, "Resource temporarily unavailable")


sys.addaudithook(refuse)


@pipeline.register
def one() -> Annotated[str, Out("one.txt", Text())]:
    return "one"


@pipeline.register
def two(one: Annotated[str, Dep("one.txt", Text())]) -> Annotated[str, Out("two.txt", Text())]:
    return one
"""
    )
    done = project.pivot("repro", code=1)

    assert project.states() == {"one": "cached", "two": "stale"}
    assert "stage 'two' failed: its process cannot be started: Resource temporarily unavailable" in done.stderr
    assert "Traceback" not in done.stderr


def test_libraries_end_with_the_stage(make: Callable[[str], Project]) -> None:
    """Also where the pipeline has imported them: what any process does at its end is done, not what is the host's."""
    project = make(
        "import logging.handlers, multiprocessing, tempfile\n"
        + HEAD
        + """
HOSTS = tempfile.TemporaryDirectory(dir=".")


def later(go):
    go.wait()
    pathlib.Path("later.txt").write_text("x")


class Sore:
    def __del__(self):
        raise ValueError("sore")


@pipeline.register
def stage() -> Annotated[str, Out("out.txt", Text())]:
    global own
    own = tempfile.TemporaryDirectory(dir=".")
    logging.getLogger().addHandler(logging.handlers.MemoryHandler(9, target=logging.FileHandler("log.txt")))
    logging.warning("logged")
    forked = multiprocessing.get_context("fork")
    forked.Process(target=later, args=[go := forked.Event()]).start()
    threading.Timer(0.3, go.set).start()
    Sore()
    return f"{own.name} {HOSTS.name} {os.path.exists(HOSTS.name)}"


@pipeline.register
def failing(own: Annotated[str, Dep("out.txt", Text())]) -> None:
    global failed
    failed = tempfile.TemporaryDirectory(dir=".", prefix="failed")
    threading.Thread(target=threading.Event().wait).start()
    raise ValueError(own.split()[2], os.path.exists(own.split()[1]))
"""
    )
    done = project.pivot("repro", "-j1", env={"PIVOT_STRICT_IO_IGNORE": "*.txt"}, code=1)

    own, hosts, there = project.read("out.txt").split()
    assert there == "True"
    assert not os.path.exists(own)
    assert not os.path.exists(hosts)
    assert (project.read("log.txt"), project.read("later.txt")) == ("logged\n", "x")
    assert "ValueError: ('True', True)" in done.stderr
    assert "declare" not in done.stderr
    assert "ValueError: sore" in project.pivot("logs", "stage").stdout
    assert not list(project.root.glob("failed*"))


def test_processes_left_running_are_ended(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD
        + "@pipeline.register\ndef stage() -> Annotated[str, Out('pid.txt', Text())]:\n"
        + "    return str(subprocess.Popen(['sleep', '300']).pid)\n"
    )
    project.pivot("repro")

    pid = int(project.read("pid.txt"))
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_loader_errors_name_the_file_and_the_parameter(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD
        + "@pipeline.register\ndef load(x: Annotated[dict, Dep('in.json', JSON())]) -> None: ...\n"
        + "@pipeline.register\ndef save() -> Annotated[object, Out('out.json', JSON())]:\n    return object()\n"
    )
    project.write("in.json", "{")
    done = project.pivot("repro", "-k", code=1)

    assert "(while loading 'in.json' for parameter 'x')" in done.stderr
    assert "(while saving 'out.json')" in done.stderr
    assert not (project.root / "out.json").exists()


def test_returned_keys_must_be_the_declared_ones(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD
        + "class Outs(TypedDict):\n"
        + "    a: Annotated[str, Out('a.txt', Text())]\n    b: Annotated[str, Out('b.txt', Text())]\n"
        + "@pipeline.register\ndef stage() -> Outs:\n    return {'a': '', 'c': ''}\n"
    )
    done = project.pivot("repro", code=1)

    assert "stage 'stage' failed: it returned its outs without ['b'] and with the undeclared ['c']" in done.stderr


def test_a_missing_input(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD
        + "@pipeline.register\ndef one(x: Annotated[str, Dep('no.txt', Text())]) -> Annotated[str, Out('1', Text())]:\n"
        + "    return x\n"
        + "@pipeline.register\ndef two(x: Annotated[str, Dep('1', Text())]) -> Annotated[str, Out('2', Text())]:\n"
        + "    return x\n"
    )

    done = project.pivot("repro", code=1)
    assert "error: stage 'one' cannot run: no.txt does not exist\nhint: " in done.stderr
    assert "2 blocked" in done.stdout
    assert project.states() == {"one": "stale", "two": "stale"}
    assert project.json("status", "--json")["suggestions"] == ["Provide no.txt, which one reads"]
    assert "Status: BLOCKED" in project.pivot("status", "--explain", "two").stdout


def test_a_directory_as_an_input_does_not_crash(make: Callable[[str], Project]) -> None:
    project = make(HEAD + "@pipeline.register\ndef one(x: Annotated[str, Dep('d', Text())]) -> None: ...\n")
    (project.root / "d").mkdir()

    assert "Is a directory" in project.pivot("repro", code=1).stderr


def test_directories_of_outs_are_made(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD + "@pipeline.register\ndef one() -> Annotated[str, Out('a/b/c.txt', Text())]:\n    return 'deep'\n"
    )
    project.pivot("repro")

    assert project.read("a/b/c.txt") == "deep"


def test_a_file_that_is_in_the_way_is_kept(make: Callable[[str], Project]) -> None:
    """Also where no run has ever written the out."""
    project = make(HEAD + "@pipeline.register\ndef one() -> Annotated[str, Out('a.txt', Text())]:\n    return 'new'\n")
    project.write("a.txt", "precious")
    done = project.pivot("repro")

    assert project.read("a.txt") == "new"
    kept = done.stderr.partition("is kept as ")[2].splitlines()[0]
    assert (project.root / kept).read_text() == "precious"

    shutil.rmtree(project.root / ".pivot/state.db/stash", ignore_errors=True)
    project.write(".pivot/state.db/stash", "")
    assert "a.txt: cannot be written" in project.pivot("repro", "--force", code=1).stderr
    assert project.read("a.txt") == "new", "the stage has not begun, so nothing is undone"


def test_executable_outs_stay_executable(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD
        + "@pipeline.register\ndef one() -> Annotated[pathlib.Path, Out('run.sh')]:\n"
        + "    file = pathlib.Path('run.sh')\n    file.write_text('#!/bin/sh')\n"
        + "    file.chmod(0o755)\n    return file\n"
    )
    project.pivot("repro")
    (project.root / "run.sh").unlink()
    project.pivot("repro")
    assert (project.root / "run.sh").stat().st_mode & stat.S_IXUSR

    (project.root / "run.sh").chmod(0o644)
    assert project.states() == {"one": "stale"}


CONFLICT = """\
<<<<<<< HEAD
{"format": 1}
=======
>>>>>>> branch
"""


LOCK = ".pivot/stages/my_pipeline.preprocess.lock"


def _in_place_of(lock: pathlib.Path, content: bytes | None) -> None:
    """Put this in the place of a lock file; None is a directory with something in it."""
    if content is not None:
        lock.write_bytes(content)
    else:
        lock.unlink()
        lock.mkdir()
        (lock / "mine").touch()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\0" * 700, "it contains only zeros"),
        (b'{"format": 1, "algo', "it is not JSON"),
        (CONFLICT.encode(), "merge conflict"),
        (None, "it cannot be read: Is a directory"),
    ],
)
def test_a_damaged_lock_counts_as_absent_and_stops_nothing_else(
    quick: Project, content: bytes | None, told: str
) -> None:
    quick.pivot("repro")
    right = quick.read(LOCK)
    _in_place_of(quick.root / LOCK, content)

    def note(said: str) -> None:
        assert said.count(f"note: {LOCK} is damaged, so its stage counts as never run: ") == 1
        assert told in said
        assert "hint: " in said

    assert quick.states() == {"preprocess": "stale", "summarize": "cached"}
    for command, code in (
        (("status",), 0),
        (("verify",), 1),
        (("checkout",), 0),
        (("cache", "status"), 0),
        (("cache", "verify"), 0),
        (("repro", "--dry-run"), 0),
    ):
        note(quick.inside(*command, code=code))
    for command in (("list",), ("dag",), ("history",), ("doctor",), ("logs", "summarize"), ("fingerprint",)):
        quick.inside(*command)
    assert LOCK in quick.inside("cache", "gc", "--keep-since", "0", code=3)
    (quick.root / "summary.json").unlink()
    assert "Restored 1 file(s)" in quick.inside("checkout", "summary.json")

    done = quick.pivot("repro")
    assert "1 restored, 1 cached" in done.stdout
    note(done.stderr)
    assert quick.read(LOCK) == right
    quick.pivot("verify")
    assert "note" not in quick.inside("cache", "gc", "--keep-since", "0")


def test_a_lock_of_a_newer_pivot_is_an_error_that_says_the_way_out(quick: Project) -> None:
    quick.pivot("repro")
    quick.write(LOCK, '{"format": 99}')

    for command in ("status", "repro"):
        done = quick.pivot(command, code=3)
        assert LOCK in done.stderr
        assert "hint: upgrade Pivot" in done.stderr
    (quick.root / LOCK).unlink()
    assert "1 restored, 1 cached" in quick.pivot("repro").stdout


METRIC = """\
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("p")


@pipeline.register
def score() -> Annotated[int, pivot.Metric("score.json")]:
    return 1
"""


def test_a_lock_of_a_metric_without_the_format_for_it_still_counts(make: Callable[[str], Project]) -> None:
    project = make(METRIC)
    project.pivot("repro")
    project.replace(".pivot/stages/p.score.lock", '"format": 2,', '"format": 1,')
    before = project.snapshot()

    assert project.pivot("status").stdout == "score  cached\n\n1 stage, all cached\n"
    assert project.pivot("repro").stdout.startswith("Everything is up to date")
    assert "score.json" in project.pivot("metrics", "show").stdout
    assert project.snapshot() == before
    project.replace("pipeline.py", "return 1", "return 2")
    project.pivot("repro")
    assert '"format": 2,' in project.read(".pivot/stages/p.score.lock")


def test_a_damaged_object_is_never_checked_out(quick: Project) -> None:
    quick.pivot("repro")
    digest = quick.lock("my_pipeline.preprocess")["outs"]["clean.json"]["digest"]
    stored = quick.root / ".pivot/cache/files" / digest[:2] / digest[2:]
    right = stored.read_text()
    stored.chmod(0o644)
    stored.write_text(right.replace("Alice", "Mallo"))
    (quick.root / "clean.json").unlink()

    done = quick.pivot("repro")
    assert "1 ran, 1 cached" in done.stdout
    assert quick.read("clean.json") == right
    assert stored.read_text() == right


def test_without_the_cache_everything_still_works(quick: Project) -> None:
    quick.pivot("repro")
    for directory, _, files in os.walk(quick.root / ".pivot/cache", topdown=False):
        for file in files:
            os.unlink(os.path.join(directory, file))
        os.rmdir(directory)

    (quick.root / "summary.json").unlink()
    mended = quick.pivot("repro")
    assert "1 ran, 1 restored" in mended.stdout
    assert "note: the cache had lost clean.json: stored again\n" in mended.stderr
    quick.pivot("verify")
    (quick.root / "clean.json").unlink()
    assert "1 restored" in quick.pivot("repro").stdout

    assert "lost" not in quick.pivot("repro").stderr  # an answer that is kept
    shutil.rmtree(quick.root / ".pivot/cache/files")
    told = quick.pivot("verify", code=1)
    assert "FAILED  preprocess  Missing files: clean.json\n" in told.stdout
    assert "'pivot repro' stores them again: clean.json, summary.json\n" in told.stderr
    assert "the cache had lost clean.json, summary.json: stored again" in quick.pivot("repro").stderr
    assert "lost" not in quick.pivot("repro").stderr


def test_a_damaged_state_database_costs_time_only(quick: Project) -> None:
    quick.pivot("repro")
    databases = list((quick.root / ".pivot/state.db").glob("*.sqlite"))
    assert databases
    for database in databases:
        database.write_bytes(b"garbage" * 1000)

    assert "Everything is up to date" in quick.pivot("repro").stdout


def test_a_full_disk_loses_nothing(make: Callable[[str], Project]) -> None:
    """Files may not grow over 2 MB, as on a disk that is nearly full: storing the out fails."""
    project = make(
        HEAD
        + "SIZE = 10\n\n\n@pipeline.register\ndef one() -> Annotated[str, Out('a.txt', Text())]:\n"
        + "    pathlib.Path('a.txt').write_text('x' * SIZE)\n    return 'x' * SIZE\n"
    )
    project.pivot("repro")
    lock = project.read(".pivot/stages/p.one.lock")
    project.replace("pipeline.py", "SIZE = 10\n", "SIZE = 5_000_000\n")

    limited = project.start(
        "repro", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
    )
    told = limited.communicate(timeout=60)[1]
    assert limited.returncode == 1
    assert "File too large" in told
    assert project.read(".pivot/stages/p.one.lock") == lock
    assert project.read("a.txt") == "x" * 10
    assert "1 ran" in project.pivot("repro").stdout
    assert len(project.read("a.txt")) == 5_000_000
