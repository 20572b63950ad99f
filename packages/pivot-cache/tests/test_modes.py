"""Copies and links: what is asked for is done or refused, and no edit of a link spreads."""

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pivot_cache import (
    CacheError,
    CheckoutMode,
    CorruptObjectError,
    Layout,
    MissingObjectError,
    ObjectStore,
    StatCache,
    Tree,
    TreeError,
    hash_path,
)
from pivot_cache.files import syscalls
from pivot_cache.objects import checkout
from pivot_cache.objects.ingest import ingest
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact

COPY, HARDLINK, SYMLINK = CheckoutMode
LINKS = [HARDLINK, SYMLINK]


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "cache" / "files", boot_time_ns=1)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "work" / "target"


def put(store: ObjectStore, content: bytes, *, executable: bool = False) -> Artifact:
    digest = store.put_bytes(content)
    return Artifact(digest, len(content), executable)


def tree(store: ObjectStore, *empty: str, **files: bytes) -> Artifact:
    made = Tree({path.replace("__", "/"): put(store, content) for path, content in files.items()}, empty)
    store.put_bytes(made.dumps())
    return made.artifact()


def content(directory: Path) -> dict[str, bytes | None]:
    """Everything in a directory: files with their bytes, directories as None."""
    return {
        path.relative_to(directory).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in directory.rglob("*")
    }


def refusing(number: int, *operations: str) -> Callable[..., None]:
    def before(operation: str, *arguments: object) -> None:
        if operation in operations:
            raise OSError(number, os.strerror(number))

    return before


@pytest.mark.parametrize("mode", CheckoutMode)
def test_a_mode_makes_what_it_says(store: ObjectStore, target: Path, mode: CheckoutMode) -> None:
    artifact = put(store, b"one")

    assert store.restore(artifact, target, mode) == 1

    path = store.path_of(artifact.digest)
    assert target.read_bytes() == b"one"
    assert target.is_symlink() == (mode is SYMLINK)
    assert target.samefile(path) == (mode is not COPY)
    assert path.stat().st_nlink == (2 if mode is HARDLINK else 1)
    assert os.listdir(target.parent) == ["target"]
    assert hash_path(target) == artifact


@pytest.mark.parametrize("mode", LINKS)
def test_a_link_is_made_again_over_itself(store: ObjectStore, target: Path, mode: CheckoutMode) -> None:
    """Renaming a file over another name of the same file does nothing, and must leave nothing."""
    artifact = put(store, b"one")
    for _ in range(2):
        store.restore(artifact, target, mode)

    assert os.listdir(target.parent) == ["target"]
    assert target.read_bytes() == b"one"


