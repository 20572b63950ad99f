"""Data that are tracked are seen by every command from then on, or `track` says why not."""

import os
import pathlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.errors import ArtifactError
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.artifacts import records, track
from pivot_runtime.artifacts.checkout import restore
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.artifacts.tracked import TrackedState, states
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import TargetError
from pivot_runtime.git import gitignore


def git(root: pathlib.Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True).stdout


def write(context: CommandContext, path: str, text: str = "") -> pathlib.Path:
    file = context.project.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def state(context: CommandContext) -> dict[str, TrackedState]:
    with open_stores(context) as stores:
        return {each.path: each.state for each in states(context, stores, records.read_tracked(context))}


NAMES = [
    "plain",
    " before",
    "after ",
    "two after  ",
    "#hash",
    "!bang",
    "st*r",
    "wh?t",
    "[abc]",
    "[",
    "]",
    "back\\slash",
    "\\*",
    "end\\",
    "-x",
    "--force",
    ".hidden",
    "q'uo\"te",
    "tail.",
    "ünï",
    "line\u2028separator",
    "next\x85line",
    "$HOME",
    "~",
    "a.pvt.csv",
    "n" * 251,
]


def test_names_are_ignored_by_git_and_nothing_else_is(context: CommandContext) -> None:
    git(context.project.root, "init", "-q")
    for name in NAMES:
        write(context, name)
        write(context, f"other/{name}")
    before = set(os.listdir(context.project.root))
    paths = [f"./{name}" for name in NAMES]
    track.track(context, paths)

    ignored = (
        git(context.project.root, "ls-files", "-z", "--others", "--ignored", "--exclude-standard").decode().split("\0")
    )
    assert {each for each in ignored if not each.startswith(".pivot/")} == {*NAMES, ""}
    assert state(context) == dict.fromkeys(NAMES, TrackedState.CLEAN)
    for name in NAMES:
        (context.project.root / name).unlink()
    assert set(restore(context).paths) == set(NAMES)
    assert set(track.untrack(context, paths)) == set(NAMES)
    assert set(os.listdir(context.project.root)) == before


@given(name=st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_a_line_is_found_again_whatever_is_around_it(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    directory = tmp_path_factory.mktemp("ignoring")
    file = directory / ".gitignore"
    file.write_bytes("*.o\r\n\x0c\n/ä\u2028b\nlast".encode())

    assert gitignore.add(directory, name)
    assert not gitignore.add(directory, name)
    assert gitignore.remove(directory, name)
    assert file.read_bytes() == "*.o\r\n\x0c\n/ä\u2028b\nlast\n".encode()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("new\nline", "control character"),
        ("carriage\r", "control character"),
        ("\x1b[31m", "control character"),
        ("dir\nectory/x", "control character"),
        ("n" * 252, "too long"),
        ("ü" * 126, "too long"),
        (".data/x", ".data is left out of searches"),
        ("a/.b/c/x", "a/.b is left out of searches"),
        ("node_modules/x", "node_modules is left out of searches"),
        ("a/__pycache__/x", "a/__pycache__ is left out of searches"),
        ("env/lib/x", "env is a virtual environment"),
        (".pvt", "represents data"),
        ("pivot.yaml", "Pivot works from"),
        ("sub/pipeline.py", "Pivot works from"),
        ("params.yaml", "Pivot works from"),
        (".pivotignore", "Pivot works from"),
        (".gitignore", "git works from"),
        ("sub/.gitattributes", "git works from"),
        (".gitmodules", "git works from"),
        (".git", "git works from"),
        (".GIT/x", "is in .GIT/"),
        ("sub/.git/x", "is in .git/"),
        ("sub/.pivot/x", "is in .pivot/"),
        (".pivot/config.yaml", "belongs to Pivot"),
    ],
)
def test_paths_that_no_search_finds_or_that_are_not_data_are_refused(
    context: CommandContext, path: str, told: str
) -> None:
    write(context, "env/pyvenv.cfg")
    write(context, path)
    before = sorted(context.project.root.rglob("*"))

    with pytest.raises(TargetError, match=r".") as caught:
        track.track(context, [path])

    assert told in str(caught.value)
    assert caught.value.hint
    assert sorted(context.project.root.rglob("*")) == before or set(context.project.root.rglob("*")) - set(before) <= {
        context.project.root / ".pivot/state.db",
        context.project.root / ".pivot/state.db/run.guard",
    }


@pytest.mark.parametrize("directory", [".data", "node_modules", "__pycache__", "env"])
def test_the_way_out_is_to_track_the_directory(context: CommandContext, directory: str) -> None:
    write(context, f"{directory}/x")
    track.track(context, [directory])

    assert state(context) == {directory: TrackedState.CLEAN}


@pytest.mark.parametrize("inner", [".git/HEAD", "a/.git", "a/.pivot/x", "a/pipeline.py", "pivot.yaml"])
def test_a_directory_that_contains_other_things_than_data_is_refused(context: CommandContext, inner: str) -> None:
    write(context, f"d/{inner}")
    with pytest.raises(TargetError, match="in it is not data"):
        track.track(context, ["d"])


