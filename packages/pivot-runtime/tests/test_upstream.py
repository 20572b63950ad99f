"""The search for the pipelines that others depend on, with files that a test loads itself."""

import os
import pathlib
from collections.abc import Mapping

import attrs
import pytest
from parts import spec

from pivot_core.errors import DefinitionError
from pivot_core.graph import Graph
from pivot_core.spec import StageSpec
from pivot_runtime.context import CommandContext
from pivot_runtime.loading.assembly import LoadedFile
from pivot_runtime.loading.loaded import Loaded, LoadedStage
from pivot_runtime.loading.upstream import UpstreamSearch
from pivot_runtime.project.project import Project


class Loader:
    """Loads stages by the directory of their file; a directory without any has a file that cannot be loaded."""

    def __init__(self, root: pathlib.Path, stages: Mapping[str, list[StageSpec]]) -> None:
        self.root, self.stages = root, stages
        self.files: list[LoadedFile] = []
        self.tried: set[pathlib.Path] = set()
        for directory in stages:
            (root / directory).mkdir(parents=True, exist_ok=True)
            (root / directory / "pipeline.py").touch()

    def load(self, file: pathlib.Path) -> LoadedFile:
        self.tried.add(file)
        found = self.stages[file.parent.relative_to(self.root).as_posix().removeprefix(".")]
        if not found:
            raise DefinitionError("wrong")
        self.files.append(LoadedFile(file, Loaded(1, tuple(LoadedStage(each, {}) for each in found), {})))
        return self.files[-1]

    @property
    def loaded(self) -> list[str]:
        return [each.file.parent.relative_to(self.root).as_posix() for each in self.files]


def search(root: pathlib.Path, own: str, stages: Mapping[str, list[StageSpec]]) -> tuple[Loader, UpstreamSearch]:
    """Follow the deps of one file."""
    loader = Loader(root, stages)
    loader.load(root / own / "pipeline.py")
    upstream = UpstreamSearch(CommandContext(Project(root, root), os.environ), loader)
    upstream.follow()
    return loader, upstream


@pytest.mark.parametrize(
    ("dep", "loaded"),
    [
        ("data/a.csv", ["train", "data"]),  # the nearest file above the dep writes it
        ("data/raw/b.csv", ["train", "data/raw", "data", "lib"]),  # the nearest does not, and its own deps are followed
        ("train/x", ["train"]),  # it is written by the file itself
        ("elsewhere/c.csv", ["train"]),
    ],
)
def test_files_above_a_dep_are_loaded_until_one_writes_it(tmp_path: pathlib.Path, dep: str, loaded: list[str]) -> None:
    stages = {
        "train": [spec("fit", [dep], ["train/out"], pipeline="train"), spec("x", [], ["train/x"], pipeline="train")],
        "data": [spec("load", [], ["data/a.csv", "data/raw/b.csv"], pipeline="data")],
        "data/raw": [spec("other", ["lib/d.csv"], ["data/raw/other"], pipeline="raw")],
        "lib": [spec("lib", [], ["lib/d.csv"], pipeline="lib")],
    }

    assert search(tmp_path, "train", stages)[0].loaded == loaded


def test_stages_to_run_after_are_searched_in_all_files(tmp_path: pathlib.Path) -> None:
    first = attrs.evolve(spec("fit", pipeline="train"), after=("data.load",))
    stages = {"train": [first], "a": [spec("a", pipeline="a")], "b": [spec("load", pipeline="data")], "c": []}
    loader, upstream = search(tmp_path, "train", stages)

    assert "b" in loader.loaded
    assert set(upstream.unread) <= {"c/pipeline.py"}


def test_a_file_that_cannot_be_loaded_is_reported_for_the_deps_that_it_may_write(tmp_path: pathlib.Path) -> None:
    specs = [spec("fit", ["data/a.csv", "other/b.csv"], ["train/out"], pipeline="train")]
    _, upstream = search(tmp_path, "train", {"train": specs, "data": []})

    assert list(upstream.unread) == ["data/pipeline.py"]
    assert [(each.file, each.may_write) for each in upstream.broken(Graph.build(specs))] == [
        ("data/pipeline.py", ("data/a.csv",))
    ]
