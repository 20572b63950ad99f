"""`pivot apply`: puts a recorded result into the workspace: outs, lock files and parameters."""

import contextlib
import pathlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import attrs

from pivot_cache.errors import CacheError, ChangedError, LockFileError
from pivot_cache.files import atomic
from pivot_cache.formats import lock_file
from pivot_cache.state.results import RecordedStage, Result, Results
from pivot_core.errors import DiscoveryError, PivotError, list_names
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, StageLock
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts import kept, lock_files
from pivot_runtime.artifacts.checkout import CheckoutOptions, CheckoutReport, restore_artifacts
from pivot_runtime.artifacts.outs_in_git import IgnoredOuts
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.definitions import params_edit, params_file, yaml_document
from pivot_runtime.errors import EngineError
from pivot_runtime.evaluating import file_params
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.loading.assembly import Assembly, LoadOptions, load_pipelines
from pivot_runtime.project.guard import guarded
from pivot_runtime.results.recording import MOST_BYTES
from pivot_runtime.sweeps import params_values
from pivot_runtime.sweeps.results import find, recorded, short_ids


class GoneError(EngineError):
    """The cache no longer has all parts of a result."""

    exit_code = 1


@attrs.frozen(eq=False, repr=False)
class ParamChange(Value):
    """A parameter that is changed in a file.

    Attributes:
        name: Its name: ``train.rate``.
        file: The file, relative to the root.
        value: The new value.
    """

    name: str
    file: str
    value: Any


@attrs.define
class ApplyReport:
    """The effects of applying a result.

    Attributes:
        id: The ID of the result.
        params: The parameters that are changed.
        by_hand: The parameters that the user must set, with the reason.
        checkout: The restored outs, and those that were not.
        stages: The short names of the stages whose lock files are written.
        left_out: The stages of the result that no longer exist.
    """

    id: str
    params: list[ParamChange] = attrs.field(factory=list)
    by_hand: dict[str, str] = attrs.field(factory=dict)
    checkout: CheckoutReport = attrs.field(factory=CheckoutReport)
    stages: list[str] = attrs.field(factory=list)
    left_out: list[str] = attrs.field(factory=list)

    @property
    def complete(self) -> bool:
        """Whether the workspace has the whole result, or would have it."""
        return self.checkout.complete and not self.by_hand


def apply(
    context: CommandContext, digits: str, *, force: bool = False, dry_run: bool = False, report: Reporter = no_report
) -> ApplyReport:
    """Put the result whose ID begins with these digits into the workspace.

    If that would overwrite content that exists nowhere else, nothing is changed unless ``force``, which saves it first.
    The parameters are set in the params files, the outs restored, and then the lock files written.

    Raises:
        TargetError: There is no such result, or there are several.
        GoneError: The cache no longer has all of it.
        YamlError: The form of a params file does not allow the change; nothing has been changed.
        PivotError: The pipelines cannot be loaded.
    """
    with contextlib.ExitStack() as stack:
        if not dry_run:
            waiting = events.report_waiting(report)
            stack.enter_context(guarded(context.project.layout.guard_file, "pivot apply", waiting))
        stores = stack.enter_context(open_stores(context))
        found = recorded(stores)
        name = find(found, digits)
        assembly = stack.enter_context(_assembled(context, found[name].stages))
        return _Apply(context, stores, assembly, name, found).run(force=force, dry_run=dry_run)


