"""Pushes and fetches exactly the objects of some artifacts that the other side lacks.

A listing goes up after all that it lists, and comes down before it. So a listing that is on a remote means that its
files are, and an interruption at any point leaves nothing that is half there.
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
    """Bring to a remote what it lacks of the artifacts.

    Objects on the remote are never replaced. Where everything is known to be there, the remote is not even connected
    to.

    Returns:
        The outcome of each object.
    """
    options = options or TransferSettings()
    whole = list(artifacts)
    closed = _known(remote, options, {artifact.digest for artifact in whole if artifact.tree}, whole=True)
    wanted = objects_of(whole, store, closed=closed)
    there = _known(remote, options, wanted.sizes)
    inside = frozenset[str]().union(*(listed(digest, store) for digest in closed))
    if there.issuperset(wanted.sizes):
        return TransferResult(present=frozenset(there) | inside)

    from pivot_cache.remotes import session  # noqa: PLC0415 - nothing to push needs no event loop

    outcome = session.push(wanted, there, store, remote, options)
    return attrs.evolve(outcome, present=outcome.present | (inside - outcome.transferred))


def fetch(
    artifacts: Iterable[Artifact], store: ObjectStore, remote: Remote, options: TransferSettings | None = None
) -> TransferResult:
    """Bring from a remote what the store lacks of the artifacts, verified.

    Where nothing is lacking, the remote is not even connected to.

    Returns:
        The outcome of each object. Where a listing is neither here nor there, its files are unknown.
    """
    options = options or TransferSettings()
    whole = list(artifacts)
    wanted = objects_of(whole, store)
    here = {digest for digest, size in wanted.sizes.items() if store.verified(digest, size)}
    if here.issuperset(wanted.sizes) and not wanted.broken:
        return TransferResult(present=frozenset(here))

    from pivot_cache.remotes import session  # noqa: PLC0415 - nothing to fetch needs no event loop

    return session.fetch(whole, here, store, remote, options)


def absent(
    artifacts: Iterable[Artifact], store: ObjectStore, remote: Remote, options: TransferSettings | None = None
) -> dict[Artifact, frozenset[str]]:
    """The artifacts that the remote does not have in full, with the objects that it lacks of each.

    Of a directory whose listing is not in the store, only the listing is asked for.

    Raises:
        RemoteError: The remote cannot tell.
    """
    options = options or TransferSettings()
    whole = set(artifacts)
    closed = _known(remote, options, {artifact.digest for artifact in whole if artifact.tree}, whole=True)
    wanted = objects_of(whole, store, closed=closed)
    there = _known(remote, options, wanted.sizes)
    if not there.issuperset(wanted.sizes):
        from pivot_cache.remotes import session  # noqa: PLC0415 - what is known needs no event loop

        there |= session.ask(wanted.lengths(wanted.sizes.keys() - there, store), remote, options)
    lacking = {
        artifact: ({artifact.digest} | (wanted.listings.get(artifact.digest) or frozenset())) - there
        for artifact in whole
    }
    return {artifact: frozenset(digests) for artifact, digests in lacking.items() if digests}


def present(digests: Iterable[str], remote: Remote, options: TransferSettings | None = None) -> set[str]:
    """Those of some objects that the remote has, whatever was known of it before.

    Raises:
        RemoteError: The remote cannot tell.
    """
    from pivot_cache.remotes import session  # noqa: PLC0415 - as above

    return session.ask(dict.fromkeys(digests), remote, options or TransferSettings())


def _known(remote: Remote, options: TransferSettings, digests: Collection[str], *, whole: bool = False) -> set[str]:
    if options.known is None or options.refresh:
        return set()
    return options.known.among(remote.identity, digests, whole=whole)