def test_a_symlink_leads_to_the_object_from_everywhere(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = ObjectStore(Path("cache/files"))
    store.restore(put(store, b"one"), target, SYMLINK)
    monkeypatch.chdir("/")

    assert target.read_bytes() == b"one"
    assert target.readlink().is_absolute()


@pytest.mark.parametrize("mode", LINKS)
@pytest.mark.parametrize("artifact", [(b"run", True), (b"", False)], ids=["executable", "empty"])
def test_files_that_cannot_share_an_inode_are_copied(
    store: ObjectStore, target: Path, mode: CheckoutMode, artifact: tuple[bytes, bool]
) -> None:
    wanted = put(store, artifact[0], executable=artifact[1])

    store.restore(wanted, target, mode)

    assert not target.is_symlink()
    assert target.stat().st_nlink == 1
    assert hash_path(target) == wanted
    assert stat.S_IMODE(store.path_of(wanted.digest).stat().st_mode) == 0o444


@pytest.mark.parametrize("mode", LINKS)
def test_a_mode_that_was_changed_through_a_link_does_not_spread(
    store: ObjectStore, target: Path, mode: CheckoutMode
) -> None:
    artifact = put(store, b"one")
    store.restore(artifact, target, mode)
    target.chmod(0o755)

    other = target.with_name("other")
    store.restore(artifact, other, mode)

    assert hash_path(other) == artifact
    assert stat.S_IMODE(other.stat().st_mode) == 0o444
    assert hash_path(target) == (Artifact(artifact.digest, 3, executable=True) if mode is HARDLINK else artifact)


@pytest.mark.parametrize("mode", LINKS)
@pytest.mark.parametrize("again", CheckoutMode)
def test_an_edit_through_a_link_is_noticed_and_never_spreads(
    store: ObjectStore, target: Path, mode: CheckoutMode, again: CheckoutMode
) -> None:
    artifact = put(store, b"one")
    store.restore(artifact, target, mode)
    target.chmod(0o644)
    target.write_bytes(b"two")
    target.chmod(0o444)

    assert not store.verified(artifact.digest)
    other = target.with_name("other")
    other.write_bytes(b"previous")
    with pytest.raises(CorruptObjectError) as caught:
        store.restore(artifact, other, again)
    assert other.read_bytes() == b"previous"
    assert caught.value.quarantined is not None
    assert caught.value.quarantined.read_bytes() == b"two"

    assert put(store, b"one") == artifact
    store.restore(artifact, other, again)
    assert other.read_bytes() == b"one"


@pytest.mark.parametrize(
    ("mode", "number", "message"),
    [
        (HARDLINK, errno.EXDEV, "as a hard link: the cache is on another file system"),
        (HARDLINK, errno.EMLINK, "as a hard link: the object has as many links as its file system allows"),
        (HARDLINK, errno.EPERM, "as a hard link: the system forbids it"),
        (SYMLINK, errno.EPERM, "as a symbolic link: the system forbids it"),
        (SYMLINK, errno.EOPNOTSUPP, "as a symbolic link: the file system has no such links"),
    ],
)
def test_a_link_that_cannot_be_made_is_refused_with_the_way_out(
    store: ObjectStore,
    target: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: CheckoutMode,
    number: int,
    message: str,
) -> None:
    artifact, directory = put(store, b"one"), tree(store, a=b"one")
    monkeypatch.setattr(syscalls, "before", refusing(number, "link" if mode is HARDLINK else "symlink"))

    for wanted, name in ((artifact, target), (directory, target / "a")):
        with pytest.raises(CacheError) as caught:
            store.restore(wanted, target, mode)
        assert f"cannot restore {name} {message}" in str(caught.value)
        assert "--checkout-mode copy" in str(caught.value.hint)
        assert os.listdir(target.parent) == []


@pytest.mark.parametrize("mode", CheckoutMode)
def test_a_directory_that_is_not_there_appears_at_once(
    store: ObjectStore, target: Path, monkeypatch: pytest.MonkeyPatch, mode: CheckoutMode
) -> None:
    artifact = tree(store, "empty/inner", a=b"1", b__c=b"2", b__d=b"1")
    seen: list[bool] = []
    monkeypatch.setattr(syscalls, "before", lambda *_: seen.append(target.exists()))

    assert store.restore(artifact, target, mode) == 3

    assert content(target) == {"a": b"1", "b": None, "b/c": b"2", "b/d": b"1", "empty": None, "empty/inner": None}
    assert seen.index(True) > 8
    assert hash_path(target) == artifact
    assert os.listdir(target.parent) == ["target"]


@pytest.mark.parametrize("mode", CheckoutMode)
def test_a_directory_that_is_there_is_changed_file_by_file(
    store: ObjectStore, target: Path, tmp_path: Path, mode: CheckoutMode
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "x").write_bytes(b"precious")
    store.restore(tree(store, "e", keep=b"1", b__c=b"2", b__d=b"1", x__y__z=b"1", f=b"f"), target)
    inode = (target / "keep").stat().st_ino
    (target / "foreign" / "deep").mkdir(parents=True)
    (target / "foreign" / "deep" / "file").write_bytes(b"foreign")
    wanted = tree(store, "f", "n/m", keep=b"1", b__c=b"3", x=b"9", e__new=b"1")
    (target / "b" / "c").unlink()
    (target / "b" / "c").symlink_to(tmp_path / "precious" / "x")

    assert store.restore(wanted, target, mode) == 3

    assert hash_path(target) == wanted
    assert (target / "keep").stat().st_ino == inode
    assert (tmp_path / "precious" / "x").read_bytes() == b"precious"
    assert os.listdir(target.parent) == ["target"]
    assert store.restore(wanted, target, mode) == 0


@pytest.mark.parametrize("odd", ["dangling", "pipe", "to a directory"])
def test_entries_that_cannot_be_content_are_also_removed(
    store: ObjectStore, target: Path, tmp_path: Path, odd: str
) -> None:
    """A symlink in the way of a directory: nothing is written through it."""
    artifact = tree(store, a=b"1", b__c=b"2")
    store.restore(artifact, target)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "c").write_bytes(b"precious")
    match odd:
        case "dangling":
            (target / "odd").symlink_to("nowhere")
        case "pipe":
            os.mkfifo(target / "odd")
        case _:
            (target / "b" / "c").unlink()
            (target / "b").rmdir()
            (target / "b").symlink_to(tmp_path / "precious")

    store.restore(artifact, target)

    assert hash_path(target) == artifact
    assert (tmp_path / "precious" / "c").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", ["file", "symlink", "symlink to a directory"])
