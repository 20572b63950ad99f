"""The cost of finding nothing to do, as ratios to a bare interpreter, beside the floor.

`python benchmarks/nothing.py [--rounds N] [--stages 2 10 100 500 2000] [--files 10000]`. The floor is a script that
only reads one file and asks for the status of as many files as the command looks at. `repro` and `status` are repeated;
`snapshot` decides again, as after a file was touched; `import` imports everything again.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

from _processes import PIVOT, milliseconds

PIPELINE = """
import pathlib
import time
from typing import Annotated

import pivot

time.sleep({heavy})  # what importing pandas or torch takes
pipeline = pivot.Pipeline("many")


def stage(number):
    def work(
        text: Annotated[str, pivot.Dep(f"in/{{number}}.txt", pivot.loaders.Text())],
    ) -> Annotated[str, pivot.Out(f"out/{{number}}.txt", pivot.loaders.Text())]:
        return text.upper()

    return work


for number in range({stages}):
    pipeline.register(stage(number), name=f"s{{number}}")
"""

DIRECTORY = """
import pathlib
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("files")


def count(
    data: Annotated[pathlib.Path, pivot.Dep("data", pivot.loaders.PathOnly())],
) -> Annotated[str, pivot.Out("count.txt", pivot.loaders.Text())]:
    return str(len(list(data.iterdir())))


pipeline.register(count)
"""

FLOOR = """
import os, sys
paths = open(sys.argv[1]).read().split("\\0")
for path in paths:
    os.stat(path)
"""

BARE = [sys.executable, "-I", "-c", "pass"]


def measure(project: str, label: str, paths: list[str], rounds: int) -> None:
    """Print a line of ratios of medians for one project that is up to date."""
    listed = pathlib.Path(project, ".floor")
    listed.write_text("\0".join(paths))
    time.sleep(0.1)
    commands = {
        "bare": BARE,
        "floor": [sys.executable, "-I", "-c", FLOOR, str(listed)],
        "repro": [PIVOT, "repro"],
        "status": [PIVOT, "status"],
        "snapshot": [PIVOT, "repro", "--jsonl"],
        "import": [PIVOT, "repro", "--no-snapshot"],
    }
    for command in commands.values():
        for _ in range(3):
            milliseconds(command, project)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(milliseconds(command, project))
    bare = statistics.median(times["bare"])
    ratios = "".join(f"{statistics.median(times[name]) / bare:10.2f}" for name in list(commands)[1:])
    print(f"{label:36}{bare:7.1f} ms{ratios}", flush=True)


def many(stages: int, heavy: float, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as project:
        root = pathlib.Path(project)
        milliseconds([PIVOT, "init"], project)
        (root / "pipeline.py").write_text(PIPELINE.format(stages=stages, heavy=heavy))
        (root / "in").mkdir()
        for number in range(stages):
            (root / f"in/{number}.txt").write_text(f"text {number}")
        milliseconds([PIVOT, "repro"], project)
        paths = [
            str(root / name)
            for number in range(stages)
            for name in (f"in/{number}.txt", f"out/{number}.txt", f".pivot/stages/many.s{number}.lock")
        ]
        label = f"{stages} stages{f', {heavy:g} s to import' if heavy else ''}"
        measure(project, label, paths, rounds)


def directory(files: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as project:
        root = pathlib.Path(project)
        milliseconds([PIVOT, "init"], project)
        (root / "pipeline.py").write_text(DIRECTORY)
        (root / "data").mkdir()
        for number in range(files):
            (root / f"data/{number}").write_text(f"text {number}")
        milliseconds([PIVOT, "repro"], project)
        measure(project, f"a directory of {files} files", [str(each) for each in (root / "data").iterdir()], rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--stages", type=int, nargs="*", default=[2, 10, 100, 500, 2000])
    parser.add_argument("--files", type=int, default=10_000)
    given = parser.parse_args()
    print(f"{'':36}{'bare':>10}{'floor':>10}{'repro':>10}{'status':>10}{'snapshot':>10}{'import':>10}")
    for stages in given.stages:
        many(stages, 0, given.rounds)
    many(2, 1, given.rounds)
    directory(given.files, given.rounds)


if __name__ == "__main__":
    main()
