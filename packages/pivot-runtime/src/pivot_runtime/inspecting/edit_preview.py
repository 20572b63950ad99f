"""The stages that an edit would make stale, found before it is made: in a copy of the sources, beside the real data.

The copy has the sources and lock files with the edit. Deps and outs are those of the project, except for edited ones.
"""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final

import attrs

from pivot_cache.errors import ArtifactError
from pivot_cache.files import safe_read
from pivot_cache.formats.tree import Tree
from pivot_cache.layout import Layout, is_lock, stage_addresses
from pivot_cache.objects.store import CacheMemory
from pivot_core.decide import Memory
from pivot_core.errors import PivotError
from pivot_core.files.paths import STATE_DIR, ArtifactPath, is_within, parent_names
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, CodeEntry, RunRecord, StageLock
from pivot_core.values import Value
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.errors import ImportRequiredError, LoadError
from pivot_runtime.evaluating.evaluate import Evaluation, evaluate
from pivot_runtime.evaluating.file_params import FileParamValues
from pivot_runtime.evaluating.session import Session, SessionView, open_session
from pivot_runtime.evaluating.source_texts import SourceTexts
from pivot_runtime.inspecting import diff_patch
from pivot_runtime.inspecting.diff_patch import EditedFile, PatchError
from pivot_runtime.inspecting.edit_forecast import LoadForecast, forecast
from pivot_runtime.inspecting.scratch import Scratch, open_scratch
from pivot_runtime.inspecting.status import StageStatus, Status
from pivot_runtime.loading.assembly import Assembly, LoadOptions, load_pipelines
from pivot_runtime.loading.loaded import Loaded
from pivot_runtime.project.project import Project

_SUFFIXES: Final = (
    *(".py", ".pyi", ".ipynb", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".env", ".mk"),
    *(".sh", ".bash", ".R", ".r", ".jl", ".sql", ".js", ".pl"),
)
_NAMES: Final = frozenset({"Makefile", "makefile", "GNUmakefile", "justfile", "Justfile", "package.json", "Rakefile"})

_MOST_READ: Final = 64 << 20
"""The most bytes of a file that a diff changes."""


class EditCodeError(PivotError):
    """The edited code would be imported, which is not allowed."""


@attrs.frozen(eq=False, repr=False)
class Edit(Value):
    """An edit of a project that has not been made.

    Attributes:
        files: The files afterwards, by path; None for one that is deleted.
        left_out: Pivot's own files, which the edit changes and the preview ignores.
    """

    files: Mapping[str, EditedFile | None]
    left_out: tuple[str, ...] = ()

    @classmethod
    def of_diff(cls, project: Project, diff: bytes) -> "Edit":
        """Return the edit that a unified diff describes.

        Raises:
            PatchError: The diff cannot be read, or does not fit the files.
            PathError: It changes something outside the project.
        """
        return cls._of(diff_patch.apply(diff_patch.parse(diff), lambda path: _content(project.root, path)))

    @classmethod
    def of_contents(cls, project: Project, contents: Mapping[str, bytes | None]) -> "Edit":
        """Return the edit that gives files these contents; None deletes one.

        Raises:
            PatchError: A path is that of a link, or of no file.
            PathError: A path is outside the project.
        """
        found: dict[str, EditedFile | None] = {}
        for name, content in contents.items():
            path = diff_patch.inside(name)
            _refuse_links(project.root, path)
            if content is None and not os.path.lexists(project.root / path):
                raise PatchError(f"there is no {path} to delete")
            found[path] = None if content is None else EditedFile(content)
        return cls._of(found)

    @classmethod
    def _of(cls, files: Mapping[str, EditedFile | None]) -> "Edit":
        left_out = tuple(path for path in files if path.startswith(f"{STATE_DIR}/") and not is_lock(path))
        return cls({path: each for path, each in files.items() if path not in left_out}, left_out)


@attrs.frozen(eq=False, repr=False)
class EditPreview(Value):
    """The effect of an edit.

    Attributes:
        files: The paths of the edited files.
        status: The status after the edit, without stages that may change.
        became_stale: The names of stages that are cached now, and would be stale.
        still_stale: Those that are stale with and without the edit.
        became_cached: Those that are stale now, and would be cached.
        added: New stages.
        removed: Stages that would no longer exist.
        may_change: By name, the reason why the state of a stage is not known without an import of the edited code.
    """

    files: tuple[str, ...]
    status: Status
    became_stale: tuple[str, ...] = ()
    still_stale: tuple[str, ...] = ()
    became_cached: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    may_change: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(eq=False, repr=False)
