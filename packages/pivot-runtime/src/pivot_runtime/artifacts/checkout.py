"""`pivot checkout`: restores recorded artifacts, and overwrites no content that exists nowhere else."""

import os
import pathlib
from collections.abc import Callable, Container, Iterable, Mapping

import attrs

from pivot_cache.errors import CacheError, CorruptObjectError, MissingObjectError
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.formats.tree import Tree
from pivot_cache.objects import checkout, relink
from pivot_cache.objects.store import CheckoutMode
from pivot_cache.state import left_outs
from pivot_cache.state.scan import leads_to_object
from pivot_core.files.paths import RESERVED_DIRS, ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.artifacts import kept, records
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.artifacts.trackable import not_data
from pivot_runtime.artifacts.tracked import differing
from pivot_runtime.context import CommandContext
from pivot_runtime.git import index
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project import name_case
from pivot_runtime.project.guard import guarded

__all__ = ["CheckoutMode", "CheckoutOptions", "CheckoutReport", "restore"]


@attrs.frozen(eq=False, repr=False)
class CheckoutOptions(Value):
    """The options of a checkout.

    Attributes:
        force: Whether to overwrite content that exists nowhere else.
        only_missing: Whether to write only missing files, also inside directories.
        mode: How files are created from objects; None for the configured mode.
        relink: Whether to create files again that have the recorded content, but were created in another way.
        dry_run: Whether to determine only what would be done.
        coming: For a dry run, the paths whose content the cache would have by then.
    """

    force: bool = False
    only_missing: bool = False
    mode: CheckoutMode | None = None
    relink: bool = False
    dry_run: bool = False
    coming: Container[str] = ()


