"""Ends that nobody could tell: a lost message, a coordinator that is gone while the host is busy."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from processes import alive, wait_until
from source_projects import Sources

from pivot_runtime.executors.host_executor import HostExecutor
from pivot_runtime.loading import host_client

ENDLESS = """
import time


def wait_for_ever():
    pathlib.Path("pid.tmp").write_text(str(os.getpid()))
    pathlib.Path("pid.tmp").rename("pid")
    while True:
        time.sleep(0.01)
"""

STAGES = """

@pipeline.register
def endless() -> None:
    wait_for_ever()


@pipeline.register
def quick() -> None:
    pass
"""

COORDINATOR = """\
import pathlib, sys
from pivot_runtime.loading import host_client
root = pathlib.Path(sys.argv[1])
host_client.load(root, root / "pipeline.py")
"""


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources(tmp_path_factory.mktemp("project"), {"pipeline.py": f"import os\n{ENDLESS}{STAGES}"})


def begun(project: Sources) -> int:
    """The process that waits forever."""
    wait_until((project.root / "pid").exists)
    return int((project.root / "pid").read_text())


def test_stopping_although_a_message_was_lost(project: Sources) -> None:
    """A signal may strike between reading a message and noting it; nobody then waits forever."""
    _, host = host_client.load(project.root, project.root / "pipeline.py")
    with host:
        executor = HostExecutor(lambda _: host)
        executor.start("p.endless", project.root / "endless.log")
        pid = begun(project)
        executor.start("p.quick", project.root / "quick.log")
        lost: list[dict[str, Any]] = []
        while not any(message["event"] == "finished" for message in lost):
            lost += host.receive()
        executor.stop()

        assert not alive(pid)
        executor.start("p.quick", project.root / "quick.log")
        assert executor.wait().address == "p.quick"


def test_a_host_in_an_endless_import_dies_with_its_coordinator(project: Sources) -> None:
    """It reads no messages then, nor does it see that nobody will send any."""
    project.write("pipeline.py", f"import os\n{ENDLESS}\nwait_for_ever()\n")
    with subprocess.Popen([sys.executable, "-c", COORDINATOR, str(project.root)]) as coordinator:
        try:
            pid = begun(project)
        finally:
            coordinator.send_signal(signal.SIGKILL)
    try:
        wait_until(lambda: not alive(pid))
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
