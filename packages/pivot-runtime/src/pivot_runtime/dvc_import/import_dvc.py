"""`pivot import-dvc`: takes a DVC project over: stages, data, cache, configuration, and the runs that still hold."""

import contextlib
import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from pivot_cache.errors import ArtifactError, CacheError, as_cache_errors
from pivot_cache.files import atomic, safe_read
from pivot_cache.formats import lock_file, pvt
from pivot_cache.layout import Layout
from pivot_cache.state.stat_cache import StatCache
from pivot_core.discovery import find_root as find_pivot_root
from pivot_core.errors import DiscoveryError, PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, RunRecord, StageLock
from pivot_core.params import file_keys
from pivot_core.values import Value
from pivot_fingerprint import SCHEMA
from pivot_runtime.artifacts import kept, lock_files, records
from pivot_runtime.artifacts.outs_in_git import IgnoredOuts
from pivot_runtime.artifacts.records import Records
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.artifacts.trackable import importable
from pivot_runtime.config import edit
from pivot_runtime.config.store import ConfigStore, check_remote
from pivot_runtime.context import CommandContext
from pivot_runtime.definitions import values_file
from pivot_runtime.dvc_import.contents import Contents
from pivot_runtime.dvc_import.data_files import DvcData
from pivot_runtime.dvc_import.judgement import Judged, KnownContent, judge, keep_old_outs
from pivot_runtime.dvc_import.leftovers import Leftover
from pivot_runtime.dvc_import.plan import ImportPlan, TakenError, make_plan, pvt_path
from pivot_runtime.dvc_import.project_files import DvcFiles, NoDvcProjectError, find_root, is_never_read, read_files
from pivot_runtime.errors import EngineError
from pivot_runtime.evaluating.evaluate import observe
from pivot_runtime.evaluating.session import Session, SessionView, open_session
from pivot_runtime.git import gitignore
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.loading import shell_only
from pivot_runtime.loading.assembly import LoadOptions, assemble
from pivot_runtime.loading.loaded import Loaded, LoadedStage
from pivot_runtime.project import project as projects
from pivot_runtime.project.guard import guarded

__all__ = ["DvcImport", "ImportOptions", "Leftover", "NoDvcProjectError", "TakenError", "import_dvc"]

_REASON = "recorded by DVC"


@attrs.frozen(eq=False, repr=False)
class ImportOptions(Value):
    """The options of an import.

    Attributes:
        dry_run: Change nothing.
        force: Replace files of the user's that are in the places of new ones.
        keep: Leave these files as they are, and import the rest.
        script_deps: Leave Python code that commands run among the deps, where it counts by its bytes.
    """

    dry_run: bool = False
    force: bool = False
    keep: bool = False
    script_deps: bool = False


@attrs.frozen(eq=False, repr=False)
class DvcImport(Value):
    """The result of an import, or, of a dry run, what it would be.

    Attributes:
        root: The root of the project.
        files: The files that were written, each with the file that it comes from; "" for the configuration.
        data: The tracked data whose content is in the cache now.
        cached: The displayed names of the stages whose last run holds.
        stale: By displayed name, why a stage will run.
        objects: The number of objects that were stored; of a dry run, 0.
        size: Their bytes.
        leftovers: The parts that were not carried.
    """

    root: Path
    files: Mapping[str, str]
    data: tuple[str, ...]
    cached: tuple[str, ...]
    stale: Mapping[str, str]
    objects: int
    size: int
    leftovers: tuple[Leftover, ...]


def import_dvc(
    directory: Path, environment: Mapping[str, str], options: ImportOptions, *, report: Reporter = no_report
) -> DvcImport:
    """Import the DVC project around a directory; repeated after a kill, it completes.

    Raises:
        NoDvcProjectError: There is none.
        TakenError: Files of the user's are in the way.
        PivotError: The project is inside another one of Pivot's, or something cannot be read or written.
    """
    root = find_root(directory.resolve())
    _refuse_outer(root)
    files = read_files(root, environment)
    plan = make_plan(files, force=options.force, keep=options.keep, script_deps=options.script_deps)
    if options.dry_run:
        work = _Work(files, plan, options, StatCache(Path(os.devnull) / "none", readonly=True), None)
        work.find()
        return work.result()
    projects.init(root)
    context = CommandContext.find(root, environment)
    waiting = events.report_waiting(report)
    with guarded(context.project.layout.guard_file, "pivot import-dvc", waiting):
        written = dict(_configure(plan, root, environment))
        context = CommandContext.find(root, environment)
        with open_stores(context) as stores:
            work = _Work(files, plan, options, stores.files, stores)
            work.written |= written
            work.find()
            work.write_files(context)
            work.record(context, stores)
        return work.result()


def _refuse_outer(root: Path) -> None:
    try:
        outer = find_pivot_root(root)
    except DiscoveryError:
        return
    if outer != root:
        raise EngineError(
            f"{root} is inside the Pivot project {outer}",
            hint=f"move the DVC project out of it, or remove {Layout(outer).state_dir}",
        )


