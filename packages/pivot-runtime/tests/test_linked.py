"""Tracked data that are a symbolic link: written through it, or refused; the link stays."""

import pathlib
import shutil
import subprocess

import pytest

from pivot_cache.objects.store import CheckoutMode
from pivot_runtime.artifacts import track
from pivot_runtime.artifacts.checkout import CheckoutOptions, CheckoutReport, restore
from pivot_runtime.context import CommandContext


@pytest.fixture
def outside(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "outside/d").mkdir(parents=True)
    return tmp_path / "outside"


def two_versions(context: CommandContext, outside: pathlib.Path, kind: str) -> pathlib.Path:
    """Data behind a link, tracked as "one" and then as "two"; recorded is "one"."""
    real = outside / ("d" if kind == "directory" else "f")
    written = real / "x" if kind == "directory" else real
    link = context.project.root / "data"
    written.write_text("one")
    link.symlink_to(real)
    track.track(context, ["data"])
    first = (context.project.root / "data.pvt").read_bytes()
    written.write_text("two!")
    track.track(context, ["data"])
    (context.project.root / "data.pvt").write_bytes(first)
    return written


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_the_target_of_a_link_is_written(context: CommandContext, outside: pathlib.Path, kind: str) -> None:
    written = two_versions(context, outside, kind)
    done = restore(context)

    assert (done.paths, done.complete) == (["data"], True)
    assert (context.project.root / "data").is_symlink()
    assert written.read_text() == "one"
    written.write_text("mine")
    assert list(restore(context).modified) == ["data"]
    assert written.read_text() == "mine"
    assert restore(context, options=CheckoutOptions(force=True)).complete
    assert ((context.project.root / "data").is_symlink(), written.read_text()) == (True, "one")


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("nowhere", "leads nowhere"),
        ("kind", "is recorded"),
        ("inside", "into which nothing is restored"),
        ("state", "into which nothing is restored"),
        ("git", "a symbolic link from git"),
    ],
)
def test_a_link_that_leads_astray_stays_and_nothing_is_written(
    context: CommandContext, outside: pathlib.Path, to: str, told: str
) -> None:
    written = two_versions(context, outside, "directory")
    link = context.project.root / "data"
    places = {
        "nowhere": outside / "nothing",
        "kind": outside / "file",
        "inside": context.project.root / "other",
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
            subprocess.run(["git", *command], cwd=context.project.root, check=True)

    for force in (False, True):
        done: CheckoutReport = restore(context, options=CheckoutOptions(force=force))
        assert told in done.failed[next(iter(done.failed))]
        assert link.readlink() == places[to]
        assert written.read_text() == "two!"


def test_a_link_within_tracked_data_is_not_replaced_in_silence(context: CommandContext, outside: pathlib.Path) -> None:
    written = two_versions(context, outside, "directory")
    (context.project.root / "data").unlink()
    written.rename(outside / "x")
    (context.project.root / "data").mkdir()
    (context.project.root / "data/x").symlink_to(outside / "x")

    assert "data/x is a symbolic link" in restore(context).failed[next(iter(restore(context).failed))]
    assert (context.project.root / "data/x").is_symlink()
    assert restore(context, options=CheckoutOptions(force=True)).complete
    assert (outside / "x").read_text() == "two!"


def test_links_that_pivot_made_are_its_own(context: CommandContext) -> None:
    file = context.project.root / "data"
    file.write_text("one")
    track.track(context, ["data"])
    first = (context.project.root / "data.pvt").read_bytes()
    file.write_text("two!")
    track.track(context, ["data"])
    file.unlink()
    linked = CheckoutOptions(mode=CheckoutMode.SYMLINK)
    restore(context, options=linked)
    assert file.is_symlink()
    track.track(context, ["data"])
    (context.project.root / "data.pvt").write_bytes(first)
    assert restore(context, options=linked).complete
    assert (file.is_symlink(), file.read_text()) == (True, "one")
    assert "two!" in [each.read_text() for each in context.project.layout.objects_dir.glob("*/*")]
