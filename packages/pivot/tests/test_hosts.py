"""The process that imports the user's code is as good as a new interpreter, however it came to be."""

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from harness import PIVOT, Project

from pivot_cli.main import _needs_host

REPORTING = """\
import atexit, json, os, signal, sys
from typing import Annotated

import click

import pivot

atexit.register(lambda: open("end.txt", "w").close())
main = sys.modules["__main__"]
handlers = {name: signal.getsignal(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGHUP")}
FOUND = {
    "click": click.__file__,
    "ours": sorted(
        name for name in sys.modules if name.partition(".")[0] in ("pivot_cli", "rich") or "notebook_" in name
    ),
    "path": sys.path,
    "main": [vars(main).get("__file__"), main.__spec__],
    "argv": sys.argv,
    "leads": os.getpgid(0) == os.getpid(),
    "handlers": {name: repr(found).partition(":")[0] for name, found in handlers.items()},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "open": sorted(int(fd) for fd in os.listdir("/dev/fd") if os.path.exists(f"/dev/fd/{fd}")),
    "input": sys.stdin.read(),
    "profiler": sys.monitoring.get_tool(sys.monitoring.PROFILER_ID),
}
print("told while importing")
open("found.json", "w").write(json.dumps(FOUND))

pipeline = pivot.Pipeline("p")


@pipeline.register
def stage() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    return "x"
"""

OTHER = """\
from typing import Annotated

import click

import pivot

pipeline = pivot.Pipeline("other")


@pipeline.register
def stage() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    return click.NAME
"""


STAYING = """\
import os, pathlib, signal
from typing import Annotated

import pivot

staying = os.fork()
if not staying:
    os.close(1)
    os.close(2)
    while True:
        signal.pause()
pathlib.Path("staying.txt").write_text(str(staying))
pipeline = pivot.Pipeline("p")


@pipeline.register
def stage() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    return "x"
"""


UNWRITTEN = """\
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("p")
later = open("later.txt", "w")


@pipeline.register
def stage() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    later.write("written at the end")
    return "x"
"""


COLLECTED = """\
import gc
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("p")


@pipeline.register
def stage() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    return str(gc.get_threshold())
"""


def reported(project: Project, *arguments: str, **options: Any) -> dict[str, Any]:
    """The user's module's view when the command imported it."""
    (project.root / "found.json").unlink(missing_ok=True)
    done = project.pivot(*arguments, **options)
    assert "told while importing" not in done.stdout
    assert "told while importing" in done.stderr
    found: dict[str, Any] = json.loads(project.read("found.json"))
    return found


def test_the_host_is_like_a_new_interpreter(make: Callable[[str], Project]) -> None:
    """None of what the command itself has imported, opened or arranged is to be seen."""
    project = make(REPORTING)
    project.write("click.py", "NAME = 'mine'\n")
    found = reported(project, "repro", "--no-snapshot")

    assert found["click"] == str(project.root / "click.py")
    assert found["ours"] == []
    assert found["path"][0] == str(project.root)
    assert str(PIVOT.parent) not in found["path"]
    assert found["main"] == [None, None]
    assert found["argv"] == [str(project.root / "pipeline.py")]
    assert found["leads"]
    assert found["handlers"] == {
        "SIGINT": "<built-in function default_int_handler>",
        "SIGTERM": "<Handlers.SIG_DFL",
        "SIGHUP": "<Handlers.SIG_DFL",
    }
    assert found["blocked"] == []
    assert len(found["open"]) <= len((0, 1, 2, "commands", "events", "guard", "the listing"))
    assert found["input"] == ""
    assert (project.root / "end.txt").exists()


def test_several_hosts_are_like_new_interpreters(make: Callable[[str], Project]) -> None:
    project = make(REPORTING)
    project.write("click.py", "NAME = 'mine'\n")
    project.write("other/pipeline.py", OTHER)
    project.write("other/click.py", "NAME = 'other'\n")
    found = reported(project, "repro", "--all", "--no-snapshot")

    assert found["click"] == str(project.root / "click.py")
    assert found["ours"] == []
    assert found["leads"]
    assert project.read("other/out.txt") == "other"
    assert (project.root / "end.txt").exists(), "the exit handlers of user code have run"


