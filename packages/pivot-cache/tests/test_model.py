"""Any order of putting, editing, linking, checking out, corrupting and restoring, against a model that is a dict."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from pivot_cache import CheckoutMode, CorruptObjectError, Layout, MissingObjectError, ObjectStore, StatCache, hash_path
from pivot_cache.objects import checkout
from pivot_cache.objects.ingest import ingest
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact

pytestmark = pytest.mark.exhaustive

type Files = dict[str, tuple[bytes, bool]]
"""By relative path, the bytes and whether they are executable."""

DATA = ArtifactPath("data")
paths = st.sampled_from(["a", "b", "A", "d/a", "d/b", "d/e/a", "é", "x y"])
contents = st.tuples(st.sampled_from([b"", b"1", b"2", b"three"]), st.booleans())
trees = st.dictionaries(paths, contents, max_size=5)


class Cache(RuleBasedStateMachine):
    """One store, one stat cache, one workspace.

    The model: what each artifact that was ever stored holds, and which objects somebody has damaged since.
    """

    stored = Bundle("stored")

    @initialize()
    def begin(self) -> None:
        self.place = tempfile.TemporaryDirectory()
        self.layout = Layout(Path(self.place.name) / "project")
        self.store = ObjectStore(Path(self.place.name) / "shared" / "files")
        self.files = StatCache(self.layout.statcache_file)
        self.data = self.layout.artifact(DATA)
        self.data.mkdir(parents=True)
        self.known: dict[Artifact, Files] = {}
        self.listings: dict[str, Artifact] = {}
        self.damaged: set[str] = set()
        self.linked: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "files"):
            self.files.close()
            self.place.cleanup()

    def read(self) -> Files:
        """The real content of the workspace, by the plainest means."""
        return {
            path.relative_to(self.data).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
            for path in self.data.rglob("*")
            if path.is_file()
        }

    def objects_of(self, artifact: Artifact) -> set[str]:
        return {artifact.digest} | {digest_bytes(content) for content, _ in self.known[artifact].values()}

    @rule(target=stored)
    def put(self) -> object:
        links = [path for path in self.data.rglob("*") if path.is_symlink()]
        # Where an object was edited through a link, storing the right bytes again repairs it, and the link shows them.
        if any(not path.exists() or path.readlink() in map(self.store.path_of, self.damaged) for path in links):
            return multiple()
        before = self.read()
        artifact = ingest(self.data, self.store, self.files)
        assert self.read() == before
        assert hash_path(self.data) == artifact
        self.known[artifact] = before
        self.damaged -= self.objects_of(artifact)  # what was damaged has been healed
        return artifact

    @rule(files=trees)
    def write(self, files: Files) -> None:
        """As a careful program does: the old file is removed, not written through."""
        for name, (content, executable) in files.items():
            path = self.data / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            path.chmod(0o755 if executable else 0o644)

    @rule(path=paths)
    def remove(self, path: str) -> None:
        (self.data / path).unlink(missing_ok=True)

    @rule(path=paths, content=st.sampled_from([b"edited", b"9"]))
    def edit_in_place(self, path: str, content: bytes) -> None:
        """As a careless program does: through a link, it reaches the object."""
        file = self.data / path
        if not file.exists():
            return
        status = file.stat()
        digest = digest_bytes(file.read_bytes())
        if file.read_bytes() == content:
            return  # every byte stays as it is
        if self.store.path_of(digest).exists() and self.store.path_of(digest).samefile(file):
            self.damaged.add(digest)
        file.chmod(0o644)
        file.write_bytes(content)
        file.chmod(status.st_mode & 0o777)

    @rule(artifact=stored, number=st.integers(0, 9), content=st.sampled_from([b"", b"9", b"broken"]))
    def damage(self, artifact: Artifact, number: int, content: bytes) -> None:
        chosen = sorted(self.objects_of(artifact))
        digest = chosen[number % len(chosen)]
        path = self.store.path_of(digest)
        if path.exists() and digest_bytes(content) != digest:
            path.chmod(0o644)
            path.write_bytes(content)
            path.chmod(0o444)
            self.damaged.add(digest)

    @rule(artifact=stored)
    def lose(self, artifact: Artifact) -> None:
        self.store.path_of(artifact.digest).unlink(missing_ok=True)
        self.damaged.add(artifact.digest)

    @rule(artifact=stored)
    def ask(self, artifact: Artifact) -> None:
        assert self.store.has_all(artifact) == self.damaged.isdisjoint(self.objects_of(artifact))

    @rule(artifact=stored, mode=st.sampled_from(CheckoutMode))
    def check_out(self, artifact: Artifact, mode: CheckoutMode) -> None:
        before = self.read()
        good = self.damaged.isdisjoint(self.objects_of(artifact))
        try:
            found = {DATA: hash_path(self.data)}
        except Exception:  # noqa: BLE001 - a link whose object is gone cannot be read
            found = {}
        plan = checkout.compare({DATA: artifact}, found)
        try:
            checkout.apply(plan, self.store, self.layout, mode, files=self.files)
        except (CorruptObjectError, MissingObjectError):
            assert not good
            assert self.read() == before
        else:
            assert good or DATA in plan.keep
            assert self.read() == self.known[artifact]
            assert hash_path(self.data) == artifact

    @rule(artifact=stored, mode=st.sampled_from(CheckoutMode))
    def restore_elsewhere(self, artifact: Artifact, mode: CheckoutMode) -> None:
        """One file that is good comes back, whatever became of the others; one that is not never does."""
        target = Path(self.place.name) / "elsewhere"
        for content, executable in self.known[artifact].values():
            wanted = Artifact(digest_bytes(content), len(content), executable)
            try:
                self.store.restore(wanted, target, mode)
            except (CorruptObjectError, MissingObjectError):
                assert wanted.digest in self.damaged
            else:
                assert hash_path(target) == wanted
        target.unlink(missing_ok=True)

    @invariant()
    def what_is_there_is_known(self) -> None:
        """The stat cache never tells an old digest for new bytes."""
        if not hasattr(self, "files"):
            return
        for path in self.data.rglob("*"):
            if path.is_file():
                assert self.files.artifact(path) == hash_path(path)
        if all(path.exists() for path in self.data.rglob("*")):
            assert self.files.artifact(self.data) == hash_path(self.data)

    @invariant()
    def nothing_is_left_over(self) -> None:
        if hasattr(self, "place"):
            assert [name for _, _, names in os.walk(self.place.name) for name in names if name.endswith(".tmp")] == []


Cache.TestCase.settings = settings(stateful_step_count=30, deadline=None)
TestCache = Cache.TestCase