@contextlib.contextmanager
def _assembled(context: CommandContext, addresses: Collection[str]) -> Iterator[Assembly]:
    """Load the pipeline of the command's directory, or all where it lacks a stage."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(DiscoveryError):
            assembly = stack.enter_context(load_pipelines(context, LoadOptions(quiet=True)))
            if all(address in assembly.stages for address in addresses):
                yield assembly
                return
        yield stack.enter_context(load_pipelines(context, LoadOptions(all_pipelines=True, quiet=True)))


class _Apply:
    """The application of one result."""

    def __init__(
        self,
        context: CommandContext,
        stores: Stores,
        assembly: Assembly,
        name: str,
        found: Mapping[str, Result],
    ) -> None:
        self._context = context
        self._stores = stores
        self._assembly = assembly
        self._short = short_ids(found)[name]
        self._texts = Results(stores.layout.results_dir)
        result = found[name]
        self._stages = {address: each for address, each in result.stages.items() if address in assembly.stages}
        self._done = ApplyReport(name, left_out=[address for address in result.stages if address not in self._stages])

    def run(self, *, force: bool, dry_run: bool) -> ApplyReport:
        if not self._stages:
            raise GoneError(f"no stage of the result {self._short} exists any longer", hint="'pivot list' lists all")
        names = self._assembly.graph.short_names()
        self._done.stages = [names.get(address, address) for address in self._stages]
        locks = {address: self._lock(address, stage) for address, stage in self._stages.items()}
        wanted = {path: artifact for lock in locks.values() for path, artifact in lock.outs.items()}
        texts = self._edits()
        self._check_available(wanted)
        own = self._written_for_git(locks)
        if not dry_run:
            self._store_small(wanted, own)
        planned = {path: artifact for path, artifact in wanted.items() if path not in own}
        plan = restore_artifacts(self._stores, planned, CheckoutOptions(force=force, dry_run=True, coming=wanted))
        replaced = [path for path in own if self._stores.look(path) != wanted[path]]
        plan.paths += replaced
        plan.files += len(replaced)
        self._done.checkout = plan
        if dry_run or not plan.complete:
            return self._done
        self._write_params(texts)
        self._done.checkout = restore_artifacts(self._stores, wanted, CheckoutOptions(force=force))
        if self._done.checkout.complete:
            self._write_locks(locks)
        return self._done

    def _lock(self, address: str, stage: RecordedStage) -> StageLock:
        data = self._texts.text(stage.lock)
        with contextlib.suppress(LockFileError):
            if data is not None:
                return lock_file.parse(data, address)
        raise GoneError(
            f"the lock file of {address} in the result {self._short} is gone",
            hint="'pivot repro --compare' with the same parameters computes it again",
        )

    def _written_for_git(self, locks: Mapping[str, StageLock]) -> list[ArtifactPath]:
        """The small outs for git whose content is that of the last run here: they are not the user's work."""
        found = []
        for address, lock in locks.items():
            last = lock_files.read(self._context, address)
            written = {} if last is None else last.outs
            for out in lock.inputs.outs:
                there = None if out.cache else written.get(out.path)
                if there is None or there.tree or there.size > MOST_BYTES:
                    continue
                if self._stores.look(out.path) == there:
                    found.append(out.path)
        return found

    def _store_small(self, wanted: Mapping[ArtifactPath, Artifact], own: Iterable[ArtifactPath]) -> None:
        """Store small outs for git: those of the result, and those that the last runs have written here."""
        for artifact in wanted.values():
            if not (artifact.tree or self._stores.store.has_all(artifact)):
                data = self._texts.text(artifact.digest)
                if data is not None:
                    self._stores.store.put_bytes(data)
        for path in own:
            self._stores.ingest(self._stores.layout.artifact(path))

    def _check_available(self, wanted: Mapping[ArtifactPath, Artifact]) -> None:
        gone = [
            path
            for path, artifact in sorted(wanted.items())
            if not (
                self._stores.store.has_all(artifact)
                or self._stores.look(path) == artifact
                or (not artifact.tree and self._texts.text(artifact.digest) is not None)
            )
        ]
        if gone:
            raise GoneError(
                f"the cache no longer has {list_names(gone)} of the result {self._short}",
                hint="'pivot repro --compare' with the same parameters computes it again",
            )

    def _edits(self) -> dict[pathlib.Path, tuple[bytes, str]]:
        """The old and the new content of each params file that is changed."""
        texts: dict[pathlib.Path, tuple[bytes, str]] = {}
        for address, stage in self._stages.items():
            loaded = self._assembly.stages[address]
            for path, value in params_values.differences(loaded.params, stage.params):
                name = ".".join((loaded.spec.name, *path))
                try:
                    wanted = params_values.for_yaml(value)
                except params_values.InexpressibleError as error:
                    self._done.by_hand[name] = str(error)
                    continue
                file, beside = self._file(address)
                before, text = texts.get(file) or _content(file)
                shown = str(file.relative_to(self._context.project.root))
                held = yaml_document.parse(text, shown).data or {}
                spec = loaded.spec
                key = params_values.key_of(spec.pipeline, spec.name, path[0], beside=beside, found=held)
                texts[file] = before, params_edit.assign(text, (key, *path), wanted, shown)
                self._done.params.append(ParamChange(name, shown, wanted))
            if loaded.spec.file_params:
                names = self._in_files(loaded.spec, stage.params)
                self._done.by_hand |= dict.fromkeys(names, "it is a value in a file that the stage reads itself")
        return texts

    def _in_files(self, spec: StageSpec, then: Mapping[str, Any]) -> Iterable[str]:
        """The parameters in files, but for those that stages write, with other values than in a result."""
        written = self._assembly.graph.producers
        kept = {path: keys for path, keys in spec.file_params.items() if path not in written}
        spec = attrs.evolve(spec, file_params=kept)
        return file_params.differing(spec, then, file_params.in_workspace(self._context, spec))

    def _file(self, address: str) -> tuple[pathlib.Path, bool]:
        """The params file that decides about a stage, and whether it is in the directory of its pipeline."""
        root = self._context.project.root
        home = next(
            each.file.parent
            for each in self._assembly.files
            if any(stage.spec.address == address for stage in each.loaded.stages)
        )
        beside, general = home / params_file.PARAMS_FILE, root / params_file.PARAMS_FILE
        if beside.exists() or not general.exists():
            return beside, True
        return general, home == root

    def _write_params(self, texts: Mapping[pathlib.Path, tuple[bytes, str]]) -> None:
        """Write the params files, and check that the stages now have the parameters of the result."""
        if not texts:
            return
        try:
            for file, (before, text) in texts.items():
                if before:
                    path = ArtifactPath(file.relative_to(self._context.project.root).as_posix())
                    kept.keep(self._stores, path, "pivot apply")
                _write(file, text.encode(), before)
            wrong = list(self._wrong())
        except PivotError:
            self._put_back(texts)
            raise
        if wrong:
            self._put_back(texts)
            raise EngineError(
                f"other settings keep {list_names(wrong)} from getting the recorded values",
                hint="set them by hand, and then run 'pivot repro', which restores the result",
            )

    def _wrong(self) -> Iterator[str]:
        with _assembled(self._context, self._stages) as assembly:
            for address, stage in self._stages.items():
                loaded = assembly.stages[address]
                for path, _ in params_values.differences(loaded.params, stage.params):
                    name = ".".join((loaded.spec.name, *path))
                    if name not in self._done.by_hand:
                        yield name

    def _put_back(self, texts: Mapping[pathlib.Path, tuple[bytes, str]]) -> None:
        for file, (before, text) in texts.items():
            with contextlib.suppress(ChangedError):  # it was not written, or is the user's again
                if before:
                    _write(file, before, text.encode())
                elif _content(file)[1] == text:
                    file.unlink(missing_ok=True)

    def _write_locks(self, locks: Mapping[str, StageLock]) -> None:
        specs = {address: stage.spec for address, stage in self._assembly.stages.items()}
        ignored = IgnoredOuts(self._context, specs)
        for address, lock in locks.items():
            ignored.before_recording(specs[address], lock_files.read(self._context, address))
            lock_file.write(self._stores.layout.lock_path(address), lock)
        ignored.report_tracked()


def _write(file: pathlib.Path, data: bytes, before: bytes) -> None:
    """Replace the content of a params file.

    Raises:
        ChangedError: It is no longer ``before``.
    """
    if _content(file)[0] != before:
        raise ChangedError(file)
    atomic.write_bytes(file, data, keep_mode=True)


def _content(file: pathlib.Path) -> tuple[bytes, str]:
    if file.is_symlink():
        raise EngineError(f"{file} is a symbolic link, through which nothing is written", hint="set the values by hand")
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return b"", ""
    except OSError as error:
        raise CacheError(f"cannot read {file}: {error.strerror}") from None
    return data, data.decode()
