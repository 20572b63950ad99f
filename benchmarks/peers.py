"""Everyday commands of Pivot beside those of DVC, Snakemake and doit, as ratios to Pivot's time.

`python benchmarks/peers.py [--rounds N] [--stages N] [--files N] [--directory DIR] [--peers DIR]`. The other tools are
installed with `uv` into an environment of their own (`--peers`, kept from run to run) in the versions below. All tools
get the same project: independent stages that each copy one file by a command of the shell, so that hardly any time is
that of the stages; and a directory of many small files. Each round makes new projects and calls the tools in turn; the
minimum of all rounds counts. A tool that has no such command, or none that promises as much, has no column:

- doit and Snakemake have no cache of results and no remote; neither hashes the content of directories.
- DVC compares directories by the times of their files once it has hashed them, as Pivot does.
- Snakemake 9 is asked with `--rerun-triggers` as by default: times, parameters, inputs, software and code.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from _processes import DISK, PIVOT, Cost, file_system, timed

VERSIONS = {"dvc": "3.67.1", "doit": "0.37.0", "snakemake": "9.27.1"}
AGAIN = 3
QUIET = {"DVC_NO_ANALYTICS": "1", "DVC_STUDIO_OFFLINE": "1"}

Command = list[str]
Prepare = Callable[[pathlib.Path, int], None]


class Question(NamedTuple):
    """One everyday situation.

    Attributes:
        name: It in a few words.
        prepare: Changes the project before each of its commands, which takes no time of theirs.
        commands: The command that is timed, by tool.
        times: How often in a row; a command that changes nothing is asked again and again in real work, too.
    """

    name: str
    prepare: Prepare
    commands: Mapping[str, Command]
    times: int = 1


def install(place: pathlib.Path) -> pathlib.Path:
    """The directory of the other tools' executables; they are installed at first."""
    programs = place / "bin"
    wanted = "".join(f"{name}=={version}\n" for name, version in VERSIONS.items())
    record = place / "peers.txt"
    if not record.exists() or record.read_text() != wanted:
        python = ["--python", str(programs / "python")]
        subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(place)], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", *python, *wanted.split()], check=True)
        subprocess.run([programs / "python", "-m", "compileall", "-q", place / "lib"], check=False)
        record.write_text(wanted)
    return programs


def write_stages(project: pathlib.Path, count: int) -> None:
    """The same stages for each of the tools, which copy `in/N.txt` to `out/N.txt`."""
    (project / "in").mkdir(parents=True)
    (project / "out").mkdir()
    for number in range(count):
        (project / "in" / f"{number}.txt").write_text(f"{number}\n")
    copies = [(f"in/{number}.txt", f"out/{number}.txt") for number in range(count)]
    pivot = [
        f"  s{number}:\n    cmd: cp {dep} {out}\n    deps: [{dep}]\n    outs: [{out}]\n"
        for number, (dep, out) in enumerate(copies)
    ]
    (project / "dvc.yaml").write_text("stages:\n" + "".join(pivot))
    (project / "pivot.yaml").write_text("pipeline: peers\nstages:\n" + "".join(pivot))
    (project / "dodo.py").write_text(
        "def task_copy():\n"
        f"    for number in range({count}):\n"
        '        dep, out = f"in/{number}.txt", f"out/{number}.txt"\n'
        '        yield {"name": str(number), "actions": [f"cp {dep} {out}"], "file_dep": [dep], "targets": [out]}\n'
    )
    (project / "Snakefile").write_text(
        f'rule all:\n    input: expand("out/{{n}}.txt", n=range({count}))\n\n'
        'rule copy:\n    input: "in/{n}.txt"\n    output: "out/{n}.txt"\n    shell: "cp {input} {output}"\n'
    )


