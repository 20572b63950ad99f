"""`warm: on`: a process waits for the next command, which has the same results as without it."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import PIVOT, Project, environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the witnesses are in /proc")

HEAD = """\
import json, os, pathlib, signal, sys, time
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("NAME")


def ancestors():
    found = [os.getpid()]
    while found[-1] > 1:
        found.append(int(pathlib.Path(f"/proc/{found[-1]}/stat").read_text().rpartition(")")[2].split()[1]))
    return found


pathlib.Path("ancestors.json").write_text(json.dumps(ancestors()))
"""
STAGE = """

@pipeline.register
def stage() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    return "x"
"""
PIPELINE = HEAD.replace("NAME", "p") + STAGE
DEADLINE = 60.0


class WarmProject:
    """A project with `warm: on`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.root = project.root
        project.pivot("config", "set", "warm", "on")

    def pivot(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        options["env"] = {"CI": "", **options.get("env", {})}
        return self.project.pivot(*arguments, **options)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.project.inside("warm", "status", "--json", env={"CI": ""}))
        return found

    def waiting(self, library: "Installed | None" = None) -> int:
        """The pid of the process once it waits, with a library."""
        libraries = [] if library is None else ["slow_library"]
        until(lambda: (found := self.status())["state"] == "waiting" and found["libraries"] == libraries)
        return int(self.status()["pid"])

    def imports(self, *arguments: str, **options: Any) -> list[int]:
        """Let a command import the pipeline; returns the ancestors of its host."""
        self.pivot("repro", "--no-snapshot", *arguments, **options)
        found: list[int] = json.loads(self.project.read("ancestors.json"))
        return found

    def warmed(self, **options: Any) -> int:
        """Run a command, which starts the process; returns its pid once it waits."""
        self.imports(**options)
        return self.waiting()


def until(condition: Callable[[], object]) -> None:
    """Poll for something that another process does."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def until_ended(pid: int) -> None:
    """Wait for the end of another process."""
    until(lambda: not alive(pid))


LIBRARY = """\
import os, time

end = time.monotonic() + 0.11
while time.monotonic() < end:
    pass
with open(os.environ["COUNTED"], "a") as file:
    file.write("imported\\n")
VALUE = "one"
"""


class Installed:
    """An installed library that is slow to import, and counts its imports."""

    def __init__(self, place: pathlib.Path) -> None:
        self.site = place / "site-packages"
        self.site.mkdir()
        self.install(LIBRARY)
        self._counted = place / "counted"
        self.environment = {"PYTHONPATH": str(self.site), "COUNTED": str(self._counted)}

    def install(self, text: str) -> None:
        """Install a version, as package managers do: with a new directory entry."""
        (self.site / "new.py").write_text(text)
        (self.site / "new.py").rename(self.site / "slow_library.py")

    def count(self) -> int:
        """How often it was imported since the last call."""
        count = len(self._counted.read_text().splitlines()) if self._counted.exists() else 0
        self._counted.unlink(missing_ok=True)
        return count


@pytest.fixture
def library(tmp_path: pathlib.Path) -> Installed:
    return Installed(tmp_path)


@pytest.fixture
def warm(make: Callable[[str], Project]) -> Iterator[WarmProject]:
    """A project whose process is ended with the test, wherever the project is then."""
    project = WarmProject(make(PIPELINE))
    yield project
    if project.root.exists():
        project.project.inside("warm", "stop")


def test_commands_share_one_process(warm: WarmProject) -> None:
    """The first starts it at its end; later ones get their hosts from it, for one pipeline or several."""
    warm.project.executable = True
    (warm.root / "other").mkdir()
    (warm.root / "other/pipeline.py").write_text(PIPELINE.replace('("p")', '("other")'))
    first = warm.imports()
    pid = warm.waiting()
    assert pid not in first
    assert pid in warm.imports()
    assert pid in warm.imports("--all")
    assert pid in json.loads((warm.root / "other/ancestors.json").read_text())
    warm.pivot("list")
    assert warm.waiting() == pid

    assert warm.pivot("warm", "stop").stdout == f"Ended process {pid}\n"
    assert not alive(pid)
    assert not (warm.root / ".pivot/state.db/warm.socket").exists()
    assert warm.pivot("warm", "stop").stdout == "No process waited for the next command\n"
    assert warm.pivot("warm", "status").stdout == "No process waits for the next command\n"


REPORTING = (
    HEAD.replace("NAME", "p")
    + """