class EditOptions(Value):
    """Options of a preview.

    Attributes:
        all_pipelines: Whether to load every pipeline of the project.
        quiet: Whether to drop the output of the user's code during its import.
        imports: Whether the edited code may be imported; otherwise its text is compared, and some stages may change.
    """

    all_pipelines: bool = False
    quiet: bool = False
    imports: bool = True


def preview_edit(
    context: CommandContext, edit: Edit, targets: Iterable[str] = (), options: EditOptions | None = None
) -> EditPreview:
    """Return the status that the project would have after an edit, compared with now. Nothing in the project changes.

    Args:
        context: The context of the command.
        edit: The edit.
        targets: The stages to report, as for `status`; they may be new.
        options: The options.

    Raises:
        EditCodeError: The edit creates a pipeline that must be imported, which the options forbid.
        PivotError: The pipeline cannot be loaded, now or with the edit.
    """
    options = options or EditOptions()
    for path in edit.left_out:
        context.notices.add(Notice(f"left out: the change of {path}, which is Pivot's own"))
    load_options = LoadOptions(all_pipelines=options.all_pipelines, quiet=options.quiet)
    with load_pipelines(context, load_options) as assembly:
        assembly.close()
    with open_session(context, assembly, as_next_run=True) as now, open_scratch(now.stores) as copy:
        _fill(copy, context.project, assembly, edit)
        edited_context = _context_of(context, copy.root)
        forecasts = _Forecasts(context.project, edited_context, assembly, edit)
        edited = _load(edited_context, context.project, edit, options, forecasts)
        with open_session(edited_context, edited) as then:
            return _compared(now, then, edit, tuple(targets), forecasts)


def _compared(
    now: Session, then: Session, edit: Edit, targets: tuple[str, ...], forecasts: "_Forecasts"
) -> EditPreview:
    wanted = then.resolve(targets) if targets else tuple(then.graph.stages)
    graph = then.graph.select(then.graph.ancestors(wanted))
    found = evaluate(graph, then.stages, _EditedView(now, then, edit.files), schema=then.schema)
    before = {address: _plain_status(now, each) for address, each in now.evaluate(now.graph.stages).items()}
    names = then.graph.short_names()
    texts = SourceTexts(now.project.layout.source_texts_file, then.project.root)
    after = {
        address: StageStatus(
            names[address],
            found[address],
            edits=texts.edits(found[address].stage, found[address].decision.changes, _observed(found[address])),
            variables=texts.changed_variables(found[address].stage, found[address].lock),
        )
        for address in found
        if address in wanted
    }

    states = {address: (address in before and before[address].cached, each) for address, each in found.items()}
    may_change = forecasts.may_change(graph, states)
    after = {address: each for address, each in after.items() if address not in may_change}

    def those(which: Callable[[str], bool]) -> tuple[str, ...]:
        return tuple(names[address] for address in after if which(address))

    return EditPreview(
        tuple(sorted(edit.files)),
        Status(stages=tuple(after.values()), names=dict(names)),
        became_stale=those(lambda each: each in before and before[each].cached and not after[each].cached),
        still_stale=those(lambda each: each in before and not before[each].cached and not after[each].cached),
        became_cached=those(lambda each: each in before and not before[each].cached and after[each].cached),
        added=those(lambda each: each not in before),
        removed=() if targets else tuple(each.name for address, each in before.items() if address not in then.stages),
        may_change={names[address]: reason for address, reason in may_change.items() if address in wanted},
    )


def _plain_status(session: Session, evaluation: Evaluation) -> StageStatus:
    address = evaluation.stage.spec.address
    return StageStatus(session.graph.short_names()[address], evaluation)


def _observed(evaluation: Evaluation) -> Mapping[str, CodeEntry]:
    return {} if evaluation.lock is None else evaluation.lock.inputs.observed


def _content(root: pathlib.Path, path: str) -> bytes | None:
    """The content of a file of the project; None if there is none.

    Raises:
        PatchError: It is reached by a symbolic link, is no regular file, or is too large.
    """
    _refuse_links(root, path)
    if not os.path.lexists(root / path):
        return None
    try:
        if os.stat(root / path).st_size > _MOST_READ:
            raise PatchError(f"{path} is larger than {_MOST_READ >> 20} MB", hint="leave it out of the diff")
        return safe_read.read_regular(root / path)
    except OSError as error:
        raise PatchError(f"{path} cannot be read: {error.strerror or error}") from None


def _refuse_links(root: pathlib.Path, path: str) -> None:
    for each in (path, *parent_names(path)):
        if (root / each).is_symlink():
            raise PatchError(f"{each} is a symbolic link, and an edit of {path} would leave the project")


def _is_source(name: str) -> bool:
    return name.endswith(_SUFFIXES) or name in _NAMES