def _configure(plan: ImportPlan, root: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Write the settings that the project's file does not have yet."""
    store = ConfigStore(root, environment)
    file = store.file()
    known = store.read().explicit
    new = {key: value for key, value in plan.config.settings.items() if key not in known}
    if new:

        def change(text: str) -> str:
            for key, value in new.items():
                text = edit.assign(text, key, value)
            return text

        store.rewrite(change)
        yield os.path.relpath(file, root), ".dvc/config"


class _Work:
    """One import."""

    def __init__(
        self, files: DvcFiles, plan: ImportPlan, options: ImportOptions, stat_cache: StatCache, stores: Stores | None
    ) -> None:
        self._root = files.root
        self._plan = plan
        self._options = options
        places = [Path(each) for each in (plan.config.cache_dir, *plan.config.directories)]
        self._contents = Contents(files.root, places, files.is_ignored, stat_cache, stores)
        self._known = KnownContent(self._contents)
        self._leftovers = list(plan.leftovers)
        self._data: dict[str, Artifact] = {}
        self._judged: dict[str, Judged] = {}
        self.written: dict[str, str] = {}
        self._names = _displayed([stage.address for stage in plan.stages])
        self._check_remotes()

    def result(self) -> DvcImport:
        """Return the result."""
        plan = self._plan
        if self._options.dry_run:
            config = os.path.relpath(Layout(self._root).config_file, self._root)
            self.written |= dict.fromkeys([config] if plan.config.settings else [], ".dvc/config")
            self.written |= {path: source for path, (_, source) in plan.pipelines.items() if path not in plan.kept}
            self.written |= {pvt_path(data): f"{data.path}.dvc" for data in plan.data if data.path in self._data}
        stale = {self._names[address]: each.problem for address, each in self._judged.items() if each.problem}
        return DvcImport(
            root=self._root,
            files=self.written,
            data=tuple(self._data),
            cached=tuple(self._names[address] for address, each in self._judged.items() if not each.problem),
            stale=stale,
            objects=self._contents.objects,
            size=self._contents.size,
            leftovers=tuple(self._leftovers),
        )

    def _check_remotes(self) -> None:
        for key, url in self._plan.config.settings.items():
            if key.startswith("remotes."):
                try:
                    check_remote(key, url)
                except PivotError as error:
                    self._leftovers.append(Leftover(".dvc/config", str(error), error.hint or "install its package"))

    def find(self) -> None:
        """Find the content of data and outs, store it, and judge the recorded runs."""
        missing: list[tuple[str, str]] = []
        for data in self._plan.data:
            try:
                artifact = self._contents.keep(data.path, data.md5)
            except ArtifactError as error:
                self._leftovers.append(Leftover(data.where, str(error), error.hint or "repair it, and repeat"))
                continue
            if artifact is None:
                missing.append((data.where, data.path))
                continue
            self._data[data.path] = artifact
            self._known.add(data.path, data.md5, artifact)
        for stage in self._plan.stages:
            try:
                self._judged[stage.address] = judge(stage, self._contents, self._known, self._params)
                if self._judged[stage.address].problem:
                    keep_old_outs(stage, self._contents)
            except ArtifactError as error:
                self._judged[stage.address] = Judged(str(error))
            missing += (("dvc.lock", path) for path in self._judged[stage.address].missing)
        self._list_missing(missing)
        for path, name in sorted(self._contents.ignored.items()):
            problem = f"DVC ignores files in it, such as {name}, and Pivot does not"
            remedy = f"remove them, or, if it is a dep, declare the files that matter: '{path}/**/*.py'"
            if is_never_read(name):
                remedy = f"declare the files in it that matter: '{path}/**/*.py'"
            self._leftovers.append(Leftover(path, problem, remedy))

    def _list_missing(self, missing: Sequence[tuple[str, str]]) -> None:
        if missing:
            where, first = missing[0]
            named = first if len(missing) == 1 else f"{len(missing)} paths, such as {first},"
            problem = f"the recorded content of {named} is neither here nor in DVC's cache"
            self._leftovers.append(Leftover(where, problem, "dvc fetch, and repeat the command"))

    def _params(self, stage: LoadedStage) -> Mapping[str, Mapping[str, Any]]:
        """Return the values of the keys of files that are parameters of a stage, as far as they can be read."""
        found: dict[str, Mapping[str, Any]] = {}
        for path, keys in stage.spec.file_params.items():
            with contextlib.suppress(OSError, PivotError):
                data = values_file.parse(safe_read.read_regular(self._root / path), path)
                values, _ = file_keys.select(data, path, keys)
                whole = values.get(file_keys.label(path), {})
                found[path] = {key: values[name] for key in keys if (name := file_keys.label(path, key)) in values}
                if not keys and isinstance(whole, Mapping):
                    found[path] = whole
        return found

    # Writing

    def write_files(self, context: CommandContext) -> None:
        """Write all files but the records of runs."""
        for path, (text, source) in self._plan.pipelines.items():
            if path not in self._plan.kept and _change(self._root / path, text):
                self.written[path] = source
        self._ignore(context)

    def _ignore(self, context: CommandContext) -> None:
        file = context.project.layout.ignore_file
        with contextlib.suppress(FileNotFoundError), as_cache_errors("read", file):
            there = safe_read.read_regular(file).decode().splitlines()
            new = [line for line in self._plan.ignore if line not in there]
            if new and _change(file, "".join(f"{line}\n" for line in (*there, *new))):
                self.written[file.name] = ".dvcignore"

    def record(self, context: CommandContext, stores: Stores) -> None:
        """Record the data, and then the runs that still hold."""
        known = records.read(context) if self._data else None
        stores.store.persist(*self._data.values())
        for data in self._plan.data:
            artifact = self._data.get(data.path)
            if artifact is not None and known is not None and self._may_track(data, context, known):
                self._track(data.path, artifact, data.source, data.where, stores)
        good = [address for address, each in self._judged.items() if not each.problem]
        if good:
            self._record_runs(context, stores)

    def _may_track(self, data: DvcData, context: CommandContext, known: Records) -> bool:
        """Return whether data may be tracked at a path, which may be anything; list it otherwise."""
        try:
            importable(data.path, context, known)
        except PivotError as error:
            del self._data[data.path]
            self._leftovers.append(Leftover(data.where, str(error), error.hint or "move the data"))
            return False
        return True

    def _track(self, path: str, artifact: Artifact, source: Any, where: str, stores: Stores) -> None:
        data = self._root / path
        file = data.with_name(f"{data.name}{pvt.SUFFIX}")
        try:
            before = pvt.read_data(file)
            differs = before.artifact != artifact
        except (CacheError, FileNotFoundError):
            differs = file.exists()
        if differs and not self._options.force:
            problem = f"{path}{pvt.SUFFIX} already records other content, and stays as it is"
            self._leftovers.append(Leftover(where, problem, "--force replaces it"))
            return
        if pvt.write(file, artifact, source):
            self.written[f"{path}{pvt.SUFFIX}"] = f"{path}.dvc"
        gitignore.add(data.parent, data.name)
        kept.record_tracked(stores, ArtifactPath(path), artifact)

    def _record_runs(self, context: CommandContext, stores: Stores) -> None:
        options = LoadOptions(all_pipelines=True, static_loader=lambda file: _load(file, context))
        with open_session(context, assemble(context, options), literal=True, stores=stores) as session:
            ignored = IgnoredOuts(context, session.graph.stages)
            view = _View(session, self._known.absent())
            with lock_files.reporting_ignored(context):
                for address in session.graph.stages:
                    judged = self._judged.get(address)
                    if judged is not None and not judged.problem:
                        self._judged[address] = self._record_run(session, view, ignored, address, judged)
                ignored.report_tracked()

    def _record_run(
        self, session: Session, view: "_View", ignored: IgnoredOuts, address: str, judged: Judged
    ) -> Judged:
        """Write the lock of a stage; return the judgement, which is another if it cannot be written."""
        stage = session.stages[address]
        spec = stage.spec
        if {out.path for out in spec.outs} != set(judged.outs):
            return Judged("its outs changed during the import")
        observation = observe(stage, session.graph, view, lock=None, schema=session.schema)
        if observation.missing:
            return Judged(f"{observation.missing[0]} does not exist")
        before = session.lock(address)
        if before is not None and before.outs == judged.outs and before.inputs.same_lines(observation.inputs):
            return judged
        ignored.before_recording(spec, before)
        inputs = observation.inputs
        if not (spec.always or any(out.incremental for out in spec.outs)):
            session.runs.put(RunRecord(inputs.key(), judged.outs))
        lock = StageLock(inputs, judged.outs, stage.libraries, _REASON, uncounted_params=stage.uncounted_params)
        lock_file.write(session.stores.layout.lock_file(address), lock)
        session.source_texts.remember(stage)
        return judged


def _load(file: Path, context: CommandContext) -> Loaded:
    """Load a file of shell stages; others count as empty: their stages have no records of DVC's."""
    try:
        return shell_only.load(file, context.project.root, (), context.environment)
    except PivotError:
        return Loaded(SCHEMA, (), {})


class _View(SessionView):
    """The workspace as it is after a checkout."""

    def __init__(self, session: Session, absent: Mapping[str, Artifact]) -> None:
        super().__init__(session)
        self._absent = absent

    def artifact_at(self, path: ArtifactPath) -> Artifact | None:
        """Return the artifact at a path, or the one that a checkout restores there."""
        found = self._session.artifact_at(path)
        if found is not None:
            return found
        if path in self._absent:
            return self._absent[path]
        for around, artifact in self._absent.items():
            if artifact.tree and path.startswith(f"{around}/"):
                return self._session.artifact_in(artifact, posixpath.relpath(path, around))
        return None


def _change(file: Path, text: str) -> bool:
    """Write a file of the user's; return whether it had another content."""
    return atomic.change_bytes(file, text.encode(), durable=True)


def _displayed(addresses: list[str]) -> dict[str, str]:
    """The names of stages that are shown: without the pipeline where that is clear."""
    names = [address.partition(".")[2] for address in addresses]
    return {
        address: name if names.count(name) == 1 else address for address, name in zip(addresses, names, strict=True)
    }