import atexit, resource
atexit.register(lambda: pathlib.Path("end.txt").write_text("ended"))
print("told while importing")
streams = {name: getattr(sys, name) for name in ("stdin", "stdout", "stderr")}
pathlib.Path("found.json").write_text(json.dumps({
    "environment": dict(os.environ),
    "directory": os.getcwd(),
    "arguments": sys.argv,
    "command": sys.orig_argv[1:],
    "path": sys.path,
    "main": sorted(vars(sys.modules["__main__"])),
    "leads": os.getpgid(0) == os.getpid(),
    "handlers": [str(signal.getsignal(number)).partition(" at ")[0] for number in sorted(signal.valid_signals())],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "open": sorted(int(fd) for fd in os.listdir("/dev/fd") if os.path.exists(f"/dev/fd/{fd}")),
    "files": [os.readlink(f"/dev/fd/{fd}") for fd in (0, 1, 2)],
    "streams": {name: [it.encoding, it.errors, it.line_buffering, it.mode, it.name] for name, it in streams.items()},
    "umask": [mask := os.umask(0o77), os.umask(mask)][0],
    "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
    "priority": os.getpriority(os.PRIO_PROCESS, 0),
    "terminal": os.path.exists("/dev/tty") and os.access("/dev/tty", os.R_OK),
    "flags": repr(sys.flags),
    "recursion": sys.getrecursionlimit(),
    "hidden": sorted(name for name in sys.modules if name.partition(".")[0] in ("pivot_cli", "rich", "click")),
}))
"""
    + STAGE
)


def test_a_host_is_like_that_of_a_command_alone(warm: WarmProject, tmp_path: pathlib.Path) -> None:
    """Also from another directory, and with other variables of the shell's session."""
    warm.project.write("pipeline.py", REPORTING)
    (warm.root / "sub").mkdir()
    options: dict[str, Any] = {"cwd": "sub", "env": {"COLUMNS": "33", "SHLVL": "7"}}
    command = ("repro", "--no-snapshot", "--force")
    found: dict[str, Any] = {}
    for mode in ("off", "on"):
        warm.pivot("config", "set", "warm", mode)
        if mode == "on":
            pid = warm.warmed()
        (warm.root / "end.txt").unlink(missing_ok=True)
        with (tmp_path / "told.txt").open("w+") as told:
            env = environment() | {"CI": ""} | options["env"]
            subprocess.run([PIVOT, *command], cwd=warm.root / "sub", env=env, stderr=told, check=True, timeout=60)
            told.seek(0)
            assert "told while importing" in told.read()
        found[mode] = json.loads(warm.project.read("found.json"))
        assert warm.project.read("end.txt") == "ended"
    assert pid in json.loads(warm.project.read("ancestors.json"))
    assert found["on"] == found["off"]


CHAIN = """\
from typing import Annotated

import pivot
import slow_library

pipeline = pivot.Pipeline("chain")


def helper():
    return "one"


@pipeline.register
def first() -> Annotated[str, pivot.Out("first.txt", pivot.loaders.Text())]:
    return helper()


@pipeline.register
def second(
    text: Annotated[str, pivot.Dep("first.txt", pivot.loaders.Text())],
) -> Annotated[str, pivot.Out("second.txt", pivot.loaders.Text())]:
    print("second runs", slow_library.VALUE)
    if text == "broken":
        raise ValueError(text)
    return text * 2
"""


