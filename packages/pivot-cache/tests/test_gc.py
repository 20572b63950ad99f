"""Garbage collection: what is named stays, what is not waits in the trash, and nothing is lost on the way."""

import errno
import itertools
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pivot_cache import CacheError, CorruptObjectError, ObjectStore, RunCache
from pivot_cache.errors import TreeError
from pivot_cache.files import syscalls
from pivot_cache.formats.tree import Tree
from pivot_cache.maintenance.gc import GcResult, collect, drop, undo_newest
from pivot_cache.maintenance.gc_plan import Cache, GcPlan, LiveSet, Object, Retention, inventory, mark, plan, prepare
from pivot_cache.objects.object_files import ObjectFiles
from pivot_cache.objects.trash import OBJECTS, Trash
from pivot_cache.state.results import Results
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, RunRecord

DAY = 24 * 3600 * 1_000_000_000
NOW = 20_000 * DAY
EVER = sys.maxsize
"""Later than the last change of any object: so that none is spared for being new."""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return cache_in(tmp_path / "cache")


def cache_in(directory: Path) -> Cache:
    return Cache(ObjectStore(directory / "files"), RunCache(directory / "runs"), Results(directory / "results"))


def rules(*, days: int = 0, retention: int = 30, grace: int = 14) -> Retention:
    """As they are after some days."""
    return Retention(NOW + days * DAY, retention * DAY, grace * DAY)


def put(cache: Cache, content: str) -> Artifact:
    return Artifact(cache.store.put_bytes(content.encode()), len(content))


def put_tree(cache: Cache, **contents: str) -> Artifact:
    tree = Tree({name: put(cache, content) for name, content in contents.items()})
    cache.store.put_bytes(tree.dumps())
    return tree.artifact()


def record(cache: Cache, name: str, *outs: Artifact, days: int = 0) -> str:
    """A run whose record was written so many days after NOW."""
    key = digest_bytes(name.encode())
    cache.runs.put(RunRecord(key, {ArtifactPath(f"out{number}"): out for number, out in enumerate(outs)}, {}))
    written = NOW + days * DAY
    os.utime(cache.runs.directory / key[:2] / key[2:], ns=(written, written))
    return key


def collected(cache: Cache, *roots: Artifact, since_ns: int | None = EVER, **given: int) -> GcResult:
    return collect(cache, lambda: roots, rules(**given), since_ns=since_ns)


def objects(cache: Cache) -> set[str]:
    return set(cache.store.digests())


def trashed(cache: Cache) -> set[str]:
    return {digest for batch in cache.store.trash.batches() for digest, _ in batch.contents(OBJECTS)}


def test_named_objects_stay_and_others_go(cache: Cache) -> None:
    wanted, unwanted = put(cache, "wanted"), put(cache, "unwanted")

    done = collected(cache, wanted)

    assert objects(cache) == {wanted.digest}
    assert done.removed == {unwanted.digest: unwanted.size}
    assert (done.plan.keep, done.plan.keep_size) == (1, wanted.size)
    assert trashed(cache) == {unwanted.digest}


def test_a_directory_keeps_its_listing_and_its_files(cache: Cache) -> None:
    directory = put_tree(cache, a="A", b="B")
    put(cache, "else")

    done = collected(cache, directory)

    assert cache.store.has_all(directory)
    assert len(done.removed) == 1


def test_files_that_two_directories_share_stay_with_either(cache: Cache) -> None:
    first, second = put_tree(cache, a="A", b="B"), put_tree(cache, b="B", c="C")

    collected(cache, second)

    assert cache.store.path_of(digest_bytes(b"B")).exists()
    assert cache.store.has_all(second)
    assert not cache.store.path_of(first.digest).exists()
    assert not cache.store.path_of(digest_bytes(b"A")).exists()


def test_the_plan_changes_nothing_and_is_what_a_collection_does(cache: Cache) -> None:
    put(cache, "unwanted")
    record(cache, "old", put(cache, "left"), days=-31)
    before = snapshot(cache)

    planned = prepare(cache, (), rules(), since_ns=EVER)

    assert snapshot(cache) == before
    done = collected(cache)
    assert done.plan == planned
    assert done.removed == planned.remove
    assert done.runs == len(planned.runs) == 1


def snapshot(cache: Cache) -> set[str]:
    root = cache.store.directory.parent
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