def write_directory(project: pathlib.Path, count: int) -> None:
    """A directory with this many small files, a thousand in each of its directories."""
    for number in range(count):
        file = project / "data" / str(number // 1000) / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n" * 100)


def begin(project: pathlib.Path, programs: pathlib.Path) -> None:
    """Initialize each tool, and give it a remote."""
    dvc = str(programs / "dvc")
    remote = project.with_name(f"{project.name}-remotes")
    for name in ("pivot", "dvc"):
        (remote / name).mkdir(parents=True)
    for command in (
        ["git", "init", "--quiet"],
        [PIVOT, "init"],
        [PIVOT, "remote", "add", "origin", f"file://{remote}/pivot"],
        [dvc, "init", "--quiet"],
        [dvc, "config", "core.analytics", "false"],
        [dvc, "config", "core.check_update", "false"],
        [dvc, "remote", "add", "--quiet", "--default", "origin", str(remote / "dvc")],
    ):
        timed(command, project, QUIET)


def edit_input(project: pathlib.Path, number: int) -> None:
    (project / "in" / "0.txt").write_text(f"round {number}\n")


def edit_member(project: pathlib.Path, number: int) -> None:
    (project / "data" / "0" / "0.txt").write_text(f"round {number}\n")


def nothing(_project: pathlib.Path, _number: int) -> None:
    """Leave the project as it is."""


def questions(programs: pathlib.Path, stages: int, files: int) -> Iterator[tuple[str, list[Question]]]:
    """The situations by kind of project."""
    dvc, doit, snakemake = (str(programs / name) for name in ("dvc", "doit", "snakemake"))
    runs = {
        "pivot": [PIVOT, "repro"],
        "dvc": [dvc, "repro", "--quiet"],
        "doit": [doit, "--verbosity", "0"],
        "snakemake": [snakemake, "--cores", "2", "--quiet", "all"],
    }
    reports = {
        "pivot": [PIVOT, "status"],
        "dvc": [dvc, "status"],
        "doit": [doit, "list", "--all", "--status"],
        "snakemake": [snakemake, "--dry-run", "--quiet", "all"],
    }
    pushes = {"pivot": [PIVOT, "push"], "dvc": [dvc, "push"]}
    yield (
        "stages",
        [
            Question(f"{stages} stages, a first run", nothing, runs),
            Question(f"{stages} stages, nothing to do", nothing, runs, AGAIN),
            Question(f"{stages} stages, status", nothing, reports, AGAIN),
            Question(f"{stages} stages, one input edited", edit_input, runs),
            Question("first push", nothing, pushes),
            Question("push, nothing to push", nothing, pushes, AGAIN),
        ],
    )
    added = {"pivot": [PIVOT, "track", "data"], "dvc": [dvc, "add", "--quiet", "data"]}
    looks = {"pivot": [PIVOT, "status"], "dvc": [dvc, "status"]}
    yield (
        "files",
        [
            Question(f"{files} files, tracked first", nothing, added),
            Question(f"{files} files, status, nothing changed", nothing, looks, AGAIN),
            Question(f"{files} files, tracked again, one edited", edit_member, added),
            Question("first push", nothing, pushes),
            Question("push, nothing to push", nothing, pushes, AGAIN),
        ],
    )


type Costs = dict[str, dict[str, list[Cost]]]
"""By question and tool, the cost of each round."""


def measure(
    kind: str, asked: list[Question], place: pathlib.Path, programs: pathlib.Path, given: argparse.Namespace
) -> Costs:
    costs: Costs = {}
    for number in range(given.rounds):
        projects = {}
        for tool in asked[0].commands:
            project = projects[tool] = place / f"{kind}-{number}-{tool}"
            project.mkdir()
            if kind == "stages":
                write_stages(project, given.stages)
            else:
                write_directory(project, given.files)
            begin(project, programs)
        os.sync()
        for question in asked:
            order = list(question.commands.items())
            for tool, command in order[number % len(order) :] + order[: number % len(order)]:
                question.prepare(projects[tool], number)
                taken = [timed(command, projects[tool], QUIET) for _ in range(question.times)]
                costs.setdefault(question.name, {}).setdefault(tool, []).extend(taken)
    return costs


def report(costs: Costs, bare: float) -> None:
    """Print a table: the time of each tool as a multiple of Pivot's, and Pivot's as one of a bare interpreter's."""
    tools = list(VERSIONS)
    print(f"| situation | pivot, in starts of Python | {' | '.join(f'{tool} / pivot' for tool in tools)} |")
    print(f"|---|---|{'---|' * len(tools)}")
    for name, by_tool in costs.items():
        best = {tool: min(cost.clock for cost in taken) for tool, taken in by_tool.items()}
        own = best["pivot"]
        cells = [f"{best[tool] / own:.1f}" if tool in best else "" for tool in tools]
        print(f"| {name} | {own / bare:.1f} | {' | '.join(cells)} |")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stages", type=int, default=100)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--directory", default=DISK, help="where projects are made; by default on a disk")
    parser.add_argument("--peers", type=pathlib.Path, help="the environment of the other tools")
    given = parser.parse_args()
    if shutil.which("uv") is None:
        sys.exit("uv, which installs the other tools, is not on the PATH")
    programs = install((given.peers or pathlib.Path(DISK) / "pivot-benchmark-peers").resolve())
    bare = min(timed([sys.executable, "-I", "-c", "pass"]).clock for _ in range(20))
    versions = ", ".join(f"{name} {version}" for name, version in VERSIONS.items())
    print(f"{versions}; {file_system(given.directory)}; best of {given.rounds}")
    for kind, asked in questions(programs, given.stages, given.files):
        with tempfile.TemporaryDirectory(dir=given.directory) as directory:
            report(measure(kind, asked, pathlib.Path(directory), programs, given), bare)


if __name__ == "__main__":
    main()
