"""The cost of waiting for the disk: runs with `cache.fsync` as `kept` and as `all`, and what is always flushed.

`python benchmarks/durable.py [--rounds N] [--files N] [--size MIB] [--directory DIR]`. The directory
decides which disk is waited for.
"""

import argparse
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

from _processes import DISK, PIVOT, milliseconds

STAGES = """
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("many")


def stage(number):
    def work() -> Annotated[str, pivot.Out(f"out/{{number}}.txt", pivot.loaders.Text())]:
        return str(number) * 500

    return work


for number in range({stages}):
    pipeline.register(stage(number), name=f"s{{number}}")
"""

DIRECTORY = """
import os
import pathlib
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("files")


def work() -> Annotated[pathlib.Path, pivot.DirectoryOut("data")]:
    place = pathlib.Path("data")
    place.mkdir(exist_ok=True)
    for number in range({files}):
        (place / str(number)).write_bytes(os.urandom({size}))
    return place


pipeline.register(work)
"""


def project(directory: str, text: str, setting: str) -> pathlib.Path:
    """A project that has not run yet."""
    root = pathlib.Path(tempfile.mkdtemp(dir=directory))
    milliseconds([PIVOT, "init"], str(root))
    (root / "pipeline.py").write_text(text)
    (root / ".pivot/config.yaml").write_text(f"cache.fsync: {setting}\n")
    return root


def of_a_run(directory: str, text: str, setting: str) -> float:
    """How long a first run takes, with nothing of another one left to be written."""
    root = project(directory, text, setting)
    os.sync()
    return milliseconds([PIVOT, "repro"], str(root))


def of_tracking(directory: str, files: int, size: int) -> float:
    """How long it takes to take data in."""
    root = project(directory, "", "kept")
    (root / "data").mkdir()
    for number in range(files):
        (root / f"data/{number}").write_bytes(os.urandom(size))
    os.sync()
    return milliseconds([PIVOT, "track", "data"], str(root))


def of_writing(directory: str, *, flushed: bool) -> float:
    """How long a small file takes."""
    from pivot_cache.files import atomic  # lazy

    root = pathlib.Path(tempfile.mkdtemp(dir=directory))
    atomic.write_bytes(root / "first", b"x", durable=True)
    began = time.perf_counter()
    for number in range(20):
        atomic.write_bytes(root / str(number), b"x" * 500, durable=flushed)
    return (time.perf_counter() - began) / 20 * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=2000, help="small files of a directory")
    parser.add_argument("--size", type=int, default=256, metavar="MIB", help="of the large file")
    parser.add_argument("--directory", default=DISK)
    given = parser.parse_args()

    def median(measure: Callable[[], float]) -> float:
        return statistics.median(measure() for _ in range(given.rounds))

    with tempfile.TemporaryDirectory(dir=given.directory) as directory:
        for flushed in (False, True):
            took = median(lambda flushed=flushed: of_writing(directory, flushed=flushed))  # type: ignore[misc]
            print(f"a small file, {'flushed' if flushed else 'not flushed':30}{took:10.2f} ms", flush=True)
        for label, text in (
            ("1 stage", STAGES.format(stages=1)),
            ("100 stages", STAGES.format(stages=100)),
            (f"a directory of {given.files} x 16 KiB", DIRECTORY.format(files=given.files, size=16 << 10)),
            (f"{given.size} MiB", DIRECTORY.format(files=1, size=given.size << 20)),
        ):
            kept, everything = (
                median(lambda setting=setting: of_a_run(directory, text, setting))  # type: ignore[misc]  # noqa: B023
                for setting in ("kept", "all")
            )
            print(f"run: {label:38}{kept:10.0f} ms kept{everything:10.0f} ms all", flush=True)
        for label, files, size in (
            ("1 x 500 B", 1, 500),
            (f"{given.files} x 16 KiB", given.files, 16 << 10),
            (f"{given.size} MiB", 1, given.size << 20),
        ):
            took = median(lambda files=files, size=size: of_tracking(directory, files, size))  # type: ignore[misc]
            print(f"track: {label:36}{took:10.0f} ms", flush=True)


if __name__ == "__main__":
    main()
