"""How many modules of Pivot a command runs through, and how often it passes from one to another.

`python benchmarks/crossings.py [--pairs N] [COMMAND ...]`, by default `repro` and `status` of two stages that are up to
date, without the answer that an earlier command kept. A *crossing* is a call of a function in another module; an
*arrow* is a pair of modules with at least one crossing. The bodies of modules and of classes do not count.
"""

import argparse
import contextlib
import inspect
import io
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from types import FrameType

from _processes import environment, milliseconds

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples/quickstart"
PIVOT = str(pathlib.Path(sys.executable).with_name("pivot"))
MEASURE = "--measure-here"


def module_of(frame: FrameType | None) -> str:
    """The module of ours whose function the frame runs; empty for anything else."""
    if frame is None or not frame.f_code.co_flags & inspect.CO_NEWLOCALS:
        return ""
    name = str(frame.f_globals.get("__name__", ""))
    return name if name.partition("_")[0].partition(".")[0] == "pivot" else ""


def measure(command: list[str]) -> tuple[set[str], Counter[tuple[str, str]]]:
    """Run one command in this process: the modules that it called, and the crossings."""
    called: set[str] = set()
    crossings: Counter[tuple[str, str]] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        module = module_of(frame) if event == "call" else ""
        if not module:
            return
        called.add(module)
        caller = frame.f_back
        while caller is not None and not str(caller.f_globals.get("__name__", "")).startswith("pivot"):
            caller = caller.f_back
        origin = module_of(caller)
        if origin and origin != module:
            crossings[origin, module] += 1

    from pivot_cli.main import main as pivot  # lazy: the command imports it as the executable does

    sys.argv = ["pivot", *command]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        sys.setprofile(note)
        try:
            pivot()
        except SystemExit as end:
            if end.code:
                raise
        finally:
            sys.setprofile(None)
    return called, crossings


def main() -> None:
    parser = argparse.ArgumentParser(description="Modules and crossings of commands that find nothing to do.")
    parser.add_argument("--pairs", type=int, default=0, help="show this many of the busiest pairs of modules")
    parser.add_argument(MEASURE, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="*")
    given = parser.parse_args()
    if given.measure_here:
        called, crossings = measure(given.command)
        counts = f"{len(called):4} modules{len(crossings):5} arrows{crossings.total():6} crossings"
        print(f"pivot {' '.join(given.command):20}{counts}")
        for (origin, module), times in crossings.most_common(given.pairs):
            print(f"{times:6}  {origin} -> {module}")
        return

    for command in [given.command] if given.command else [["repro"], ["status"]]:
        with tempfile.TemporaryDirectory() as directory:
            project = pathlib.Path(directory, "project")
            shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".pivot", "__pycache__"))
            milliseconds([PIVOT, "init"], project)
            milliseconds([PIVOT, "repro"], project)
            time.sleep(2.5)  # until time stamps are old enough to be believed
            words = [sys.executable, __file__, MEASURE, f"--pairs={given.pairs}", *command]
            milliseconds(words, project)  # imports the pipeline, since this interpreter has another path
            for answers in [*project.glob(".pivot/state.db/noop_cache*")]:
                shutil.rmtree(answers) if answers.is_dir() else answers.unlink()
            subprocess.run(words, cwd=project, check=True, env=environment())


if __name__ == "__main__":
    main()
