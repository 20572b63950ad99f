"""`pivot cache gc`: moves objects that no branch and no project needs to the trash."""

import contextlib
import functools
import os
import pathlib
import time
from collections.abc import Callable, Collection, Iterator

import attrs

from pivot_cache.errors import CacheError, cache_error
from pivot_cache.files import atomic
from pivot_cache.layout import Layout
from pivot_cache.maintenance.gc import GcResult, Progress, collect, undo_newest
from pivot_cache.maintenance.gc_limits import Limits
from pivot_cache.maintenance.gc_plan import Cache, GcPlan, Retention, prepare
from pivot_cache.state.results import Results
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.artifacts import kept
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import SharedCacheError
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.maintenance import gc_roots
from pivot_runtime.project import cache_users, identity
from pivot_runtime.project.cache_users import User
from pivot_runtime.project.guard import guarded

__all__ = ["GcOptions", "GcReport", "GcResult", "gc", "undo"]

COMMAND = "pivot cache gc"
_DAY_NS = 24 * 3600 * 1_000_000_000


@attrs.frozen(eq=False, repr=False)
class GcOptions(Value):
    """The options of a garbage collection.

    Attributes:
        keep_since_ns: The age up to which run records keep the objects that they name; None for the configured one.
        trash_ns: The time after which objects in the trash are deleted; None for the configured one.
        all_projects: Whether to keep what the other projects that use this cache need.
        only_this_project: Whether to ignore the other projects.
        skip_damaged: Whether to continue without unreadable files.
        max_size: The size in bytes down to which unneeded objects, and then those of recent runs, are removed.
        unused_ns: The time for which an object must not have been used to be removed.
    """

    keep_since_ns: int | None = None
    trash_ns: int | None = None
    all_projects: bool = False
    only_this_project: bool = False
    skip_damaged: bool = False
    max_size: int | None = None
    unused_ns: int | None = None


@attrs.frozen(eq=False, repr=False)
class GcReport(Value):
    """The result of a collection.

    Attributes:
        planned: The plan: the objects that go and those that stay.
        done: The result of the steps; None if only the plan was requested.
        projects: The other projects whose needs were respected.
        gone: Former users of the cache that no longer exist.
        skipped: Unreadable files that were skipped.
        at_once: Whether the collection deletes what it moves to the trash: the options say so, and no process may be
            using it meanwhile.
        in_use: The projects of which one may, so that it does not although the options say so.
    """

    planned: GcPlan
    done: GcResult | None
    projects: tuple[pathlib.Path, ...]
    gone: tuple[User, ...]
    skipped: tuple[str, ...]
    at_once: bool = False
    in_use: tuple[pathlib.Path, ...] = ()


def gc(
    context: CommandContext,
    options: GcOptions | None = None,
    *,
    dry_run: bool = False,
    report: Reporter = no_report,
    progress: Progress = no_progress,
) -> GcReport:
    """Collect garbage; with ``dry_run``, only find it.

    Meanwhile, no other command changes any of these projects.

    Raises:
        SharedCacheError: Other projects use the cache, and the options name none of the ways to handle them.
        GitError: Git could not report what is needed.
        CacheError: A file that names objects cannot be read, or an object cannot be moved.
    """
    options = options or GcOptions()
    with open_stores(context) as stores:
        heeded, gone = _users(stores.layout, options)
        skipped: dict[str, None] = {}
        doubt = _doubt(skipped, skip=options.skip_damaged)
        places = [context.project.root, *heeded]
        in_use = functools.partial(_in_use, stores.layout, places, options)
        own = identity.known(stores.layout) if options.only_this_project else None
        cache = Cache(stores.store, stores.runs, Results(stores.layout.results_dir), own)
        rules = _rules(stores, options)

        def gather() -> set[Artifact]:
            # Regardless of --grace: users who notice the loss need time.
            trash_ns = stores.settings.trash_days * _DAY_NS
            return gc_roots.gather(places, doubt) | kept.pinned(stores.layout, trash_ns, doubt)

        done = None
        without_grace = options.trash_ns == 0
        if dry_run:
            found = in_use()
            planned = prepare(cache, gather(), rules, doubt=doubt)
        else:
            with _guards(stores.layout, places, report):
                found = in_use()  # what has begun before the move, and what has begun since

                def at_once() -> bool:
                    return without_grace and not found and not in_use()

                done = collect(cache, gather, rules, progress=progress, doubt=doubt, at_once=at_once)
            planned = done.plan
            kept.tidy(stores, stores.settings.trash_days * _DAY_NS)
        return GcReport(planned, done, tuple(heeded), tuple(gone), tuple(skipped), without_grace and not found, found)


