"""The cost of a run on a cluster for the machine that commands it, per stage: processor time, memory, requests.

`python benchmarks/cluster.py [--stages N] [--workers N] [--seconds S] [--remote | --dask]
[--directory DIR]`. The stages are
chains as long as needed, one per worker, behind one stage that all of them read, and before one that reads all of their
ends. The workers only sleep; see `_simulated_cluster`. Bytes go through a shared cache, or with `--remote` through a
remote that counts requests. Two projects are measured, one with a quarter of the stages; what each further stage costs
is the difference. The pipeline has been loaded before; *again* finds nothing to do, and shows what the load and the
graph cost. Processor time is that of the processes themselves, without the processes that they start; for the process
that is connected to the cluster also without what the simulated workers do in it. With `--dask`, that process is a
client of a real Dask scheduler, which is in another process together with the workers.

Budget: 3 ms of processor time per stage, of the command and the process that is connected to the cluster together.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import NamedTuple

import _projects
import _simulated_cluster
from _processes import DISK, PIVOT, environment, file_system, timed

TICK = os.sysconf("SC_CLK_TCK")
BACKEND = "pivot_runtime.cluster.backend_process"
HERE = pathlib.Path(__file__).parent
WAYS = {"first run": [], "--force": ["--force"], "again": []}
"""The options of the runs."""

PIPELINE = """
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


def step(
    text: Annotated[str, pivot.PlaceholderDep(Text())],
) -> Annotated[str, pivot.Out("out.txt", Text())]:
    return text + "x"


def join(
    texts: Annotated[list[str], pivot.Dep({ends}, Text())],
) -> Annotated[str, pivot.Out("end.txt", Text())]:
    return "".join(texts)


pipeline.register(step, name="first", deps={{"text": "in.txt"}}, outs={{"return": "w/first.txt"}})
for chain, length in enumerate({lengths}):
    dep = "w/first.txt"
    for number in range(length):
        out = f"w/{{chain}}/{{number}}.txt"
        pipeline.register(step, name=f"c{{chain}}_{{number}}", deps={{"text": dep}}, outs={{"return": out}})
        dep = out