def test_a_directory_takes_the_place_of_a_file_or_a_symlink(
    store: ObjectStore, target: Path, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "x").write_bytes(b"precious")
    target.parent.mkdir()
    match kind:
        case "file":
            target.write_bytes(b"previous")
        case "symlink":
            target.symlink_to("nowhere")
        case _:
            target.symlink_to(tmp_path / "precious")
    artifact = tree(store, a=b"1")

    store.restore(artifact, target)

    assert not target.is_symlink()
    assert hash_path(target) == artifact
    assert content(tmp_path / "precious") == {"x": b"precious"}
    assert os.listdir(target.parent) == ["target"]


def test_the_old_content_returns_if_a_directory_cannot_replace_it(
    store: ObjectStore, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = tree(store, a=b"1")
    target.parent.mkdir()
    target.write_bytes(b"previous")

    def before(operation: str, *arguments: object) -> None:
        if operation == "rename" and str(arguments[0]).endswith("/new"):
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(syscalls, "before", before)
    with pytest.raises(CacheError, match="the disk is full"):
        store.restore(artifact, target)
    assert target.read_bytes() == b"previous"
    assert os.listdir(target.parent) == ["target"]


@pytest.mark.parametrize("mode", CheckoutMode)
@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("fault", ["missing", "corrupt"])
def test_a_bad_object_changes_nothing_of_a_directory(
    store: ObjectStore, target: Path, mode: CheckoutMode, there: bool, fault: str
) -> None:
    artifact = tree(store, a=b"1", b=b"2", c=b"3")
    bad = store.path_of(digest_bytes(b"2"))
    if there:
        store.restore(tree(store, a=b"old", z=b"old"), target)
    bad.chmod(0o644)
    bad.write_bytes(b"9") if fault == "corrupt" else bad.unlink()

    with pytest.raises(CorruptObjectError if fault == "corrupt" else MissingObjectError):
        store.restore(artifact, target, mode)
    assert target.exists() == there
    assert not there or content(target) == {"a": b"old", "z": b"old"}
    assert os.listdir(target.parent) == ["target"] * there


def test_a_listing_is_verified_and_never_trusted(store: ObjectStore, target: Path) -> None:
    artifact = tree(store, a=b"1")
    hostile = b'{"algorithm":"xxh3-128","empty":[],"files":{"../../x":["%s",1]},"format":1}' % (b"1" * 32)
    with pytest.raises(TreeError, match=r"contains a part `.` or `..` @ object \w+: files.../../x"):
        store.restore(Artifact(store.put_bytes(hostile), 1, tree=True), target)
    with pytest.raises(TreeError, match="all files together have 1 bytes, not 2"):
        store.restore(Artifact(artifact.digest, 2, tree=True), target)
    assert not store.has_all(Artifact(artifact.digest, 2, tree=True))
    store.path_of(artifact.digest).chmod(0o644)
    store.path_of(artifact.digest).write_bytes(hostile)
    with pytest.raises(CorruptObjectError):
        store.restore(artifact, target)
    with pytest.raises(MissingObjectError):
        store.tree(artifact.digest)
    assert not store.has_all(artifact)
    assert not target.exists()


class CaseInsensitive:
    """A file system that takes upper and lower case for the same, below one directory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self._root = str(root)
        for name in ("open", "mkdir", "replace", "lstat"):
            monkeypatch.setattr(os, name, self._folding(getattr(os, name)))
        actual = os.path.lexists
        monkeypatch.setattr(os.path, "lexists", lambda path: actual(self._fold(path)))

    def _fold(self, path: Any) -> Any:
        text = str(path)
        return self._root + text[len(self._root) :].lower() if text.startswith(self._root + "/") else path

    def _folding(self, actual: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **options: actual(*map(self._fold, arguments), **options)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("files", [{"a": b"1", "A": b"2"}, {"d__x": b"1", "D__y": b"2"}], ids=["files", "directories"])
def test_names_that_are_the_same_here_are_refused(
    store: ObjectStore, target: Path, monkeypatch: pytest.MonkeyPatch, there: bool, files: dict[str, bytes]
) -> None:
    artifact = tree(store, **files)
    target.mkdir(parents=True) if there else target.parent.mkdir()
    CaseInsensitive(monkeypatch, target.parent)

    with pytest.raises(CacheError, match="here it has the same name as another file") as caught:
        store.restore(artifact, target)
    assert "upper and lower case" in str(caught.value.hint)


def test_names_that_are_the_same_elsewhere_are_two_here(store: ObjectStore, target: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("a", "A", "\u00e9", "e\u0301", "a b", "a\nb", "-", " ", "\\", "n" * 255):
        (source / name).write_bytes(name.encode())
    with StatCache(tmp_path / "s") as files:
        artifact = ingest(source, store, files)

    store.restore(artifact, target)

    assert content(target) == content(source)


@pytest.mark.parametrize("mode", CheckoutMode)
def test_checkout_counts_the_files_it_writes(store: ObjectStore, tmp_path: Path, mode: CheckoutMode) -> None:
    layout = Layout(tmp_path / "project")
    wanted = {ArtifactPath("d"): tree(store, a=b"1", b=b"2"), ArtifactPath("f"): put(store, b"3")}
    sizes: list[int] = []
    with StatCache(tmp_path / "s") as files:

        def apply() -> int:
            found = {path: files.artifact(layout.artifact(path)) for path in wanted}
            plan = checkout.compare(wanted, found)
            return checkout.apply(plan, store, layout, mode, files=files, progress=sizes.append)

        assert apply() == 3
        assert sorted(sizes) == [1, 2]
        assert apply() == 0
        (layout.root / "d" / "a").unlink()
        (layout.root / "d" / "c").write_bytes(b"foreign")
        assert apply() == 1
        assert {path: hash_path(layout.artifact(path)) for path in wanted} == wanted


def test_a_checkout_that_lacks_one_file_of_a_directory_writes_nothing(store: ObjectStore, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "project")
    wanted = {ArtifactPath("a"): put(store, b"3"), ArtifactPath("d"): tree(store, a=b"1", b=b"2")}
    store.path_of(digest_bytes(b"2")).unlink()

    with pytest.raises(MissingObjectError):
        checkout.apply(checkout.compare(wanted, {}), store, layout)
    assert not layout.root.exists()


def test_a_path_that_is_too_long_here_is_refused(store: ObjectStore, target: Path) -> None:
    long = "/".join(["d" * 250] * 16 + ["d" * 60])
    artifact = tree(store, a=b"1", **{long: b"2"})
    for there in (False, True):
        if there:
            target.mkdir()
        with pytest.raises(CacheError, match="File name too long") as caught:
            store.restore(artifact, target)
        assert "shorten its name" in str(caught.value.hint)
        assert os.listdir(target.parent) == ["target"] * there


def test_an_object_that_is_lost_while_it_is_linked_is_missing(
    store: ObjectStore, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = put(store, b"one")

    def before(operation: str, *_: object) -> None:
        if operation == "mkdir":
            store.path_of(artifact.digest).unlink(missing_ok=True)

    monkeypatch.setattr(syscalls, "before", before)
    for mode in CheckoutMode:
        with pytest.raises(MissingObjectError):
            store.restore(artifact, target, mode)
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize("mode", LINKS)
def test_an_object_that_is_collected_while_it_is_linked_comes_back(
    store: ObjectStore, target: Path, monkeypatch: pytest.MonkeyPatch, mode: CheckoutMode
) -> None:
    artifact = put(store, b"one")
    collected: list[bool] = []

    def before(operation: str, *_: object) -> None:
        if operation in {"link", "symlink"} and not collected:
            collected.append(store.trash.batch(1).take("files", artifact.digest, store.path_of(artifact.digest)))

    monkeypatch.setattr(syscalls, "before", before)
    store.restore(artifact, target, mode)
    assert collected == [True]
    assert hash_path(target) == artifact


def test_links_to_objects_that_are_gone_are_missing_files(store: ObjectStore, target: Path, tmp_path: Path) -> None:
    """A cache may be deleted: what was linked to it comes back where its objects do."""
    artifact = tree(store, a=b"1", d__b=b"2", d__c=b"3")
    store.restore(artifact, target, SYMLINK)
    (target / "a").unlink()
    (target / "a").write_bytes(b"own")
    shutil.rmtree(store.directory)

    with StatCache(tmp_path / "s") as files:
        assert files.tree(target) == Tree({"a": Artifact(digest_bytes(b"own"), 3)}, ("d",))
        assert files.artifact(target) == hash_path(target)
        with pytest.raises(MissingObjectError):
            store.restore(artifact, target, SYMLINK)
        assert tree(store, a=b"1", d__b=b"2", d__c=b"3") == artifact
        (target / "a").unlink()
        assert store.restore(artifact, target, known=files.tree) == 1
        assert files.artifact(target) == artifact
