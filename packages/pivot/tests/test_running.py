"""Running: what stages print, how long and how often they may run, and what they leave behind."""

import pathlib
import resource
import subprocess
import time
from collections.abc import Callable

from harness import PIVOT, Project

HEAD = """\
import ctypes, os, pathlib, signal, subprocess, sys, time
from typing import Annotated

import pivot
from pivot import Dep, Out
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")
"""

Make = Callable[[str], Project]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_what_stages_print(make: Make) -> None:
    """It streams where it is asked for, with the stage's name; the log is there afterwards, also of earlier runs."""
    project = make(
        HEAD
        + """
VERSION = 1


@pipeline.register
def talk() -> Annotated[str, Out("talk.txt", Text())]:
    print(f"hello {VERSION}")
    os.system("echo from a process")
    print("10%\\r100%", flush=True)
    print("no end of line", end="")
    return "x"


@pipeline.register
def quiet(x: Annotated[str, Dep("talk.txt", Text())]) -> Annotated[str, Out("quiet.txt", Text())]:
    return x
"""
    )
    done = project.pivot("repro", "--show-output")
    shown = ["talk  | hello 1", "talk  | from a process", "talk  | 100%", "talk  | no end of line"]
    assert [line for line in done.stderr.splitlines() if " | " in line] == shown
    assert "hello" not in done.stdout

    project.replace("pipeline.py", "VERSION = 1", "VERSION = 2")
    assert "hello" not in project.pivot("repro").stderr
    lines = ["hello 2", "from a process", "10%", "100%", "no end of line"]
    assert project.pivot("logs", "talk").stdout.splitlines() == lines
    assert project.pivot("logs", "p.talk", "-n", "1").stdout == "no end of line\n"
    assert project.pivot("logs", "talk", "--back", "1", "-n", "5").stdout.startswith("hello 1\n")
    assert project.pivot("logs", "quiet").stdout == ""
    missing = project.pivot("logs", "tall", code=2)
    assert "did you mean talk?" in missing.stderr


def test_a_gigabyte_is_printed_and_a_crash_says_where(make: Make) -> None:
    """(A fifth of it.) The log has both ends; a segmentation fault leaves the line that caused it."""
    project = make(
        HEAD
        + """
@pipeline.register(timeout=1e12)
def chatty() -> None:
    print("the beginning")
    for _ in range(200):
        os.write(1, b"x" * 1_000_000)
    print("the end", flush=True)
    ctypes.string_at(0)
"""
    )
    done = project.pivot("repro", code=1)
    log = project.root / ".pivot/state.db/logs/p.chatty.log"

    assert "stage 'chatty' failed: it was killed by SIGSEGV" in done.stderr
    assert 'pipeline.py", line 16 in chatty\n\nExtension modules' in done.stderr
    assert log.stat().st_size < 4 << 20
    assert log.read_bytes().startswith(b"the beginning\nxxx")
    assert b"the end\nFatal Python error" in log.read_bytes()
    assert b" bytes are left out here " in log.read_bytes()


