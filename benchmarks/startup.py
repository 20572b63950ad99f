"""Whole-process times of short commands, as ratios to a bare interpreter.

`python benchmarks/startup.py [--rounds N]`. Each round runs every command once, so that a slow moment of the machine
hits all of them; the minimum says what a command costs, the median what a user waits.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile

from _processes import PIVOT, milliseconds

PIPELINE = """
import json
import pathlib
from typing import Annotated, TypedDict

import pivot

pipeline = pivot.Pipeline("startup")


class Clean(TypedDict):
    clean: Annotated[pathlib.Path, pivot.Out("clean.json", pivot.loaders.PathOnly())]


def preprocess(raw: Annotated[dict, pivot.Dep("data.json", pivot.loaders.JSON())]) -> Clean:
    out_path = pathlib.Path("clean.json")
    out_path.write_text(json.dumps([row for row in raw["records"] if all(row.values())]))
    return Clean(clean=out_path)


class Summary(TypedDict):
    summary: Annotated[dict, pivot.Out("summary.json", pivot.loaders.JSON())]


def summarize(records: Annotated[list, pivot.Dep("clean.json", pivot.loaders.JSON())]) -> Summary:
    return Summary(summary={"count": len(records)})


pipeline.register(preprocess)
pipeline.register(summarize)
"""

DATA = '{"records": [{"name": "Alice", "value": 100}, {"name": "Charlie", "value": null}]}'

BARE = "python -I -c pass"
COMMANDS = {
    BARE: [sys.executable, "-I", "-c", "pass"],
    "import pivot": [sys.executable, "-c", "import pivot"],
    "pivot --version": [PIVOT, "--version"],
    "pivot status": [PIVOT, "status"],
    "pivot repro (nothing to do)": [PIVOT, "repro"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Whole-process times, as ratios to a bare interpreter.")
    parser.add_argument("--rounds", type=int, default=20)
    rounds: int = parser.parse_args().rounds

    with tempfile.TemporaryDirectory() as project:
        pathlib.Path(project, "pipeline.py").write_text(PIPELINE)
        pathlib.Path(project, "data.json").write_text(DATA)
        for setup in (["init"], ["repro"], ["repro"], ["status"]):
            milliseconds([PIVOT, *setup], project)

        times: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, command in COMMANDS.items():
                times[name].append(milliseconds(command, project))

    bare_minimum, bare_median = min(times[BARE]), statistics.median(times[BARE])
    print(f"{'':30}{'min':>10}{'ratio':>8}{'median':>12}{'ratio':>8}")
    for name, taken in times.items():
        minimum, median = min(taken), statistics.median(taken)
        ratios = minimum / bare_minimum, median / bare_median
        print(f"{name:30}{minimum:7.1f} ms{ratios[0]:8.1f}{median:9.1f} ms{ratios[1]:8.1f}")


if __name__ == "__main__":
    main()
