"""Outs around a stage run: save what the user wrote, stash, restore for incremental stages, put back, store."""

import contextlib
import functools
import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pivot_cache.errors import ArtifactError, CacheError, CorruptObjectError, MissingObjectError
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, StageLock
from pivot_core.spec import OutSpec, StageSpec
from pivot_runtime.artifacts import kept
from pivot_runtime.evaluating.session import Session
from pivot_runtime.evaluating.user_files import save_user_files
from pivot_runtime.executors import written_outs
from pivot_runtime.history.events import Reporter, no_report

if TYPE_CHECKING:
    from pivot_runtime.artifacts.stash import OutStash


class Outs:
    """The outs of all stages of one run."""

    def __init__(self, session: Session, report: Reporter = no_report, *, all_stored: bool = False) -> None:
        """Touch nothing yet; ``report`` gets an event for each file of the user that is saved.

        With ``all_stored``, outs that are declared not to be cached are stored in the cache as well.
        """
        self._all_stored = all_stored
        self._session = session
        self._layout = session.stores.layout
        self._root = os.fspath(self._layout.root)
        self._unnamed = kept.UnnamedContent(session.stores)
        self._report = report

    @functools.cached_property
    def _out_stash(self) -> "OutStash":
        from pivot_runtime.artifacts.stash import OutStash  # lazy

        return OutStash(self._layout)

    def put_back_leftovers(self) -> None:
        """Put back the outs that a killed run has left in the stash."""
        self._out_stash.sweep()

    def save_user_files(self, paths: Iterable[ArtifactPath], lock: StageLock | None) -> None:
        """Store outs that no run has written in the cache, before they are overwritten: they are the user's.

        Raises:
            CacheError: A file cannot be stored.
        """
        save_user_files(self._session, paths, {} if lock is None else lock.outs, self._report)

    def stash(self, spec: StageSpec, lock: StageLock | None, *, elsewhere: bool = False) -> None:
        """Move the outs out of the way of a run; incremental ones are restored as copies that it may change.

        With ``elsewhere``, the run does not write here: nothing is prepared for it, and nothing restored.
        """
        paths = [out.path for out in spec.outs]
        if elsewhere:
            self._out_stash.take(spec.address, paths, elsewhere=True)
            return
        lasting = any(out.directory for out in spec.outs)  # a directory that no run has written would be in the way
        self._out_stash.take(spec.address, paths, lasting=lasting)
        for out in spec.outs:
            before = lock.outs.get(out.path) if lock is not None and out.incremental else None
            if out.incremental and not out.cache:
                self._copy_stashed(spec.address, out.path)
            elif before is not None:
                self._restore_incremental(spec.address, out.path, before)

    def _restore_incremental(self, address: str, path: ArtifactPath, before: Artifact) -> None:
        target = self._layout.artifact(path)
        with contextlib.suppress(MissingObjectError, CorruptObjectError):
            self._session.store.restore(before, target)
            return
        waiting = self._out_stash.waiting(address, path)
        if self._session.stores.files.artifact(waiting) == before:  # else the stage starts again, as on its first run
            self._copy_stashed(address, path)

    def _copy_stashed(self, address: str, path: ArtifactPath) -> None:
        """Put a copy of an out that was there into its place."""
        waiting, target = self._out_stash.waiting(address, path), self._layout.artifact(path)
        try:
            if waiting.is_dir():
                shutil.copytree(waiting, target)
            elif waiting.exists():
                shutil.copy2(waiting, target)
        except OSError as error:
            raise ArtifactError(target, f"cannot be written: {error.strerror or error}") from None

    def put_back(self, spec: StageSpec, written: Mapping[ArtifactPath, Artifact] | None = None) -> list[ArtifactPath]:
        """Put back the outs of a stage that did not succeed; returns those that could not be.

        ``written`` has the outs of a stage that ran elsewhere: other content in their places is the user's, and stays,
        or is saved before it is replaced. None for a stage that ran here, and may have written anything there.

        Raises:
            CacheError: A file of the user cannot be saved.
        """
        paths = [out.path for out in spec.outs]
        if written is not None:
            found = {path: self._session.on_disk(path) for path in paths if os.path.lexists(f"{self._root}/{path}")}
            users = {path for path, there in found.items() if path not in written or there != written[path]}
            waiting = (path for path in users if os.path.lexists(self._out_stash.waiting(spec.address, path)))
            replaced = {path for path in waiting if found[path] is not None}  # what cannot be read stays
            save_user_files(self._session, replaced, {}, self._report)
            paths = [path for path in paths if path not in users or path in replaced]
        return self._out_stash.give_back(spec.address, paths)

    def remove_temporary(self, current: Iterable[str]) -> None:
        """Remove the temporary outs that only current stages read, if they are as recorded and the cache has them."""
        from pivot_runtime.evaluating.temporary_outs import no_longer_needed  # lazy

        session = self._session
        for address, path in no_longer_needed(session.graph, current):
            found, lock = session.on_disk(path), session.lock(address)
            if found is None or lock is None or lock.outs.get(path) != found or not session.store.has_all(found):
                continue
            with contextlib.suppress(ArtifactError):  # then it stays
                self._out_stash.take(address, [path])
            self._out_stash.drop(address)

    def drop_stash(self, address: str) -> None:
        """Remove the previous outs of a stage that has succeeded."""
        self._out_stash.drop(address)

    def leave(self, address: str) -> None:
        """Remove the previous outs of a stage whose new ones are not recorded."""
        self._out_stash.leave(address)

    def recache(self, out: OutSpec, recorded: Mapping[ArtifactPath, Artifact]) -> bool:
        """Store an out again that is as recorded, and that the cache has lost; returns whether it was stored.

        Raises:
            CacheError: It cannot be stored.
        """
        artifact = recorded.get(out.path) if out.cache else None
        if artifact is None or self._session.store.has_all(artifact) or self._session.artifact_at(out.path) != artifact:
            return False
        self._session.ingest(out.path)
        return True

    def missing(self, spec: StageSpec) -> list[ArtifactPath]:
        """The outs that are not there."""
        return written_outs.missing(self._root, spec.outs)

    def store(self, spec: StageSpec, *, commit: bool = True) -> dict[ArtifactPath, Artifact]:
        """Store the outs of a stage in the cache, but for those that are declared not to be cached; returns all.

        Without ``commit``, none is stored.

        The bytes of small ones may wait in memory until `ObjectStore.write_pending`, so that the stages that depend on
        this one start sooner.

        Raises:
            ArtifactError: An out is not of the declared kind, or cannot be read.
        """
        for out in spec.outs:
            written_outs.check_kind(self._root, out)
        return {out.path: self._store(out, commit=commit) for out in spec.outs}

    def _store(self, out: OutSpec, *, commit: bool) -> Artifact:
        if (out.cache or self._all_stored) and commit:
            artifact = self._session.ingest(out.path, later=True)
            self._unnamed.record_named(artifact)
            return artifact
        found = self._session.stores.look(out.path)
        if found is None:
            raise ArtifactError(self._layout.artifact(out.path), "was removed while it was read")
        return found

    def keep_other_kinds(self, spec: StageSpec) -> str:
        """Save all that a run wrote if a directory is where a file is declared, or the reverse; returns a hint.

        It may be the result of hours, and only its declaration is wrong. The hint is empty if all kinds are as
        declared, or if nothing can be saved.
        """
        wrong = next((out for out in spec.outs if written_outs.is_other_kind(self._root, out)), None)
        if wrong is None:
            return ""
        from_cwd = self._session.project.from_cwd
        try:
            for out in spec.outs:
                self._session.keep(out.path)
        except CacheError:
            return ""
        checkouts = ", ".join(f"'pivot checkout --kept {shlex.quote(from_cwd(out.path))}'" for out in spec.outs)
        return (
            f"{written_outs.how_to_declare(wrong)}; what the stage wrote is kept: "
            f"{checkouts} and 'pivot commit --force {spec.address}' then make it the result without a run"
        )
