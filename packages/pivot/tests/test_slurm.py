"""Stages on Slurm, through a function that returns a cluster of dask-jobqueue: `nox -s slurm` runs this."""

import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from harness import SHOUT, Project, environment
from slurm_node import slurm_node

pytestmark = pytest.mark.skipif(
    "TEST_SLURM" not in os.environ, reason="`nox -s slurm` runs it, where Slurm is installed"
)

CLUSTER = """\
from dask_jobqueue import SLURMCluster


def slurm(resources):
    offered = ",".join(f"{name}={most}" for name, most in resources.items())
    cluster = SLURMCluster(
        cores=1,
        memory="500MB",
        walltime="00:10:00",
        interface="lo",
        worker_extra_args=["--no-dashboard", *(["--resources", offered] if offered else [])],
        log_directory="jobs",
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
    )
    cluster.scale(jobs=1)
    return cluster
"""

SLOW = """\
import pathlib, time
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def slow() -> Annotated[str, pivot.Out("slow.txt", Text())]:
    pathlib.Path("{began}").touch()
    time.sleep(1000)
    return ""
"""


PROGRAM = """

import sys

program = pivot.command(f"{sys.executable} program.py > program.txt", outs=["program.txt"])
pipeline.register(program, name="program", resources={"fast": 1})
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with slurm_node(tmp_path_factory.mktemp("slurm")) as env:
        yield env


def jobs(env: dict[str, str]) -> str:
    words = ["squeue", "--noheader"]
    return subprocess.run(words, env={**os.environ, **env}, capture_output=True, text=True, check=True).stdout


def wait_for_no_job(env: dict[str, str]) -> None:
    until = time.monotonic() + 60
    while said := jobs(env):
        assert time.monotonic() < until, said
        time.sleep(0.2)


def test_stages_run_as_jobs_which_end_with_the_run(tmp_path: pathlib.Path, slurm: dict[str, str]) -> None:
    project = Project(tmp_path / "project")
    project.write("cluster.py", CLUSTER)
    project.write("pipeline.py", SHOUT)
    project.replace(
        "pipeline.py", "register\ndef shout", 'register(resources={"memory": "1 GiB", "fast": 1})\ndef shout'
    )
    project.write("pipeline.py", project.read("pipeline.py") + PROGRAM)
    project.write("program.py", "import importlib\n\nimportlib.import_module('plug' + 'in').run()\n")
    project.write("plugin.py", "def run():\n    print(5)\n")
    project.write("data/in.txt", "loud")
    project.pivot("init")
    project.pivot("config", "set", "worker.include", "plugin.py")

    said = project.pivot("repro", "--executor", "dask+cluster:slurm", "--fetch-outs", env=slurm)

    assert "stages run at dask+cluster:slurm" in said.stderr
    assert project.read("upper.txt") == "LOUD"
    assert set(project.states().values()) == {"cached"}
    assert list((project.root / "jobs").iterdir())
    assert "func:plugin:run" in project.lock("p.program")["observed"]
    project.replace("plugin.py", "5", "6")
    assert project.states()["program"] == "stale"
    wait_for_no_job(slurm)


def test_an_interruption_cancels_the_jobs(tmp_path: pathlib.Path, slurm: dict[str, str]) -> None:
    project, began = Project(tmp_path / "project"), tmp_path / "began"
    project.write("cluster.py", CLUSTER)
    project.write("pipeline.py", SLOW.replace("{began}", str(began)))
    project.pivot("init")
    process = project.start("repro", "--executor", "dask+cluster:slurm", env=environment() | slurm)
    until = time.monotonic() + 60
    while not began.exists():
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    assert jobs(slurm)

    process.send_signal(signal.SIGINT)

    stdout, stderr = process.communicate(timeout=40)
    assert process.returncode == 130, stdout + stderr
    wait_for_no_job(slurm)