def test_a_stage_that_takes_too_long_is_ended_and_run_again(make: Make) -> None:
    """With all that it started; where it was is in the log; its outs are as before."""
    project = make(
        HEAD
        + """
def dawdle() -> Annotated[str, Out("out.txt", Text())]:
    pathlib.Path("out.txt").write_text("half")
    with open("pids", "a") as pids:
        pids.write(f"{os.getpid()} {subprocess.Popen(['sleep', '300'], start_new_session=True).pid} ")
    if len(pathlib.Path("pids").read_text().split()) < 6:
        time.sleep(300)
    return "done"


pipeline.register(dawdle, timeout=1.5, retries=2)
"""
    )
    done = project.pivot("repro", "--show-output")

    told = "it ran longer than its timeout of 1.5 s"
    assert "dawdle |   File " in done.stderr
    assert "pivot_runtime" not in done.stderr
    assert [line.partition("it ran")[2] for line in done.stderr.splitlines() if line.startswith("again")] == [
        f"{told.removeprefix('it ran')} (it runs again; retries left: 1)",
        f"{told.removeprefix('it ran')} (it runs again)",
    ]
    assert "1 ran" in done.stdout
    assert project.read("out.txt") == "done"
    assert not any(map(alive, map(int, project.read("pids").split())))
    where = project.pivot("logs", "dawdle", "--back", "1").stdout.splitlines()
    assert [line.rpartition(" in ")[2] for line in where if line.startswith("  File ")] == ["dawdle"], (
        "and none of ours"
    )

    project.write("pids", "")
    project.replace("pipeline.py", "retries=2", "retries=0")
    assert "up to date" in project.pivot("repro").stdout, "neither is part of what a result depends on"
    pausing = "import signal; signal.signal(signal.SIGTERM, lambda *_: None); signal.pause()"
    project.replace("pipeline.py", "time.sleep(300)", pausing)
    done = project.pivot("repro", code=1)  # also where it is asked to end, and then returns as if nothing had been
    assert f"error: stage 'dawdle' failed: {told}" in done.stderr
    assert project.read("out.txt") == "done"


def test_processes_left_running_are_ended_and_named(make: Make) -> None:
    """Also what has left its group, ignores signals, or lost its parent; what was waited for is not worth a word."""
    project = make(
        HEAD
        + """
@pipeline.register
def serve() -> Annotated[str, Out("pids.txt", Text())]:
    server = subprocess.Popen(["sh", "-c", "sleep 301\\n" + ":" * 1000], start_new_session=True)
    orphan = subprocess.run(["sh", "-c", "sleep 302 >/dev/null & echo $!"], stdout=subprocess.PIPE, text=True).stdout
    stubborn = os.fork()
    if stubborn == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(303)
    return f"{server.pid} {orphan.strip()} {stubborn} {os.getpid()}\\n"


@pipeline.register
def other() -> Annotated[str, Out("other.txt", Text())]:
    while not (pids := pathlib.Path("pids.txt")).exists() or not pids.read_text().endswith("\\n"):
        os.sched_yield()
    while os.path.exists(f"/proc/{pids.read_text().split()[3]}"):  # what it has left is known by then
        os.sched_yield()
    subprocess.run(["sleep", "0.01"], check=True)
    subprocess.Popen(["sleep", "304"], start_new_session=True)
    return "x"
"""
    )
    done = project.pivot("repro", "-j", "2")

    assert not any(map(alive, map(int, project.read("pids.txt").split())))
    others, note = sorted(line for line in done.stderr.splitlines() if line.startswith("note:"))
    assert others == "note: stage 'other' left sleep 304 running, which was ended with it"
    assert note.startswith("note: stage 'serve' left ")
    assert "sleep 301" in note
    assert "::::" in note
    assert ":" * 200 not in note
    assert "sleep 302" in note
    assert "a process that it had forked" in note
    assert "0.01" not in note
    assert "2 ran" in done.stdout


def test_the_second_command_need_not_wait(make: Make) -> None:
    project = make(
        HEAD
        + """
@pipeline.register
def wait() -> Annotated[str, Out("out.txt", Text())]:
    os.mkfifo("go")
    open("go").read()
    return "x"
"""
    )
    one = project.start("repro")
    while not (project.root / "go").exists():
        assert one.poll() is None
    two = project.pivot("repro", "--no-wait", code=3)
    assert f"error: 'pivot repro' (process {one.pid}) has been working on this project for" in two.stderr
    assert project.states() == {"wait": "stale"}
    (project.root / "go").write_text("")

    assert "1 ran" in one.communicate(timeout=60)[0]


