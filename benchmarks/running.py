"""The cost of running tiny stages, as ratios to a plain script that calls the same functions, and to fork + wait.

`python benchmarks/running.py [--rounds N] [--stages N]`. Chains with one job, a fan-out with one and with all. The
budget: at most 3 times a bare fork + wait of the process that runs the stages, per stage beyond what the function
itself takes. Each figure is the best of some rounds; the cost per stage is that of the stages which the longer chain
has more than the shorter one, so that starting up is not in it. The time of the processors, of all processes together,
says more than the clock where other work goes on; processes that work side by side count twice there.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from _processes import environment

PIPELINE = """
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


def step(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[str, pivot.Out("out.txt", Text())]:
    return text + "x"


def spread(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[str, pivot.Out("out.txt", Text())]:
    return text + "y"


KIND, COUNT = open("shape.txt").read().split()
for number in range(int(COUNT)):
    if KIND == "chain":
        pipeline.register(step, variant=str(number), deps={"text": f"w/{number}"}, outs={"return": f"w/{number + 1}"})
    else:
        pipeline.register(spread, variant=str(number), deps={"text": "w/0"}, outs={"return": f"w/{number + 1}"})
"""

PLAIN = """
import pathlib
import pipeline

kind, count = open("shape.txt").read().split()
for number in range(int(count)):
    text = pathlib.Path(f"w/{number if kind == 'chain' else 0}").read_text()
    pathlib.Path(f"w/{number + 1}").write_text((pipeline.step if kind == "chain" else pipeline.spread)(text))
"""

# The process that forks the stages, as far as its memory is concerned.
FORKS = """
import os, pathlib, sys, time
from pivot_runtime.definitions import source_import
from pivot_runtime.host.load import load

root = pathlib.Path.cwd()
answer, imported = load(root, root / "pipeline.py", [], source_import.user_code_predicate())
assert answer["event"] == "loaded"
best = used = 1.0
for _ in range(10):
    began, before = time.perf_counter(), os.times()
    for _ in range(50):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    best = min(best, (time.perf_counter() - began) / 50)
    used = min(used, (sum(os.times()[:4]) - sum(before[:4])) / 50)
print(best * 1000, used * 1000)
"""

PIVOT = str(pathlib.Path(sys.executable).with_name("pivot"))


def timed(command: list[str], project: pathlib.Path) -> tuple[float, float]:
    """Seconds by the clock and of the processors of one process, which must succeed, with all that it starts."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, check=False)
    taken, after = time.perf_counter() - start, os.times()
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return taken, used


def fresh(directory: pathlib.Path, kind: str, count: int) -> pathlib.Path:
    """A new project in which nothing has run; none is deleted meanwhile, which would make new files slow."""
    project = pathlib.Path(tempfile.mkdtemp(dir=directory))
    (project / "pipeline.py").write_text(PIPELINE)
    (project / "plain.py").write_text(PLAIN)
    (project / "shape.txt").write_text(f"{kind} {count}")
    (project / "w").mkdir()
    (project / "w/0").write_text("text")
    timed([PIVOT, "init"], project)
    return project


def best(command: list[str], directory: pathlib.Path, kind: str, count: int, rounds: int) -> tuple[float, float]:
    """The shortest times of some cold runs."""
    taken = [timed(command, fresh(directory, kind, count)) for _ in range(rounds)]
    return min(clock for clock, _ in taken), min(used for _, used in taken)


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of running tiny stages.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stages", type=int, default=500, help="stages of the longer chain")
    parser.add_argument(
        "--directory", help="where the projects are made; in memory, as /dev/shm is, no disk is measured"
    )
    given = parser.parse_args()

    with tempfile.TemporaryDirectory(dir=given.directory) as name:
        directory = pathlib.Path(name)
        one = [PIVOT, "repro", "-j", "1"]
        shapes = [("chain", 100, one), ("chain", given.stages, one), ("fan", 200, one), ("fan", 200, [PIVOT, "repro"])]
        marginal: list[tuple[float, float]] = []
        print(f"{'':40}{'plain':>10}{'pivot':>10}{'ratio':>8}{'processors':>14}")
        for kind, count, command in shapes:
            plain = best([sys.executable, "plain.py"], directory, kind, count, given.rounds)
            taken = best(command, directory, kind, count, given.rounds)
            what = f"{kind} of {count}, {' '.join(command[1:])}"
            clock = f"{plain[0] * 1000:7.0f} ms{taken[0] * 1000:7.0f} ms{taken[0] / plain[0]:8.1f}"
            print(f"{what:40}{clock}{taken[1] * 1000:11.0f} ms")
            if kind == "chain":
                marginal.append((taken[0] - plain[0], taken[1] - plain[1]))
        project = fresh(directory, "chain", given.stages)
        done = subprocess.run([sys.executable, "-c", FORKS], cwd=project, capture_output=True, text=True, check=True)
        few, many = marginal
        print("\nper tiny stage, as multiples of fork + wait of its host (budget 3):")
        for what, index in (("by the clock", 0), ("processors", 1)):
            own = (many[index] - few[index]) / (given.stages - 100) * 1000
            fork = float(done.stdout.split()[index])
            print(f"  {what:14}{own:6.2f} ms / {fork:.2f} ms = {own / fork:.1f}")


if __name__ == "__main__":
    main()