def test_a_pipeline_outside_all_searches_is_data(context: CommandContext) -> None:
    write(context, "d/a/pipeline.py")
    write(context, ".pivotignore", "/d/a/\n")
    write(context, "d/.b/pipeline.py")
    write(context, "d/names with\nnewlines \\*")
    track.track(context, ["d"])

    assert state(context) == {"d": TrackedState.CLEAN}


def test_data_in_ignored_directories_are_found(context: CommandContext) -> None:
    """`.pivotignore` says what is not watched; it does not say what is not tracked."""
    write(context, ".pivotignore", "ignored/\n")
    write(context, "ignored/x")
    track.track(context, ["ignored/x"])

    assert state(context) == {"ignored/x": TrackedState.CLEAN}


# links


@pytest.fixture
def outside(context: CommandContext, tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "outside/d").mkdir(parents=True)
    (tmp_path / "outside/d/x").write_text("x")
    write(context, "inside/x")
    return tmp_path / "outside"


@pytest.mark.parametrize(
    ("to", "name", "told", "hint"),
    [
        ("../outside", "l/d", "l is a symbolic link", "track l as a whole"),
        ("inside", "l/x", "l is a symbolic link", "name its real path: inside/x"),
        ("inside", "l", "another place in the project", "inside"),
        ("inside/x", "l", "another place in the project", "inside/x"),
        ("nowhere", "l", "leads nowhere", "create its target"),
        (".", "l", "which contains the project", "the data themselves"),
        ("/", "l", "which contains the project", "the data themselves"),
        (".pivot", "l", "another place in the project", ""),
        ("l", "l", "leads nowhere", ""),
    ],
)
def test_links_that_lead_astray_are_refused(
    context: CommandContext, outside: pathlib.Path, to: str, name: str, told: str, hint: str
) -> None:
    (context.project.root / "l").symlink_to(to)
    with pytest.raises(TargetError) as caught:
        track.track(context, [name])

    assert told in str(caught.value)
    assert hint in (caught.value.hint or "")
    assert not list(context.project.root.rglob("*.pvt"))
    assert outside.is_dir()


def test_a_link_out_of_the_project_is_followed(context: CommandContext, outside: pathlib.Path) -> None:
    (context.project.root / "l").symlink_to(outside / "d")
    track.track(context, ["l"])
    assert state(context) == {"l": TrackedState.CLEAN}
    (outside / "d/x").write_text("y!")
    assert state(context) == {"l": TrackedState.MODIFIED}


# what changes meanwhile


class Writer:
    """Lets somebody write at the moment when data are stored."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, write: object) -> None:
        real = Stores.ingest

        def ingest(stores: Stores, file: pathlib.Path, **options: Any) -> object:
            artifact = real(stores, file, **options)
            write()  # type: ignore[operator]
            return artifact

        monkeypatch.setattr(Stores, "ingest", ingest)


@pytest.fixture
def _unchanged(context: CommandContext) -> Iterator[None]:
    yield
    assert not list(context.project.root.rglob("*.pvt"))
    assert not (context.project.root / ".gitignore").exists()


@pytest.mark.usefixtures("_unchanged")
@pytest.mark.parametrize(
    "change", ["append", "same size", "replace", "add", "remove"], ids=lambda each: each.replace(" ", "-")
)
@pytest.mark.parametrize("path", ["d", "d/x"])
def test_data_that_change_while_being_stored_are_not_recorded(
    context: CommandContext, path: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(context, "d/x", "abc")
    write(context, "e", "other")

    def meddle() -> None:
        match change:
            case "append":
                with file.open("a") as opened_file:
                    opened_file.write("d")
            case "same size":
                status = file.stat()
                file.write_text("xyz")
                os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
            case "replace":
                write(context, "new", "abc").rename(file)
            case "add" if path == "d":
                write(context, "d/y")
            case _:
                file.unlink(missing_ok=True)

    Writer(monkeypatch, meddle)
    with pytest.raises(ArtifactError, match=r"while it was being stored|cannot be read"):
        track.track(context, [path, "e"])


def test_code_of_a_stage_is_not_data(context: CommandContext, monkeypatch: pytest.MonkeyPatch) -> None:
    write(context, "lib/helper.py")
    monkeypatch.setattr(records, "code_files", lambda _: {"lib/helper.py": "p.stage"})
    told = {"lib": "lib contains code: lib/helper.py, of p.stage", "lib/helper.py": "lib/helper.py is code of p.stage"}
    for path, text in told.items():
        with pytest.raises(TargetError, match=f"^{re.escape(text)}$"):
            track.track(context, [path])


@given(
    parts=st.lists(
        st.sampled_from(["a", "b.pvt", ".h", "node_modules", "v", "__pycache__", "l"]), min_size=1, max_size=4
    )
)
def test_accepted_data_are_found(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    """The walk and the check agree on every path."""
    root = tmp_path_factory.mktemp("walk")
    directory = root.joinpath(*parts)
    directory.mkdir(parents=True)
    for at in (directory, *directory.parents):
        if at == root:
            break
        if at.name == "v":
            (at / "pyvenv.cfg").touch()
    (directory / "x.pvt").touch()
    path = ArtifactPath("/".join([*parts, "x"]))

    found = directory / "x.pvt" in set(records.find_pvt_files(root, lambda _: None))
    assert found == (records.unsearched(root, path) is None)
