"""A project of many pipelines: what it costs to load, list and draw it, as ratios to a bare interpreter.

`python benchmarks/families.py [--pipelines N] [--stages N] [--rounds N] [--kind python|yaml|both]`. Each pipeline is a
chain of stages, each with a function, a helper and a parameter of its own, and begins with what the one before it ends
with, as in a project that grew. `--keep DIR` leaves the project there, for a profiler.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile

from _processes import PIVOT, milliseconds

ANEW = "PIVOT_SNAPSHOT"
"""With no snapshots, each command imports all that it needs."""
BARE = "python -I -c pass"
COMMANDS = {
    BARE: [sys.executable, "-I", "-c", "pass"],
    "import pivot": [sys.executable, "-c", "import pivot"],
    "pivot list, one pipeline": [PIVOT, "-C", "p000", "list"],
    "pivot list --all": [PIVOT, "list", "--all"],
    "pivot dag --all": [PIVOT, "dag", "--all"],
    "pivot list, in the last one": [PIVOT, "-C", "LAST", "list"],
}
COMMANDS |= {
    f"{name} (all imported)": ["env", f"{ANEW}=off", *words]
    for name, words in COMMANDS.items()
    if words[0] == PIVOT and "dag" not in words
}

HEAD = """\
from typing import Annotated

import pivot
from pivot import loaders

from shared import clean

pipeline = pivot.Pipeline("{name}")
"""
STAGE = '''

class Params{number}(pivot.StageParams):
    factor: float = {number}.5
    layers: list[int] = [1, 2]


def helper_{number}(rows: list[float], factor: float) -> list[float]:
    """Scale."""
    return [factor * clean(row) for row in rows if row is not None]


@pipeline.register
def stage_{number}(
    params: Params{number}, rows: Annotated[list, pivot.Dep("{dep}", loaders.JSON())]
) -> Annotated[list, pivot.Out("out_{number}.json", loaders.JSON())]:
    """One of many."""
    return helper_{number}(rows, params.factor)
'''
SHARED = "def clean(row):\n    return float(row)\n"
YAML_STAGE = """\
  stage_{number}:
    cmd: bash ../step.sh ${{params.factor}} {dep} > out_{number}.json
    deps: [{dep}]
    outs: [out_{number}.json]
    params: {{factor: {number}.5}}
"""


def generate(root: pathlib.Path, pipelines: int, stages: int, kind: str) -> None:
    """Write the project; ``both`` makes every second pipeline a ``pivot.yaml``."""
    (root / "shared.py").write_text(SHARED)
    (root / "step.sh").write_text("cat $2\n")
    (root / "rows.json").write_text("[1, 2, 3]")
    before = "../rows.json"
    for index in range(pipelines):
        directory = root / f"p{index:03}"
        directory.mkdir()
        declared = kind == "yaml" or (kind == "both" and index % 2)
        name = f"pipeline_{index}"
        text = f"pipeline: {name}\nstages:\n" if declared else HEAD.format(name=name)
        for number in range(stages):
            text += (YAML_STAGE if declared else STAGE).format(number=number, dep=before)
            before = f"out_{number}.json"
        (directory / ("pivot.yaml" if declared else "pipeline.py")).write_text(text)
        before = f"../{directory.name}/{before}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Loading, listing and drawing many pipelines, as ratios.")
    parser.add_argument("--pipelines", type=int, default=50)
    parser.add_argument("--stages", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", choices=["python", "yaml", "both"], default="python")
    parser.add_argument("--keep", type=pathlib.Path)
    chosen = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        project = chosen.keep or pathlib.Path(temporary)
        project.mkdir(exist_ok=True)
        milliseconds([PIVOT, "init"], str(project))
        generate(project, chosen.pipelines, chosen.stages, chosen.kind)
        if chosen.keep is not None:
            return
        last = f"p{chosen.pipelines - 1:03}"
        commands = {name: [last if word == "LAST" else word for word in words] for name, words in COMMANDS.items()}
        for words in commands.values():
            milliseconds(words, str(project))
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(chosen.rounds):
            for name, words in commands.items():
                times[name].append(milliseconds(words, str(project)))

    bare_minimum, bare_median = min(times[BARE]), statistics.median(times[BARE])
    print(f"{chosen.pipelines} pipelines of {chosen.stages} stages ({chosen.kind})")
    print(f"{'':42}{'min':>10}{'ratio':>8}{'median':>12}{'ratio':>8}")
    for name, taken in times.items():
        minimum, median = min(taken), statistics.median(taken)
        ratios = minimum / bare_minimum, median / bare_median
        print(f"{name:42}{minimum:7.1f} ms{ratios[0]:8.1f}{median:9.1f} ms{ratios[1]:8.1f}")


if __name__ == "__main__":
    main()
