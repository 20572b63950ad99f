"""Tracked data that are a symbolic link: written through it, or refused; the link stays."""

import pathlib
import shutil
import subprocess

import pytest

from pivot_cache.objects.store import CheckoutMode
from pivot_runtime.artifacts import track
from pivot_runtime.artifacts.checkout import CheckoutOptions, CheckoutReport, restore
from pivot_runtime.project.project import Project, init


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    init(root)
    return Project(root, root)


@pytest.fixture
def outside(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "outside/d").mkdir(parents=True)
    return tmp_path / "outside"


def two_versions(project: Project, outside: pathlib.Path, kind: str) -> pathlib.Path:
    """Data behind a link, tracked as "one" and then as "two"; recorded is "one"."""
    real = outside / ("d" if kind == "directory" else "f")
    written = real / "x" if kind == "directory" else real
    link = project.root / "data"
    written.write_text("one")
    link.symlink_to(real)
    track.track(project, ["data"])
    first = (project.root / "data.pvt").read_bytes()
    written.write_text("two!")
    track.track(project, ["data"])
    (project.root / "data.pvt").write_bytes(first)
    return written


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_a_link_leads_to_is_written(project: Project, outside: pathlib.Path, kind: str) -> None:
    written = two_versions(project, outside, kind)
    done = restore(project)

    assert (done.paths, done.complete) == (["data"], True)
    assert (project.root / "data").is_symlink()
    assert written.read_text() == "one"
    written.write_text("mine")
    assert list(restore(project).modified) == ["data"]
    assert written.read_text() == "mine"
    assert restore(project, wishes=CheckoutOptions(force=True)).complete
    assert ((project.root / "data").is_symlink(), written.read_text()) == (True, "one")


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("nowhere", "leads nowhere"),
        ("kind", "is recorded"),
        ("inside", "where nothing is restored to"),
        ("state", "where nothing is restored to"),
        ("git", "has come by git"),
    ],
)
def test_a_link_that_leads_astray_stays_and_nothing_is_written(
    project: Project, outside: pathlib.Path, to: str, told: str
) -> None:
    written = two_versions(project, outside, "directory")
    link = project.root / "data"
    places = {
        "nowhere": outside / "nothing",
        "kind": outside / "file",
        "inside": project.root / "other",
        "state": outside / ".git/hooks",
        "git": outside / "d",
    }
    (outside / "file").write_text("two!")
    for directory in (places["inside"], places["state"]):
        shutil.copytree(written.parent, directory)
    link.unlink()
    link.symlink_to(places[to])
    if to == "git":
        for command in (["init", "-q"], ["add", "-f", "data"]):
            subprocess.run(["git", *command], cwd=project.root, check=True)

    for force in (False, True):
        done: CheckoutReport = restore(project, wishes=CheckoutOptions(force=force))
        assert told in done.failed[next(iter(done.failed))]
        assert link.readlink() == places[to]
        assert written.read_text() == "two!"


def test_a_link_within_tracked_data_is_not_replaced_in_silence(project: Project, outside: pathlib.Path) -> None:
    written = two_versions(project, outside, "directory")
    (project.root / "data").unlink()
    written.rename(outside / "x")
    (project.root / "data").mkdir()
    (project.root / "data/x").symlink_to(outside / "x")

    assert "data/x is a symbolic link" in restore(project).failed[next(iter(restore(project).failed))]
    assert (project.root / "data/x").is_symlink()
    assert restore(project, wishes=CheckoutOptions(force=True)).complete
    assert (outside / "x").read_text() == "two!"


def test_links_that_pivot_made_are_its_own(project: Project) -> None:
    file = project.root / "data"
    file.write_text("one")
    track.track(project, ["data"])
    first = (project.root / "data.pvt").read_bytes()
    file.write_text("two!")
    track.track(project, ["data"])
    file.unlink()
    linked = CheckoutOptions(mode=CheckoutMode.SYMLINK)
    restore(project, wishes=linked)
    assert file.is_symlink()
    track.track(project, ["data"])
    (project.root / "data.pvt").write_bytes(first)
    assert restore(project, wishes=linked).complete
    assert (file.is_symlink(), file.read_text()) == (True, "one")
    assert "two!" in [each.read_text() for each in project.layout.objects_dir.glob("*/*")]
