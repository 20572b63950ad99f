"""Chaos on a Dask cluster: processes of all kinds are killed or stopped at random while a graph of stages runs there.

Whatever happens, nothing is recorded that is not true, and the same command repeated ends with what a run from scratch
on this machine gives.
"""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from harness import PIVOT, Project, environment, s3_environment

pytestmark = pytest.mark.exhaustive

SEEDS = range(int(os.environ.get("TEST_CHAOS_SEEDS", "1")))
STAGES = 60 if len(SEEDS) > 1 else 16
DEADLINE = 120.0
AT_ONCE = 40.0
"""A command whose cluster has gone ends by then; on a busy machine even its own end takes seconds."""

PIPELINE = """\
import hashlib
import pathlib
import time
from typing import Annotated

import pivot
from pivot.loaders import PathOnly

pipeline = pivot.Pipeline("p")
TRACE = "<trace>"
SECONDS = <seconds>


def content(path):
    files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
    return "".join(f"{file.name}={file.read_text()}" for file in files)


def worked(a, b):
    with open(TRACE, "a") as trace:
        trace.write("x")
    time.sleep(SECONDS)
    return hashlib.sha256(f"{content(a)}+{content(b)}".encode()).hexdigest()
"""
STAGE = """\


@pipeline.register(<options>)
def s<number>(
    a: Annotated[pathlib.Path, pivot.Dep("<a>", PathOnly())], b: Annotated[pathlib.Path, pivot.Dep("<b>", PathOnly())]
) -> Annotated[pathlib.Path, pivot.<kind>("<out>", PathOnly())]:
    out, found = pathlib.Path("<out>"), worked(a, b)
    print(found)
    <write>
    return out
"""
WRITE = {
    "Out": "out.write_text(found)",
    "Metric": "out.write_text(f'\"{found}\"')",
    "DirectoryOut": 'out.mkdir()\n    (out / "a.txt").write_text(found)\n    (out / "b.txt").write_text(found[:3])',
}


def stages() -> Iterator[dict[str, str]]:
    """The parts of each stage, which reads outs of earlier ones, single files in them, or data."""
    choice = random.Random(STAGES)
    known = [f"data{number}.txt" for number in range(3)]
    for number in range(STAGES):
        kind = "DirectoryOut" if number % 7 == 3 else "Metric" if number % 11 == 4 else "Out"
        out = {"DirectoryOut": f"d{number}", "Metric": f"o{number}.json", "Out": f"o{number}.txt"}[kind]
        a, b = choice.sample(known[-12:], 2)
        options = 'executor="local"' if number % 17 == 9 else ""
        named = {"number": str(number), "a": a, "b": b, "out": out, "kind": kind}
        yield {**named, "options": options, "write": WRITE[kind]}
        known += [out, f"{out}/a.txt"] if kind == "DirectoryOut" else [out]


def pipeline(trace: pathlib.Path, seconds: float) -> str:
    text = PIPELINE.replace("<trace>", str(trace)).replace("<seconds>", str(seconds))
    for parts in stages():
        stage = STAGE
        for name, value in parts.items():
            stage = stage.replace(f"<{name}>", value)
        text += stage
    return text