def test_a_fork_that_lives_on_does_not_keep_the_command(make: Callable[[str], Project]) -> None:
    """It has inherited the pipes of one of several hosts, so the command must not wait for their end."""
    project = make(STAYING)
    project.write("other/pipeline.py", OTHER.replace("import click\n", "").replace("click.NAME", "'x'"))
    try:
        assert project.pivot("repro", "--all").stdout.startswith("Done: 2 ran")
    finally:
        os.kill(int(project.read("staying.txt")), signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every host is an interpreter of its own")
def test_a_host_costs_no_interpreter(make: Callable[[str], Project]) -> None:
    project = make(REPORTING)
    project.write("click.py", "")
    project.replace("pipeline.py", '"argv": sys.argv', '"argv": sys.orig_argv')

    assert reported(project, "repro")["argv"][-1] == "repro"


def test_a_host_is_expected_where_the_last_load_does_not_hold(
    make: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make(OTHER.replace("click.NAME", "'x'").replace("import click\n", ""))
    monkeypatch.chdir(project.root)
    assert _needs_host(["repro"]), "there is no load"
    project.pivot("repro")
    assert not _needs_host(["repro"])
    assert _needs_host(["repro", "--force"])
    assert _needs_host(["repro", "-kf"])
    for option in ("--watch", "-w", "-fw", "--in-process", "--pdb"):
        assert not _needs_host(["repro", "--force", option]), "it would not be used"

    project.replace("pipeline.py", "'x'", "'y'")
    assert _needs_host(["status"])
    project.write(".pivot/state.db/warm.socket", "")
    assert not _needs_host(["status"])

    (project.root / "pipeline.py").unlink()
    assert not _needs_host(["repro"]), "the command reports it"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every host is an interpreter of its own")
@pytest.mark.skipif(os.process_cpu_count() == 1, reason="with one processor, it would only take the command's time")
def test_a_run_forks_its_host_before_the_command_imports_its_modules(make: Callable[[str], Project]) -> None:
    project = make(REPORTING)
    project.write("click.py", "")
    project.replace("pipeline.py", '"argv": sys.argv', '"argv": "gettext" in sys.modules')

    assert reported(project, "list", "--no-snapshot")["argv"], "click has imported it"
    assert not reported(project, "repro", "--no-snapshot")["argv"]


def test_the_command_may_have_been_a_module(make: Callable[[str], Project]) -> None:
    """`python -m` puts the current directory on the path of the command, and not of the user's code."""
    project = make(REPORTING)
    project.write("click.py", "")
    outside = project.root.parent
    elsewhere = os.fspath(outside / "elsewhere")
    command = [sys.executable, "-m", "pivot_cli", "-C", project.root.name, "list"]
    environment = {**os.environ, "PYTHONPATH": elsewhere}
    subprocess.run(command, cwd=outside, env=environment, stdin=subprocess.DEVNULL, check=True, timeout=60)

    path = json.loads(project.read("found.json"))["path"]
    assert path[:2] == [str(project.root), elsewhere]
    assert str(outside) not in path


def test_a_profiler_of_the_command_does_not_profile_the_host(make: Callable[[str], Project]) -> None:
    project = make(REPORTING)
    project.write("click.py", "")
    command = [sys.executable, "-P", "-m", "cProfile", "-o", os.devnull, "-m", "pivot_cli", "list"]
    subprocess.run(command, cwd=project.root, stdin=subprocess.DEVNULL, check=True, timeout=60)

    assert json.loads(project.read("found.json"))["profiler"] is None


def test_a_profiler_of_the_command_sees_its_end(make: Callable[[str], Project]) -> None:
    project = make("")
    command = [sys.executable, "-P", "-m", "cProfile", "-o", "profile", "-m", "pivot_cli", "--version"]
    subprocess.run(command, cwd=project.root, stdin=subprocess.DEVNULL, check=True, timeout=60)

    assert (project.root / "profile").stat().st_size > 0


def test_the_objects_of_stages_end_with_the_interpreter_that_runs_them(make: Callable[[str], Project]) -> None:
    project = make(UNWRITTEN)
    project.pivot("repro", "--in-process")

    assert project.read("later.txt") == "written at the end"


def test_the_collector_of_the_command_is_not_that_of_its_stages(make: Callable[[str], Project]) -> None:
    project = make(COLLECTED)
    project.pivot("repro", "--in-process")

    assert project.read("out.txt") == str(gc.get_threshold())


def test_a_command_may_be_started_by_a_program_that_ignores_its_children(make: Callable[[str], Project]) -> None:
    project = make(OTHER.replace("click.NAME", "'x'").replace("import click\n", ""))
    project.pivot("repro")
    status = project.start("status", "--all", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    answer, told = status.communicate(timeout=60)

    assert (status.returncode, told) == (0, "")
    assert "cached" in answer


def test_a_fork_that_comes_back_from_the_import_ends_there(make: Callable[[str], Project]) -> None:
    """As it would at the end of any program: it is no second host, whether the import succeeds or not."""
    project = make(OTHER.replace("click.NAME", "'x'").replace("import click\n", "import os\n"))
    project.executable = False  # a forked command forks its host in the same way
    project.write("pipeline.py", project.read("pipeline.py") + "\n\nBEFORE = os.getpid() * 0\nos.fork()\n")
    assert project.pivot("repro").stdout.startswith("Done: 1 ran")
    project.replace(
        "pipeline.py", "os.fork()\n", "if os.fork() == 0:\n    raise ValueError('of the fork')\nos.wait()\n"
    )
    done = project.pivot("repro", "--force")
    assert done.stdout.startswith("Done: 1 ran")
    assert "ValueError: of the fork" in done.stderr
    project.replace("pipeline.py", "raise ValueError('of the fork')", "pipeline.register(1)")
    done = project.pivot("repro", "--force")
    assert done.stdout.startswith("Done: 1 ran")
    assert "only a function can be registered" in done.stderr


def test_the_user_may_have_a_module_named_resource(make: Callable[[str], Project]) -> None:
    """`os.wait4`, by which the host learns what a stage cost, imports the standard one."""
    project = make("import resource\n" + OTHER.replace("click.NAME", "resource.NAME").replace("import click\n", ""))
    project.executable = False  # a forked command forks its host in the same way
    project.write("resource.py", "NAME = 'mine'\n")
    for _ in range(2):
        assert project.pivot("repro", "--force").stdout.startswith("Done: 1 ran")
    project.replace("pipeline.py", "import resource\n", "")
    project.replace("pipeline.py", "resource.NAME", "'x'")
    project.write("resource.py", "raise ValueError('not asked for')\n")
    assert project.pivot("repro", "--force").stdout.startswith("Done: 1 ran")


def test_the_last_of_many_stages_run_like_the_first(make: Callable[[str], Project]) -> None:
    """After some stages, the host makes functions immortal; each stage can still replace them, for itself alone."""
    head = (
        "import json\nfrom typing import Annotated\n\nimport pivot\nfrom pivot import Out\n"
        "from pivot.loaders import Text\n\n"
        'pipeline = pivot.Pipeline("p")\n'
    )
    stage = (
        "\n\n@pipeline.register\n"
        'def s{0}() -> Annotated[str, Out("{0}.txt", Text())]:\n'
        "    text = json.dumps([{0}])\n    del json.dumps\n    json.loads = json.JSONEncoder = None\n    return text\n"
    )
    project = make(head + "".join(stage.format(number) for number in range(40)))
    assert project.pivot("repro").stdout.startswith("Done: 40 ran")
    assert [project.read(f"{number}.txt") for number in (0, 39)] == ["[0]", "[39]"]

    project.replace("pipeline.py", "json.dumps([39])", "str(1 / 0)")
    assert "ZeroDivisionError" in project.pivot("repro", code=1).stderr
