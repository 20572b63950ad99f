"""The process that a command forks when it begins: it ends with the command, and a host needs it only to be faster."""

import gc
import pathlib
import subprocess
import sys

import pytest
from source_projects import Sources

from pivot_runtime.processes import early_fork
from pivot_runtime.processes.startup_state import StartupState

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no host is forked")

BEGIN = """
import gc, json, os, signal, sys
state = frozenset(sys.modules), tuple(sys.path), gc.get_threshold()
os.process_cpu_count = lambda: 2
from pivot_runtime.processes.early_fork import EarlyFork
from pivot_runtime.processes.startup_state import StartupState
early_fork = EarlyFork.begin(StartupState(*state))
state = StartupState(*state, early_fork=early_fork)
"""
LOAD = """
import pathlib
from pivot_runtime.loading.host_client import HostClient
host = HostClient.begin(quiet=True, startup_state=state)
root = pathlib.Path({root!r})
print(host.load(root, root / "pipeline.py").stages[0].spec.address)
host.close()
early_fork.close()
"""
NONE_LEFT = """
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("no child is left")
"""
STAGE = """
import gc, sys
print(gc.get_threshold(), sorted({"pathspec", "gettext"} & sys.modules.keys()))


def stage() -> Annotated[str, Out("out.txt", Text())]:
    return "x"

pipeline.register(stage)
"""


def output(script: str, root: pathlib.Path, code: int = 0) -> str:
    """Return the output of a script and of all processes that it leaves, until the last of them has ended."""
    command = [sys.executable, "-c", script.replace("{root!r}", repr(str(root)))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Sources:
    return Sources(tmp_path.resolve(), {"pipeline.py": STAGE})


def test_it_closes_its_line_when_the_command_ends_first(tmp_path: pathlib.Path) -> None:
    warn = "import warnings\nwarnings.simplefilter('always')\n"
    end = "early_fork._line.close()\nprint(os.waitpid(early_fork._pid, 0)[1])\n"

    assert output(warn + BEGIN + end, tmp_path) == "0\n"


def test_it_becomes_a_host(project: Sources) -> None:
    script = BEGIN + LOAD.replace("host = ", "pid = early_fork._pid\nhost = ") + "print(pid == host.pid)\n" + NONE_LEFT
    assert output(script, project.root) == "p.stage\nTrue\nno child is left\n"


def test_it_becomes_a_fork_server(project: Sources) -> None:
    script = BEGIN + LOAD.replace(
        "host = HostClient.begin(quiet=True, startup_state=state)",
        "from pivot_runtime.loading.fork_server import ForkServer\n"
        "pid = early_fork._pid\nserver = ForkServer.begin(quiet=True, startup_state=state)\nprint(server.pid == pid)\n"
        "host = server.host()",
    )
    assert output(script + "server.close()\n" + NONE_LEFT, project.root) == "True\np.stage\nno child is left\n"


def test_only_the_first_host_is_the_early_fork(project: Sources) -> None:
    twice = LOAD.replace("early_fork.close()\n", "") + LOAD
    assert output(BEGIN + twice + NONE_LEFT, project.root) == "p.stage\np.stage\nno child is left\n"


def test_it_ends_when_it_is_not_needed(tmp_path: pathlib.Path) -> None:
    assert output(BEGIN + "early_fork.close()\nearly_fork.close()\n" + NONE_LEFT, tmp_path) == "no child is left\n"


def test_its_end_may_be_ignored(tmp_path: pathlib.Path) -> None:
    ignore = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    assert output(BEGIN + ignore + "early_fork.close()\n" + NONE_LEFT, tmp_path) == "no child is left\n"


def test_it_ends_with_a_killed_command(tmp_path: pathlib.Path) -> None:
    """It would keep the output open."""
    assert output(BEGIN + "os.kill(os.getpid(), signal.SIGKILL)\n", tmp_path, code=-9) == ""


def test_a_host_does_not_need_it(project: Sources) -> None:
    kill = "os.kill(early_fork._pid, signal.SIGKILL)\nos.waitid(os.P_PID, early_fork._pid, os.WEXITED | os.WNOWAIT)\n"
    assert output(BEGIN + kill + LOAD + NONE_LEFT, project.root) == "p.stage\nno child is left\n"


def test_there_is_none_where_it_would_wait_for_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.process_cpu_count", lambda: 1)
    assert early_fork.EarlyFork.begin(StartupState(frozenset(), (), (0, 0, 0))) is None


def test_user_code_is_imported_as_in_a_new_interpreter(project: Sources) -> None:
    """Neither the command's collector nor its modules are to be seen."""
    script = BEGIN.replace("early_fork = ", "gc.set_threshold(100_000)\nimport gettext, pathspec\nearly_fork = ")
    script += LOAD.replace("quiet=True", "quiet=False")
    command = [sys.executable, "-c", script.replace("{root!r}", repr(str(project.root)))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    assert done.stderr == f"{gc.get_threshold()} ['gettext']\n"


def test_what_is_imported_before_the_fork_is_needed_by_both() -> None:
    assert imported("pivot_runtime.processes.clean_fork", *early_fork._SHARED) <= imported(
        "pivot_runtime.host.server", "pivot_runtime.processes.clean_fork"
    ) & imported(
        "pivot_runtime.running.repro", "pivot_runtime.loading.host_client", "pivot_runtime.processes.clean_fork"
    )


def imported(*names: str) -> frozenset[str]:
    """The modules of Pivot in a process that imports these."""
    script = f"import sys, {', '.join(names)}\nprint(*(name for name in sys.modules if name.startswith('pivot')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return frozenset(done.stdout.split())