def _fill(copy: Scratch, project: Project, assembly: Assembly, edit: Edit) -> None:
    """Copy the sources, settings and lock files, and make the edit there."""
    copy.copy_sources((each.loaded for each in assembly.files), _is_source)
    real, own = project.layout, Layout(copy.root)
    kept = [(real.ignore_file, own.ignore_file), (real.config_file, own.config_file)]
    kept.append((real.frozen_file, own.frozen_file))
    for address in stage_addresses(real.stages_dir):
        kept.append((real.lock_file(address), own.lock_file(address)))
        kept.append((real.created_file(address), own.created_file(address)))
    for source, target in kept:
        with contextlib.suppress(FileNotFoundError):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for path, after in edit.files.items():
        _write(copy.root / path, project.root / path, after)


def _write(target: pathlib.Path, real: pathlib.Path, after: EditedFile | None) -> None:
    if after is None:
        target.unlink(missing_ok=True)
        return
    executable = os.access(real, os.X_OK) if after.executable is None else after.executable
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(after.content)
    except OSError as error:
        raise PatchError(f"the edit cannot be made: {target.name}: {error.strerror}") from None
    target.chmod(0o755 if executable else 0o644)


def _context_of(context: CommandContext, root: pathlib.Path) -> CommandContext:
    """The context of a command in the copy, with the cache of the project."""
    project = context.project
    cwd = root / project.cwd.relative_to(project.root)
    cwd.mkdir(parents=True, exist_ok=True)
    state = context.startup_state
    if state is not None:  # also of a project that is installed in the environment as it stands
        moved = tuple(_moved(path, project.root, root) for path in state.path)
        state = state._replace(path=moved, early_fork=None)
    return CommandContext(
        Project(root, cwd),
        context.environment,
        context.overrides,
        use_snapshots=False,
        startup_state=state,
        notices=context.notices,
        borrowed_cache=context.cache_layout.cache_dir,
    )


def _moved(path: str, root: pathlib.Path, copy: pathlib.Path) -> str:
    """A directory of the search path, in the copy if the copy has it."""
    inside = pathlib.Path(path)
    if not (inside.is_absolute() and inside.is_relative_to(root)):
        return path
    there = copy / inside.relative_to(root)
    return str(there) if there.is_dir() else path


def _load(
    context: CommandContext, project: Project, edit: Edit, options: EditOptions, forecasts: "_Forecasts"
) -> Assembly:
    try:
        static = None if options.imports else forecasts.load
        load_options = LoadOptions(options.all_pipelines, quiet=options.quiet, static_loader=static)
        with load_pipelines(context, load_options) as assembly:
            assembly.close()
    except ImportRequiredError:
        raise EditCodeError(
            "the edit makes a new pipeline with Python functions, which must be imported, and that runs its top level"
        ) from None
    except LoadError as error:
        copied, real = str(context.project.root), str(project.root)
        text = f"with the edit, the pipeline cannot be loaded: {str(error).replace(copied, real)}"
        raise LoadError(text, traceback=error.traceback.replace(copied, real), hint=error.hint) from None
    _require_edited(project, assembly, edit)
    return assembly


class _Forecasts:
    """The loads of pipeline files with an edit, without an import of it."""

    def __init__(self, project: Project, copy: CommandContext, now: Assembly, edit: Edit) -> None:
        self._root = project.root
        self._copy = copy
        self._now = {each.file: each.loaded for each in now.files}
        self._edit = edit
        self._made: list[LoadForecast] = []

    def load(self, file: pathlib.Path) -> Loaded:
        """Return the load of a file in the copy.

        Raises:
            ImportRequiredError: It must be imported, and was none before.
        """
        from pivot_runtime.loading import shell_only  # lazy

        copy = self._copy
        try:
            return shell_only.load(file, copy.project.root, copy.overrides, copy.environment)
        except ImportRequiredError:
            known = self._now.get(self._root / file.relative_to(copy.project.root))
            if known is None:
                raise
        self._made.append(forecast(self._root, known, self._edit.files))
        return self._made[-1].loaded

    def may_change(self, graph: Graph, states: Mapping[str, tuple[bool, Evaluation]]) -> dict[str, str]:
        """Return the stages whose state is not known, by address, with the reason.

        Args:
            graph: The stages.
            states: For each of them, whether it is cached now, and how it would be evaluated.
        """
        unknown = {address: reason for each in self._made for address, reason in each.unknown.items()}
        changed = {address: names for each in self._made for address, names in each.changed.items()}
        unclear = next((each.unclear for each in self._made if each.unclear), "")
        found: dict[str, str] = {}
        for address in graph.stages:
            was_cached, then = states[address]
            reason = unknown.get(address) or unclear
            if not reason and address in changed:
                if not was_cached and then.lock is not None:
                    reason = f"it is stale already, and the edit of {changed[address]} may undo that"
            elif not reason:
                runs = {each for each in changed if each in states and not states[each][1].decision.holds}
                reason = _of_upstream(graph, address, found.keys() | runs)
            if reason:
                found[address] = reason
        return found