pipeline.register(join, name="join")
"""


class Use(NamedTuple):
    """Seconds of the processors, and the most bytes in memory."""

    seconds: float
    memory: int


class Run(NamedTuple):
    """The use of a run: by the command, by the process that is connected to the cluster, and seconds by the clock."""

    command: Use
    backend: Use
    clock: float


def make(project: pathlib.Path, stages: int, chains: int, variables: dict[str, str], remote: str) -> None:
    """A project with so many stages, which has been loaded; bytes go through ``remote``, or else a shared cache."""
    chains = min(chains, stages - 2)
    lengths = [(stages - 2) // chains + (chain < (stages - 2) % chains) for chain in range(chains)]
    ends = [f"w/{chain}/{length - 1}.txt" for chain, length in enumerate(lengths)]
    _projects.write(project, {"pipeline.py": PIPELINE.format(ends=ends, lengths=lengths), "in.txt": "text"})
    way = ["remote", "add", "team", remote] if remote else ["config", "set", "executor.shared", str(project)]
    for arguments in (["init"], way, ["list"]):
        timed([PIVOT, *arguments], project, variables)


def run(project: pathlib.Path, executor: str, variables: dict[str, str], options: list[str]) -> Run:
    """Run all stages, and look at the processes until they end."""
    command = [PIVOT, "repro", "-q", "--executor", executor, *options]
    began = time.monotonic()
    uses: dict[int, Use] = {}
    backend = None
    with subprocess.Popen(
        command, cwd=project, env=environment() | variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if backend is None:
                backend = next((child for child in children(process.pid) if BACKEND in words(child)), None)
            for pid in (process.pid, backend):
                look(pid, uses)
            time.sleep(0.02)
        clock = time.monotonic() - began
        look(process.pid, uses)
        said = process.communicate()[0]
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{said}")
    return Run(uses[process.pid], uses.get(backend or 0, Use(0.0, 0)), clock)


def look(pid: int | None, uses: dict[int, Use]) -> None:
    """Note what a process has used until now; one that has ended but was not waited for has no memory."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return
    assert pid is not None
    peak = [int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:")]
    before = uses.get(pid, Use(0.0, 0))
    uses[pid] = Use(max(before.seconds, (int(fields[11]) + int(fields[12])) / TICK), max(before.memory, *peak, 0))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    try:
        return [int(each) for each in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def words(pid: int) -> str:
    """The command line of a process."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def taken(file: pathlib.Path) -> str:
    """The content of a file that is removed; empty if there is none."""
    text = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return text


def plug_ins(directory: pathlib.Path) -> dict[str, str]:
    """The variables with which commands find the simulated executor, and the remote."""
    for package, entry in (
        ("simulated-cluster", "[pivot.executors]\nsimulated = _simulated_cluster:connect\n"),
        ("pivot-remote-obstore", "[pivot.remotes]\nfile = _simulated_cluster:connect_remote\n"),  # in place of the real
    ):
        _projects.write(
            directory / f"{package.replace('-', '_')}-0.dist-info",
            {"METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 0\n", "entry_points.txt": entry},
        )
    return {"PYTHONPATH": os.pathsep.join([str(directory), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])}


def measure(directory: pathlib.Path, count: int, given: argparse.Namespace, variables: dict[str, str]) -> list[Run]:
    """The first run of a new project, one with ``--force``, and one that finds nothing to do."""
    project = directory / f"project-{count}"
    make(project, count, given.workers, variables, f"file://{directory}" if given.remote else "")
    executor = given.executor or f"simulated://{directory}?workers={given.workers}&seconds={given.seconds}"
    runs = []
    for what, options in WAYS.items():
        found = run(project, executor, variables, options)
        simulated = float(taken(directory / _simulated_cluster.WORK) or 0)
        found = found._replace(backend=found.backend._replace(seconds=found.backend.seconds - simulated))
        runs.append(found)
        requests = taken(directory / _simulated_cluster.REQUESTS).splitlines() if given.remote else None
        line(f"{count} stages, {what}", found, count, requests)
    return runs


def line(what: str, found: Run, count: int, requests: list[str] | None) -> None:
    """Print the use of a run."""
    per_stage = [each.seconds / count * 1000 for each in (found.command, found.backend)]
    memory = [each.memory / 1e6 for each in (found.command, found.backend)]
    print(
        f"{what:24}{found.clock:10.1f}{per_stage[0]:10.2f}{per_stage[1]:10.2f}{sum(per_stage):10.2f}"
        f"{memory[0]:10.1f}{memory[1]:10.1f}{'' if requests is None else f'{len(requests):10}'}",
        flush=True,
    )


def more(what: str, many: Run, few: Run, stages: int) -> None:
    """Print the cost of each further stage."""
    parts = [(many.command, few.command), (many.backend, few.backend)]
    seconds = [(large.seconds - small.seconds) / stages * 1000 for large, small in parts]
    memory = [(large.memory - small.memory) / stages / 1000 for large, small in parts]
    print(f"{what:34}{seconds[0]:10.2f}{seconds[1]:10.2f}{sum(seconds):10.2f}{memory[0]:7.1f} kB{memory[1]:7.1f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--stages", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each stage (default: %(default)s)")
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--remote", action="store_true", help="bytes go through a remote, which counts requests")
    way.add_argument("--dask", action="store_true", help="a real scheduler, in a process with the workers")
    parser.add_argument("--directory", default=DISK, help="where the projects are made (default: %(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as name, contextlib.ExitStack() as stack:
        directory = pathlib.Path(name)
        variables = plug_ins(directory)
        cluster = stack.enter_context(sleeping(given.workers, given.seconds)) if given.dask else None
        given.executor = None if cluster is None else cluster.address
        kind = "of Dask" if given.dask else "simulated"
        print(f"{given.workers} workers ({kind}), {file_system(directory)}, {os.process_cpu_count()} processors")
        heads = ("s", "command", "backend", "ms/stage", "MB", "MB", *(["requests"] if given.remote else []))
        print(f"{'':24}{''.join(f'{head:>10}' for head in heads)}")
        found = []
        for count in (given.stages // 4, given.stages):
            found.append(measure(directory, count, given, variables))
            if cluster is not None:
                print(f"{'':24}the scheduler and its workers: {cluster.state()}")
        few, many = found
        print("each further stage")
        for what, large, small in zip(WAYS, many, few, strict=True):
            more(f"  {what}", large, small, given.stages - given.stages // 4)


class DaskCluster(NamedTuple):
    """A process with a scheduler and its workers."""

    process: "subprocess.Popen[str]"
    address: str

    def state(self) -> str:
        """Its tasks and memory."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        return f"{said['tasks']} tasks left, {said['memory'] / 1e6:.0f} MB at most"


@contextlib.contextmanager
def sleeping(workers: int, seconds: float) -> Iterator[DaskCluster]:
    """A Dask cluster whose workers sleep, while the block lasts."""
    command = [sys.executable, str(HERE / "_sleeping_workers.py"), str(workers), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            sys.exit("the scheduler did not start")
        yield DaskCluster(process, f"dask://{address.removeprefix('tcp://')}")


if __name__ == "__main__":
    main()
