"""The cost of observing a stage that does nothing but call functions, as a ratio to the same stage unobserved.

`python benchmarks/observation.py [--calls N] [--rounds N]`. Each time is a fresh process, as each run of a stage is;
both kinds take turns. It fails where the minimum is more than 5 % above the plain one.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

FUNCTIONS = 400
LIMIT = 1.05
STAGE = """
import importlib

modules = [importlib.import_module(f"mod{{n}}") for n in range({modules})]


class Node:
    def __init__(self, value):
        self.value = value

    def next(self):
        return step(self.value)


def step(value):
    return value + 1


def count(n):
    for i in range(n):
        yield i


def stage(calls):
    for module in modules:
        module.first(1)
    node = Node(0)
    for i in count(calls // 6):
        node.value = node.next() - step(i) + step(0) + i
    return sorted(range(calls // 6), key=lambda each: -each)[0]
"""

CHILD = """
import json, sys, time
root, observed, calls = sys.argv[1], sys.argv[2] == "observed", int(sys.argv[3])
sys.path.insert(0, root)
from pipeline import stage
from pivot_fingerprint import Observer
observer = Observer(root=root)
start = time.perf_counter()
if observed:
    with observer:
        stage(calls)
else:
    stage(calls)
seconds = time.perf_counter() - start
print(json.dumps([seconds, len(observer.observed.ran)]))
"""


def write(root: pathlib.Path, modules: int = 10) -> None:
    (root / "pipeline.py").write_text(STAGE.format(modules=modules))
    for number in range(modules):
        chain = "\n".join(
            f"def f{n}(x):\n    return f{n + 1}(x) if x < {n} + 100 else x\n" for n in range(FUNCTIONS // modules)
        )
        last = f"def f{FUNCTIONS // modules}(x):\n    return x\n"
        (root / f"mod{number}.py").write_text(f"def first(x):\n    return f0(x)\n\n{chain}\n{last}")


def measure(root: pathlib.Path, kind: str, calls: int) -> tuple[float, int]:
    command = [sys.executable, "-c", CHILD, os.fspath(root), kind, str(calls)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, seen = json.loads(done.stdout)
    return seconds, seen


def main() -> None:
    parser = argparse.ArgumentParser(description="What observing costs a stage of many calls, as a ratio.")
    parser.add_argument("--calls", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()

    times: dict[str, list[float]] = {"plain": [], "observed": []}
    seen = 0
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory).resolve()
        write(root)
        for turn in range(options.rounds):
            for kind in ("plain", "observed") if turn % 2 else ("observed", "plain"):
                seconds, found = measure(root, kind, options.calls)
                times[kind].append(seconds)
                seen = max(seen, found)

    print(f"{options.calls:,} calls, {seen} functions seen")
    ratios = {}
    for name, take in (("min", min), ("median", statistics.median)):
        plain, observed = take(times["plain"]), take(times["observed"])
        ratios[name] = observed / plain
        print(f"{name:8}{plain:8.3f} s plain{observed:8.3f} s observed    ratio {ratios[name]:.3f}")
    if ratios["min"] > LIMIT:
        sys.exit(f"more than {LIMIT - 1:.0%}")


if __name__ == "__main__":
    main()
