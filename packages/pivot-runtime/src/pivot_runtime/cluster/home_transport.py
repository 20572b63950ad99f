"""The command's end of the way of bytes: deps to where workers find them, outs from there."""

import os
from collections.abc import Collection, Mapping
from typing import Protocol

from pivot_cache.errors import ArtifactError, MissingObjectError
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.objects import checkout
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_runtime.cluster.cache_probe import CacheProbe
from pivot_runtime.cluster.inline_limit import INLINE_LIMIT, OTHER_WAYS, too_large
from pivot_runtime.cluster.task import InlineRoute, RemoteRoute, Route, SharedRoute
from pivot_runtime.cluster.view import CacheOnly, ClusterView, is_on_this_machine
from pivot_runtime.config.settings import Settings
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ConfigError
from pivot_runtime.evaluating.session import Session
from pivot_runtime.evaluating.user_files import save_user_files
from pivot_runtime.history.events import Reporter
from pivot_runtime.sharing.remote_client import RemoteClient
from pivot_runtime.sharing.remote_view import ArtifactSource


class HomeTransport(Protocol):
    """One way of bytes between this machine and the workers."""

    @property
    def route(self) -> Route:
        """The description of the way for the workers."""
        ...

    @property
    def source(self) -> ArtifactSource:
        """Where outs are that workers have stored."""
        ...

    @property
    def outs_stay(self) -> bool:
        """Whether outs stay there until something here needs them."""
        ...

    def send(self, session: Session, view: ClusterView, deps: Mapping[ArtifactPath, Artifact]) -> dict[str, str]:
        """Put deps where the workers find them; return by digest why some cannot be.

        Raises:
            CacheError: The cache cannot be written, or the remote as a whole refuses or fails.
        """
        ...

    def objects(self, session: Session, deps: Mapping[ArtifactPath, Artifact]) -> dict[str, bytes]:
        """Return the objects of deps that must travel with the task; empty if none must."""
        ...

    def stored(self, artifacts: Collection[Artifact]) -> None:
        """Note that workers have stored artifacts."""
        ...

    def close(self) -> None:
        """Remove what the transport has left for workers."""
        ...


