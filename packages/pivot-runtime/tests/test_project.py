"""`pivot init` and where a command works."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.discovery import find_pipeline
from pivot_core.errors import DiscoveryError, PathError, PivotError
from pivot_runtime.freshness import noop_cache
from pivot_runtime.project.project import Initialized, Project, find_root_without_links, init

CREATED = (".pivot/", ".pivot/stages/", ".pivot/.gitignore", ".pivotignore")


def contents(directory: pathlib.Path) -> dict[str, bytes]:
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}


def test_init_creates_its_files(tmp_path: pathlib.Path) -> None:
    assert init(tmp_path) == Initialized(CREATED, outer=None)
    assert {"/cache/", "/state.db/"} <= set((tmp_path / ".pivot/.gitignore").read_text().splitlines())
    assert ".git/" in (tmp_path / ".pivotignore").read_text()


def test_again_it_makes_nothing(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    before = contents(tmp_path)

    assert init(tmp_path) == Initialized((), outer=None)
    assert contents(tmp_path) == before


def test_existing_files_stay(tmp_path: pathlib.Path) -> None:
    (tmp_path / ".pivotignore").write_text("mine\n")
    (tmp_path / ".pivot").mkdir()
    (tmp_path / ".pivot/.gitignore").write_text("/mine/\n")

    assert init(tmp_path).created == (".pivot/stages/",)
    assert contents(tmp_path) == {".pivotignore": b"mine\n", ".pivot/.gitignore": b"/mine/\n"}


def test_inside_another_project_the_outer_root_is_reported(tmp_path: pathlib.Path) -> None:
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    init(tmp_path)

    assert init(inner) == Initialized(CREATED, outer=tmp_path)
    assert Project.find(inner).root == tmp_path


@pytest.mark.parametrize("way", [".pivot", ".pivot/stages"])
def test_a_file_is_in_the_way(tmp_path: pathlib.Path, way: str) -> None:
    (tmp_path / way).parent.mkdir(exist_ok=True)
    (tmp_path / way).write_text("mine")
    with pytest.raises(PivotError, match="cannot create a project in") as caught:
        init(tmp_path)

    assert way in str(caught.value)
    assert caught.value.hint
    assert (tmp_path / way).read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(PivotError, match="cannot create a project in"):
        init(tmp_path)


def test_a_directory_where_a_file_should_be(tmp_path: pathlib.Path) -> None:
    """It exists, so it stays; nothing is raised that is not ours."""
    (tmp_path / ".pivotignore").mkdir()
    init(tmp_path)

    assert (tmp_path / ".pivotignore").is_dir()


def test_the_project_around_a_directory(tmp_path: pathlib.Path) -> None:
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    init(tmp_path)
    (tmp_path / "pipeline.py").touch()
    project = Project.find(deep)

    assert (project.root, project.cwd) == (tmp_path, deep)
    assert find_pipeline(deep, tmp_path) == tmp_path / "pipeline.py"
    (tmp_path / "a/pipeline.py").touch()
    assert find_pipeline(deep, tmp_path) == tmp_path / "a/pipeline.py"
    assert project.layout.root == tmp_path


def test_no_project(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DiscoveryError, match=r"no \.pivot/"):
        Project.find(tmp_path)


def test_no_pipeline(tmp_path: pathlib.Path) -> None:
    init(tmp_path)
    with pytest.raises(DiscoveryError, match=r"no pipeline\.py"):
        find_pipeline(tmp_path, tmp_path)


def test_projects_below_are_reported_when_they_become_part_of_a_new_one(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    init(tmp_path / "a" / "b")
    assert init(tmp_path).inner == (tmp_path / "a" / "b",)
    assert init(tmp_path).inner == ()


def test_a_path_through_a_link_to_the_project_or_into_it_is_in_the_project(tmp_path: pathlib.Path) -> None:
    root = (tmp_path / "root").resolve()
    (root / "sub").mkdir(parents=True)
    (root / "out").symlink_to("/nowhere")
    init(root)
    (tmp_path / "link").symlink_to(root)
    (tmp_path / "inside").symlink_to(root / "sub")
    project = Project.find(root)
    assert project.path(str(tmp_path / "link")) == ""
    assert project.path(f"{tmp_path}/link/sub/x") == "sub/x"
    assert project.path(f"{tmp_path}/inside/x") == "sub/x"
    assert project.path(f"{tmp_path}/inside") == "sub"
    assert project.path(f"{tmp_path}/link/out") == "out"
    with pytest.raises(PathError):
        project.path(f"{tmp_path}/elsewhere")


def make_linked_cache(place: pathlib.Path) -> None:
    place.mkdir()
    (place / "cache").symlink_to("..")


MARKERS: dict[str, Callable[[pathlib.Path], object]] = {
    "nothing": lambda _: None,
    "a directory": lambda place: place.mkdir(),
    "one with a linked cache": make_linked_cache,
    "a file": lambda place: place.touch(),
    "a link to a directory": lambda place: place.symlink_to("."),
    "a dangling link": lambda place: place.symlink_to("nowhere"),
    "a link to itself": lambda place: place.symlink_to(".pivot"),
}


@given(st.lists(st.sampled_from(sorted(MARKERS)), min_size=1, max_size=4))
def test_kept_answers_are_of_the_project_that_a_command_finds(markers: list[str]) -> None:
    """A command is answered without the import of `find_root`, so the two must agree wherever a command starts."""
    with tempfile.TemporaryDirectory() as top:
        directory = pathlib.Path(top)
        for marker in markers:
            directory /= "inner"
            directory.mkdir()
            MARKERS[marker](directory / ".pivot")
        with contextlib.chdir(directory):
            found, answered = [], []
            with contextlib.suppress(PivotError):
                found.append(str(find_root_without_links(directory)))
            with contextlib.suppress(FileNotFoundError):
                answered.append(noop_cache._root())

    assert answered == found