def test_a_command_in_a_stage_does_not_wait_for_its_own_end(make: Make) -> None:
    """Else both would wait forever; who only looks is not in the way."""
    project = make(
        HEAD
        + """
@pipeline.register
def stage() -> Annotated[str, Out("out.txt", Text())]:
    for arguments in (["repro", "other"], ["status"]):
        command = [os.environ["PIVOT"], *arguments]
        print(subprocess.run(command, stderr=subprocess.STDOUT, start_new_session=True).returncode, flush=True)
    return ""


@pipeline.register
def other() -> Annotated[str, Out("other.txt", Text())]:
    return ""
"""
    )
    project.pivot("repro", "stage", env={"PIVOT": str(PIVOT)})
    log = (project.root / ".pivot/state.db/logs/p.stage.log").read_text()

    assert log.startswith("error: a stage of 'pivot repro stage' (process ")
    assert "2 stages, 2 stale: run 'pivot repro'\n0\n" in log
    assert "\n3\n" in log
    assert not (project.root / "other.txt").exists()


def test_the_host_holds_the_guard_and_stages_do_not(make: Make) -> None:
    """So nobody begins before the host of a killed command is gone, and what a stage leaves holds up nobody."""
    project = make(
        HEAD
        + """
def held(pid):
    names = set()
    for fd in range(3, 64):
        try:
            names.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return sorted(name.rpartition("/")[2] for name in names if name.startswith("/"))


@pipeline.register
def look() -> None:
    print(held(os.getppid()), held("self"))
"""
    )
    project.pivot("repro")

    log = project.pivot("logs", "look").stdout
    assert "run.guard" in log.partition("] [")[0]
    assert "run.guard" not in log.partition("] [")[2]


def test_the_longest_known_stage_is_first(make: Make) -> None:
    """The duration in the previous run decides; where nothing is known, the order is that of the file."""
    project = make(
        HEAD
        + """
@pipeline.register
def short() -> Annotated[str, Out("short.txt", Text())]:
    return "x"


@pipeline.register
def long() -> Annotated[str, Out("long.txt", Text())]:
    time.sleep(0.4 + 2 * (time.monotonic() - float(os.environ["BEGAN"])))  # the other one can have taken half of that
    return "x"
"""
    )

    def order() -> list[str]:
        began = {"BEGAN": str(time.monotonic())}
        told = project.pivot("repro", "--force", "-j", "1", env=began).stderr.splitlines()
        return [line.split()[1] for line in told if line.startswith("ran")]

    assert order() == ["short", "long"]
    assert order() == ["long", "short"]


STATEFUL = (
    HEAD
    + """
import random

import helper


class Settings(pivot.StageParams):
    factor: int = 1


def first(settings: Settings) -> Annotated[str, Out("first.txt", Text())]:
    print("host", os.getppid(), "cwd", os.getcwd())
    os.environ["LEAK"] = "1"
    os.umask(0o77)
    os.chdir("/")
    sys.path.append("/leak")
    random.seed(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return helper.shout("a" * settings.factor)


def second(x: Annotated[str, Dep("first.txt", Text())]) -> Annotated[str, Out("second.txt", Text())]:
    umask = os.umask(0)
    os.umask(umask)
    print("host", os.getppid(), "cwd", os.getcwd())
    usual = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    print(os.environ.get("LEAK"), "/leak" in sys.path, umask == 0o77, usual)
    return helper.shout(x)


pipeline.register(first)
pipeline.register(second)
"""
)
MISUSE = """
import os
import sys


def shout(text):
    pid = os.fork()
    if pid == 0:
        raise ValueError("of the fork")
    os.waitpid(pid, 0)
    sys.stdout.close()
    raise BaseException("the last")
"""
HELPER = "def shout(text):\n    return text + '!'\n"


FORKED = """
import os

import pivot

pid = os.fork()
if pid:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
pipeline = pivot.Pipeline("p")


@pipeline.register
def runs() -> None:
    print("once")
"""


