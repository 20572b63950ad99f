"""How soon a run begins under `pivot repro --watch` after a file is saved, beside what it waits for edits to settle.

`python benchmarks/watch.py [--rounds N]`. The stage notes the time at which it begins; what is printed is the time from
the end of the save to that moment, in milliseconds, and the setting `watch.debounce`, which is part of it.
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile
import time

from _processes import PIVOT, until

PIPELINE = """
import pathlib
import time
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("soon")


def stage(
    text: Annotated[str, pivot.Dep("in.txt", pivot.loaders.Text())],
) -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    return f"{time.time_ns()} {text}"


pipeline.register(stage)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds: int = parser.parse_args().rounds
    for debounce in (100, 20):
        with tempfile.TemporaryDirectory() as project:
            root = pathlib.Path(project)
            subprocess.run([PIVOT, "init"], cwd=project, check=True, capture_output=True)
            (root / "pipeline.py").write_text(PIPELINE)
            (root / "in.txt").write_text("0")
            (root / ".pivot/config.yaml").write_text(f"watch.debounce: {debounce}\n")
            command = [PIVOT, "repro", "--watch"]
            with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
                until(process, b"watching for changes")
                taken = []
                for number in range(rounds):
                    time.sleep(0.3)
                    (root / "in.txt").write_text(f"{number + 1}")
                    saved = time.time_ns()
                    until(process, b"watching for changes")
                    began, text = (root / "out.txt").read_text().split()
                    assert text == f"{number + 1}"
                    taken.append((int(began) - saved) / 1e6)
                process.terminate()
        median = statistics.median(taken)
        print(f"debounce {debounce:4} ms: min {min(taken):6.1f}  median {median:6.1f}  max {max(taken):6.1f} ms")


if __name__ == "__main__":
    main()
