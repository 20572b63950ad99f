"""Fingerprints of a large project, as ratios to parsing its files.

`python benchmarks/fingerprint.py [--rounds N] [--modules N] [--stages N]`. The project has 300 modules of 20 functions
and 100 stages that reach 200 functions each. Each round is a process of its own that imports everything first. Cold, no
file has been read, parsed or looked at before; with a memo, an earlier process has kept what the files' texts give.
The budget is one second on one core.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

FUNCTIONS = 20
REACHED = 10  # modules per stage

MODULE = '''
"""Module {number} of the benchmark."""

import math
from dataclasses import dataclass

from shared import TOLERANCE, clip

LIMIT = {number}
WEIGHTS = {{"a": 0.5, "b": 1.5, "c": [{number}, 2, 3]}}


@dataclass(frozen=True)
class Row:
    """One row."""

    name: str
    value: float = 0.0

    def scaled(self, by: float) -> float:
        return self.value * by

'''

FUNCTION = '''
def step_{n}(values: list[float], *, scale: float = 1.0) -> list[float]:
    """Step {n}: keeps what is large and hands it on."""
    kept = [clip(value * scale) for value in values if abs(value) > TOLERANCE]
    total = math.fsum(kept) / max(len(kept), {n}) + LIMIT
    if total > WEIGHTS["b"]:
        kept.append(Row("step {n}", total).scaled(scale))
    return {call}
'''

SHARED = """
TOLERANCE = 1e-9


def clip(value, low=-1e9, high=1e9):
    return min(max(value, low), high)
"""

CHILD = """
import ast, gc, importlib, json, pathlib, pickle, sys, time
sys.path.insert(0, sys.argv[1])
pipeline = importlib.import_module("pipeline")
from pivot_fingerprint import Fingerprinter, fingerprint
stages = [getattr(pipeline, f"stage_{n}") for n in range(int(sys.argv[2]))]

def milliseconds(task):
    start = time.perf_counter()
    result = task()
    return (time.perf_counter() - start) * 1000, result

def all_of(session):
    with session:
        return [session.fingerprint(stage) for stage in stages]

class Memo(dict):
    def put(self, key, content):
        self[key] = content

kept = pathlib.Path(sys.argv[1], "memo")
if sys.argv[3] == "memo":
    memo = Memo(pickle.loads(kept.read_bytes()))
    remembered, manifests = milliseconds(lambda: all_of(Fingerprinter(root=sys.argv[1], memo=memo)))
    print(json.dumps({"memo": remembered, "bytes": sum(map(len, memo.values()))}))
    sys.exit()

session = Fingerprinter(root=sys.argv[1])
cold, manifests = milliseconds(lambda: all_of(session))
known, _ = milliseconds(lambda: all_of(session))
parsed, _ = milliseconds(lambda: all_of(Fingerprinter(root=sys.argv[1])))
one, _ = milliseconds(lambda: fingerprint(stages[0], root=sys.argv[1]))
memo = Memo()
all_of(Fingerprinter(root=sys.argv[1], memo=memo))
kept.write_bytes(pickle.dumps(dict(memo)))
files = [m.__file__ for m in sys.modules.values() if str(getattr(m, "__file__", "")).startswith(sys.argv[1])]
gc.disable()
parsing, _ = milliseconds(lambda: [ast.parse(open(file, "rb").read()) for file in files])
reached = min(sum(key.startswith("func:") for key in manifest) for manifest in manifests)
print(json.dumps({"parsing": parsing, "cold": cold, "parsed": parsed, "known": known, "one": one, "reached": reached}))
"""

ROWS = {
    "parsing": "ast.parse of all files",
    "cold": "all manifests, cold",
    "memo": "all manifests, with memo",
    "parsed": "all manifests, files parsed",
    "known": "all manifests again",
    "one": "one manifest, files parsed",
}


def write(project: pathlib.Path, modules: int, stages: int) -> None:
    """The project: each module's first function reaches all others of the module, each stage ten modules."""
    (project / "shared.py").write_text(SHARED)
    for number in range(modules):
        calls = [f"step_{n + 1}(kept, scale=scale)" for n in range(FUNCTIONS - 1)]
        functions = [FUNCTION.format(n=n, call=call) for n, call in enumerate([*calls, "kept"])]
        (project / f"work_{number}.py").write_text(MODULE.format(number=number) + "\n".join(functions))
    lines = [f"import work_{number}" for number in range(modules)]
    for stage in range(stages):
        first = stage * modules // stages
        used = [(first + offset) % modules for offset in range(REACHED)]
        lines.append(f"\n\ndef stage_{stage}(values):")
        lines += [f"    values = work_{number}.step_0(values)" for number in used]
        lines.append("    return values")
    (project / "pipeline.py").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Fingerprints of a large project, as ratios to parsing its files.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--modules", type=int, default=300)
    parser.add_argument("--stages", type=int, default=100)
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as directory:
        project = pathlib.Path(directory).resolve()
        write(project, arguments.modules, arguments.stages)
        command = [sys.executable, "-c", CHILD, str(project), str(arguments.stages)]
        rounds: list[dict[str, float]] = []
        for _ in range(arguments.rounds + 1):  # the first one writes the byte code
            measured: dict[str, float] = {}
            for kind in ("cold", "memo"):
                done = subprocess.run([*command, kind], capture_output=True, text=True, check=True)
                measured |= json.loads(done.stdout)
            rounds.append(measured)
        del rounds[0]

    print(
        f"{arguments.modules} modules, {arguments.stages} stages of {rounds[0]['reached']:.0f} functions and more",
        end=", ",
    )
    print(f"a memo of {rounds[0]['bytes'] / 1e6:.1f} MB")
    print(f"{'':30}{'min':>10}{'ratio':>8}{'median':>12}{'ratio':>8}")
    parsing = [each["parsing"] for each in rounds]
    for name, title in ROWS.items():
        taken = [each[name] for each in rounds]
        minimum, median = min(taken), statistics.median(taken)
        ratios = minimum / min(parsing), median / statistics.median(parsing)
        print(f"{title:30}{minimum:7.1f} ms{ratios[0]:8.1f}{median:9.1f} ms{ratios[1]:8.1f}")


if __name__ == "__main__":
    main()
