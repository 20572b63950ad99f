"""The cost of real work: first runs, edits and heavy imports, beside a plain script, doit, and the least it can cost.

`python benchmarks/running.py [--rounds N] [--library SECONDS] [--directory DIR] [--only CELL ...]`. The plain script
calls the same functions and knows nothing of what changed; doit isolates nothing and does not find the code that a task
depends on. Each round makes new projects and runs the three in turn; the minimum of all rounds counts, since other work
on the machine only adds to it. Processor time is that of all processes together, and counts work side by side twice.

The *floor* is what no way to run stages in processes of their own can save: importing the pipeline in a new
interpreter, and for each stage that runs a fork and wait of that process, and a copy and a hash of its out.

Budgets per tiny stage: 3 times a fork and wait. Libraries of `LIBRARIES` that are not installed are replaced by modules
that compute for `--library` seconds while they are imported.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import _projects
from _processes import DISK, PIVOT, Cost, environment, file_system, timed, until

DOIT = pathlib.Path(sys.executable).with_name("doit")
WAYS = {"plain": [sys.executable, "plain.py"], "doit": [str(DOIT)], "pivot": [PIVOT, "repro"]}
LONG, SHORT = 500, 100
FUNCTIONS = 20
FORKS = str(pathlib.Path(__file__).with_name("_forks.py"))


class Shape(NamedTuple):
    """A project: its files, how many of its stages run at first, and an edit after which some run again."""

    files: dict[str, str]
    stages: int
    edit: dict[str, str] | None = None
    edit_stages: int = 0
    edit_name: str = ""


SHAPES = {
    "chain of 10": Shape(_projects.chain(10), 10, _projects.edited_chain(10), 1, "one edit"),
    f"chain of {SHORT}": Shape(_projects.chain(SHORT), SHORT),
    f"chain of {LONG}": Shape(_projects.chain(LONG), LONG, _projects.edited_chain(LONG), 1, "one helper edited"),
    "fan-out 1-200-1": Shape(_projects.fan(200), 201),
    "300 modules, 100 stages": Shape(
        _projects.modules(300, FUNCTIONS, 100), 100, _projects.edited_modules(FUNCTIONS), 2, "one edit"
    ),
}

type Costs = dict[str, list[Cost]]
"""By way, the cost of each round."""


def least(costs: list[Cost]) -> Cost:
    return Cost(min(cost.clock for cost in costs), min(cost.used for cost in costs))


def ways() -> dict[str, list[str]]:
    return {name: command for name, command in WAYS.items() if name != "doit" or DOIT.exists()}


def runs(shape: Shape, directory: pathlib.Path, cold: Costs, edited: Costs) -> pathlib.Path:
    """Run a project once in each way; none is deleted meanwhile, which would make new files slow."""
    project = directory
    for way, command in ways().items():
        project = pathlib.Path(tempfile.mkdtemp(dir=directory))
        _projects.write(project, shape.files)
        timed([PIVOT, "init"], project)
        cold.setdefault(way, []).append(timed(command, project))
        if shape.edit is not None:
            _projects.write(project, shape.edit)
            edited.setdefault(way, []).append(timed(command, project))
    return project


class Floor(NamedTuple):
    """Seconds that the work cannot do without."""

    imported: float
    fork: Cost
    stored: float

    def of(self, stages: int) -> float:
        return self.imported + stages * (self.fork.clock + self.stored)


def floor(project: pathlib.Path, rounds: int) -> Floor:
    imported = min(timed([sys.executable, "-c", "import pipeline"], project).clock for _ in range(rounds))
    done = subprocess.run([sys.executable, FORKS], cwd=project, capture_output=True, text=True, check=True)
    fork = Cost(*map(float, done.stdout.split()))
    return Floor(imported, fork, copy_and_hash(project))


def copy_and_hash(project: pathlib.Path) -> float:
    """Seconds to copy and to hash one small file, as the system's calls allow it."""
    import xxhash  # lazy

    count, best = 100, 1.0
    for number in range(3):
        directory = project / f"copies{number}"
        directory.mkdir()
        began = time.perf_counter()
        for each in range(count):
            with (project / "w/0").open("rb") as source, (directory / str(each)).open("wb") as copy:
                content = source.read()
                xxhash.xxh3_128_hexdigest(content)
                copy.write(content)
        best = min(best, (time.perf_counter() - began) / count)
    return best