def undo(context: CommandContext, *, report: Reporter = no_report) -> GcResult | None:
    """Undo the newest collection or drop; None if there is none.

    Raises:
        CacheError: An object cannot be moved.
    """
    with open_stores(context) as stores, _guards(stores.layout, [context.project.root], report):
        return undo_newest(Cache(stores.store, stores.runs, Results(stores.layout.results_dir)))


def _rules(stores: Stores, options: GcOptions) -> Retention:
    settings = stores.settings
    keep_runs_ns = settings.keep_runs_days * _DAY_NS if options.keep_since_ns is None else options.keep_since_ns
    trash_ns = settings.trash_days * _DAY_NS if options.trash_ns is None else options.trash_ns
    limited = options.max_size is not None or options.unused_ns is not None
    limits = Limits(options.max_size, options.unused_ns) if limited else None
    return Retention(time.time_ns(), keep_runs_ns, trash_ns, limits)


def _users(layout: Layout, options: GcOptions) -> tuple[list[pathlib.Path], list[User]]:
    """The other projects to respect, and those that no longer exist."""
    if options.only_this_project:
        return [], []
    others = cache_users.others(layout)
    gone = [user for user in others if user.gone]
    heeded = [user for user in others if not user.gone]
    if heeded and not options.all_projects:
        named = ", ".join(str(user.root) for user in heeded)
        raise SharedCacheError(
            f"other projects use this cache: {named}",
            hint="--all-projects also keeps what they need, --only-this-project removes what only they need",
        )
    for user in heeded:
        if not user.present:
            raise SharedCacheError(
                f"{user.root} on {user.host or 'this machine'} uses this cache, but cannot be read",
                hint=f"if that project no longer exists, delete {user.file}; or use --only-this-project",
            )
    return [user.root for user in heeded], gone


def _in_use(layout: Layout, places: Collection[pathlib.Path], options: GcOptions) -> tuple[pathlib.Path, ...]:
    """The projects that prevent a deletion at once: processes may store there that their guards do not keep away."""
    if options.trash_ns != 0:
        return ()
    others = (user.root for user in cache_users.others(layout) if not user.gone and user.root not in places)
    return (*others, *filter(_has_runs_elsewhere, places))


def _has_runs_elsewhere(place: pathlib.Path) -> bool:
    """Whether stages of a project may be running in copies of it: for a sweep, or on a cluster."""
    layout = Layout(place)
    with contextlib.suppress(OSError):
        if os.listdir(layout.sweeps_dir):
            return True
    return layout.sent_runs_file.exists()


def _doubt(skipped: dict[str, None], *, skip: bool) -> Callable[[CacheError], None]:
    def doubt(error: CacheError) -> None:
        if not skip:
            hint = "; ".join(filter(None, (error.hint, "--skip-damaged continues as if it named nothing")))
            raise CacheError(str(error), hint=hint) from error
        skipped[str(error)] = None

    return doubt


@contextlib.contextmanager
def _guards(layout: Layout, places: list[pathlib.Path], report: Reporter) -> Iterator[None]:
    """Hold the guards of the cache and of every project, in an order that all processes share."""
    with contextlib.ExitStack() as stack:
        for file in (layout.gc_guard_file, *sorted(Layout(place).guard_file for place in places)):
            try:
                stack.enter_context(guarded(file, COMMAND, events.report_waiting(report)))
            except OSError as error:
                raise cache_error("hold", file, error) from error
        with contextlib.suppress(OSError):  # those who share the cache must be able to hold it
            atomic.share(layout.gc_guard_file)
        yield