def test_young_runs_keep_what_they_left_and_old_ones_go_with_it(cache: Cache) -> None:
    young, old = put(cache, "young"), put_tree(cache, a="old")
    young_key, old_key = record(cache, "young", young, days=-29), record(cache, "old", old, days=-30)

    done = collected(cache)

    assert objects(cache) == {young.digest}
    assert (bool(cache.runs.get(young_key)), bool(cache.runs.get(old_key))) == (True, False)
    assert done.runs == 1
    assert len(collected(cache, retention=29).removed) == 1


def test_undo_brings_back_objects_and_runs(cache: Cache) -> None:
    directory = put_tree(cache, a="A", b="B")
    key = record(cache, "run", directory, days=-99)
    before = objects(cache)
    collected(cache)

    done = undo_newest(cache)

    assert done is not None
    assert set(done.removed) == before == objects(cache)
    assert cache.store.has_all(directory)
    assert cache.runs.get(key)
    assert undo_newest(cache) is None
    assert not any(cache.store.trash.directory.iterdir())


def test_undo_brings_back_the_newest_collection_then_the_one_before(cache: Cache) -> None:
    first = put(cache, "first")
    collected(cache)
    second = put(cache, "second")
    collected(cache, days=1)

    undo_newest(cache)
    assert objects(cache) == {second.digest}
    undo_newest(cache)
    assert objects(cache) == {first.digest, second.digest}


def test_undo_keeps_what_is_there_again(cache: Cache) -> None:
    artifact = put(cache, "content")
    collected(cache)
    source = cache.store.directory.parent / "source"
    source.write_text("content")
    cache.store.put(source)

    undo_newest(cache)

    assert cache.store.verified(artifact.digest)
    assert trashed(cache) == set()


def test_trash_is_deleted_after_its_grace_period_and_not_before(cache: Cache) -> None:
    artifact = put(cache, "unwanted")
    collected(cache)

    assert collected(cache, days=13).deleted == (0, 0)
    assert trashed(cache) == {artifact.digest}
    done = collected(cache, days=14)

    assert done.deleted == (1, artifact.size)
    assert trashed(cache) == objects(cache) == set()
    assert undo_newest(cache) is None


def test_a_dry_run_says_what_would_be_deleted(cache: Cache) -> None:
    put(cache, "unwanted")
    collected(cache)

    assert len(prepare(cache, (), rules(days=14)).expired) == 1
    assert prepare(cache, (), rules(days=13)).expired == ()


def test_objects_needed_again_return_before_the_trash_is_deleted(cache: Cache) -> None:
    directory = put_tree(cache, a="A")
    collected(cache)

    done = collected(cache, directory, days=99)

    assert cache.store.has_all(directory)
    assert len(done.returned) == 2
    assert done.deleted == (0, 0)


