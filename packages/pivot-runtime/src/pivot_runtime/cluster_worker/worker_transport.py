"""The bytes of deps and outs on a worker: through a shared cache, through a remote, or with the task and its answer."""

import contextlib
import os
import pathlib
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Self

from pivot_cache.errors import CacheError, CorruptObjectError, MissingObjectError
from pivot_cache.files import durable, safe_read
from pivot_cache.layout import Layout
from pivot_cache.objects.store import CheckoutMode, ObjectStore
from pivot_cache.remotes import transfer
from pivot_cache.remotes.protocol import RemoteDeniedError, RemoteSettings, RunKeeper, connect
from pivot_cache.remotes.transfer import TransferResult, TransferSettings
from pivot_cache.state.run_cache import RunCache
from pivot_cache.state.stat_cache import StatCache
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, RunRecord
from pivot_runtime.cluster.inline_limit import INLINE_LIMIT, OTHER_WAYS, too_large
from pivot_runtime.cluster.task import InlineRoute, RemoteRoute, Route, SharedRoute, StageTask
from pivot_runtime.cluster_worker.workspaces import RefusedError, Workspace, remove_tree
from pivot_runtime.executors.base import Failure

_MOST_CACHED: Final = 16 << 30
_PART_OF_DISK: Final = 4


class OutsError(Exception):
    """The outs of a stage cannot get to the command.

    Attributes:
        failure: The failure of the stage.
    """

    def __init__(self, summary: str, hint: str | None) -> None:
        super().__init__(summary)
        self.failure = Failure(summary, hint=hint)

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """The error with the texts of a failure."""
        return cls(failure.summary, failure.hint)