def _of_upstream(graph: Graph, address: str, changing: Container[str]) -> str:
    """Why a stage may change because those that it depends on may write something else; empty if none does."""
    names = graph.short_names()
    upstream = [each for each in graph.upstream[address] if each in changing]
    return f"it depends on {names[min(upstream)]}, which may write something else" if upstream else ""


def _require_edited(project: Project, assembly: Assembly, edit: Edit) -> None:
    """Refuse an answer for which an edited file was imported without its edit.

    Raises:
        PatchError: That is so.
    """
    sources = {source for each in assembly.files for source in (*each.loaded.sources, *each.loaded.read)}
    for path in sorted(edit.files):
        real = str(project.root / path)
        if real in sources:
            raise PatchError(
                f"the effect of an edit of {path} cannot be shown: the project imports it from its own place",
                hint="the project may be installed in its environment; make the edit, and run 'pivot status'",
            )


class _EditedView(SessionView):
    """The facts after an edit: edited files as they are in the copy, and all others as they are in the project."""

    def __init__(self, now: Session, then: Session, files: Mapping[str, EditedFile | None]) -> None:
        super().__init__(now)
        self._now = now
        self._then = then
        self._files = files
        self._around = {name for path in files for name in parent_names(path)}
        self._trees: dict[str, Tree] = {}

    def artifact_at(self, path: ArtifactPath) -> Artifact | None:
        """Return the artifact that would be at a path, or None."""
        if path in self._files:
            return self._then.on_disk(path)
        if path in self._around:
            return self._directory(path)
        return self._now.artifact_at(path)

    def _directory(self, path: ArtifactPath) -> Artifact | None:
        """The artifact of a directory with edited files in it."""
        real = self._now.project.layout.artifact(path)
        try:
            tree = self._now.stores.files.tree(real) if real.is_dir() else Tree({})
        except ArtifactError:
            return self._now.artifact_at(path)
        files = dict(tree.files)
        for each in (each for each in self._files if is_within(each, path)):
            found = self._then.on_disk(ArtifactPath(each))
            name = each.removeprefix(f"{path}/")
            files.pop(name, None)
            if found is not None:
                files[name] = found
        empty = (name for name in tree.empty if not any(is_within(each, name) for each in files))
        edited = Tree(files, tuple(empty))
        if not edited.files and not real.is_dir():
            return None
        self._trees[edited.artifact().digest] = edited
        return edited.artifact()

    def artifact_in(self, directory: Artifact, path: str) -> Artifact | None:
        """Return the artifact at a relative path in a directory with this content, if one is known."""
        tree = self._trees.get(directory.digest)
        return self._now.artifact_in(directory, path) if tree is None else tree.at(path)

    def names_in(self, directory: Artifact) -> Iterable[str]:
        """Return the relative paths of the files in a directory with this content, if it is known."""
        tree = self._trees.get(directory.digest)
        return self._now.names_in(directory) if tree is None else tree.files

    def files_matching(self, pattern: PathPattern) -> list[ArtifactPath]:
        """Return the files that would match a pattern."""
        matches = pattern.matcher()
        kept = (path for path in self._now.files_matching(pattern) if path not in self._files)
        edited = (ArtifactPath(path) for path, after in self._files.items() if after is not None and matches(path))
        return sorted({*kept, *edited})

    def lock(self, address: str) -> StageLock | None:
        """Return the last run of a stage, or None."""
        return self._then.lock(address)

    def memory(self) -> Memory:
        """Return the results of earlier runs."""
        return CacheMemory(self._now.store, lambda: self._now.runs, self._still_holds)

    def _still_holds(self, record: RunRecord) -> bool:
        return self.current_code(record.observed) == record.observed

    def current_code(self, observed: Mapping[str, CodeEntry]) -> Mapping[str, CodeEntry]:
        """Return the state of observed code after the edit, without deleted code."""
        edited = {key: each for key, each in observed.items() if self._is_edited(each)}
        rest = {key: each for key, each in observed.items() if key not in edited}
        found = {**self._now.current_code(rest), **self._then.current_code(edited)}
        return {key: found[key] for key in observed if key in found}

    def _is_edited(self, entry: CodeEntry) -> bool:
        return entry.location is not None and entry.location.file in self._files

    def file_values(self, path: ArtifactPath, artifact: Artifact, keys: Iterable[str]) -> FileParamValues:
        """Return the values of keys in a file with this content."""
        side = self._then if path in self._files else self._now
        return side.file_values(path, artifact, keys)