class SharedTransport:
    """Workers use the cache of this project, which is in a file system that they see as well."""

    outs_stay = True

    def __init__(self, context: CommandContext, run: str) -> None:
        """Describe the way; nothing is written before a stage is sent."""
        self._cache = context.cache_layout.cache_dir
        self._probe = CacheProbe(context.cache_layout, run)
        self.source: ArtifactSource = CacheOnly()

    @property
    def route(self) -> Route:
        """See `HomeTransport.route`."""
        return SharedRoute(os.fspath(self._cache), os.fspath(self._probe.file), self._probe.token)

    def send(self, session: Session, view: ClusterView, deps: Mapping[ArtifactPath, Artifact]) -> dict[str, str]:
        """See `HomeTransport.send`."""
        self._probe.write()
        found = _stored(session, view, _lacking(view, deps))
        session.store.write_pending()
        return found

    def objects(self, session: Session, deps: Mapping[ArtifactPath, Artifact]) -> dict[str, bytes]:
        """Return none."""
        del session, deps
        return {}

    def stored(self, artifacts: Collection[Artifact]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """See `HomeTransport.close`."""
        self._probe.remove()


class RemoteTransport:
    """Workers use a remote of the project."""

    outs_stay = True

    def __init__(self, session: Session) -> None:
        """Describe the way; no connection is opened.

        Raises:
            ConfigError: The remote is ambiguous, or read-only.
            RemoteSchemeError: The package for its kind of URL is not installed.
        """
        settings = session.stores.settings
        self._client = RemoteClient(session.stores)
        self.source: ArtifactSource = self._client
        settings.check_writable(self._client.name)
        url = settings.remote_url()
        if url.lower().startswith(("https://", "http://")):
            raise ConfigError(
                f"the remote {self._client.name!r} on a web server is only read, and workers must store outs on it",
                hint="choose another remote: pivot config set default_remote NAME",
            )
        self.route = RemoteRoute(self._client.name, url, settings.remote_jobs, settings.remote_timeout)

    def send(self, session: Session, view: ClusterView, deps: Mapping[ArtifactPath, Artifact]) -> dict[str, str]:
        """See `HomeTransport.send`."""
        lacking = _lacking(view, deps)
        found = _stored(session, view, lacking)
        wanted = {artifact for artifact in lacking.values() if artifact.digest not in found}
        if not wanted:
            return found
        session.store.write_pending()
        result = self._client.push(wanted)
        if result.stopped is not None:
            raise result.stopped
        found |= {digest: str(error) for digest, error in result.failed.items()}
        found |= dict.fromkeys(result.missing, "it is not in the cache")
        for artifact in wanted:
            if artifact.tree and not found.keys().isdisjoint(session.store.tree(artifact).digests()):
                found.setdefault(artifact.digest, "some of its files cannot be sent")
        view.sent(artifact for artifact in wanted if artifact.digest not in found)
        return found

    def objects(self, session: Session, deps: Mapping[ArtifactPath, Artifact]) -> dict[str, bytes]:
        """Return none."""
        del session, deps
        return {}

    def stored(self, artifacts: Collection[Artifact]) -> None:
        """See `HomeTransport.stored`; so nobody asks the remote about them soon."""
        self._client.note_stored(artifacts)

    def close(self) -> None:
        """Do nothing."""


class InlineTransport:
    """Bytes travel with tasks and answers; all outs come home."""

    outs_stay = False

    def __init__(self) -> None:
        self.route = InlineRoute()
        self.source: ArtifactSource = CacheOnly()

    def send(self, session: Session, view: ClusterView, deps: Mapping[ArtifactPath, Artifact]) -> dict[str, str]:
        """See `HomeTransport.send`."""
        found = _stored(session, view, deps)
        session.store.write_pending()
        return found

    def objects(self, session: Session, deps: Mapping[ArtifactPath, Artifact]) -> dict[str, bytes]:
        """Return all objects.

        Raises:
            CacheError: They are more than fit into a task, or gone.
        """
        total = sum(artifact.size for artifact in deps.values())
        if total > INLINE_LIMIT:
            raise ConfigError(too_large(deps, "dep"), hint=OTHER_WAYS)
        digests = {artifact.digest for artifact in deps.values()}
        for artifact in deps.values():
            digests |= session.store.tree(artifact).digests() if artifact.tree else set()
        return {digest: _bytes_of(session, digest) for digest in sorted(digests)}

    def stored(self, artifacts: Collection[Artifact]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def transport_of(session: Session, address: str, run: str) -> HomeTransport:
    """The transport that the configuration selects for an executor; a cluster on this machine shares its cache.

    Raises:
        ConfigError: The shared directory does not contain the cache, or the remote is ambiguous or read-only.
        RemoteSchemeError: The package for the remote's kind of URL is not installed.
    """
    settings, context = session.stores.settings, session.context
    if settings.executor_shared or is_on_this_machine(address):
        if settings.executor_shared:
            _check_shared(settings, context)
        return SharedTransport(context, run)
    if settings.remotes:
        return RemoteTransport(session)
    return InlineTransport()


def _check_shared(settings: Settings, context: CommandContext) -> None:
    shared, cache = os.path.normpath(settings.executor_shared or ""), context.cache_layout.cache_dir
    if not cache.is_relative_to(shared):
        raise ConfigError(
            f"executor.shared is {shared}, but the cache is in {cache}, which is not below it",
            hint=f"pivot config set cache.dir {shared}/pivot-cache",
        )


def _lacking(view: ClusterView, deps: Mapping[ArtifactPath, Artifact]) -> dict[ArtifactPath, Artifact]:
    return {path: artifact for path, artifact in deps.items() if not view.is_there(path, artifact)}


def _stored(session: Session, view: ClusterView, deps: Mapping[ArtifactPath, Artifact]) -> dict[str, str]:
    """Store deps in the cache, as far as they are here; return by digest why some cannot be."""
    found: dict[str, str] = {}
    for path, artifact in deps.items():
        if session.store.has_all(artifact):
            continue
        try:
            now = _ingest(session, view, path)
        except ArtifactError as error:
            found[artifact.digest] = str(error)
            continue
        if (now.digest, now.tree) != (artifact.digest, artifact.tree):
            found[artifact.digest] = f"{path} was edited before it was sent"
    return found


def _ingest(session: Session, view: ClusterView, path: ArtifactPath) -> Artifact:
    """Store what is at a path; of a directory with files that are elsewhere, all others and the listing.

    Raises:
        ArtifactError: Nothing readable is there.
    """
    listing = view.listing(path)
    if listing is None:
        return session.keep(path) if _is_of_user(session, path) else session.ingest(path)
    for name in listing.files:
        file = ArtifactPath(f"{path}/{name}")
        if session.on_disk(file) is not None:
            session.ingest(file)
    session.store.put_bytes(listing.dumps())
    return listing.artifact()


def _is_of_user(session: Session, path: ArtifactPath) -> bool:
    """Whether something that no run has recorded is in the place of an out; a later run replaces it."""
    outs = {
        out.path: session.lock(address)
        for address in session.graph.writers(path)
        for out in session.graph.stages[address].outs
    }
    lock = outs.get(path)
    return path in outs and (lock is None or lock.outs.get(path) != session.on_disk(path))


def _bytes_of(session: Session, digest: str) -> bytes:
    try:
        return session.store.path_of(digest).read_bytes()
    except FileNotFoundError:
        raise MissingObjectError(digest) from None


def place(session: Session, outs: Mapping[ArtifactPath, Artifact], report: Reporter) -> None:
    """Put outs that the cache has at their paths; what the user has put there meanwhile is saved.

    Raises:
        CacheError: An object is missing, or a file cannot be written.
    """
    stores, check = session.stores, ReplaceCheck()
    for path, artifact in outs.items():
        check.look(stores.layout.artifact(path))
        found = session.on_disk(path)
        if found is not None and found.tree and found != artifact:
            raise ArtifactError(stores.layout.artifact(path), "somebody has put a directory there during the run")
    save_user_files(session, outs, outs, report)
    plan = checkout.compare(outs, {path: stores.look(path) for path in outs})
    mode = stores.settings.checkout_mode
    checkout.apply(plan, stores.store, stores.layout, mode, files=stores.files, check=check)
