"""Files in the place of an out: refused, or kept and brought back; and what some run wrote, replaced."""

import shutil
import signal
import time
from collections.abc import Callable

from harness import Project

HEAD = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")
"""
FILE = """

@pipeline.register
def make() -> Annotated[str, pivot.Out("{}", Text())]:
    return "{}"
"""
DIRECTORY = """

@pipeline.register
def make() -> Annotated[dict[str, str], pivot.DirectoryOut("{}", Text())]:
    return {{"a": "{}"}}
"""


def test_a_directory_of_the_users_is_not_replaced(make: Callable[[str], Project]) -> None:
    project = make(HEAD + DIRECTORY.format("d", "x"))
    project.write("d/mine/p1", "precious")

    told = "Output path is taken: d (it is a directory that no run has written)"
    assert told in project.pivot("status").stdout
    assert f"blocked        make  {told}" in project.pivot("repro", "-n").stdout
    assert told in project.pivot("verify", code=1).stdout
    (stage,) = project.json("status", "--json", "--explain")["stages"]
    assert (stage["action"], stage["will_run"], stage["reason"]) == ("blocked", False, told)
    for flags in ([], ["--force"]):
        done = project.pivot("repro", *flags, code=1)
        assert "hint: move it away, as in 'mv d d.mine'" in done.stderr
        assert project.read("d/mine/p1") == "precious"
    assert not (project.root / ".pivot/cache/files").exists()

    shutil.move(project.root / "d", project.root / "d.mine")
    (project.root / "d/empty").mkdir(parents=True)
    project.pivot("repro")
    assert project.read("d/a") == "x"


def test_outs_do_not_overlap_tracked_data(make: Callable[[str], Project]) -> None:
    project = make(HEAD)
    for path in ("f", "d/sub/x", "e/a"):
        project.write(path, "user's")
    project.pivot("track", "f", "d/sub/x", "e")
    before = project.snapshot()
    for out, told in (
        (FILE.format("f", "x"), "f (it is tracked data)"),
        (DIRECTORY.format("d", "x"), "d (d/sub/x in it is tracked)"),
        (FILE.format("e/out", "x"), "e/out (it is in e, which is tracked)"),
    ):
        project.write("pipeline.py", HEAD + out)
        assert f"Output path is taken: {told}" in project.pivot("status").stdout
        assert "hint: 'pivot untrack' the data" in project.pivot("repro", code=1).stderr
        assert {**project.snapshot(), "pipeline.py": None} == {**before, "pipeline.py": None}
    project.pivot("untrack", "e")
    project.pivot("repro")
    assert (project.read("e/out"), project.read("e/a")) == ("x", "user's")


def test_a_directory_that_was_tracked_is_still_the_users(make: Callable[[str], Project]) -> None:
    project = make(HEAD + DIRECTORY.format("d", "x"))
    project.write("d/mine", "precious")
    project.pivot("track", "d")
    project.pivot("untrack", "d")
    assert "a directory that no run has written" in project.pivot("repro", code=1).stderr
    project.pivot("cache", "gc", "--grace", "0")
    shutil.rmtree(project.root / "d")
    project.pivot("checkout", "--kept", "d")
    assert project.read("d/mine") == "precious"


def test_saved_files_come_back(make: Callable[[str], Project]) -> None:
    project = make(HEAD + FILE.format("out.txt", "x"))
    project.write("out.txt", "mine")
    assert "'pivot checkout --kept out.txt' brings it back" in project.pivot("repro").stderr
    project.write("out.txt", "mine too")
    project.pivot("checkout", "--force", "out.txt")
    project.pivot("cache", "gc", "--keep-since", "0", "--grace", "0")

    listed = project.pivot("checkout", "--kept").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["out.txt", "out.txt"]
    assert "pivot checkout --force" in listed[0]
    assert "pivot repro" in listed[1]
    done = project.pivot("checkout", "--kept", "out.txt", code=1)
    assert "hint: --force replaces it" in done.stderr
    project.pivot("checkout", "--kept", "out.txt", "--to", "mine.txt")
    assert project.read("mine.txt") == "mine too"
    project.pivot("checkout", "--kept", listed[1].split()[1], "--force")
    assert project.read("out.txt") == "mine"
    assert "not restored, since its current content exists nowhere else" in project.pivot("checkout", code=1).stderr
    assert "hint: 'pivot checkout --kept' lists" in project.pivot("checkout", "--kept", "nothing", code=2).stderr


def test_content_that_is_only_saved_exists_nowhere_else(make: Callable[[str], Project]) -> None:
    """Also as one of the files of a directory, under another name, and as tracked data."""
    project = make(HEAD + FILE.format("out.txt", "x") + DIRECTORY.format("d", "y").replace("make", "fill"))
    for path, text in (("out.txt", "mine"), ("t", "t"), ("data/1", "1"), ("data/2", "2")):
        project.write(path, text)
    project.pivot("track", "t", "data")
    project.pivot("repro")
    project.write("data/1", "edited")
    project.write("t", "edited too")
    project.pivot("checkout", "--force")
    project.pivot("checkout", "--kept", "t", "--force")
    project.write("data/1", "edited")
    project.write("data/3", "3")
    states = {each["path"]: each["status"] for each in project.json("status", "--json")["tracked_files"]}
    assert states == {"data": "modified", "t": "modified"}
    assert "data: not restored, since data/1, data/3 exists nowhere else" in project.pivot("checkout", code=1).stderr
    (project.root / "data/3").unlink()
    assert "data: not restored" in project.pivot("checkout", code=1).stderr

    shutil.rmtree(project.root / "d")
    (project.root / ".pivot/stages/p.fill.lock").unlink()
    project.write("d/mine", "mine")
    assert "d (it is a directory that no run has written)" in project.pivot("status").stdout
    project.pivot("repro", code=1)
    assert project.read("d/mine") == "mine"


def test_the_order_of_files_is_kept(make: Callable[[str], Project]) -> None:
    """The cache has the bytes of all of them, and nothing has the names that somebody gave them."""
    project = make(HEAD)
    for name in "abc":
        project.write(f"data/{name}", name)
    project.pivot("track", "data")
    for name, kind in (("a", "cat"), ("b", "cat"), ("c", "dog")):
        (project.root / f"data/{kind}").mkdir(exist_ok=True)
        (project.root / f"data/{name}").rename(project.root / f"data/{kind}/{name}")
    assert "'pivot checkout --kept data' brings it back" in project.pivot("checkout").stderr
    assert project.read("data/c") == "c"
    project.pivot("checkout", "--kept", "data", "--force")
    assert project.read("data/dog/c") == "c"
    assert "brings it back" in project.pivot("checkout").stderr
    project.pivot("checkout", "--kept", "data", "--force")
    project.pivot("track", "data")
    (project.root / "data/dog/c").unlink()
    assert "kept" not in project.pivot("checkout").stderr


def test_content_written_by_a_run_is_not_only_saved(make: Callable[[str], Project]) -> None:
    """Outs that were made by hand, before there was a stage that makes the same, are those of a run from then on."""
    project = make(HEAD + FILE.format("out.txt", "x"))
    project.write("out.txt", "x")
    project.pivot("repro")
    first = project.read(".pivot/stages/p.make.lock")
    project.write("pipeline.py", HEAD + FILE.format("out.txt", "y"))
    project.pivot("repro")
    second = project.read(".pivot/stages/p.make.lock")
    for lock, text in ((first, "x"), (second, "y"), (first, "x")):
        project.write(".pivot/stages/p.make.lock", lock)
        project.pivot("checkout")
        assert project.read("out.txt") == text


def test_a_modified_directory_is_kept_whole(make: Callable[[str], Project]) -> None:
    project = make(HEAD + DIRECTORY.format("d", "x"))
    project.pivot("repro")
    project.write("d/sub/mine", "precious")
    project.pivot("repro", "--force")
    assert not (project.root / "d/sub").exists()
    project.pivot("cache", "gc", "--grace", "0")
    project.pivot("checkout", "--kept", "d", "--force")
    assert project.read("d/sub/mine") == "precious"


def test_a_directory_becomes_a_file_and_back(make: Callable[[str], Project]) -> None:
    """With each way of writing: a run, a restore from the run cache, a checkout of the lock of another branch."""
    project = make(HEAD)
    kinds = {
        "file": FILE.format("o", "x"),
        "directory": DIRECTORY.format("o", "y"),
        "below": FILE.format("o/b/c", "z"),
    }
    locks = {}
    for kind, stage in kinds.items():
        project.write("pipeline.py", HEAD + stage)
        project.pivot("repro")
        locks[kind] = project.read(".pivot/stages/p.make.lock")
    where = {"file": ("o", "x"), "directory": ("o/a", "y"), "below": ("o/b/c", "z")}
    for first in kinds:
        for second in (kind for kind in kinds if kind != first):
            for command in ("repro", "checkout"):
                for kind in (first, second):
                    project.write("pipeline.py", HEAD + kinds[kind])
                    project.write(".pivot/stages/p.make.lock", locks[kind])
                    project.pivot(command)
                    path, text = where[kind]
                    assert project.read(path) == text
    project.write("pipeline.py", HEAD + kinds["file"])
    project.pivot("repro")
    project.write("o", "mine")
    project.write("pipeline.py", HEAD + kinds["below"])
    project.write(".pivot/stages/p.make.lock", locks["below"])
    assert "o: not restored" in project.pivot("checkout", code=1).stderr
    done = project.pivot("repro", code=1)
    assert "o is a file that no run has written" in done.stderr
    assert "hint: move it away, as in 'mv o o.mine'" in done.stderr
    project.pivot("checkout", "--force")
    assert project.read("o/b/c") == "z"
    project.pivot("checkout", "--kept", "o", "--to", "mine")
    assert project.read("mine") == "mine"


def test_a_stage_that_fails_puts_back_the_file_in_the_way(make: Callable[[str], Project]) -> None:
    project = make(HEAD + FILE.format("o", "x"))
    project.pivot("repro")
    failing = FILE.format("o/b/c", "y").replace(
        "    return", "    pathlib.Path('o/b/d').write_text('')\n    1 / 0\n    return"
    )
    project.write("pipeline.py", HEAD + failing)
    project.pivot("repro", code=1)
    assert project.read("o") == "x"


def test_a_directory_left_by_a_killed_run_is_not_the_users(make: Callable[[str], Project]) -> None:
    slow = "    pathlib.Path('d').mkdir()\n    pathlib.Path('d/half').write_text('1')\n    while True:\n        pass\n"
    body = DIRECTORY.format("d", "x")
    project = make(HEAD + body.replace('    return {"a"', f'{slow}    return {{"a"'))
    running = project.start("repro")
    while not (project.root / "d/half").exists():
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    project.write("pipeline.py", HEAD + body)
    assert "No previous run" in project.pivot("status").stdout
    project.pivot("repro")
    assert project.read("d/a") == "x"


def test_edits_through_a_link_to_the_cache_stay(make: Callable[[str], Project]) -> None:
    """Whatever command finds the object damaged, and puts it right or away."""
    project = make(HEAD)
    project.pivot("config", "set", "cache.checkout_mode", "symlink")
    project.write("one", "first")
    project.write("data/two", "second")
    project.pivot("track", "one", "data")
    (project.root / "one").unlink()
    shutil.rmtree(project.root / "data")
    project.pivot("checkout")
    for name in ("one", "data/two"):
        assert (project.root / name).is_symlink()
        (project.root / name).resolve().chmod(0o644)
        project.write(name, f"my {name}")

    project.write("three", "first")
    project.pivot("track", "three")  # stores the object of "one" again
    project.pivot("cache", "verify", code=1)  # moves that of "data/two" away
    for name in ("one", "data/two"):
        assert project.read(name) == f"my {name}"
        assert not (project.root / name).is_symlink()
    states = {each["path"]: each["status"] for each in project.json("status", "--json")["tracked_files"]}
    assert states == {"data": "modified", "one": "modified", "three": "clean"}


def test_files_that_cannot_be_restored_are_not_reported_as_overwritten(make: Callable[[str], Project]) -> None:
    project = make(HEAD)
    project.write("t", "first")
    project.pivot("track", "t")
    project.pivot("cache", "drop", "t")
    project.write("t", "mine")
    done = project.pivot("checkout", "--force", code=1)
    assert "overwritten" not in done.stderr
    assert "hint: 'pivot pull' fetches what a remote has\n" in done.stderr
    assert project.read("t") == "mine"