def test_libraries_are_imported_before_the_command(warm: WarmProject, library: Installed) -> None:
    """Once for all commands, until another version is installed; nobody waits for that import."""
    env = library.environment
    using = PIPELINE.replace("import pivot", "import pivot\nimport slow_library").replace('"x"', "slow_library.VALUE")
    warm.project.write("pipeline.py", using)
    warm.imports(env=env)
    pid = warm.waiting(library)
    assert library.count() == len(("by the command", "by the process"))
    for word in ("two", "three"):
        warm.project.write("pipeline.py", using.replace("slow_library.VALUE", f"slow_library.VALUE + '{word}'"))
        warm.pivot("repro", env=env)
        assert warm.project.read("out.txt") == f"one{word}"
        assert pid in json.loads(warm.project.read("ancestors.json"))
        assert library.count() == 0
    assert warm.waiting(library) == pid
    assert pid in warm.imports(env=env)

    library.install(LIBRARY.replace('"one"', '"two"'))
    warm.pivot("repro", "--force", env=env)
    assert warm.project.read("out.txt") == "twothree"
    until_ended(pid)
    assert warm.waiting(library) != pid
    assert library.count() == len(("by the command", "by the process"))

    warm.project.write("pipeline.py", PIPELINE)  # without the library
    pid = warm.waiting(library)
    assert pid not in warm.imports(env=env)
    assert warm.waiting() != pid, "it waits for what the pipeline needs now"


def test_a_library_that_keeps_its_directory(warm: WarmProject, library: Installed) -> None:
    """The process is then of use in one directory only: that of the last command."""
    library.install(LIBRARY + "HERE = os.getcwd()\nVALUE = os.path.basename(HERE)\n")
    using = PIPELINE.replace("import pivot", "import pivot\nimport slow_library").replace('"x"', "slow_library.VALUE")
    warm.project.write("pipeline.py", using)
    warm.project.write("sub/pipeline.py", using.replace('("p")', '("sub")'))
    warm.imports(env=library.environment)
    pid = warm.waiting(library)
    assert pid in warm.imports(env=library.environment)
    warm.imports(env=library.environment, cwd="sub")
    until_ended(pid)
    pid = warm.waiting(library)
    library.count()
    warm.project.write("sub/pipeline.py", using.replace('("p")', '("sub")') + "\n\nX = 1\n")
    warm.imports("--force", env=library.environment, cwd="sub")
    assert pid in json.loads(warm.project.read("sub/ancestors.json"))
    assert library.count() == 0
    assert (warm.project.read("out.txt"), warm.project.read("sub/out.txt")) == (warm.root.name, "sub")


def test_a_library_that_cannot_be_imported_before(warm: WarmProject, library: Installed) -> None:
    """It keeps a thread, so the process must not have it; the command imports it."""
    thread = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    library.install(LIBRARY + thread)
    warm.project.write("pipeline.py", PIPELINE.replace("import pivot", "import pivot\nimport slow_library"))
    warm.imports(env=library.environment)
    pid = warm.waiting()
    assert pid in warm.imports(env=library.environment)
    assert warm.status()["libraries"] == []


def test_results_are_the_same(warm: WarmProject, library: Installed) -> None:
    """Outs, lock files, output and history of a run, an edit, a failure and an edit back."""
    warm.project.write("pipeline.py", CHAIN)
    warm.pivot("repro", env=library.environment)
    pid = warm.waiting(library)
    told: dict[str, list[Any]] = {"off": [], "on": []}
    for mode, seen in told.items():
        warm.pivot("config", "set", "warm", mode)
        for file in (*warm.root.glob("*.txt"), *warm.root.glob(".pivot/stages/*")):
            file.unlink()
        for name in ("history", "snapshots"):
            shutil.rmtree(warm.root / ".pivot/state.db" / name)
        shutil.rmtree(warm.root / ".pivot/cache")
        for word, code in (("one", 0), ("two", 0), ("broken", 1), ("two", 0)):
            warm.project.write("pipeline.py", CHAIN.replace('return "one"', f'return "{word}"'))
            done = warm.pivot("repro", "--show-output", code=code, env=library.environment)
            seen.append([without_times(line) for line in (*done.stdout.splitlines(), *done.stderr.splitlines())])
            seen += [file.read_text() for file in sorted(warm.root.glob("*.txt"))]
            seen += [file.read_text() for file in sorted(warm.root.glob(".pivot/stages/*"))]
        for run in json.loads(warm.pivot("history", "--json").stdout)["runs"]:
            kept = ("name", "state", "reasons", "changes", "problem", "undeclared")
            stages = json.loads(warm.pivot("show", str(run["run"]), "--json").stdout)["stages"]
            seen.append([run["command"], run["counts"], *({key: stage[key] for key in kept} for stage in stages)])
    assert told["on"] == told["off"]
    assert warm.waiting(library) == pid