def test_a_fork_that_an_import_makes_ends_with_it(make: Make) -> None:
    project = make(FORKED)
    for start in ("fork", "spawn"):
        project.pivot("config", "set", "worker.start", start)
        assert project.pivot("repro", "--force", "--show-output").stderr.count("| once") == 1


def test_stages_are_alone_also_in_interpreters_of_their_own(make: Make) -> None:
    """Both ways to start their processes give the same locks, and nothing of one stage reaches the other."""
    project = make(STATEFUL)
    project.write("helper.py", HELPER)
    found = []
    for start in ("fork", "spawn"):
        project.pivot("config", "set", "worker.start", start)
        done = project.pivot("repro", "--force", "--show-output", "-p", "first.factor=2")
        host, other = (line.split() for line in done.stderr.splitlines() if "| host" in line)
        assert host[2:] == other[2:], "they have the same parent and start in the same directory"
        assert "second | None False False True" in done.stderr
        assert project.read("second.txt") == "aa!!"
        found.append((project.lock("p.first"), project.lock("p.second")))
    assert found[0] == found[1]

    project.replace("helper.py", "text + '!'", "1 / 0")
    done = project.pivot("repro", code=1)
    assert 'helper.py", line 2, in shout' in done.stderr
    assert "stage 'first' failed: ZeroDivisionError" in done.stderr
    assert "pivot_runtime" not in done.stderr

    project.replace("helper.py", "1 / 0", "__import__('ctypes').string_at(0)")
    done = project.pivot("repro", code=1)
    assert "stage 'first' failed: it was killed by SIGSEGV" in done.stderr
    assert 'helper.py", line 2 in shout' in done.stderr
    assert "pivot_runtime" not in done.stderr


def test_debugging(make: Make) -> None:
    """In the process of the command, on its terminal, one after the other; the results count as any others do."""
    project = make(STATEFUL)
    project.write("helper.py", HELPER)
    done = project.pivot("repro", "--in-process")
    assert f"cwd {project.root}\n" in done.stderr, "nothing is captured, and nothing of it goes to stdout"
    assert done.stdout.startswith("Done: 2 ran")
    assert "up to date" in project.pivot("repro").stdout

    project.replace("helper.py", "return text + '!'", "local = 42\n    raise ValueError(local)")
    debugged = subprocess.run(
        [PIVOT, "run", "--pdb", "second"],
        cwd=project.root,
        input="print('local is', local)\nup\nprint(len(x))\nquit\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert debugged.returncode == 1
    assert "(Pdb) local is 42" in debugged.stderr
    assert "(Pdb) 2\n" in debugged.stderr
    assert "stage 'second' failed: ValueError: 42" in debugged.stderr
    assert debugged.stderr.count("Traceback") == 1
    assert project.read("second.txt") == "a!!"

    project.replace("helper.py", "raise ValueError(local)", "breakpoint()")
    assert "hint: a debugger has no terminal there: pivot run --in-process" in project.pivot("repro", code=1).stderr

    project.write("helper.py", MISUSE)
    done = project.pivot("repro", "--in-process", "--keep-going", code=1)
    assert "ValueError: of the fork" in done.stderr
    assert done.stderr.count("\nerror: ") == 1
    assert "error: stage 'first' failed: BaseException: the last" in done.stderr
    assert done.stdout.startswith("Not done: 1 failed, 1 blocked")


def test_looking_works_on_a_full_disk(make: Make) -> None:
    """No file may be written, as far as a limit can say so: what a command would keep for the next one is not kept."""
    project = make(HEAD + "\n\n@pipeline.register\ndef work() -> None:\n    print('one')\n")
    project.pivot("repro")
    project.replace("pipeline.py", "'one'", "'two'")
    for command in ("status", "verify", "list"):
        limited = project.start(
            command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        )
        answer, told = limited.communicate(timeout=60)
        assert limited.returncode == (1 if command == "verify" else 0), told
        assert "work" in answer
    assert "1 ran" in project.pivot("repro").stdout