@attrs.define
class CheckoutReport:
    """The result of a checkout, or of a dry run.

    Attributes:
        files: The number of files written.
        paths: The restored paths.
        relinked: The number of files with the recorded content that were created again, as links or copies.
        otherwise: The number of such files that were left as they are, if a mode was requested.
        modified: The paths that were left unchanged because their content, or that of these files in a directory,
            exists nowhere else.
        missing: The paths whose content the cache lacks.
        failed: The paths that could not be written, with the reason.
        ways: Hints for them.
        computed: Whether some of the missing content belongs to stages, so that a run computes it again.
        kept: The overwritten paths whose content existed nowhere else, and where it is saved.
    """

    files: int = 0
    paths: list[ArtifactPath] = attrs.field(factory=list)
    relinked: int = 0
    otherwise: int = 0
    modified: dict[ArtifactPath, tuple[str, ...]] = attrs.field(factory=dict)
    missing: list[ArtifactPath] = attrs.field(factory=list)
    failed: dict[ArtifactPath, str] = attrs.field(factory=dict)
    ways: dict[str, None] = attrs.field(factory=dict)
    computed: bool = False
    kept: dict[ArtifactPath, str] = attrs.field(factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all requested content is in place."""
        return not (self.modified or self.missing or self.failed)


def restore(
    context: CommandContext,
    targets: Iterable[str] = (),
    *,
    options: CheckoutOptions | None = None,
    report: Reporter = no_report,
) -> CheckoutReport:
    """Restore the recorded content of the targets; without targets, of all outs and tracked data, but temporary ones.

    No pipeline is loaded. Outs for git are left to git.

    Raises:
        TargetError: A target is unknown.
        CacheError: A record cannot be read.
    """
    options = options or CheckoutOptions()
    if options.dry_run:
        with open_stores(context) as stores:
            return _checked_out(context, stores, targets, options)
    with (
        guarded(context.project.layout.guard_file, "pivot checkout", events.report_waiting(report)),
        open_stores(context) as stores,
    ):
        done = _checked_out(context, stores, targets, options)
        left_outs.prune(stores.layout)
        return done


def _checked_out(
    context: CommandContext, stores: Stores, targets: Iterable[str], options: CheckoutOptions
) -> CheckoutReport:
    def opened(record: Record) -> Tree | None:
        try:
            return stores.store.tree(record.artifact)
        except (MissingObjectError, CorruptObjectError):
            return None

    targets = list(targets)
    selected = records.read(context).select(targets, context.project, opened)
    if not targets:
        selected = [record for record in selected if not record.temp]
    tracked = {record.path for record in selected if record.tracked}
    wanted = {record.path: record.artifact for record in selected if record.cache}
    return _Checkout(stores, options, tracked).run(wanted)


def restore_artifacts(
    stores: Stores, wanted: Mapping[ArtifactPath, Artifact], options: CheckoutOptions
) -> CheckoutReport:
    """Restore content that the caller knows from another record than a lock file; it has the project's guard.

    Raises:
        CacheError: The workspace cannot be read.
    """
    return _Checkout(stores, options, frozenset()).run(wanted)


class _Checkout:
    """A checkout; it continues with the other artifacts if one cannot be restored."""

    def __init__(
        self,
        stores: Stores,
        options: CheckoutOptions,
        tracked: Container[str],
        folds: Callable[[pathlib.Path], bool] = name_case.ignores_case,
    ) -> None:
        self._stores = stores
        self._tracked = tracked
        self._options = options
        self._mode = options.mode or stores.settings.checkout_mode
        self._done = CheckoutReport()
        self._folds = folds

    def run(self, wanted: Mapping[ArtifactPath, Artifact]) -> CheckoutReport:
        same = self._same_names(wanted)
        for path, other in same.items():
            self._done.failed[path] = f"on this file system it has the same name as {other}: rename one of them in git"
        for path, artifact in sorted(wanted.items()):
            if path in same:
                continue
            try:
                self._one(path, artifact)
                if path not in self._done.modified:
                    self._relink(path, artifact)
            except (MissingObjectError, CorruptObjectError):
                self._done.missing.append(path)
                self._done.computed |= path not in self._tracked
            except CacheError as error:
                self._done.failed[path] = str(error)
                self._done.kept.pop(path, None)  # it is saved, but was not overwritten
                if error.hint:
                    self._done.ways[error.hint] = None
        return self._done

    def _same_names(self, wanted: Mapping[ArtifactPath, Artifact]) -> Mapping[ArtifactPath, ArtifactPath]:
        same = name_case.clashes(wanted)
        return same if same and self._folds(self._stores.layout.root) else {}

    def _one(self, path: ArtifactPath, artifact: Artifact) -> None:
        check, found = ReplaceCheck(), self._stores.look(path)
        if found == artifact:
            return
        check.look(self._stores.layout.artifact(path))
        found = self._stores.look(path)  # once more: from now on, an edit is noticed
        plan = checkout.compare({path: artifact}, {path: found})
        if found is not None and self._options.only_missing:
            plan = self._inside(path, artifact, found)
            if not plan.create:
                return
        checkout.check_place(self._stores.layout, path)
        self._check_links(path, artifact, found)
        if found is None and not self._make_way(path, artifact, check):
            return
        alone = () if found is None or self._options.only_missing else self._nowhere_else(path, artifact, found)
        if alone:
            if not self._options.force:
                self._done.modified[path] = tuple(name for name in alone if name)
                return
            self._keep(path, artifact)
        elif found is not None and self._is_arranged(path, artifact, found):
            self._keep(path, artifact)
        self._apply(path, plan, check)

    def _relink(self, path: ArtifactPath, artifact: Artifact) -> None:
        """Create files again that were not created in the requested way, or count them."""
        file, store = self._stores.layout.artifact(path), self._stores.store
        new = self._options.dry_run and path in self._done.paths
        if not (self._options.relink or self._options.mode) or new or is_user_link(file):
            return
        if self._options.relink and not self._options.dry_run:
            checkout.check_place(self._stores.layout, path)
            check = ReplaceCheck()
            check.look(file)
            if self._stores.look(path) == artifact:  # otherwise it has just been edited
                self._done.relinked += relink.relink(artifact, file, store, self._mode, check=check)
            return
        count = len(relink.differently_created(artifact, file, store, self._mode))
        if self._options.relink:
            self._done.relinked += count
        else:
            self._done.otherwise += count

    def _is_arranged(self, path: ArtifactPath, artifact: Artifact, found: Artifact) -> bool:
        """Whether files have names that no record has: the user may have sorted them."""
        if self._options.only_missing or not kept.is_arranged(self._stores, found):
            return False
        differs = differing(self._stores, path, artifact) if artifact.tree else None
        return differs is None or not differs.partial

    def _check_links(self, path: ArtifactPath, artifact: Artifact, found: Artifact | None) -> None:
        """Keep the user's links, or report them as obstacles; refuse directories that `pivot track` would refuse."""
        if path not in self._tracked:
            return
        name = not_data(self._stores.store.tree(artifact).files) if artifact.tree else None
        if name is not None:
            raise CacheError(f"{path} contains {name}, which is not data", hint="find out who recorded it")
        layout = self._stores.layout
        file = layout.artifact(path)
        if is_user_link(file):
            _refuse_link(layout.root, path, artifact)
        if found is None or not (found.tree and artifact.tree) or self._options.only_missing:
            return
        wanted = self._stores.store.tree(artifact).files
        there = self._stores.files.tree(file).files
        name = _replaced_link(file, {name for name, each in there.items() if wanted.get(name) != each})
        if name is not None and not self._options.force:
            raise CacheError(f"{file / name} is a symbolic link, but a file is recorded: --force replaces it")

    def _keep(self, path: ArtifactPath, artifact: Artifact) -> None:
        """Save content before it is overwritten, if it will be."""
        if not self._options.dry_run and self._stores.store.has_all(artifact):
            by = "pivot checkout --force" if self._options.force else "pivot checkout"
            self._done.kept[path] = kept.keep(self._stores, path, by).digest

    def _make_way(self, path: ArtifactPath, artifact: Artifact, check: ReplaceCheck) -> bool:
        """Whether no user file is in the place of a parent directory of a path; the file may be saved first."""
        file = checkout.blocking_file(self._stores.layout, path)
        if file is None:
            return True
        around = ArtifactPath(file.relative_to(self._stores.layout.root).as_posix())
        check.look(file)
        there = self._stores.look(around)
        if there is None or not kept.is_elsewhere(self._stores, around, there):
            if there is None or not self._options.force:
                self._done.modified[around] = ()
                return False
            self._keep(around, artifact)
        return True

    def _apply(self, path: ArtifactPath, plan: checkout.CheckoutPlan, check: ReplaceCheck) -> None:
        stores = self._stores
        if self._options.dry_run:
            self._done.files += self._count(plan, certain=path in self._options.coming)
        else:
            self._done.files += checkout.apply(
                plan,
                stores.store,
                stores.layout,
                self._mode,
                files=stores.files,
                follow=is_user_link if path in self._tracked else None,
                check=check,
            )
        self._done.paths.append(path)

    def _inside(self, path: ArtifactPath, artifact: Artifact, found: Artifact) -> checkout.CheckoutPlan:
        """The missing files of an existing directory."""
        if not (artifact.tree and found.tree):
            return checkout.CheckoutPlan({}, {}, frozenset({path}))
        there = self._stores.files.tree(self._stores.layout.artifact(path)).files
        listed = self._stores.store.tree(artifact).files
        missing = {ArtifactPath(f"{path}/{name}"): file for name, file in listed.items() if name not in there}
        return checkout.CheckoutPlan(missing, {}, frozenset())

    def _nowhere_else(self, path: ArtifactPath, artifact: Artifact, found: Artifact) -> tuple[str, ...]:
        """The content at a path that would be lost: the cache does not have it, and would not have it by then."""
        certain = artifact.tree and path in self._options.coming
        coming = self._stores.store.tree(artifact).digests() if certain else frozenset[str]()
        return kept.only_here(self._stores, path, found, coming)

    def _count(self, plan: checkout.CheckoutPlan, *, certain: bool) -> int:
        """The number of files that would be written; with ``certain``, including those not yet in the cache."""
        count = 0
        for path, artifact in {**plan.create, **plan.replace}.items():
            if not (certain or self._stores.store.has_all(artifact)):
                raise MissingObjectError(artifact.digest)
            if not artifact.tree:
                count += 1
                continue
            file = self._stores.layout.artifact(path)
            there = self._stores.files.tree(file).files if file.is_dir() else {}
            listed = self._stores.store.tree(artifact).files
            count += sum(there.get(name) != each for name, each in listed.items())
        return count


def is_user_link(file: pathlib.Path) -> bool:
    """Whether a path is a user's link, as opposed to one that Pivot created to an object of a cache."""
    return file.is_symlink() and not leads_to_object(os.fspath(file))


def _refuse_link(root: pathlib.Path, path: ArtifactPath, artifact: Artifact) -> None:
    """Refuse to write through a link that the user did not create for these data.

    A stranger's branch may contain both a link and a `.pvt` file, whereas tracked data are not in git.

    Raises:
        CacheError: The link must not be followed; the error states why.
    """
    file = root / path
    real = pathlib.Path(os.path.realpath(file))
    way = "put the data themselves in its place, or remove it"
    if not real.exists():
        raise CacheError(f"{file} is a symbolic link that leads nowhere: {way}", hint=way)
    if real.is_dir() is not artifact.tree:
        kinds = ("directory", "file") if real.is_dir() else ("file", "directory")
        raise CacheError(f"{file} is a symbolic link to a {kinds[0]}, but a {kinds[1]} is recorded: {way}", hint=way)
    inside = os.path.relpath(real, os.path.realpath(root))
    if not inside.startswith("..") or not RESERVED_DIRS.isdisjoint(part.casefold() for part in real.parts):
        raise CacheError(f"{file} is a symbolic link to {real}, into which nothing is restored: {way}", hint=way)
    if index.tracks(root, path):
        raise CacheError(f"{file} is a symbolic link from git, which is not followed: {way}", hint=way)


def _replaced_link(directory: pathlib.Path, names: "set[str]") -> str | None:
    """The first of these files in a directory that is a user's link and would be replaced by a file."""
    return next((name for name in sorted(names) if is_user_link(directory / name)), None)
