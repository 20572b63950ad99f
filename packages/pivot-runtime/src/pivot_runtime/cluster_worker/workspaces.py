"""Workspaces of a worker: private copies of projects, each with a host that has loaded one of the pipeline files."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.layout import Layout
from pivot_core.errors import PivotError
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import below
from pivot_core.values import Value
from pivot_runtime.cluster import sources
from pivot_runtime.cluster.task import Refusal, RefusalKind, TaskTemplate
from pivot_runtime.definitions.source_import import Changes
from pivot_runtime.errors import EngineError, HostError, LoadError
from pivot_runtime.freshness import load_trace
from pivot_runtime.freshness.load_trace import LoadTrace
from pivot_runtime.freshness.stamps import VARIABLE, VARIABLES
from pivot_runtime.loading import host_client
from pivot_runtime.loading.host_client import HostClient
from pivot_runtime.loading.loaded import Loaded

MOST_IDLE: Final = 4
"""The most workspaces that wait for tasks; each has a process with all that its pipeline imports."""

_INCLUDE: Final = "a file of the project that no load here has read is named in worker.include"
_LIBRARY: Final = "install the libraries of the project on each worker"
_OF_IMPORTS: Final = ("ModuleNotFoundError", "ImportError")


class RefusedError(Exception):
    """A worker does not run a stage.

    Attributes:
        refusal: The refusal.
    """

    def __init__(
        self,
        kind: RefusalKind,
        summary: str,
        *,
        detail: str = "",
        hint: str | None = None,
        facts: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(summary)
        self.refusal = Refusal(kind, summary, detail, hint, facts)


@attrs.frozen(eq=False, repr=False)
class WorkspaceKey(Value):
    """All that a load depends on; tasks with the same key can use the same workspace.

    Attributes:
        sources: The digest of the archive of the sources.
        file: The pipeline file.
        overrides: The overrides of parameters.
        environment: The variables, sorted.
        fresh: Stages run in new interpreters.
    """

    sources: str
    file: str
    overrides: tuple[str, ...]
    environment: tuple[tuple[str, str | None], ...] = attrs.field(repr=False)
    fresh: bool

    @classmethod
    def of(cls, template: TaskTemplate) -> "WorkspaceKey":
        """The key of a task."""
        variables = tuple(sorted(template.environment.items()))
        return cls(template.sources, template.file, template.overrides, variables, template.fresh)


class Workspace:
    """A private copy of a project's sources, with the host that has loaded its pipeline file.

    Attributes:
        root: Its directory.
        key: Its key.
        host: The host.
        loaded: The load.
        sources: The digest of each source by its path.
        usable: Whether it can be used again.
    """

    def __init__(self, root: pathlib.Path, key: WorkspaceKey, digests: Mapping[str, str]) -> None:
        self.root = root
        self.key = key
        self.sources = digests
        self.usable = True
        self.host: HostClient
        self.loaded: Loaded
        self._stamps = {name: _stamp(f"{root}/{name}") for name in digests}
        self._code_outside = Changes({})
        self._trace_outside: LoadTrace | None = None

    def load(self, begun: Callable[[HostClient], object]) -> None:
        """Start the host, which is passed to ``begun``, and load the pipeline file.

        Raises:
            RefusedError: It cannot be loaded.
        """
        file = self.root / self.key.file

        def start() -> HostClient:
            host = HostClient.begin(quiet=True, environment=dict(self.key.environment))
            begun(host)
            return host

        try:
            self.loaded, self.host = host_client.load_in(start, self.root, file, overrides=self.key.overrides)
        except LoadError as error:
            raise self._refused(str(error), error.traceback, error.hint) from None
        except HostError as error:
            raise RefusedError("load", str(error), hint="its memory may not be enough for the import") from None
        except PivotError as error:
            raise self._refused(str(error), "", error.hint) from None
        files = {**self.loaded.sources, **self.loaded.read}
        self._code_outside = Changes({name: known for name, known in files.items() if self._is_outside(name)})
        if self.loaded.trace is not None:
            facts = (fact for fact in self.loaded.trace.facts if fact.kind not in (VARIABLE, VARIABLES))
            self._trace_outside = self.loaded.trace._replace(
                facts=tuple(fact for fact in facts if self._is_outside(fact.subject))
            )

    def edited_code(self) -> list[str]:
        """The files outside of this directory that the load has imported, and that were edited since.

        They are installed for development, perhaps on a shared file system; then this workspace cannot be used again.
        """
        found = self._code_outside.find()
        if found:
            self.usable = False
        return found

    def is_current(self) -> bool:
        """Whether a load would find the same code and libraries outside of this directory as the last one."""
        if self.edited_code():
            return False
        return self._trace_outside is None or load_trace.check(self._trace_outside, {}, {}).broken is None

    def _is_outside(self, path: str) -> bool:
        return below(path, os.fspath(self.root)) is None

    def _refused(self, summary: str, detail: str, hint: str | None) -> RefusedError:
        last = detail.rstrip().rpartition("\n")[2]
        if last.startswith(_OF_IMPORTS):
            hint = (
                f"{_INCLUDE}; a library must be installed there" if "Import" in last or "Module" in last else _INCLUDE
            )
        return RefusedError("load", self.shown(summary), detail=self.shown(detail), hint=hint)

    def shown(self, text: str) -> str:
        """A text without the absolute path of this directory."""
        return text.replace(f"{self.root}/", "").replace(os.fspath(self.root), ".")

    def changed_sources(self) -> list[str]:
        """The sources that a stage has changed; then this workspace cannot be used again."""
        return [name for name in self._touched() if not self._holds(name)]

    def _touched(self) -> list[str]:
        root = os.fspath(self.root)
        touched = [name for name, stamp in self._stamps.items() if _stamp(f"{root}/{name}") != stamp]
        if touched:
            self.usable = False
        return touched

    def _holds(self, name: str) -> bool:
        try:
            return digest_bytes((self.root / name).read_bytes()) == self.sources[name]
        except OSError:
            return False

    def clear(self) -> None:
        """Remove all that is no source; if a stage has changed a source, perhaps before it failed, nothing."""
        if self._touched():
            return
        try:
            kept = {os.path.join(self.root, name) for name in self.sources}
            around = {parent for name in kept for parent in _parents(name)}
            _remove_others(os.fspath(self.root), kept | {os.fspath(Layout(self.root).state_dir)}, around)
            with contextlib.suppress(FileNotFoundError):
                remove_tree(Layout(self.root).logs_dir)
        except OSError:
            self.usable = False

    def close(self) -> None:
        """End the host, and remove the directory."""
        if hasattr(self, "host"):
            self.host.kill()
        remove_tree(self.root)


class Workspaces:
    """The workspaces of a worker; a thread that takes one has it for itself."""

    def __init__(self, directory: pathlib.Path, most_idle: int = MOST_IDLE) -> None:
        """Create the workspaces in an own directory; ``most_idle`` of them wait for tasks."""
        self._directory = directory
        self._most_idle = most_idle
        self._lock = threading.Lock()
        self._idle: list[Workspace] = []
        self._count = 0
        self._closed = False

    def take(self, key: WorkspaceKey, archive: Callable[[], bytes], begun: Callable[[HostClient], object]) -> Workspace:
        """A workspace with this key, an idle one if there is one; a new one's host is passed to ``begun``.

        Raises:
            RefusedError: Its pipeline cannot be loaded.
            CacheError: It cannot be written.
        """
        while (idle := self._take_idle(key)) is not None:
            if not idle.host.has_spoken() and idle.is_current():
                return idle
            idle.close()  # its host has ended meanwhile, or has old code
        with self._lock:
            self._count += 1
            root = self._directory / str(self._count)
        try:
            data = archive()
            with as_cache_errors("write to", root):
                root.mkdir(mode=0o700, parents=True)
                workspace = Workspace(root, key, sources.extract(data, key.sources, root))
                Layout(root).database_dir.mkdir(parents=True, exist_ok=True)
            workspace.load(begun)
        except sources.ArchiveError as error:
            remove_tree(root)
            raise RefusedError("worker", str(error), hint=error.hint) from None
        except BaseException:
            remove_tree(root)
            raise
        return workspace

    def _take_idle(self, key: WorkspaceKey) -> Workspace | None:
        with self._lock:
            found = next((each for each in reversed(self._idle) if each.key == key), None)
            if found is not None:
                self._idle.remove(found)
            return found

    def give_back(self, workspace: Workspace) -> None:
        """Clear a workspace, and keep it for the next task if that is possible."""
        if workspace.usable:
            workspace.clear()
        surplus = [workspace]
        with self._lock:
            if workspace.usable and not self._closed:
                self._idle.append(workspace)
                surplus = self._idle[: -self._most_idle]
                del self._idle[: -self._most_idle]
        for each in surplus:
            each.close()

    def close(self) -> None:
        """Close all idle workspaces; others are closed when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for workspace in idle:
            workspace.close()


