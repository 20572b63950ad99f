"""Symbolic links in place of what is Pivot's own."""

import pathlib
import shutil

import pytest

from pivot_cache.layout import Layout
from pivot_core.errors import DiscoveryError
from pivot_runtime.config.store import ConfigStore
from pivot_runtime.errors import LinkError
from pivot_runtime.project.project import Project, find_root_without_links, init

PLACES = (
    ".pivot",
    ".pivotignore",
    ".pivot/.gitignore",
    ".pivot/config.yaml",
    ".pivot/anything",
    ".pivot/stages",
    ".pivot/stages/pipeline.s.lock",
    ".pivot/state.db",
    ".pivot/state.db/statcache.sqlite",
    ".pivot/state.db/run.guard",
    ".pivot/state.db/logs",
    ".pivot/state.db/logs/pipeline.s.log",
    ".pivot/state.db/noop_cache",
    ".pivot/state.db/history/1.jsonl",
    ".pivot/cache",
    ".pivot/cache/files",
    ".pivot/cache/files/ab",
    ".pivot/cache/runs",
)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "project"
    root.mkdir()
    init(root)
    return root


def put(link: pathlib.Path, leads_to: pathlib.Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(leads_to)


@pytest.mark.parametrize("kind", ["directory", "file", "nothing", "itself"])
@pytest.mark.parametrize("name", PLACES)
def test_a_link_is_refused_wherever_it_leads(root: pathlib.Path, tmp_path: pathlib.Path, name: str, kind: str) -> None:
    there = tmp_path / "there"
    if kind == "directory":
        there.mkdir()
    elif kind == "file":
        there.write_text("precious")
    put(root / name, root / name if kind == "itself" else there)

    for look in (Project.find, init, lambda cwd: ConfigStore(cwd, {}).file()):
        with pytest.raises(LinkError, match=f"^{name} is a symbolic link to ") as refused:
            look(root)
        assert refused.value.hint is not None
        assert f"rm {name}" in refused.value.hint
    assert not there.is_dir() or not list(there.iterdir())


def test_the_path_is_shown_as_from_where_the_command_is_given(root: pathlib.Path) -> None:
    (root / "sub").mkdir()
    put(root / ".pivot/cache", root)
    with pytest.raises(LinkError, match=r"^\.\./\.pivot/cache is a symbolic link"):
        Project.find(root / "sub")


def test_links_that_are_never_written_through_are_allowed(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (root / ".pivot/.#config.yaml").symlink_to("me@here.1:2")  # an editor has unsaved changes
    (root / ".pivot/state.db/stash").mkdir(parents=True)
    (root / ".pivot/state.db/stash/mine").symlink_to("elsewhere")  # what a user had there is kept as it was
    (root / "below").mkdir()
    (root / "below/.pivot").symlink_to(tmp_path)
    (tmp_path / "way").symlink_to(root)
    for cwd in (root, root / "below", tmp_path / "way"):
        assert Project.find(cwd).root.resolve() == root

    assert find_root_without_links(tmp_path / "way") == tmp_path / "way"
    put(root / "elsewhere", tmp_path)
    assert Layout(root, root / "elsewhere").cache_dir == root / "elsewhere"


def test_no_project_and_no_link_means_no_project(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DiscoveryError):
        find_root_without_links(tmp_path)
