"""Pushes and fetches exactly the missing objects of some artifacts.

A listing is uploaded after its files, and downloaded before them. So if a listing is on a remote, its files are too,
and an interruption leaves nothing incomplete.
"""

from collections.abc import Collection, Iterable

import attrs

from pivot_cache.objects.contents import ObjectSet, listed, objects_of
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.options import IncompleteTreeError, TransferCounts, TransferResult, TransferSettings
from pivot_cache.remotes.protocol import Remote
from pivot_core.lock import Artifact

__all__ = [
    "IncompleteTreeError",
    "ObjectSet",
    "TransferCounts",
    "TransferResult",
    "TransferSettings",
    "absent",
    "fetch",
    "objects_of",
    "present",
    "push",
]


def push(
    artifacts: Iterable[Artifact], store: ObjectStore, remote: Remote, options: TransferSettings | None = None
) -> TransferResult:
    """Upload the objects of artifacts that a remote lacks.

    Existing objects on the remote are never replaced. If all objects are known to be on the remote, no connection is
    opened.

    Returns:
        The outcome of each object.
    """
    options = options or TransferSettings()
    whole = list(artifacts)
    closed, wanted, there = _wanted(whole, store, remote, options)
    inside = frozenset[str]().union(*(listed(digest, store) for digest in closed))
    if there.issuperset(wanted.sizes):
        return TransferResult(present=frozenset(there) | inside)

    from pivot_cache.remotes import session  # lazy

    outcome = session.push(wanted, there, store, remote, options)
    return attrs.evolve(outcome, present=outcome.present | (inside - outcome.transferred))


def fetch(
    artifacts: Iterable[Artifact], store: ObjectStore, remote: Remote, options: TransferSettings | None = None
) -> TransferResult:
    """Download the objects of artifacts that the store lacks, verified.

    If no object is missing, no connection is opened.

    Returns:
        The outcome of each object. If a listing is neither in the store nor on the remote, its files are unknown.
    """
    options = options or TransferSettings()
    whole = list(artifacts)
    wanted = objects_of(whole, store)
    here = {digest for digest, size in wanted.sizes.items() if store.verified(digest, size)}
    if here.issuperset(wanted.sizes) and not wanted.broken:
        return TransferResult(present=frozenset(here))

    from pivot_cache.remotes import session  # lazy

    return session.fetch(whole, here, wanted.sizes.keys() - here, store, remote, options)


def absent(
    artifacts: Iterable[Artifact], store: ObjectStore, remote: Remote, options: TransferSettings | None = None
) -> dict[Artifact, frozenset[str]]:
    """The artifacts that the remote does not have completely, with the missing objects of each.

    For a directory whose listing is not in the store, only the listing is checked.

    Raises:
        RemoteError: The remote does not answer the question.
    """
    options = options or TransferSettings()
    whole = set(artifacts)
    _, wanted, there = _wanted(whole, store, remote, options)
    if not there.issuperset(wanted.sizes):
        from pivot_cache.remotes import session  # lazy

        there |= session.ask(wanted.lengths(wanted.sizes.keys() - there, store), remote, options)
    lacking = {
        artifact: ({artifact.digest} | (wanted.listings.get(artifact.digest) or frozenset())) - there
        for artifact in whole
    }
    return {artifact: frozenset(digests) for artifact, digests in lacking.items() if digests}


def present(digests: Iterable[str], remote: Remote, options: TransferSettings | None = None) -> set[str]:
    """The ones of some objects that the remote has, regardless of previous knowledge.

    Raises:
        RemoteError: The remote does not answer the question.
    """
    from pivot_cache.remotes import session  # lazy

    return session.ask(dict.fromkeys(digests), remote, options or TransferSettings())


def _wanted(
    artifacts: Collection[Artifact], store: ObjectStore, remote: Remote, options: TransferSettings
) -> tuple[set[str], ObjectSet, set[str]]:
    """The listings known to be complete on the remote, the objects of the rest, and the known ones of those."""
    closed = _known(remote, options, {artifact.digest for artifact in artifacts if artifact.tree}, whole=True)
    wanted = objects_of(artifacts, store, closed=closed)
    return closed, wanted, _known(remote, options, wanted.sizes)


def _known(remote: Remote, options: TransferSettings, digests: Collection[str], *, whole: bool = False) -> set[str]:
    if options.known is None or options.refresh:
        return set()
    return options.known.among(remote.identity, digests, whole=whole)
