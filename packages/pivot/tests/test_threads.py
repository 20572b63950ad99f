"""A process with threads is never forked: stages of a pipeline that leaves threads running are spawned."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from harness import Project

type Make = Callable[[str], Project]

STAGES = """
import os, pathlib, random, sys, threading, time, warnings
from typing import Annotated

import pivot
from pivot.loaders import Text

random.seed(7)
pipeline = pivot.Pipeline("p")


def told(text):
    how = "spawned" if any("worker.spawned" in word for word in sys.orig_argv) else "forked"
    return f"{text} {how} {random.random()}"


@pipeline.register
def first() -> Annotated[str, pivot.Out("first.txt", Text())]:
    return told(use())


@pipeline.register
def second(text: Annotated[str, pivot.Dep("first.txt", Text())]) -> Annotated[str, pivot.Out("second.txt", Text())]:
    return told(text)


@pipeline.register(timeout=30)
def third() -> Annotated[str, pivot.Out("third.txt", Text())]:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        forked = threading.Event()
        threading.Thread(target=forked.wait).start()
        if os.fork() == 0:
            os._exit(0)
        forked.set()
        os.wait()
    return told("")
"""
QUIET = "def use():\n    return 'x'\n"
POOL = """
from concurrent.futures import ThreadPoolExecutor

POOL = ThreadPoolExecutor(1, "mine")
list(POOL.map(abs, [1]))


def use():
    return str(list(POOL.map(abs, [-1, -2])))
"""
LASTING = (
    """
threading.Thread(target=time.sleep, args=(1000,), name="lasting").start()
"""
    + QUIET
)
NATIVE = (
    """
import ctypes

LIBRARY = ctypes.CDLL(None)
LIBRARY.pthread_create(ctypes.byref(ctypes.c_void_p()), None, LIBRARY.pause, None)
"""
    + QUIET
)
# As OpenBLAS does: its threads end before a fork.
PREPARED = (
    """
import ctypes

LIBRARY = ctypes.PyDLL(None)
LIBRARY.fdopen.restype = ctypes.c_void_p
READ, WRITE = os.pipe()
WAITING = ctypes.c_void_p()
FILE = ctypes.c_void_p(LIBRARY.fdopen(READ, b"r"))
LIBRARY.pthread_create(ctypes.byref(WAITING), None, LIBRARY.fgetc, FILE)


@ctypes.CFUNCTYPE(None)
def end():
    if WAITING:
        os.write(WRITE, b"x")
        LIBRARY.pthread_join(WAITING, None)
        WAITING.value = None


LIBRARY.__register_atfork(end, None, None, None)
"""
    + QUIET
)


def how(project: Project) -> set[str]:
    return {project.read(f"{name}.txt").split()[-2] for name in ("first", "second", "third")}


def test_a_pool_that_was_used_at_import(make: Make) -> None:
    """The thread that is the cause, and where it began, are reported once; the results are those of forked stages."""
    project = make(STAGES + QUIET)
    project.pivot("repro")
    assert how(project) == {"forked"}
    chosen = project.read("third.txt").split()[-1]
    warned = "DeprecationWarning: This process" in project.pivot("logs", "third").stdout
    assert warned, "the stage's own warnings are its own"

    project.write("pipeline.py", STAGES + POOL)
    project.pivot("config", "set", "worker.start", "fork")
    told = project.pivot("repro", "--force").stderr
    line = 1 + (STAGES + POOL).splitlines().index("list(POOL.map(abs, [1]))")
    assert f"note: importing pipeline.py leaves threads running (mine_0, started at pipeline.py:{line})" in told
    assert "hint: start threads, and use libraries that do, inside the stages" in told
    assert how(project) == {"spawned"}
    assert project.read("first.txt").startswith("[1, 2] ")
    assert project.read("third.txt").split()[-1] == chosen, "what the module has seeded is so in each stage"
    assert "leaves threads" not in project.pivot("repro", "--force").stderr
    assert "mine_0" in project.pivot("doctor", code=None).stdout
    assert "up to date" in project.pivot("repro").stdout

    project.write("pipeline.py", STAGES + QUIET)
    assert "leaves threads" not in project.pivot("repro", "--force").stderr
    assert how(project) == {"forked"}
    project.write("pipeline.py", STAGES + POOL)
    assert "leaves threads" in project.pivot("repro", "--force").stderr, "it was forgotten meanwhile"


# As gevent does: what it has for threads is none of the system's.
REPLACING = (
    """
import _thread

start = _thread.start_new_thread
_thread.start_new_thread = lambda *args: start(*args)
"""
    + QUIET
)


@pytest.mark.parametrize(
    ("start", "cause"),
    [
        (LASTING, "lasting, started at"),
        (NATIVE, "a thread of a library in C"),
        (REPLACING, "threads of a library that replaces _thread"),
    ],
)
def test_threads_that_never_end(make: Make, start: str, cause: str) -> None:
    """Neither the stages nor the command wait for them."""
    project = make(STAGES + start)
    done = project.pivot("repro", "--jsonl")
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    (told,) = (each for each in events if each["event"] == "stages_spawned")
    assert told["file"] == "pipeline.py"
    assert told["threads"][0].startswith(cause)
    assert how(project) == {"spawned"}


def test_a_timeout_does_not_count_the_import(make: Make) -> None:
    project = make(STAGES.replace("timeout=30", "timeout=2") + LASTING)
    project.replace(
        "pipeline.py", "pipeline = ", 'time.sleep(2.1 if "worker.spawned" in str(sys.orig_argv) else 0)\npipeline = '
    )
    assert "1 ran" in project.pivot("repro", "third").stdout
    assert project.read("third.txt").split()[-2] == "spawned"


def test_a_library_whose_threads_are_prepared_for_forks(make: Make) -> None:
    """pandas imports pyarrow where it is installed, whose allocator has a thread of its own."""
    project = make(STAGES + "import pyarrow\n\n\ndef use():\n    return str(pyarrow.array([1, 2]).nbytes)\n")
    assert "leaves threads" not in project.pivot("repro").stderr
    assert how(project) == {"forked"}
    assert project.read("first.txt").startswith("16 ")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the function that registers handlers has another name")
def test_libraries_that_end_their_threads_before_a_fork(make: Make) -> None:
    project = make(STAGES + PREPARED)
    assert "leaves threads" not in project.pivot("repro").stderr
    assert how(project) == {"forked"}
