"""Whatever happens between two changes on disk: nothing that a lock names is lost, nothing half-made is visible.

Every change goes through one seam, so that each can be the last one of a process, or the one that the system refuses.
"""

import errno
import fcntl
import functools
import itertools
import os
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pivot_cache import CacheError, CheckoutMode, Layout, ObjectStore, RunCache, StatCache, hash_path
from pivot_cache.files import atomic, syscalls
from pivot_cache.formats import lock_file
from pivot_cache.objects import checkout
from pivot_cache.objects.ingest import ingest
from pivot_cache.testing import power_cut
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, Inputs, RunRecord, StageLock
from pivot_core.spec import OutSpec

pytestmark = pytest.mark.exhaustive

DATA, FILE, FRESH = ArtifactPath("data"), ArtifactPath("file"), ArtifactPath("fresh")
OLD: dict[str, bytes] = {"data/same": b"same", "data/edited": b"one", "data/sub/gone": b"gone", "file": b"first"}
NEW: dict[str, bytes] = {"data/same": b"same", "data/edited": b"two", "data/new": b"new", "file": b"second"}
KILLED = 99


class Project:
    """A small project: what was recorded by a first run, and what a second one has just left."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layout = Layout(root)
        self.store = ObjectStore(self.layout.objects_dir)
        self.runs = RunCache(self.layout.runs_dir)
        self.lock_file = self.layout.lock_file("p.s")
        self._write(OLD)
        self.old = self.record("old")
        for path in OLD:
            (root / path).unlink()
        self._write(NEW)

    @classmethod
    def at(cls, root: Path, old: StageLock) -> "Project":
        """The project that a power cut has left."""
        project = cls.__new__(cls)
        project.root = root
        project.layout = Layout(root)
        project.store = ObjectStore(project.layout.objects_dir)
        project.runs = RunCache(project.layout.runs_dir)
        project.lock_file = project.layout.lock_file("p.s")
        project.old = old
        return project

    def _write(self, files: dict[str, bytes]) -> None:
        for path, content in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(content)

    def record(self, key: str) -> StageLock:
        """The possible results of a run: objects, listings, run cache, lock."""
        with StatCache(self.layout.statcache_file) as files:
            outs = {path: ingest(self.layout.artifact(path), self.store, files, jobs=1) for path in (DATA, FILE)}
        self.runs.put(RunRecord(digest_bytes(key.encode()), outs))
        specs = (OutSpec(DATA, directory=True), OutSpec(FILE))
        lock = StageLock(Inputs(schema=1, params={"key": key}, outs=specs), outs)
        lock_file.write(self.lock_file, lock)
        return lock

    def go_back(self, mode: CheckoutMode) -> None:
        """The checkout of an older lock: a directory and a file changed, a directory made."""
        wanted = {**self.old.outs, FRESH: self.old.outs[DATA]}
        with StatCache(self.layout.statcache_file) as files:
            found = {path: files.artifact(self.layout.artifact(path)) for path in wanted}
            checkout.apply(checkout.compare(wanted, found), self.store, self.layout, mode, files=files)
        lock_file.write(self.lock_file, self.old)

    def run(self, mode: CheckoutMode, recorded: Callable[[], None] = lambda: None) -> None:
        self.record("new")
        recorded()
        self.go_back(mode)

    def check(self) -> None:
        """The invariants at any moment."""
        lock = lock_file.read(self.lock_file)
        assert lock is not None
        assert all(map(self.store.has_all, lock.outs.values()))
        for digest in self.store.digests():
            assert digest_bytes(self.store.path_of(digest).read_bytes()) == digest
        assert not self.layout.quarantine_dir.exists()
        assert (self.root / "file").read_bytes() in {OLD["file"], NEW["file"]}
        for path in (self.root / "data").rglob("*"):
            if path.is_file():
                name = path.relative_to(self.root).as_posix()
                assert path.read_bytes() in {OLD.get(name), NEW.get(name)}
        if (self.root / "fresh").exists():
            assert hash_path(self.root / "fresh") == self.old.outs[DATA]

    def check_end(self) -> None:
        """The invariants when a command has come to its end."""
        self.check()
        assert lock_file.read(self.lock_file) == self.old
        assert hash_path(self.root / "data") == self.old.outs[DATA] == hash_path(self.root / "fresh")
        assert hash_path(self.root / "file") == self.old.outs[FILE]
        assert [path for path in self.root.rglob("*") if path.name.startswith(atomic.PREFIX)] == []


def stopping(at: int, stop: Callable[[str, tuple[object, ...]], None]) -> Callable[..., None]:
    """Do something before the change number ``at``."""
    numbers = iter(range(1 << 30))

    def before(operation: str, *arguments: object) -> None:
        if next(numbers) == at:
            stop(operation, arguments)

    return before


def changes_of_a_run(project: Project, monkeypatch: pytest.MonkeyPatch, mode: CheckoutMode) -> range:
    """The numbers of its changes; where files are no copies, only of those that differ, at the end."""
    seen: list[str] = []
    alike: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(syscalls, "before", lambda operation, *_: seen.append(operation))
        project.run(mode, lambda: alike.append(len(seen)))
    project.check_end()
    assert {"create", "write", "rename", "link", "unlink", "mkdir", "rmdir", "fchmod", "utime"} <= set(seen)
    return range(0 if mode is CheckoutMode.COPY else alike[0], len(seen))


def _die(operation: str, arguments: tuple[object, ...]) -> None:
    if operation == "write":
        descriptor, data = arguments
        assert isinstance(descriptor, int)
        assert isinstance(data, memoryview)
        os.write(descriptor, data[: len(data) // 2])
    os._exit(KILLED)


def forked(work: Callable[[], object]) -> int:
    """Do something in a process of its own; its exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pytest-xdist has threads, which the child leaves alone
        child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - nothing of pytest may run in the child
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def projects(directory: Path) -> Iterator[Project]:
    for number in range(1 << 30):
        yield Project(directory / str(number))