def test_a_store_that_misses_something_finds_it_in_the_trash(cache: Cache, tmp_path: Path) -> None:
    file, directory = put(cache, "file"), put_tree(cache, a="A")
    collected(cache)

    assert cache.store.verified(file.digest)
    cache.store.restore(directory, tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "A"


def test_returned_objects_are_verified_before_use(cache: Cache) -> None:
    artifact = put(cache, "content")
    collected(cache)
    (path,) = (batch.directory / "files" / artifact.digest[:2] for batch in cache.store.trash.batches())
    damaged = path / artifact.digest[2:]
    damaged.chmod(0o644)
    damaged.write_text("CONTENT")
    os.utime(damaged, ns=(0, 0))

    assert not cache.store.verified(artifact.digest)


def test_dropped_objects_come_back_by_undo_only(cache: Cache) -> None:
    artifact = put(cache, "content")

    assert drop(cache.store, [artifact.digest, "0" * 32], NOW) == {artifact.digest: 7}
    assert not cache.store.verified(artifact.digest)
    assert collected(cache, artifact, days=1).returned == set()
    assert not cache.store.verified(artifact.digest)
    undo_newest(cache)
    assert cache.store.verified(artifact.digest)


def test_dropped_objects_are_deleted_after_the_grace_period(cache: Cache) -> None:
    artifact = put(cache, "content")
    drop(cache.store, [artifact.digest], NOW)

    assert collected(cache, artifact, days=14).deleted == (1, 7)


def test_objects_changed_after_reading_the_roots_are_skipped(cache: Cache) -> None:
    artifact = put(cache, "new")

    done = collected(cache, since_ns=0)

    assert done.plan.recent == {artifact.digest}
    assert objects(cache) == {artifact.digest}
    assert done.batch is None


def test_objects_stored_while_the_roots_are_read_stay(cache: Cache) -> None:
    put(cache, "old")
    late: list[Artifact] = []

    def gather() -> list[Artifact]:
        if not late:
            late.append(put(cache, "put meanwhile"))
        return []

    collect(cache, gather, rules())

    assert late[0].digest in objects(cache)


def test_objects_named_during_the_move_return(cache: Cache) -> None:
    reused = put(cache, "reused")
    gone = put(cache, "gone")
    answers: list[list[Artifact]] = [[], [reused]]

    done = collect(cache, lambda: answers.pop(0), rules(), since_ns=EVER)

    assert objects(cache) == {reused.digest}
    assert done.removed == {gone.digest: 4}
    assert done.returned == {reused.digest}


def test_an_object_that_changes_between_plan_and_move_stays(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linked, verified or published again by another process in that moment."""
    both = {put(cache, "one").digest, put(cache, "two").digest}
    since = max(found.changed_ns for found in inventory(cache.store).values()) + 1

    def before(operation: str, *arguments: object) -> None:
        moved = "".join(Path(str(arguments[0])).parts[-2:])
        for other in both - {moved} if operation == "rename" and moved in both else set():
            path = cache.store.path_of(other)
            while path.stat().st_ctime_ns < since:  # until the file system's clock has moved on
                os.utime(path, ns=(0, 0))

    monkeypatch.setattr(syscalls, "before", before)

    done = collect(cache, tuple, rules(), since_ns=since)

    assert len(done.plan.remove) == 2
    assert len(done.removed) == 1
    assert objects(cache) == both - done.removed.keys()


def test_an_object_that_disappears_meanwhile_is_no_error(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    put(cache, "one"), put(cache, "two")

    def before(operation: str, *arguments: object) -> None:
        if operation == "rename":
            monkeypatch.setattr(syscalls, "before", lambda *_: None)
            for digest in list(cache.store.digests()):
                cache.store.path_of(digest).unlink()

    monkeypatch.setattr(syscalls, "before", before)

    assert collected(cache).removed == {}


def test_a_damaged_listing_stops_the_collection(cache: Cache) -> None:
    directory = put_tree(cache, a="A", b="B")
    path = cache.store.path_of(directory.digest)
    path.chmod(0o644)
    path.write_text("{}")
    put(cache, "unwanted")

    with pytest.raises(CorruptObjectError, match=directory.digest):
        collected(cache, directory)
    assert len(objects(cache)) == 4
    assert path.exists(), "it is left for a check of the store"

    told: list[CacheError] = []
    done = collect(cache, lambda: [directory], rules(), since_ns=EVER, doubt=told.append)
    assert done.plan.marked.unlisted == {directory.digest}
    assert objects(cache) == {directory.digest}
    assert told


def test_a_listing_that_is_none_stops_the_collection(cache: Cache) -> None:
    artifact = put(cache, "no listing")

    with pytest.raises(TreeError):
        collected(cache, Artifact(artifact.digest, artifact.size, tree=True))


def test_a_missing_listing_is_reported(cache: Cache) -> None:
    absent = Tree({"a": Artifact(digest_bytes(b"A"), 1)}).artifact()

    assert mark([absent], cache.store) == LiveSet({absent.digest}, {absent.digest})


def test_a_listing_in_the_trash_is_read_there(cache: Cache) -> None:
    directory = put_tree(cache, a="A")
    collected(cache)

    assert mark([directory], cache.store).digests == {directory.digest, digest_bytes(b"A")}
    assert objects(cache) == set()


def test_an_empty_or_absent_cache_is_no_error(cache: Cache) -> None:
    assert collected(cache).removed == {}
    assert undo_newest(cache) is None
    assert inventory(cache.store) == {}


def test_foreign_files_are_not_touched(cache: Cache) -> None:
    put(cache, "unwanted")
    foreign = [cache.store.directory / "README", cache.store.directory / "ab" / "notes"]
    strange = cache.store.trash.directory / "mine" / "files"
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    strange.mkdir(parents=True)

    collected(cache)
    collected(cache, days=999)

    assert all(path.exists() for path in [*foreign, strange])


def test_trash_of_a_shared_cache_can_be_changed_by_the_group(cache: Cache) -> None:
    put(cache, "unwanted")
    cache.store.directory.chmod(0o2775)

    collected(cache)

    made = [path for path in [cache.store.trash.directory, *cache.store.trash.directory.rglob("*")] if path.is_dir()]
    assert len(made) == 4
    assert all(path.stat().st_mode & 0o2020 == 0o2020 for path in made)


def test_without_hard_links_things_come_back_by_renaming(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = put(cache, "content")
    collected(cache)

    def before(operation: str, *_: object) -> None:
        if operation == "link":
            raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(syscalls, "before", before)
    undo_newest(cache)

    assert cache.store.verified(artifact.digest)
    assert trashed(cache) == set()


@given(
    st.dictionaries(st.integers(0, 30), st.tuples(st.integers(0, 9), st.integers(0, 9))),
    st.sets(st.integers(0, 30)),
    st.integers(0, 9),
)
def test_a_plan_puts_every_object_into_one_group(
    found: dict[int, tuple[int, int]], named: set[int], since: int
) -> None:
    there = {str(digest): Object(*facts) for digest, facts in found.items()}
    marked = LiveSet({str(digest) for digest in named}, frozenset())

    planned = plan(there, marked, since)

    assert isinstance(planned, GcPlan)
    assert planned.remove.keys() | planned.recent <= there.keys()
    assert not planned.remove.keys() & planned.recent
    assert not (planned.remove.keys() | planned.recent) & marked.digests
    assert planned.keep + len(planned.remove) + len(planned.recent) == len(there)
    assert all(there[digest].changed_ns < since for digest in planned.remove)
    assert all(there[digest].changed_ns >= since for digest in planned.recent)


class StoppedError(BaseException):
    """The process ends here."""


def stop_at(number: int, error: BaseException) -> "itertools.count[int]":
    """The n-th change on disk, and all after it, do not happen; counts the changes."""
    count = itertools.count(1)

    def before(operation: str, *arguments: object) -> None:
        if next(count) >= number:
            raise error

    syscalls.before = before
    return count


def scene(directory: Path) -> tuple[Cache, list[Artifact]]:
    """A cache with things to keep, to collect, to forget, to bring back and to delete."""
    cache = cache_in(directory)
    put(cache, "deleted long ago")
    wanted_again = put(cache, "wanted again")
    collected(cache)
    wanted, directory_ = put(cache, "wanted"), put_tree(cache, a="A", b="B")
    put(cache, "unwanted")
    record(cache, "old", put_tree(cache, b="B", c="C"), days=-40)
    return cache, [wanted, directory_, wanted_again]


def everything(cache: Cache) -> set[str]:
    return objects(cache) | trashed(cache)


KILLED = StoppedError()
FULL = OSError(errno.ENOSPC, "No space left on device")
DENIED = OSError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("error", [KILLED, FULL, DENIED], ids=["killed", "full", "denied"])
def test_a_collection_that_is_stopped_anywhere_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(syscalls, "before", syscalls.before)  # puts it back at the end
    usual = syscalls.before
    number, ended = 0, False
    while not ended:
        number += 1
        syscalls.before = usual
        cache, roots = scene(tmp_path / str(number))
        before = everything(cache)
        late = {digest_bytes(b"deleted long ago")}
        stop_at(number, error)
        try:
            collect(cache, lambda: roots, rules(days=14), since_ns=EVER)  # noqa: B023
            ended = True
        except (StoppedError, CacheError):
            pass
        syscalls.before = usual

        assert everything(cache) >= before - late, number
        assert all(map(cache.store.has_all, roots)), number

        collected(cache, *roots, days=14)
        assert all(map(cache.store.has_all, roots)), number
        assert objects(cache) == {*mark(roots, cache.store).digests}, number
    assert number > 10


@pytest.mark.parametrize("error", [KILLED, FULL], ids=["killed", "full"])
def test_an_undo_that_is_stopped_anywhere_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(syscalls, "before", syscalls.before)
    usual = syscalls.before
    number, ended = 0, False
    while not ended:
        number += 1
        syscalls.before = usual
        cache = cache_in(tmp_path / str(number))
        directory = put_tree(cache, a="A", b="B")
        key = record(cache, "run", directory, days=-40)
        before = objects(cache)
        collected(cache)
        stop_at(number, error)
        try:
            undo_newest(cache)
            ended = True
        except (StoppedError, CacheError):
            pass
        syscalls.before = usual

        assert everything(cache) == before, number
        undo_newest(cache)
        assert objects(cache) == before, number
        assert cache.runs.get(key), number
        assert trashed(cache) == set(), number
    assert number > 10


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_killed_anywhere_in_any_sequence_of_collections(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever happened before, the next whole collection leaves exactly what is named."""
    cache = cache_in(tmp_path_factory.mktemp("cache"))
    usual = syscalls.before
    names = st.sampled_from("abcdef")
    try:
        for day in range(data.draw(st.integers(1, 4))):
            artifacts = [put(cache, name) for name in data.draw(st.lists(names, max_size=6))]
            roots = [artifact for artifact in artifacts if data.draw(st.booleans())]
            stop_at(data.draw(st.integers(1, 40)), KILLED)
            try:
                collected(cache, *roots, days=day * 10)
            except StoppedError:
                pass
            finally:
                syscalls.before = usual
            assert all(map(cache.store.has_all, roots))
        collected(cache, *roots, days=100)
        assert objects(cache) == {root.digest for root in roots}
    finally:
        syscalls.before = usual


def test_an_object_that_is_collected_again_at_once_is_brought_back_again(tmp_path: Path) -> None:
    """Another process may collect an object just after it was brought back; a second try finds it in the trash."""
    away = tmp_path / "away"
    away.write_text("content")
    tries: list[Path] = []

    def rescue(_: str, target: Path) -> bool:
        tries.append(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        if len(tries) == 3:
            away.rename(target)
        return True

    files = ObjectFiles(tmp_path / "files", tmp_path / "quarantine", rescue)

    assert files.restore_from_trash(digest_bytes(b"content"))
    assert len(tries) == 3
    assert tries[0].read_text() == "content"


def test_a_dangling_link_is_not_an_object(tmp_path: Path) -> None:
    def rescue(_: str, target: Path) -> bool:
        target.parent.mkdir(parents=True)
        target.symlink_to("nowhere")
        return True

    assert not ObjectFiles(tmp_path / "files", tmp_path / "quarantine", rescue).restore_from_trash("a" * 32)


def test_puts_of_other_processes_during_collections_are_never_lost(tmp_path: Path) -> None:
    """Four processes put the same objects again and again and check that they have them, while two collect all."""
    putting = """
        import sys
        from pathlib import Path
        from pivot_cache import ObjectStore
        from pivot_core.lock import Artifact

        directory, number = Path(sys.argv[1]), sys.argv[2]
        store = ObjectStore(directory / "cache" / "files")
        source = directory / f"source-{number}"
        for turn in range(150):
            source.write_text(f"content {turn % 3}")
            artifact = store.put(source)
            assert store.has_all(artifact), (number, turn)
            store.restore(artifact, directory / f"target-{number}")
            assert (directory / f"target-{number}").read_text() == f"content {turn % 3}"
    """
    collecting = """
        import sys, time
        from pathlib import Path
        from pivot_cache import ObjectStore, RunCache
        from pivot_cache.maintenance.gc_plan import Cache, Retention
        from pivot_cache.state.results import Results
        from pivot_cache.maintenance.gc import collect

        directory = Path(sys.argv[1]) / "cache"
        cache = Cache(ObjectStore(directory / "files"), RunCache(directory / "runs"), Results(directory / "results"))
        for turn in range(150):
            collect(cache, tuple, Retention(time.time_ns(), 0, 10**18), since_ns=sys.maxsize)
    """
    processes = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(number)])
        for number, code in enumerate([putting] * 4 + [collecting] * 2)
    ]

    assert [process.wait(timeout=120) for process in processes] == [0] * 6


def test_batches_are_named_by_their_time(tmp_path: Path) -> None:
    trash = Trash(tmp_path / "trash", like=tmp_path)
    for moment in (1, NOW, NOW + 999_999_999):
        for dropped in (False, True):
            batch = trash.batch(moment, dropped=dropped)
            batch.directory.mkdir(parents=True)
            assert batch in trash.batches()
            assert batch.taken_ns == moment // 1000 * 1000
    assert [batch.taken_ns for batch in trash.batches()] == sorted(batch.taken_ns for batch in trash.batches())


def test_an_uncreatable_trash_is_reported(cache: Cache) -> None:
    put(cache, "unwanted")
    cache.store.trash.directory.write_text("in the way")

    with pytest.raises(CacheError, match="trash"):
        collected(cache)
    assert len(objects(cache)) == 1