def line(what: str, plain: float, doit: float | None, pivot: Cost, least_possible: float | None = None) -> None:
    def ratio(other: float | None) -> str:
        return f"{pivot.clock / other:7.1f}x" if other else f"{'-':>8}"

    figures = "".join(f"{f'{each * 1000:.0f}' if each else '-':>8}" for each in (plain, doit, *pivot, least_possible))
    print(f"{what:42}{figures}{ratio(plain)}{ratio(doit)}{ratio(least_possible)}", flush=True)


def heading() -> None:
    names = ("plain", "doit", "pivot", "CPU", "floor", "/plain", "/doit", "/floor")
    print(f"\n{'milliseconds':42}{''.join(f'{name:>8}' for name in names)}")


def tiny_stages(directory: pathlib.Path, rounds: int, shapes: Mapping[str, Shape]) -> None:
    costs: dict[str, tuple[Costs, Costs]] = {name: ({}, {}) for name in shapes}
    last: dict[str, pathlib.Path] = {}
    for _ in range(rounds):
        for name, shape in shapes.items():
            last[name] = runs(shape, directory, *costs[name])
    floors = {name: floor(project, rounds) for name, project in last.items()}
    for name, shape in shapes.items():
        for what, stages, taken in (("cold", shape.stages, 0), (shape.edit_name, shape.edit_stages, 1)):
            if what:
                best = {way: least(of) for way, of in costs[name][taken].items()}
                doit = best["doit"].clock if "doit" in best else None
                line(f"{name}, {what}", best["plain"].clock, doit, best["pivot"], floors[name].of(stages))
    print("\nfloor, in milliseconds: a new interpreter imports the pipeline; each stage: fork and wait, copy and hash")
    for name, found in floors.items():
        figures = (found.imported, found.fork.clock, found.stored)
        print(f"  {name:40}" + "".join(f"{each * 1000:8.2f}" for each in figures))
    chains = [f"chain of {count}" for count in (SHORT, LONG)]
    if all(name in shapes for name in chains):
        few, many = ({way: least(of) for way, of in costs[name][0].items()} for name in chains)
        print(
            "\neach further tiny stage beyond the plain script, as multiples of fork and wait of its host (budget 3):"
        )
        for index, what in enumerate(("by the clock", "processors")):
            more = [many[way][index] - few[way][index] for way in ("pivot", "plain")]
            own, fork = (more[0] - more[1]) / (LONG - SHORT), floors[chains[1]].fork[index]
            print(f"  {what:14}{own * 1000:6.2f} ms / {fork * 1000:.2f} ms = {own / fork:.1f}")


def texts_of_help(rounds: int) -> None:
    commands = {"plain": [sys.executable, "-I", "-c", "pass"], "pivot": [PIVOT, "--help"]}
    if DOIT.exists():
        commands["doit"] = [str(DOIT), "help"]
    costs: Costs = {}
    for _ in range(max(5 * rounds, 10)):
        for way, command in commands.items():
            costs.setdefault(way, []).append(timed(command))
    best = {way: least(of) for way, of in costs.items()}
    line(
        "--help (plain: python -I -c pass)",
        best["plain"].clock,
        best["doit"].clock if DOIT.exists() else None,
        best["pivot"],
    )


@contextlib.contextmanager
def heavy_libraries(directory: pathlib.Path, seconds: float) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """The modules that a project imports, by library, and the environment in which they are found."""
    stand_ins = directory / "site-packages"
    imports = {}
    for name in _projects.LIBRARIES:
        if importlib.util.find_spec(name) is not None:
            imports[name] = name
            continue
        imports[name] = f"made_{name}"
        _projects.write(stand_ins, {f"made_{name}.py": f"sum(each * each for each in range({additions(seconds)}))\n"})
    yield imports, {"PYTHONPATH": str(stand_ins)}


def additions(seconds: float) -> int:
    """How many additions take so long on this machine."""
    count, best = 1_000_000, 10.0
    for _ in range(3):
        began = time.perf_counter()
        sum(each * each for each in range(count))
        best = min(best, time.perf_counter() - began)
    return int(count * seconds / best)


def to_first_stage(command: list[str], project: pathlib.Path, variables: Mapping[str, str]) -> Cost:
    """Seconds until the first of the stages begins; those of the processors are not all known when the command ends."""
    began = time.time_ns()
    timed(command, project, variables)
    return Cost((first_stage(project) - began) / 1e9, 0)