@contextlib.contextmanager
def own_directory(home: pathlib.Path) -> Iterator[pathlib.Path]:
    """A private directory in ``home`` that is removed at the end; those of killed processes are removed first.

    Raises:
        EngineError: ``home`` belongs to another user.
        OSError: It cannot be created.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home = home.parent.resolve() / home.name  # processes see their current directory without links
    status = home.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise EngineError(f"{home} belongs to another user", hint="give the worker a directory of its own")
    home.chmod(0o700)
    with _locked(home / "guard"):
        with os.scandir(home) as entries:
            left = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False) and _is_left(entry.path)]
        for path in left:
            remove_tree(pathlib.Path(path))
        root = pathlib.Path(tempfile.mkdtemp(prefix="worker-", dir=home))
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield root
    finally:
        remove_tree(root)
        os.close(lock)


@contextlib.contextmanager
def _locked(file: pathlib.Path) -> Iterator[None]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_left(directory: str) -> bool:
    """Whether no process has the lock of a directory any more."""
    try:
        descriptor = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove_tree(directory: pathlib.Path) -> None:
    """Remove a directory as far as possible, also directories in it that a stage has made unreadable."""
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        pass
    except OSError:
        _open_up(os.fspath(directory))
        shutil.rmtree(directory, ignore_errors=True)


def _open_up(directory: str) -> None:
    with contextlib.suppress(OSError):
        os.chmod(directory, 0o700)
        with os.scandir(directory) as entries:
            inner = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        for each in inner:
            _open_up(each)


def _remove_others(directory: str, kept: set[str], around: set[str]) -> None:
    """Remove all in a directory but what is kept, and the directories around that."""
    with os.scandir(directory) as listed:
        entries = list(listed)
    for entry in entries:
        if entry.path in kept:
            continue
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
        elif entry.path in around:
            _remove_others(entry.path, kept, around)
        else:
            remove_tree(pathlib.Path(entry.path))
            if os.path.lexists(entry.path):
                raise OSError(f"{entry.path} cannot be removed")


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _stamp(file: str) -> tuple[int, ...] | None:
    try:
        status = os.lstat(file)
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode)