class PrivateCaches:
    """The worker's own cache, for objects that it fetches and stores.

    It is bounded: when it has grown beyond a part of the disk, tasks get a new one, and the old one is removed as soon
    as no task uses it.
    """

    def __init__(self, directory: pathlib.Path, most: int | None = None) -> None:
        """Create caches in a directory, each of ``most`` bytes; by default, of a quarter of the disk at most."""
        self._directory = directory
        self._lock = threading.Lock()
        self._most = most
        self._number = 0
        self._bytes = 0
        self._users: dict[int, int] = {0: 0}

    @contextlib.contextmanager
    def lease(self) -> Iterator[pathlib.Path]:
        """The directory of the current cache, which stays in place in the block."""
        with self._lock:
            number = self._number
            self._users[number] += 1
        try:
            yield self._directory / str(number)
        finally:
            with self._lock:
                self._users[number] -= 1
                unused = [each for each, users in self._users.items() if not users and each != self._number]
                for each in unused:
                    del self._users[each]
            for each in unused:
                remove_tree(self._directory / str(each))

    def grow(self, count: int) -> None:
        """Note that so many bytes were added at most."""
        with self._lock:
            if self._most is None:
                self._most = min(_MOST_CACHED, shutil.disk_usage(self._directory).total // _PART_OF_DISK)
            self._bytes += count
            if self._bytes > self._most:
                self._number += 1
                self._bytes = 0
                self._users[self._number] = 0


class WorkerTransport:
    """The way of the bytes of one task.

    Attributes:
        store: The store that deps are restored from and outs are stored in.
        own: The worker's own store.
    """

    def __init__(self, cache: pathlib.Path, files: StatCache, name: str, shared: pathlib.Path | None = None) -> None:
        """Use the worker's own cache, and a ``shared`` one if there is one; ``name`` is that of the worker."""
        own = Layout(cache.parent, cache)
        self._layout = own if shared is None else Layout(shared.parent, shared)
        self._name = name
        self.own = self.store = ObjectStore(own.objects_dir, files=files)
        if shared is not None:
            self.store = ObjectStore(self._layout.objects_dir, files=files)

    def fetch(self, artifacts: Iterable[Artifact]) -> None:
        """Bring the objects of inputs into the store.

        Raises:
            RefusedError: That is impossible.
        """

    def send(self, artifacts: Mapping[ArtifactPath, Artifact]) -> Mapping[str, bytes]:
        """Bring the objects of outs from the store to where the command finds them; return those for the answer.

        Raises:
            OutsError: That is impossible.
        """
        raise NotImplementedError

    def publish(self, record: RunRecord) -> None:
        """Record a run whose outs were sent, for others with the same inputs.

        Raises:
            CacheError: It cannot be recorded.
        """


class _Shared(WorkerTransport):
    """Through a cache in a file system that the command's machine has as well."""

    def __init__(self, route: SharedRoute, cache: pathlib.Path, files: StatCache, name: str) -> None:
        super().__init__(cache, files, name, pathlib.Path(route.cache))
        problem, seen = "has another directory in the place of", ""
        hint = "executor.shared must name a directory that all machines share, under the same path"
        try:
            seen = safe_read.read_regular(route.probe).decode(errors="replace")
        except PermissionError:
            problem = "may not read"
            hint = f"workers run as the user of the command, or as one of a group that shares {route.cache}"
        except OSError:
            problem = "does not see"
        if seen != route.token:
            raise RefusedError("shared", f"{name} {problem} the shared directory of {route.cache}", hint=hint)

    def send(self, artifacts: Mapping[ArtifactPath, Artifact]) -> Mapping[str, bytes]:
        self.store.persist(*artifacts.values())
        return {}

    def publish(self, record: RunRecord) -> None:
        runs = RunCache(self._layout.runs_dir)
        runs.put(record)
        durable.flush_files([os.fspath(runs.file(record.key))])


class _ThroughRemote(WorkerTransport):
    """Through a remote, by way of the worker's own cache."""

    def __init__(
        self, route: RemoteRoute, cache: pathlib.Path, files: StatCache, name: str, alive: Callable[[], object]
    ) -> None:
        super().__init__(cache, files, name)
        uploads = self._layout.uploads_dir
        self._remote = connect(route.url, RemoteSettings(jobs=route.jobs, state=uploads, timeout=route.timeout))
        self._route = route
        self._settings = TransferSettings(
            jobs=route.jobs, progress=lambda _: alive(), partials=self._layout.partial_dir
        )

    def fetch(self, artifacts: Iterable[Artifact]) -> None:
        result = transfer.fetch(artifacts, self.store, self._remote, self._settings)
        problem = _problem(result)
        if problem is not None:
            summary = f"{self._name} cannot fetch the inputs from remote {self._route.name}: {problem}"
            raise RefusedError("inputs", summary, hint=hint_on(self._name, problem, self._route))
        if result.missing:
            summary = f"remote {self._route.name} lacks {len(result.missing)} objects of the inputs"
            raise RefusedError("inputs", summary, hint="repeat the command, which sends or computes them again")

    def send(self, artifacts: Mapping[ArtifactPath, Artifact]) -> Mapping[str, bytes]:
        result = transfer.push(artifacts.values(), self.store, self._remote, self._settings)
        problem = _problem(result)
        if problem is not None or result.missing:
            remote = self._route.name
            summary = f"{self._name} cannot store its outs on remote {remote}: {problem or 'objects are gone'}"
            raise OutsError(summary, None if problem is None else hint_on(self._name, problem, self._route))
        return {}

    def publish(self, record: RunRecord) -> None:
        from pivot_cache.remotes import shared_runs  # lazy

        if isinstance(self._remote, RunKeeper):
            shared_runs.share([record], self._remote, self._settings)


def hint_on(name: str, problem: CacheError, route: Route) -> str | None:
    """The hint of a problem that the worker of this name has: credentials of the command's machine do not help it."""
    if isinstance(problem, RemoteDeniedError):
        on_drive = isinstance(route, RemoteRoute) and route.url.lower().startswith("file:")
        needs = "" if on_drive else "Pivot sends no credentials: workers need their own; "
        return f"{needs}on {name}, {problem.hint}"
    return problem.hint


def _problem(result: TransferResult) -> CacheError | None:
    return result.stopped or next(iter(result.failed.values()), None)


class _Inline(WorkerTransport):
    """With the task and its answer."""

    def __init__(self, objects: Mapping[str, bytes], cache: pathlib.Path, files: StatCache, name: str) -> None:
        super().__init__(cache, files, name)
        for data in objects.values():
            self.store.put_bytes(data)

    def send(self, artifacts: Mapping[ArtifactPath, Artifact]) -> Mapping[str, bytes]:
        found = carried(self.store, artifacts)
        if found is None:
            raise OutsError(too_large(artifacts, "out"), OTHER_WAYS)
        return found


@contextlib.contextmanager
def open_transport(
    task: StageTask, caches: PrivateCaches, files: StatCache, name: str, alive: Callable[[], object]
) -> Iterator[WorkerTransport]:
    """The transport of a task in the block.

    Args:
        task: The task.
        caches: The worker's own caches.
        files: The stat cache of the workspace.
        name: The name of the worker.
        alive: Called while bytes are transferred; its errors end that.

    Raises:
        RefusedError: The worker has no such way.
    """
    route: Route = task.template.route
    with caches.lease() as cache:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        match route:
            case SharedRoute():
                yield _Shared(route, cache, files, name)
            case RemoteRoute():
                yield _ThroughRemote(route, cache, files, name, alive)
            case InlineRoute():
                yield _Inline(task.objects, cache, files, name)


def place(store: ObjectStore, artifact: Artifact, target: pathlib.Path, modes: Iterable[CheckoutMode]) -> None:
    """Restore an input, in the first of these modes that is possible; the last one is a copy.

    Raises:
        RefusedError: The input is not available.
        CacheError: It cannot be written.
    """
    *links, last = modes
    try:
        for mode in links:
            with contextlib.suppress(_NoLinkError):
                _restore(store, artifact, target, mode)
                return
        store.restore(artifact, target, last)
    except (MissingObjectError, CorruptObjectError) as error:
        raise RefusedError("inputs", f"an input is not available: {error}", hint=error.hint) from None


class _NoLinkError(Exception):
    """The file system does not allow such a link."""


def _restore(store: ObjectStore, artifact: Artifact, target: pathlib.Path, mode: CheckoutMode) -> None:
    try:
        store.restore(artifact, target, mode)
    except (MissingObjectError, CorruptObjectError):
        raise
    except CacheError as error:
        raise _NoLinkError from error


def checkout_modes() -> tuple[CheckoutMode, ...]:
    """The modes for inputs: links, which are read-only, unless this user may write to read-only files."""
    if os.geteuid() == 0:
        return (CheckoutMode.COPY,)
    return (CheckoutMode.HARDLINK, CheckoutMode.SYMLINK, CheckoutMode.COPY)


def carried(store: ObjectStore, artifacts: Mapping[ArtifactPath, Artifact]) -> dict[str, bytes] | None:
    """The bytes of all objects of artifacts by digest; None if they are too many to travel.

    Raises:
        CacheError: An object is gone.
    """
    objects: dict[str, bytes] = {}
    left = INLINE_LIMIT
    for artifact in artifacts.values():
        sizes = {artifact.digest: 0 if artifact.tree else artifact.size}
        if artifact.tree:
            sizes |= {file.digest: file.size for file in store.tree(artifact).files.values()}
        for digest, size in sizes.items():
            if digest in objects:
                continue
            if size > left:
                return None
            try:
                objects[digest] = safe_read.read_regular(store.path_of(digest))
            except OSError:
                raise MissingObjectError(digest) from None
            left -= len(objects[digest])
            if left < 0:
                return None
    return objects


class PlacedInputs:
    """The inputs of a task in its workspace."""

    def __init__(
        self, workspace: Workspace, wanted: StageTask, transport: WorkerTransport, check: Callable[[], object]
    ) -> None:
        """Put the inputs of a task at their paths; ``check`` is called before each, and its errors end that.

        Raises:
            RefusedError: An input is not available, or a source is in its place.
            CacheError: It cannot be written.
        """
        self._workspace = workspace
        self._stamps: dict[str, dict[str, tuple[int, ...]]] = {}
        root = workspace.root
        modes = checkout_modes()
        for path, artifact in sorted(wanted.deps.items()):
            check()
            source = workspace.sources.get(path)
            if source is not None and source != artifact.digest:
                raise RefusedError("inputs", f"{path} was edited while the run began", hint="repeat the command")
            if source is None:
                place(transport.store, artifact, root / path, modes)
        for path, artifact in sorted(wanted.before.items()):
            check()
            place(transport.store, artifact, root / path, (CheckoutMode.COPY,))
        for out in wanted.outs:
            (root / out.path).parent.mkdir(parents=True, exist_ok=True)
        for path in wanted.deps:
            self._stamps[path] = _stamps(os.fspath(root / path))

    def refuse_changes(self) -> None:
        """Refuse the result of a stage that has changed what it depends on.

        Raises:
            OutsError: It has.
        """
        root = self._workspace.root
        changed = [path for path, before in self._stamps.items() if _stamps(os.fspath(root / path)) != before]
        changed += [path for path in self._workspace.changed_sources() if path not in changed]
        if changed:
            summary = f"it changed {', '.join(changed)}, which it depends on"
            raise OutsError(summary, "let it write to another path, which it declares as an out")


def _stamps(path: str) -> dict[str, tuple[int, ...]]:
    """The state of a file or of all files in a directory, by path."""
    found: dict[str, tuple[int, ...]] = {}
    todo = [path]
    while todo:
        each = todo.pop()
        with contextlib.suppress(OSError):
            status = os.stat(each)
            found[each] = (status.st_ino, status.st_size, status.st_mtime_ns)
            if os.path.isdir(each):
                found[each] = ()
                todo += [os.path.join(each, name) for name in os.listdir(each)]
    return found