def first_stage(project: pathlib.Path) -> int:
    """The time at which the first stage began, which all of them note, after the same edit."""
    said = [(project / name).read_text().split() for name in ("out.txt", "sub/out.txt")]
    assert said[0][1] == said[1][1]
    return min(int(time) for time, *_ in said)


def heavy_imports(directory: pathlib.Path, rounds: int, seconds: float) -> None:
    with heavy_libraries(directory, seconds) as (imports, variables):
        print(f"\nheavy imports: {', '.join(imports.values())}; plain: to the first step, in a new interpreter", end="")
        heading()
        costs: Costs = {}
        projects = {}
        for way in ("plain", "pivot", "warm"):
            projects[way] = directory / f"heavy-{way}"
            _projects.write(projects[way], _projects.heavy(imports))
            timed([PIVOT, "init"], projects[way])
        timed([PIVOT, "config", "set", "warm", "on"], projects["warm"])
        for number in range(rounds + 1):
            for way, project in projects.items():
                _projects.write(project, _projects.heavy(imports, edit=number))
                command = WAYS["plain"] if way == "plain" else [*WAYS["pivot"], "--all"]
                measured = to_first_stage if way != "warm" else timed
                cost = measured(command, project, variables)
                if way == "warm":
                    until_warm(project)
                if number:  # the first run is no edit
                    costs.setdefault(way, []).append(cost)
        timed([PIVOT, "warm", "stop"], projects["warm"])
        best = {way: least(of) for way, of in costs.items()}
        alone = min(
            timed([sys.executable, "-c", f"import {', '.join(imports.values())}"], directory, variables).clock
            for _ in range(rounds)
        )
        plain = best["plain"].clock
        line("one edit, two pipelines: to the first stage", plain, None, best["pivot"], alone)
        soon = watched(projects["pivot"], imports, variables, rounds)
        line("under --watch: from saving to the stage", plain, None, soon)
        line("with warm: on: the whole command", plain, None, Cost(best["warm"].clock, 0))


def until_warm(project: pathlib.Path) -> None:
    """Wait, as the user does between two commands, until the process for the next one has imported the libraries."""
    state, end = "starting", time.monotonic() + 60
    while state == "starting" and time.monotonic() < end:
        time.sleep(0.1)
        done = subprocess.run([PIVOT, "warm", "status", "--json"], cwd=project, check=True, capture_output=True)
        state = json.loads(done.stdout)["state"]
    if state != "waiting":
        print(f"no process waits for the next command: {done.stdout.decode()}")


def watched(project: pathlib.Path, imports: Mapping[str, str], variables: Mapping[str, str], rounds: int) -> Cost:
    """The median time from saving an edit to the stage, and no processors'."""
    taken = []
    own = environment() | dict(variables)
    with subprocess.Popen(
        [*WAYS["pivot"], "--all", "--watch"], cwd=project, env=own, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        until(process, b"watching for changes")
        for number in range(rounds + 1):
            _projects.write(project, _projects.heavy(imports, edit=1000 + number))
            saved = time.time_ns()
            until(process, b"watching for changes")
            taken.append((first_stage(project) - saved) / 1e9)
        process.terminate()
    return Cost(statistics.median(taken[1:]), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--library", type=float, default=1.0, metavar="SECONDS", help="of one that is replaced")
    parser.add_argument("--directory", default=DISK, help="where the projects are made (default: %(default)s)")
    parser.add_argument("--only", nargs="*", choices=[*SHAPES, "help", "heavy"], help="some cells only")
    given = parser.parse_args()
    wanted = given.only or [*SHAPES, "help", "heavy"]
    with tempfile.TemporaryDirectory(dir=given.directory) as name:
        directory = pathlib.Path(name)
        where = f"{file_system(directory)}, {os.process_cpu_count()} processors"
        print(f"{where}; the minimum of {given.rounds} rounds, the median under --watch", end="")
        if not DOIT.exists():
            print("\ndoit is not installed, and its columns are empty: `uv sync --group bench` installs it", end="")
        heading()
        if "help" in wanted:
            texts_of_help(given.rounds)
        if shapes := {name: shape for name, shape in SHAPES.items() if name in wanted}:
            tiny_stages(directory, given.rounds, shapes)
        if "heavy" in wanted:
            heavy_imports(directory, given.rounds, given.library)


if __name__ == "__main__":
    main()