def without_times(text: str) -> str:
    return re.sub(r" +[0-9.]+ ?(ms|s|MB|kB|B)\b|\([0-9.]+ ?m?s\)|[0-9T:.+-]{8,}|[0-9a-f-]{12,}", " #", text)


def test_it_keeps_nothing_of_the_command(warm: WarmProject) -> None:
    """Neither its output, for whose end a caller waits, nor its directory, session or terminal."""
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    subprocess.run(
        [PIVOT, "repro"],
        check=True,
        cwd=warm.root,
        env=environment() | {"CI": ""},
        capture_output=True,
        pass_fds=(theirs,),
        timeout=60,
    )
    os.close(theirs)
    pid = warm.waiting()
    assert os.read(ours, 1) == b""
    os.close(ours)
    opened = {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in map(int, os.listdir(f"/proc/{pid}/fd"))}
    assert [opened.pop(fd) for fd in (0, 1, 2)] == [os.devnull] * 3
    record = str(warm.root / ".pivot/state.db/warm.record")
    assert sorted(each.partition(":")[0] for each in opened.values()) == [record, "socket"]
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.getsid(pid) not in (pid, os.getsid(0))

    for name in ("warm.socket", "warm.record"):
        assert stat.S_IMODE((warm.root / ".pivot/state.db" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_does_not_answer(warm: WarmProject, number: signal.Signals) -> None:
    """A command goes on without it, and starts another one."""
    pid = warm.warmed()
    os.kill(pid, number)
    if number == signal.SIGSTOP:
        assert "does not answer" in warm.pivot("warm", "status").stdout
    assert pid not in warm.imports()
    until_ended(pid)
    other = warm.waiting()
    assert other != pid
    assert other in warm.imports()
    os.kill(other, signal.SIGSTOP)
    assert warm.pivot("warm", "stop").stdout == f"Ended process {other}\n"
    assert not alive(other)


def test_other_conditions(warm: WarmProject) -> None:
    """With another variable, umask, limit or priority, a command has a host of its own, and the process is replaced."""
    pid = warm.warmed()
    assert pid not in warm.imports(env={"ANOTHER": "1"})
    until_ended(pid)
    pid = warm.waiting()
    assert pid in warm.imports(env={"ANOTHER": "1"})
    for prefix in ("umask 27", "ulimit -n 512", "renice -n 5 $$ > /dev/null", "trap '' HUP"):
        pid = warm.waiting()
        script = f"{prefix}; exec {PIVOT} repro --no-snapshot"
        env = environment() | {"CI": "", "ANOTHER": "1"}
        subprocess.run(["sh", "-c", script], cwd=warm.root, env=env, check=True, timeout=60, capture_output=True)
        assert pid not in json.loads(warm.project.read("ancestors.json")), prefix
        until_ended(pid)


def test_where_none_is_started(warm: WarmProject) -> None:
    for options in ({"env": {"CI": "true"}}, {"env": {"PIVOT_WORKER_START": "spawn"}}, {"env": {"PIVOT_WARM": "off"}}):
        warm.imports(**options)
        assert warm.status()["state"] == "none"
    assert "CI is set" in warm.pivot("warm", "status", env={"CI": "1"}).stdout
    warm.pivot("repro", "--in-process", "--force", "--no-snapshot")
    warm.pivot("status", "--no-snapshot")
    assert warm.status()["state"] == "none"
    assert "The setting 'warm' is off" in warm.pivot("warm", "status", env={"PIVOT_WARM": "off"}).stdout


def test_what_is_in_its_place(warm: WarmProject) -> None:
    """A file is replaced; with a directory there is no process, and the status says why."""
    warm.imports("--dry-run")
    place = warm.root / ".pivot/state.db/warm.socket"
    place.write_text("something")
    pid = warm.warmed()
    assert stat.S_ISSOCK(place.lstat().st_mode)
    assert pid in warm.imports()
    warm.pivot("warm", "stop")

    place.unlink(missing_ok=True)
    place.mkdir()
    warm.imports()
    until(lambda: "cannot be created" in warm.status()["reason"])
    place.with_name("warm.record").unlink()
    place.with_name("warm.record").mkdir()
    warm.imports()
    assert warm.status()["state"] == "none"


def test_a_long_path(warm: WarmProject, tmp_path: pathlib.Path) -> None:
    deep = tmp_path / "/".join(["directory-with-a-name"] * 12)
    deep.mkdir(parents=True)
    shutil.copytree(warm.root, deep / "moved")
    far = WarmProject(Project(deep / "moved"))
    try:
        pid = far.warmed()
        assert pid in far.imports()
    finally:
        far.pivot("warm", "stop")


def test_it_ends_with_the_project(warm: WarmProject) -> None:
    pid = warm.warmed()
    moved = warm.root.rename(warm.root.with_name("moved"))
    until_ended(pid)
    warm.project.root = warm.root = moved
    pid = warm.warmed()
    shutil.rmtree(moved)
    until_ended(pid)


def test_an_upgrade(warm: WarmProject, tmp_path: pathlib.Path) -> None:
    installed = tmp_path / "site-packages"
    installed.mkdir()
    options = {"env": {"PYTHONPATH": str(installed)}}
    pid = warm.warmed(**options)
    assert pid in warm.imports(**options)
    (installed / "new.py").write_text("")
    assert pid not in warm.imports(**options)
    until_ended(pid)


def test_strangers_at_the_socket(warm: WarmProject) -> None:
    """Whoever speaks another protocol, or says nothing, is dropped, and keeps nobody waiting."""
    pid = warm.warmed()
    silent, garbage = (socket.socket(socket.AF_UNIX) for _ in range(2))
    with contextlib.chdir(warm.root), silent, garbage:
        for each in (silent, garbage):
            each.connect(".pivot/state.db/warm.socket")
        garbage.sendall(b"GET / HTTP/1.1\r\n" * 100)
        with contextlib.suppress(ConnectionResetError):
            assert garbage.recv(1) == b""
        assert pid in warm.imports()
    assert warm.waiting() == pid


WAITING = """

@pipeline.register
def stage() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    grandchild = os.fork()
    if not grandchild:
        os.setsid()
        while True:
            signal.pause()
    pathlib.Path("running.json").write_text(json.dumps([os.getpid(), grandchild, *ancestors()[1:]]))
    while True:
        signal.pause()
"""


@pytest.mark.parametrize("victim", ["command", "host", "fork server", "interrupt"])
def test_the_ends_of_a_run(warm: WarmProject, victim: str) -> None:
    """Whoever is killed: what the stage started ends, nothing is recorded, and the next command works."""
    pid = warm.warmed()
    warm.project.write("pipeline.py", HEAD.replace("NAME", "p") + WAITING)
    with warm.project.start("repro", env=environment() | {"CI": ""}) as command:
        running = warm.root / "running.json"
        until(lambda: running.exists() and running.read_text().endswith("]"))
        stage, grandchild, host, fork_server, server = json.loads(running.read_text())[:5]
        assert server == pid
        victims = {"command": command.pid, "interrupt": command.pid, "host": host, "fork server": fork_server}
        os.kill(victims[victim], signal.SIGINT if victim == "interrupt" else signal.SIGKILL)
        if victim == "fork server":  # the stage goes on
            command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=60)
        assert command.returncode == {"command": -signal.SIGKILL, "host": 3}.get(victim, 130), (out, err)
    for each in (stage, grandchild, host, fork_server):
        until_ended(each)
    warm.project.write("pipeline.py", PIPELINE)
    assert pid in warm.imports()
    assert warm.project.read("out.txt") == "x"


def test_a_command_inside_a_stage(warm: WarmProject) -> None:
    """It would wait for itself, although the command that it would wait for is no ancestor of the stage."""
    pid = warm.warmed()
    inside = f"import subprocess\n    subprocess.run([{str(PIVOT)!r}, 'repro'], check=True)"
    warm.project.write("pipeline.py", PIPELINE.replace('return "x"', f'{inside}\n    return "y"'))
    done = warm.pivot("repro", code=1)
    assert "which would wait for that one to end" in done.stderr
    assert warm.waiting() == pid
