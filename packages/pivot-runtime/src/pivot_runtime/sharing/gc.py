"""`pivot remote gc`: deletes objects on a remote that no lock file and no `.pvt` file of any known branch names."""

import time
from collections.abc import Callable, Sequence

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.maintenance.gc_plan import mark
from pivot_cache.remotes.gc import RemoteGcResult, RemotePlan
from pivot_core.values import Value
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.errors import UnseenLocksError
from pivot_runtime.git.unseen import unseen
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.maintenance import gc_roots
from pivot_runtime.project import cache_users
from pivot_runtime.project.cache_users import User
from pivot_runtime.project.guard import guarded
from pivot_runtime.sharing.remote_client import RemoteClient, TransferOptions

__all__ = ["RemoteGcOptions", "RemoteGcReport", "RemotePlan", "gc"]

COMMAND = "pivot remote gc"
_DEFAULT_GRACE_NS = 30 * 24 * 3600 * 1_000_000_000


@attrs.frozen(eq=False, repr=False)
class RemoteGcOptions(Value):
    """The options of a garbage collection of a remote.

    Attributes:
        remote: The name of the remote; None for the default remote.
        jobs: The maximum number of simultaneous requests; None for the configured one.
        grace_ns: The age from which objects are deleted; None for 30 days.
        force: Whether to continue although lock files of others may be unseen.
        dry_run: Whether to make only the plan.
    """

    remote: str | None = None
    jobs: int | None = None
    grace_ns: int | None = None
    force: bool = False
    dry_run: bool = False


@attrs.frozen(eq=False, repr=False)
class RemoteGcReport(Value):
    """The result of a collection.

    Attributes:
        remote: The name of the remote.
        planned: The plan.
        done: The result of the steps; None if only the plan was wanted.
    """

    remote: str
    planned: RemotePlan
    done: RemoteGcResult | None = None


def gc(
    context: CommandContext,
    options: RemoteGcOptions,
    agree: Callable[[str, RemotePlan], bool],
    *,
    report: Reporter = no_report,
) -> RemoteGcReport:
    """Plan a collection, and delete the objects if the caller agrees.

    After the agreement, everything is looked at again, and only objects that are in both plans are deleted.

    Args:
        context: The context of the command.
        options: The options.
        agree: Called with the name of the remote and the plan, unless there is nothing to delete.
        report: Called before waiting for another command.

    Raises:
        UnseenLocksError: Lock files of others may be unseen, and the options do not allow that.
        ConfigError: No remote is configured, or none of that name, or it is read-only.
        CacheError: A file that names objects cannot be read, or the contents of a directory are unknown.
        RemoteError: The remote does not answer.
    """
    with open_stores(context) as stores:
        client = RemoteClient(stores, TransferOptions(options.remote, options.jobs))
        stores.settings.check_writable(client.name)
        first = _plan(context, stores, client, options)
        if options.dry_run or not first.delete or not agree(client.name, first):
            return RemoteGcReport(client.name, first)
        with guarded(context.project.layout.guard_file, COMMAND, events.report_waiting(report)):
            planned = _plan(context, stores, client, options).only(first.delete)
            return RemoteGcReport(client.name, planned, client.delete(planned))


def _plan(context: CommandContext, stores: Stores, client: RemoteClient, options: RemoteGcOptions) -> RemotePlan:
    others = [user for user in cache_users.others(stores.layout) if not user.gone]
    _check_seen(context, [user for user in others if not user.present], force=options.force)
    places = [context.project.root, *(user.root for user in others if user.present)]
    roots = gc_roots.gather(places)
    client.fetch_listings([each for each in roots if each.tree and not stores.store.verified(each.digest)])
    marked = mark(roots, stores.store)
    if marked.unlisted and not options.force:
        raise CacheError(
            f"the contents of {len(marked.unlisted)} recorded directories are unknown, since neither the cache nor "
            f"{client.name!r} has their listings",
            hint="'pivot fetch' them from another remote, or compute them again; --force counts them as empty",
        )
    grace_ns = _DEFAULT_GRACE_NS if options.grace_ns is None else options.grace_ns
    return client.plan_gc(marked.digests, before_s=time.time() - grace_ns / 1e9)


def _check_seen(context: CommandContext, absent: Sequence[User], *, force: bool) -> None:
    found = unseen(context.project.root)
    reasons = [*found.reasons, *(f"{user.root}, which uses this cache, cannot be read here" for user in absent)]
    if reasons and not force:
        files = ", ".join(str(user.file) for user in absent if user.file is not None)
        gone = f"if such a project no longer exists, delete {files}" if files else ""
        raise UnseenLocksError(
            f"lock files of others may be unseen here: {'; '.join(reasons)}",
            hint="; ".join(filter(None, (found.hint, gone, "--force deletes what only such lock files need"))),
        )
    for reason in reasons:
        context.notices.add(Notice(reason))
