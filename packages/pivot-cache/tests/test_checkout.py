"""After compare and apply, what was wanted is in the workspace, and nothing else has changed."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_cache import CacheError, CorruptObjectError, Layout, MissingObjectError, ObjectStore, StatCache
from pivot_cache.objects import checkout
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact

contents = st.sampled_from([b"", b"one", b"two", b"three"])
paths = st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"]).map(ArtifactPath)
workspaces = st.dictionaries(paths, st.tuples(contents, st.booleans()))


def write(root: Path, files: dict[ArtifactPath, tuple[bytes, bool]]) -> None:
    for path, (content, executable) in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
        (root / path).chmod(0o755 if executable else 0o644)


def look(root: Path) -> dict[ArtifactPath, Artifact | None]:
    cache = StatCache(root / "unused", readonly=True)
    return {
        ArtifactPath(path.relative_to(root).as_posix()): cache.artifact(path)
        for path in root.rglob("*")
        if path.is_file()
    }


@settings(deadline=None)
@given(workspaces, workspaces)
def test_apply_makes_the_workspace_as_wanted(
    before: dict[ArtifactPath, tuple[bytes, bool]], after: dict[ArtifactPath, tuple[bytes, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        layout = Layout(Path(directory) / "project")
        layout.root.mkdir()
        store = ObjectStore(Path(directory) / "files")
        write(Path(directory) / "made", after)
        wanted = {path: store.put(Path(directory) / "made" / path) for path in after}
        write(layout.root, before)
        found = look(layout.root)

        plan = checkout.compare(wanted, found)
        inodes = {path: layout.artifact(path).stat().st_ino for path in plan.keep}
        checkout.apply(plan, store, layout)

        assert look(layout.root) == {**found, **wanted}
        assert {path: layout.artifact(path).stat().st_ino for path in plan.keep} == inodes
        again = checkout.compare(wanted, look(layout.root))
        assert again == checkout.CheckoutPlan({}, {}, frozenset(wanted))


@given(workspaces, workspaces)
def test_every_wanted_path_is_planned_once(
    before: dict[ArtifactPath, tuple[bytes, bool]], after: dict[ArtifactPath, tuple[bytes, bool]]
) -> None:
    def artifacts(files: dict[ArtifactPath, tuple[bytes, bool]]) -> dict[ArtifactPath, Artifact]:
        return {
            path: Artifact(content.hex(), len(content), executable) for path, (content, executable) in files.items()
        }

    wanted, found = artifacts(after), artifacts(before)
    plan = checkout.compare(wanted, found)

    assert sorted([*plan.create, *plan.replace, *plan.keep]) == sorted(wanted)
    assert plan.create.keys() == wanted.keys() - found.keys()
    assert all(found[path] == wanted[path] for path in plan.keep)
    assert all(found[path] != wanted[path] for path in plan.replace)


def test_a_file_that_is_known_to_be_missing_is_created() -> None:
    path, artifact = ArtifactPath("a"), Artifact("a" * 32, 1)

    assert checkout.compare({path: artifact}, {path: None}) == checkout.CheckoutPlan({path: artifact}, {}, frozenset())


def test_nothing_is_written_if_an_object_is_not_there(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    store = ObjectStore(layout.objects_dir)
    (tmp_path / "source").write_bytes(b"x")
    wanted = {ArtifactPath("a"): store.put(tmp_path / "source"), ArtifactPath("b"): Artifact("0" * 32, 1)}

    with pytest.raises(MissingObjectError):
        checkout.apply(checkout.compare(wanted, {}), store, layout)
    assert not (tmp_path / "a").exists()


def test_a_corrupt_object_keeps_the_file_it_should_replace(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    store = ObjectStore(layout.objects_dir)
    (tmp_path / "source").write_bytes(b"x")
    artifact = store.put(tmp_path / "source")
    status = store.path_of(artifact.digest).stat()
    store.path_of(artifact.digest).chmod(0o644)
    store.path_of(artifact.digest).write_bytes(b"y")
    os.utime(store.path_of(artifact.digest), ns=(status.st_mtime_ns, status.st_mtime_ns))
    (tmp_path / "a").write_bytes(b"previous")

    path = ArtifactPath("a")
    plan = checkout.compare({path: artifact}, {path: Artifact("0" * 32, 8)})
    with pytest.raises(CorruptObjectError):
        checkout.apply(plan, store, layout)
    assert (tmp_path / "a").read_bytes() == b"previous"
    assert (layout.quarantine_dir / artifact.digest).read_bytes() == b"y"


@pytest.mark.parametrize("path", [".git/hooks/x", "sub/.GIT/x", ".git", "to_git/x", "to_git/y/x", "sub/.pivot/x"])
def test_nothing_is_restored_to_where_git_or_pivot_would_execute_or_believe_it(tmp_path: Path, path: str) -> None:
    layout, store = Layout(tmp_path / "project"), ObjectStore(tmp_path / "files")
    (layout.root / ".git/hooks").mkdir(parents=True)
    (layout.root / "to_git").symlink_to(".git/hooks")
    plan = checkout.compare({ArtifactPath(path): Artifact(store.put_bytes(b"#!"), 2, executable=True)}, {})

    with pytest.raises(CacheError, match=r"it is in \.(git|GIT|pivot)/, into which nothing is restored"):
        checkout.apply(plan, store, layout)
    assert list(layout.root.rglob("*/x")) == []


def test_links_to_data_outside_the_project_are_followed(tmp_path: Path) -> None:
    layout, store = Layout(tmp_path / "project"), ObjectStore(tmp_path / "files")
    (tmp_path / "disk").mkdir()
    layout.root.mkdir()
    (layout.root / "data").symlink_to(tmp_path / "disk")

    checkout.apply(checkout.compare({ArtifactPath("data/x"): Artifact(store.put_bytes(b"x"), 1)}, {}), store, layout)

    assert (tmp_path / "disk/x").read_bytes() == b"x"
