"""The cache at work on one large file and on many small ones, as ratios to what the system's own tools need.

`python benchmarks/cache.py [--size MIB] [--files N] [--rounds N] [--directory DIR]`. Each round works in directories of
its own and removes nothing before the end: a file system may look long for what was freed a moment ago. The minimum of
all rounds counts. "cold" means that Pivot knows nothing; the files themselves are in the system's memory in all cases.

Budgets: a large out, cold: 1.2 times `cp` and a hash; a directory that has not changed: twice a walk with stat.
"""

import argparse
import functools
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Callable

import xxhash

from pivot_cache import CheckoutMode, ObjectStore, StatCache
from pivot_cache.objects.ingest import ingest

MIB = 1 << 20
SMALL = 300  # bytes in a small file
PER_DIRECTORY = 100


class Times:
    """The shortest time of each thing that was measured."""

    def __init__(self) -> None:
        self.best: dict[str, float] = {}

    def measure[T](self, name: str, work: Callable[[], T]) -> T:
        began = time.perf_counter()
        result = work()
        elapsed = time.perf_counter() - began
        self.best[name] = min(elapsed, self.best.get(name, elapsed))
        return result

    def show(self, name: str, against: str, *, budget: float | None = None) -> None:
        ratio = self.best[name] / self.best[against]
        told = "" if budget is None else f"   budget {budget:.1f}"
        print(f"  {name:<34} {self.best[name] * 1000:>9.1f} ms  {ratio:>7.2f} x {against}{told}")


def command(*arguments: str | pathlib.Path) -> None:
    subprocess.run(arguments, check=True)


def hash_all(path: pathlib.Path) -> str:
    state = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        while block := file.read(MIB):
            state.update(block)
    return state.hexdigest()


def walk(root: pathlib.Path) -> int:
    found = 0
    todo = [str(root)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                else:
                    entry.stat()
                    found += 1
    return found


def large(place: pathlib.Path, size: int, times: Times) -> None:
    place.mkdir()
    source = place / "source"
    block = os.urandom(MIB)
    with source.open("wb") as file:
        for number in range(size):
            file.write(number.to_bytes(4) + block[4:])
    store = ObjectStore(place / "cache" / "files")

    def copy_and_hash() -> None:
        command("cp", source, place / "copy")
        hash_all(place / "copy")

    def store_it() -> None:
        with StatCache(place / "stat.sqlite") as files:
            ingest(source, store, files)

    def store_with_sha256() -> None:
        with StatCache(place / "sha256-stat.sqlite") as files:
            ingest(
                source,
                ObjectStore(place / "sha256" / "files", with_sha256=True),
                files,
                sha256_file=place / "sha256.sqlite",
            )

    def look() -> None:
        with StatCache(place / "stat.sqlite") as files:
            files.artifact(source)

    times.measure("cp + xxh3", copy_and_hash)
    times.measure("cold", store_it)
    times.measure("cold, with SHA-256", store_with_sha256)
    with StatCache(place / "stat.sqlite") as files:
        artifact = files.artifact(source)
    assert artifact is not None
    times.measure("no-op", look)
    times.measure("restore", lambda: store.restore(artifact, place / "restored"))


def many(place: pathlib.Path, count: int, times: Times) -> None:
    source = place / "source"
    for number in range(count):
        path = source / f"{number // PER_DIRECTORY}" / f"file-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SMALL))
    time.sleep(0.05)  # so that every file has settled
    store = ObjectStore(place / "cache" / "files")

    def store_it() -> None:
        with StatCache(place / "stat.sqlite") as files:
            ingest(source, store, files)

    def look() -> None:
        with StatCache(place / "stat.sqlite") as files:
            files.artifact(source)

    times.measure("cp -r", lambda: command("cp", "-r", source, place / "copy"))
    times.measure("cold", store_it)
    with StatCache(place / "stat.sqlite") as files:
        artifact = files.artifact(source)
    assert artifact is not None
    for _ in range(5):
        times.measure("walk with stat", lambda: walk(source))
        times.measure("no-op", look)
    for mode in CheckoutMode:
        times.measure(f"restore, {mode.value}", functools.partial(store.restore, artifact, place / mode.value, mode))
    (source / "0" / "file-0").write_bytes(b"changed")
    time.sleep(0.05)
    times.measure("one changed, looked at", look)
    (source / "0" / "file-1").write_bytes(b"changed too")
    time.sleep(0.05)
    times.measure("one changed, stored", store_it)
    with StatCache(place / "stat.sqlite") as files:
        times.measure("one changed, restored", lambda: store.restore(artifact, source, known=files.tree))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="of the large file, in MiB")
    parser.add_argument("--files", type=int, default=10_000, help="in the directory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=pathlib.Path, help="where to work; by default that of temporary files")
    options = parser.parse_args()
    one, all_ = Times(), Times()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        place = pathlib.Path(directory)
        for number in range(options.rounds):
            large(place / f"large{number}", options.size, one)
            many(place / f"many{number}", options.files, all_)
    print(f"one file of {options.size} MiB")
    one.show("cold", "cp + xxh3", budget=1.2)
    one.show("cold, with SHA-256", "cp + xxh3", budget=1.2)
    one.show("restore", "cp + xxh3", budget=1.2)
    one.show("no-op", "cp + xxh3")
    print(f"{options.files} files of {SMALL} bytes")
    all_.show("no-op", "walk with stat", budget=2)
    all_.show("one changed, looked at", "walk with stat")
    all_.show("one changed, stored", "walk with stat")
    all_.show("one changed, restored", "walk with stat")
    all_.show("cold", "cp -r")
    for mode in CheckoutMode:
        all_.show(f"restore, {mode.value}", "cp -r")


if __name__ == "__main__":
    main()