@pytest.mark.parametrize("mode", CheckoutMode)
def test_a_process_killed_at_any_change_leaves_what_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: CheckoutMode
) -> None:
    made = projects(tmp_path)
    for number in changes_of_a_run(next(made), monkeypatch, mode):
        project = next(made)
        with monkeypatch.context() as patch:
            patch.setattr(syscalls, "before", stopping(number, _die))
            assert forked(functools.partial(project.run, mode)) == KILLED
        project.check()

        atomic._swept.clear()
        project.run(mode)
        project.check_end()


def test_a_change_that_is_refused_at_any_point_is_an_error_and_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other for either reason; the test below knows full disks."""
    errors = itertools.cycle([errno.ENOSPC, errno.EACCES])

    def refuse(operation: str, arguments: tuple[object, ...]) -> None:
        error = next(errors)
        raise OSError(error, os.strerror(error))

    made = projects(tmp_path)
    changes = changes_of_a_run(next(made), monkeypatch, CheckoutMode.COPY)
    problems: list[CacheError] = []
    for number in changes:
        project = next(made)
        with monkeypatch.context() as patch:
            patch.setattr(syscalls, "before", stopping(number, refuse))
            try:
                project.run(CheckoutMode.COPY)
            except CacheError as problem:
                problems.append(problem)
        project.check()

        atomic._swept.clear()
        project.run(CheckoutMode.COPY)
        project.check_end()
    assert len(problems) > len(changes) / 3
    assert all(problem.hint for problem in problems)


def test_a_disk_that_is_full_from_some_point_on_is_an_error_and_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = projects(tmp_path)
    changes = changes_of_a_run(next(made), monkeypatch, CheckoutMode.COPY)
    problems: list[str] = []
    for number in changes:
        project = next(made)
        seen = iter(range(1 << 30))

        def before(operation: str, *_: object, seen: Iterator[int] = seen, number: int = number) -> None:
            if next(seen) >= number and operation in {"create", "write", "mkdir", "link", "symlink", "rename"}:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(syscalls, "before", before)
            try:
                project.run(CheckoutMode.COPY)
            except CacheError as problem:
                problems.append(str(problem))
        project.check()
        assert [path for path in project.root.rglob("*") if path.name.startswith(atomic.PREFIX)] == []

        project.run(CheckoutMode.COPY)
        project.check_end()
    assert len(problems) > len(changes) / 2
    assert all("the disk is full" in problem for problem in problems)


def test_a_user_who_interrupts_at_any_point_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(operation: str, arguments: tuple[object, ...]) -> None:
        raise KeyboardInterrupt

    made = projects(tmp_path)
    for number in changes_of_a_run(next(made), monkeypatch, CheckoutMode.COPY):
        project = next(made)
        with monkeypatch.context() as patch:
            patch.setattr(syscalls, "before", stopping(number, interrupt))
            with pytest.raises(KeyboardInterrupt):
                project.run(CheckoutMode.COPY)
        project.check()

        atomic._swept.clear()
        project.run(CheckoutMode.COPY)
        project.check_end()


def _leave(directory: Path) -> None:
    """Leave a file and a directory under temporary names, as a process that is killed."""

    def work() -> None:
        with atomic.temporary(directory), atomic.staging(directory) as place:
            (place / "sub").mkdir()
            (place / "sub" / "object").write_bytes(b"half")
            os._exit(KILLED)

    assert forked(work) == KILLED


def test_leftovers_of_dead_processes_are_swept_and_files_in_use_are_not(tmp_path: Path) -> None:
    _leave(tmp_path)
    assert len(os.listdir(tmp_path)) == 2

    with atomic.temporary(tmp_path) as (_, file), atomic.staging(tmp_path) as place:
        alive = {file.name, place.name}
        assert set(os.listdir(tmp_path)) == alive
        atomic.sweep(tmp_path)
        assert forked(functools.partial(atomic.sweep, tmp_path)) == 0
        assert set(os.listdir(tmp_path)) == alive
    assert os.listdir(tmp_path) == []


def test_only_names_of_ours_are_swept(tmp_path: Path) -> None:
    names = {"file", ".pivot", ".pivot-x", ".tmp", ".pivot-0.tmp.txt", "a.pivot-0.tmp"}
    for name in names:
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".pivot-0.tmp").symlink_to("file")
    atomic.sweep(tmp_path)

    assert set(os.listdir(tmp_path)) == {*names, ".pivot-0.tmp"}


def test_a_file_swept_before_it_is_locked_is_created_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweeping process may see a temporary name in the moment before its owner has locked it."""
    actual = fcntl.flock
    swept: list[int] = []

    def late(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and len(swept) < 3:
            swept.append(descriptor)
            monkeypatch.setattr(fcntl, "flock", actual)
            assert atomic.sweep(tmp_path) == 1
            monkeypatch.setattr(fcntl, "flock", late)
        actual(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with atomic.staging(tmp_path) as place:
        assert place.is_dir()
    with atomic.temporary(tmp_path) as (_, file):
        assert file.exists()
    assert len(swept) == 3


def test_nothing_is_swept_without_file_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    _leave(tmp_path)
    monkeypatch.setattr(fcntl, "flock", unsupported)
    atomic.write_bytes(tmp_path / "file", b"one")

    assert (tmp_path / "file").read_bytes() == b"one"
    assert len(os.listdir(tmp_path)) == 3


@pytest.mark.parametrize("mode", CheckoutMode)
def test_a_power_cut_at_any_change_loses_nothing_that_is_believed_afterwards(
    tmp_path: Path, mode: CheckoutMode
) -> None:
    project = Project(tmp_path / "project")
    with power_cut.SyscallRecorder(project.root, wanted=lambda _: True) as recorder:
        project.run(mode)
    assert len(recorder.moments) > 50
    losses = 0
    for number, moment in enumerate(recorder.moments[::3]):
        losses += len(power_cut.strike(project.root, moment, random.Random(number)))
        atomic._swept.clear()
        with power_cut.restarted(f"after {number}", tmp_path):
            store = ObjectStore(project.layout.objects_dir)
            for digest in list(store.digests()):
                good = digest_bytes(store.path_of(digest).read_bytes()) == digest
                assert store.verified(digest) is good
            assert runs_hold_up(project)

            project._write(NEW)
            again = Project.at(project.root, project.old)
            again.record("old again")
            again.record("new")
            lock = lock_file.read(again.lock_file)
            assert lock is not None
            assert all(map(again.store.has_all, lock.outs.values()))
    assert losses > 50


def runs_hold_up(project: Project) -> bool:
    """Every record of a run that is believed says what was recorded."""
    found = [RunCache(project.layout.runs_dir).get(digest_bytes(key)) for key in (b"old", b"new")]
    return all(record.outs.keys() == {DATA, FILE} for records in found for record in records)


def test_flushed_files_survive_any_power_cut(tmp_path: Path) -> None:
    """Also when the cut comes while something else is written."""
    root = tmp_path / "root"
    root.mkdir()
    store = ObjectStore(root / "store")
    mine = root / "mine"
    mine.write_bytes(b"mine")
    with power_cut.SyscallRecorder(root) as recorder:
        artifact = store.put(mine)
        recorder.keep("not flushed")
        store.persist(artifact)
        atomic.write_bytes(root / "config", b"config", durable=True)
        mine.unlink()
        atomic.write_bytes(root / "other", b"other")
    first, last = recorder.moments
    lost = set()
    for number in range(200):
        power_cut.strike(root, first, random.Random(number))
        lost.add(store.path_of(artifact.digest).exists() and store.path_of(artifact.digest).read_bytes())
        power_cut.strike(root, last, random.Random(number))
        assert store.path_of(artifact.digest).read_bytes() == b"mine"
        assert (root / "config").read_bytes() == b"config"
    assert {False, b"", b"mine", b"\0\0\0\0"} <= lost


def test_a_lock_that_is_written_last_names_what_is_there(tmp_path: Path) -> None:
    """The project of these tests is what it claims to be."""
    project = Project(tmp_path)
    assert project.old.outs.keys() == {DATA, FILE}
    assert project.old.outs[FILE] == Artifact(digest_bytes(b"first"), 5)
    project.check()
