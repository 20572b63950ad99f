"""Any sequence of puts, collections, undos, drops, losses and checks against a model of four lines."""

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from pivot_cache import ObjectStore, RunCache
from pivot_cache.files import syscalls
from pivot_cache.formats.tree import Tree
from pivot_cache.maintenance.fsck import check
from pivot_cache.maintenance.gc import collect, drop, undo_newest
from pivot_cache.maintenance.gc_plan import Cache, Retention
from pivot_cache.objects.trash import OBJECTS
from pivot_cache.state.results import Results
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact

pytestmark = pytest.mark.exhaustive

DAY = 24 * 3600 * 1_000_000_000
GRACE = 14

CONTENTS = st.sampled_from([b"", b"a", b"b", b"c", b"d", b"e"])


class StoppedError(BaseException):
    """The process ends here."""


class Collections(RuleBasedStateMachine):
    """The model: what is in the store, what in which batch of the trash, what is named."""

    artifacts = Bundle("artifacts")
    forgotten = Bundle("forgotten")

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        root = Path(self._directory.name)
        self.cache = Cache(ObjectStore(root / "files"), RunCache(root / "runs"), Results(root / "results"))
        self.workspace = root / "workspace"
        self.day = 20_000
        self.contents: dict[str, bytes] = {}
        self.store: set[str] = set()
        self.trash: list[tuple[int, bool, set[str]]] = []
        self.roots: dict[Artifact, set[str]] = {}

    def teardown(self) -> None:
        self._directory.cleanup()

    def _put(self, data: bytes) -> str:
        digest = self.cache.store.put_bytes(data)
        self.contents[digest] = data
        self._missed(digest)
        self.store.add(digest)
        return digest

    def _missed(self, digest: str) -> None:
        """A store that misses something takes it from the newest batch that has it."""
        for _, dropped, batch in reversed(self.trash):
            if digest not in self.store and digest in batch and not dropped:
                batch.remove(digest)
                self.store.add(digest)

    @rule(target=artifacts, data=CONTENTS)
    def put_file(self, data: bytes) -> Artifact:
        artifact = Artifact(self._put(data), len(data))
        self.roots[artifact] = {artifact.digest}
        return artifact

    @rule(target=artifacts, files=st.dictionaries(st.sampled_from(["x", "y", "z/x", "z/y"]), CONTENTS))
    def put_directory(self, files: dict[str, bytes]) -> Artifact:
        tree = Tree({name: Artifact(self._put(data), len(data)) for name, data in files.items()})
        self._put(tree.dumps())
        artifact = tree.artifact()
        self.roots[artifact] = {artifact.digest, *tree.digests()}
        return artifact

    @rule(target=forgotten, artifact=consumes(artifacts))
    def forget(self, artifact: Artifact) -> tuple[Artifact, set[str]]:
        return artifact, self.roots.pop(artifact, set())

    @rule(target=artifacts, pair=forgotten, collected=st.booleans())
    def name_again(self, pair: tuple[Artifact, set[str]], collected: bool) -> Artifact:
        """As by changing to another branch and back: nothing of the cache is touched."""
        artifact, parts = pair
        if collected:
            self.collect(1)
        if parts and parts <= self.store.union(*(batch for _, dropped, batch in self.trash if not dropped)):
            self.roots[artifact] = parts
        if collected:
            self.collect(1)
        return artifact

    def _use(self) -> None:
        """Everything that is named is looked for, and found."""
        for artifact in self.roots:
            assert self.cache.store.has_all(artifact)
        for digest in self._named():
            self._missed(digest)

    def _named(self) -> set[str]:
        return set().union(*self.roots.values())

    def _collected(self) -> None:
        named = self._named()
        for _, dropped, batch in self.trash:
            if not dropped:
                self.store |= batch & named
                batch.difference_update(named)
        self.trash = [entry for entry in self.trash if self.day - entry[0] < GRACE]
        self.trash.append((self.day, False, self.store - named))
        self.store &= named

    def _collect(self) -> None:
        rules = Retention(self.day * DAY, 0, GRACE * DAY)
        collect(self.cache, lambda: list(self.roots), rules, since_ns=sys.maxsize)

    @rule(days=st.integers(1, 10))
    def collect(self, days: int) -> None:
        self.day += days
        self._collect()
        self._collected()

    @rule(days=st.integers(1, 10), changes=st.integers(0, 20))
    def collect_and_be_killed_and_collect(self, days: int, changes: int) -> None:
        self.day += days
        usual, left = syscalls.before, [changes]

        def before(operation: str, *arguments: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise StoppedError

        syscalls.before = before
        try:
            self._collect()
        except StoppedError:
            pass
        finally:
            syscalls.before = usual
        assert self._named() <= set(self.cache.store.digests()).union(*self._batches())
        self._collect()
        self._collected()

    @rule()
    def undo_newest(self) -> None:
        done = undo_newest(self.cache)
        filled = [entry for entry in self.trash if entry[2]]
        assert (done is None) == (not filled)
        if filled:
            self.store |= filled[-1][2]
            self.trash.remove(filled[-1])

    @rule(artifact=consumes(artifacts))
    def drop(self, artifact: Artifact) -> None:
        parts = self.roots.pop(artifact, set())
        unshared = (parts - self._named()) & self.store
        self.day += 1
        assert drop(self.cache.store, parts - self._named(), self.day * DAY).keys() == unshared
        self.trash.append((self.day, True, unshared))
        self.store -= unshared

    @rule(number=st.integers(0, 99), data=st.sampled_from([b"", b"other"]))
    def damage_and_check_and_heal(self, number: int, data: bytes) -> None:
        self._use()
        candidates = sorted(digest for digest in self.store if self.contents[digest] != data)
        if not candidates:
            return
        digest = candidates[number % len(candidates)]
        path = self.cache.store.path_of(digest)
        path.chmod(0o644)
        path.write_bytes(data)

        report = check(self.cache.store, list(self.roots))

        assert [bad.digest for bad in report.bad] == [digest]
        elsewhere = any(digest in batch for _, dropped, batch in self.trash if not dropped)
        assert report.missing <= {digest, *(root.digest for root in self.roots)}
        assert elsewhere or (digest in report.missing) == (digest in self._named())
        if not path.exists():
            self.store.discard(digest)
        self._put(self.contents[digest])
        self._synchronise(digest)

    def _synchronise(self, digest: str) -> None:
        """A check may have brought a good copy back from the trash."""
        for batch, (_, _, known) in zip(self._batches(), [e for e in self.trash if e[2]], strict=False):
            if digest in known and digest not in batch:
                known.remove(digest)

    @rule(artifact=artifacts)
    def restore(self, artifact: Artifact) -> None:
        self._use()
        if artifact in self.roots:
            target = self.workspace / artifact.digest
            self.cache.store.restore(artifact, target)
            if not artifact.tree:
                assert target.read_bytes() == self.contents[artifact.digest]

    @rule()
    def check(self) -> None:
        self._use()
        report = check(self.cache.store, list(self.roots))
        assert (report.good, report.certain, report.foreign) == (True, True, ())
        assert report.objects == len(self.store)

    def _batches(self) -> list[set[str]]:
        batches = self.cache.store.trash.batches()
        return [found for batch in batches if (found := {digest for digest, _ in batch.contents(OBJECTS)})]

    @invariant()
    def what_is_there_is_what_the_model_says(self) -> None:
        assert set(self.cache.store.digests()) == self.store
        assert self._batches() == [batch for _, _, batch in self.trash if batch]

    @invariant()
    def everything_that_is_named_is_there_and_good(self) -> None:
        for digest in self._named():
            path = self.cache.store.path_of(digest)
            if digest not in self.store:
                found = self.cache.store.trash.find(digest)
                assert found is not None
                path = found
            assert digest_bytes(path.read_bytes()) == digest


TestCollections = Collections.TestCase
TestCollections.settings = settings(stateful_step_count=30, deadline=None)