class Cluster:
    """A scheduler and two workers, each a process of its own in a directory of its own."""

    def __init__(self, home: pathlib.Path, env: dict[str, str]) -> None:
        self.home = home
        self.env = {**environment(), **env, "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "2s"}
        self.port = 0
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        return f"dask://127.0.0.1:{self.port}"

    @property
    def workers(self) -> list[str]:
        return [name for name in self.processes if name != "scheduler"]

    def complete(self) -> None:
        """Start what does not run: the scheduler at the port of the last one, workers in their directories."""
        scheduler = self.processes.get("scheduler")
        if scheduler is None or scheduler.poll() is not None:  # then the workers end as well
            for process in self.processes.values():
                process.wait(AT_ONCE)
        self.processes = {name: process for name, process in self.processes.items() if process.poll() is None}
        if "scheduler" not in self.processes:
            file = self.home / "scheduler.json"
            file.unlink(missing_ok=True)
            self._start("scheduler", "dask_scheduler", "--port", str(self.port), "--scheduler-file", str(file))
            wait_until(lambda: file.exists() and file.stat().st_size)
            self.port = int(json.loads(file.read_text())["address"].rpartition(":")[2])
        for name in ("one", "two"):
            if name not in self.processes:
                words = ("--name", name, "--no-nanny", "--nthreads", "1", "--local-directory", ".")
                self._start(name, "dask_worker", f"tcp://127.0.0.1:{self.port}", *words)

    def _start(self, name: str, tool: str, *words: str) -> None:
        place = self.home / name
        place.mkdir(exist_ok=True)
        with (place / "log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{tool}", *words, "--host", "127.0.0.1", "--no-dashboard"],
                cwd=place,
                env=self.env,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(AT_ONCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def wait_until(holds: Callable[[], object], seconds: float = DEADLINE) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def descendants(pid: int) -> Iterator[int]:
    """The processes below one, which may end meanwhile; each thread has its own children."""
    for thread in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in thread.read_text().split():
                yield int(child)
                yield from descendants(int(child))


def words_of(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def inside(directory: pathlib.Path) -> dict[int, str]:
    """The processes that work in a directory, also in one that was removed, with their command lines."""
    found = {}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd").startswith(str(directory)):
                found[int(entry)] = words_of(int(entry))
    return {pid: words for pid, words in found.items() if words}


class Chaos:
    """A project whose stages run on a cluster, and what happens meanwhile."""

    def __init__(self, project: Project, cluster: Cluster, trace: pathlib.Path, seed: int) -> None:
        self.project = project
        self.cluster = cluster
        self.trace = trace
        self.random = random.Random(seed)
        self.said = project.root.parent / "said"
        self.done = False

    @property
    def begun(self) -> int:
        """The number of stage runs that have begun."""
        return self.trace.stat().st_size

    def disturbed(self, what: str) -> int:
        """The exit code of a run in which something happens after some stages have begun."""
        moment = self.begun + self.random.randrange(12)
        force = ["--force"] if self.done and what != "nothing" else []  # else nothing would happen any more
        with self.said.open("a") as said:
            command = subprocess.Popen(
                [PIVOT, "repro", "--executor", self.cluster.address, *force],
                cwd=self.project.root,
                env=self.cluster.env,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
            while self.begun < moment and command.poll() is None:
                time.sleep(0.001)
            time.sleep(self.random.uniform(0, 0.05))
            said.write(f"--- {what}\n")
            said.flush()
            getattr(self, what)(command)
            try:
                code = command.wait(AT_ONCE if what in ("kill_scheduler", "kill_backend") else DEADLINE)
            except subprocess.TimeoutExpired:
                command.kill()
                raise
            said.write(f"--- {code}\n")
        self.done = self.done or code == 0
        self.cluster.complete()
        return code

    def nothing(self, command: subprocess.Popen[bytes]) -> None:
        """Do nothing."""

    def kill_worker(self, command: subprocess.Popen[bytes]) -> None:
        del command
        self.cluster.end(self.random.choice(self.cluster.workers), signal.SIGKILL)
        self.cluster.complete()

    def retire_worker(self, command: subprocess.Popen[bytes]) -> None:
        del command
        self.cluster.end(self.random.choice(self.cluster.workers))
        self.cluster.complete()

    def stop_worker(self, command: subprocess.Popen[bytes]) -> None:
        """A worker is out of reach, perhaps for longer than the scheduler waits, and comes back with its answers."""
        worker = self.cluster.processes[self.random.choice(self.cluster.workers)].pid
        stopped = [worker, *(descendants(worker) if self.random.random() < 0.5 else ())]
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            if number == signal.SIGSTOP:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    command.wait(self.random.choice([0.3, 4.0]))

    def kill_below_worker(self, command: subprocess.Popen[bytes]) -> None:
        """A host or a stage is killed."""
        del command
        below = [pid for name in self.cluster.workers for pid in descendants(self.cluster.processes[name].pid)]
        if below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.random.choice(below), signal.SIGKILL)

    def kill_scheduler(self, command: subprocess.Popen[bytes]) -> None:
        del command
        self.cluster.end("scheduler", signal.SIGKILL)

    def kill_command(self, command: subprocess.Popen[bytes]) -> None:
        command.kill()

    def interrupt_command(self, command: subprocess.Popen[bytes]) -> None:
        command.send_signal(signal.SIGINT)

    def kill_backend(self, command: subprocess.Popen[bytes]) -> None:
        for pid in descendants(command.pid):
            if "cluster.backend_process" in words_of(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


CODES = {
    "kill_command": {-signal.SIGKILL},
    "interrupt_command": {130, -signal.SIGINT},  # the latter before it has begun to handle signals
    "kill_scheduler": {3},
    "kill_backend": {3},
}
"""The exit codes of commands to which something happens; 0 if they end before, 1 if stages have failed before."""
OTHERS = ("kill_worker", "retire_worker", "stop_worker", "kill_below_worker")


def check_locks(project: Project, scratch: Project) -> None:
    """Each lock that exists says the same as that of the run from scratch."""
    for lock in (project.root / ".pivot/stages").glob("*.lock"):
        assert project.lock(lock.stem) == scratch.lock(lock.stem)


def outs_in(root: pathlib.Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for each in stages():
        out = root / each["out"]
        found |= {str(file.relative_to(root)): file.read_bytes() for file in (*out.glob("*"), out) if file.is_file()}
    return found


@pytest.fixture
def where(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """The way of the bytes, and the environment that it needs."""
    way = ("remote", "shared", "s3")[request.node.callspec.params["seed"] % 3]
    if way != "s3":
        return way, {}
    request.getfixturevalue("models_are_read_once")
    return way, s3_environment(request.getfixturevalue("rclone_url"))


@pytest.fixture
def cluster(tmp_path: pathlib.Path, where: tuple[str, dict[str, str]]) -> Iterator[Cluster]:
    (tmp_path / "cluster").mkdir()
    made = Cluster(tmp_path / "cluster", where[1])
    try:
        made.complete()
        yield made
    finally:
        for process in made.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def projects(
    tmp_path: pathlib.Path, initialized: pathlib.Path, where: tuple[str, dict[str, str]]
) -> tuple[Project, Project]:
    """Two projects with the same pipeline; the bytes of the first one can get to a cluster."""
    trace = tmp_path / "trace"
    trace.touch()
    text = pipeline(trace, 0.02)
    made = Project(tmp_path / "project"), Project(tmp_path / "scratch")
    for project in made:
        shutil.copytree(initialized, project.root)
        project.write("pipeline.py", text)
        for number in range(3):
            project.write(f"data{number}.txt", str(number))
    way, env = where
    if way == "shared":
        (tmp_path / "shared").mkdir()
        made[0].pivot("config", "set", "cache.dir", str(tmp_path / "shared/cache"))
        made[0].pivot("config", "set", "executor.shared", str(tmp_path / "shared"))
    elif way == "remote":
        (tmp_path / "drive").mkdir()
        made[0].pivot("remote", "add", "team", f"file://{tmp_path / 'drive'}")
    else:
        import boto3  # lazy

        bucket = f"chaos-{uuid.uuid4()}"
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "hunter2"}
        client = boto3.client("s3", endpoint_url=env["AWS_ENDPOINT_URL"], region_name="us-east-1", **keys)
        client.create_bucket(Bucket=bucket)
        made[0].pivot("remote", "add", "team", f"s3://{bucket}/data")
    return made


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_wrong_after_kills_at_random_moments_on_a_cluster(
    projects: tuple[Project, Project],
    cluster: Cluster,
    where: tuple[str, dict[str, str]],
    tmp_path: pathlib.Path,
    seed: int,
) -> None:
    project, scratch = projects
    scratch.pivot("repro")
    chaos = Chaos(project, cluster, tmp_path / "trace", seed)
    happens = [*CODES, *OTHERS]
    chaos.random.shuffle(happens)

    for what in happens if seed else ("kill_scheduler", "kill_worker"):
        code = chaos.disturbed(what)
        assert code in {0, 1} | CODES.get(what, set())
        check_locks(project, scratch)
    for _ in range(4):
        if code == 0:
            break
        code = chaos.disturbed("nothing")

    said = chaos.said.read_text()
    assert code == 0, said
    assert "Traceback" not in said, said
    check_locks(project, scratch)
    begun = chaos.begun
    done = project.pivot("repro", "--executor", cluster.address, env=where[1])
    assert f"{STAGES} stages cached" in done.stdout + done.stderr
    assert chaos.begun == begun
    project.pivot("checkout" if where[0] == "shared" else "pull", env=where[1])
    assert outs_in(project.root) == outs_in(scratch.root)
    assert set(project.states().values()) == {"cached"}
    assert not inside(project.root)
    for name in cluster.workers:
        cluster.end(name)
    cluster.end("scheduler")
    wait_until(lambda: not inside(cluster.home), AT_ONCE)
    left = {str(file.relative_to(cluster.home)) for file in cluster.home.rglob("*") if file.is_file()}
    of_dask = {f"{name}/dask-scratch-space/{lock}.lock" for name in ("one", "two") for lock in ("purge", "global")}
    assert left == {"scheduler/log", "one/log", "two/log", *of_dask}
