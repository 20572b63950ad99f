"""Leaves those parts out of translated files that Pivot cannot load, so that the project loads; writes nothing."""

import contextlib
import copy
import os
import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from pivot_core.errors import PathError, PivotError
from pivot_core.files.paths import ArtifactPath, parents
from pivot_core.graph import Graph, refuse_contradictions
from pivot_core.spec import StageError, StageSpec
from pivot_core.values import Value
from pivot_fingerprint import SCHEMA
from pivot_runtime.definitions import yaml_document
from pivot_runtime.dvc_import.leftovers import Leftover
from pivot_runtime.dvc_import.shadow import shadow
from pivot_runtime.dvc_import.yaml_edits import YamlEdits, written
from pivot_runtime.errors import ImportRequiredError
from pivot_runtime.loading import shell_only
from pivot_runtime.loading.loaded import Loaded, LoadedStage, refuse_same_names

_CHARTS: Final = ("metrics", "plots")
_MOST_NAMES: Final = 3
_LONGEST_NAME: Final = 255
"""The bytes of the longest name of a file."""
_PLACE: Final = re.compile(r"^(?:\S*pivot\.yaml(?::\d+)?: )+| \(\S*pivot\.yaml:\d+\)")


@attrs.frozen(eq=False, repr=False)
class PipelineDraft(Value):
    """A ``pivot.yaml`` to be.

    Attributes:
        text: Its text.
        source: The ``dvc.yaml`` that it comes from.
        places: The place of each stage in that file, by its name here.
        kept: It is a file of the user's, and stays as it is.
    """

    text: str
    source: str
    places: Mapping[str, str]
    kept: bool = False


@attrs.frozen(eq=False, repr=False)
class LoadableFiles(Value):
    """Files that can be loaded together.

    Attributes:
        texts: Their texts, by their paths; those of the user's as they are.
        stages: The stages of each.
        order: The addresses of all stages, each after those that it depends on.
        leftovers: The parts that are not in them.
        scripts: By address, the deps that the stages had, and that are code that their commands run.
    """

    texts: Mapping[str, str]
    stages: Mapping[str, tuple[LoadedStage, ...]]
    order: tuple[str, ...]
    leftovers: tuple[Leftover, ...]
    scripts: Mapping[str, tuple[ArtifactPath, ...]] = attrs.field(factory=dict)


def loadable(root: Path, drafts: Mapping[str, PipelineDraft], *, script_deps: bool = False) -> LoadableFiles:
    """Load files as if they were in a project, and leave out the parts that cannot be loaded, or contradict others.

    Args:
        root: The root of the project.
        drafts: The files, by their paths.
        script_deps: Python code that commands run may be among the deps, where it counts by its bytes.
    """
    leftovers: list[Leftover] = []
    code = {each.file for path, draft in drafts.items() if not script_deps for each in _code_deps(root, path, draft)}
    with shadow(root, {path: each.text for path, each in drafts.items()}, code) as top:
        files = [_DraftedFile(path, draft, top, leftovers) for path, draft in drafts.items()]
        for file in files:
            file.settle()
        _add_deps(files)
        order = _settled_graph(files, top, leftovers)
        produced = {out.path for file in files for stage in file.loaded for out in stage.spec.outs}
        scripts: dict[str, tuple[ArtifactPath, ...]] = {}
        for file in files:
            scripts |= {} if script_deps else file.without_code_deps(root, produced)
    return LoadableFiles(
        {file.path: file.text for file in files if file.stages or file.draft.kept},
        {file.path: file.loaded for file in files},
        order,
        tuple(leftovers),
        scripts,
    )


@attrs.frozen(eq=False, repr=False)
class _CodeDep(Value):
    """A dep of a stage, or of all its variants, that may be code.

    Attributes:
        stage: The name of the stage.
        place: The place of the dep in the data of the file.
        file: Its path, relative to the root.
    """

    stage: str
    place: tuple[str | int, ...]
    file: ArtifactPath


def _code_deps(root: Path, path: str, draft: PipelineDraft) -> Iterator[_CodeDep]:
    """The Python files among the deps in a file."""
    if draft.kept:
        return
    data = yaml_document.parse(draft.text, "").data
    for name, stage in data["stages"].items():
        body, at = (stage["do"], ("stages", name, "do")) if "do" in stage else (stage, ("stages", name))
        deps = body.get("deps")
        base = posixpath.join(posixpath.dirname(path), str(body.get("wdir", ".")))
        for number, dep in enumerate(deps if isinstance(deps, list) else ()):
            if isinstance(dep, str) and dep.endswith(".py") and "${" not in f"{base}{dep}":
                with contextlib.suppress(PathError):
                    file = ArtifactPath.resolve(dep, base=base)
                    if os.path.isfile(root / file) and os.access(root / file, os.R_OK):
                        yield _CodeDep(name, (*at, "deps", number), file)


def largest[T](items: Sequence[T], problem: Callable[[list[T]], PivotError | None]) -> tuple[list[T], dict[int, str]]:
    """The items without those that cause problems, and the problem of each that is left out, by its index.

    Args:
        items: The items; none of them are no problem.
        problem: The problem of some items, in their order, if there is one; more items only add to it.
    """
    kept = list(enumerate(items))
    found: dict[int, str] = {}
    good = 0
    while (error := problem([item for _, item in kept])) is not None and len(kept) > good:
        high = len(kept)
        while high - good > 1:
            middle = (good + high) // 2
            inner = problem([item for _, item in kept[:middle]])
            if inner is None:
                good = middle
            else:
                high, error = middle, inner
        found[kept.pop(good)[0]] = _remedied(error)
    return [item for _, item in kept], found


def _remedied(error: PivotError) -> str:
    text = error.problem if isinstance(error, StageError) else str(error)
    return f"{text}\n{error.hint or 'repair it'}"


class _DraftedFile:
    """One file, and the parts of it that remain."""

    def __init__(self, path: str, draft: PipelineDraft, top: Path, leftovers: list[Leftover]) -> None:
        self.path = path
        self.draft = draft
        self.text = draft.text
        self._top = top
        self._leftovers = leftovers
        self.loaded: tuple[LoadedStage, ...] = ()
        self._data: Any = {} if draft.kept else yaml_document.parse(draft.text, "").data
        self.stages: list[str] = list(self._data.get("stages", ()))

    def settle(self) -> None:
        """Leave out what cannot be loaded."""
        error = self._load(self.text)
        if error is None:
            return
        if self.draft.kept:
            hint = f"{error.hint or 'repair it'}; afterwards, repeat with --keep"
            self._leave(self.path, f"it cannot be loaded: {self._plain(str(error))}", hint)
            return
        head = {key: value for key, value in self._data.items() if key not in _CHARTS}
        error = self._load(written({**head, "stages": {"probe": {"cmd": ":"}}}))
        if error is not None:
            self.stages, self.loaded = [], ()
            problem, hint = _remedied(error).split("\n", 1)
            self._leave(self.draft.source, f"it is not carried: {self._plain(problem)}", f"{hint}; afterwards, repeat")
            return
        names, lost = largest(self.stages, lambda some: self._load(self._without(some, [])[0]) if some else None)
        for at, problem in lost.items():
            self._leave_stage(self.stages[at], problem)
        self._keep(names)

    def remove(self, lost: Mapping[str, str]) -> None:
        """Leave out stages, each with its problem."""
        for name in lost:
            self._leave_stage(name, lost[name])
        self._keep([name for name in self.stages if name not in lost])

    def add_dep(self, name: str, base: str, path: str) -> None:
        """Declare a path that the command of a stage, or of all its variants, names, and another stage writes."""
        dep = posixpath.relpath(path, base or ".")
        data = copy.deepcopy(self._data)
        at: tuple[str, ...] = ("stages", name)
        body = data["stages"][name]
        if "do" in body:
            at, body = (*at, "do"), body["do"]
        edits = YamlEdits(self.text)
        if body.get("deps"):
            edits.prepend((*at, "deps"), dep)
        else:
            edits.insert((*at, "cmd"), f"deps: [{dep}]")
        body["deps"] = [dep, *(body.get("deps") or ())]
        text = edits.result(data)
        if self._load(text) is None:
            self.text, self._data = text, data
            problem = f"its command names {path}, which another stage writes: it is a dep of {name!r} here"
            self._leave(self.draft.places.get(name, self.draft.source), problem, "")
        else:
            self._load(self.text)

    def without_code_deps(self, root: Path, produced: Collection[str]) -> dict[str, tuple[ArtifactPath, ...]]:
        """Remove the deps that are code that the commands run: it counts by itself. Return them by address."""
        draft = attrs.evolve(self.draft, text=self.text)
        deps = [
            each
            for each in _code_deps(root, self.path, draft)
            if not any(around in produced for around in (each.file, *parents(each.file)))
        ]
        before = self.loaded
        if not self.stages or not deps or self._load(self._less(deps)[0]) is not None:
            self.loaded = before
            return {}
        files: dict[str, set[str]] = {}
        for stage in self.loaded:
            found = {entry.location.file for entry in stage.code.values() if entry.location is not None}
            found -= {key.removeprefix("file:") for key in stage.code}
            name = stage.spec.name.partition("@")[0]
            files[name] = files.get(name, found) & found
        deps = [each for each in deps if each.file in files.get(each.stage, ())]
        text, data = self._less(deps)
        if not deps or self._load(text) is not None:
            self._load(self.text)
            return {}
        self.text, self._data = text, data
        problem = f"Python code that commands run counts by what it does, and is no dep here: {_listed(deps)}"
        self._leave(self.draft.source, problem, "")
        names = {stage.spec.address: stage.spec.name.partition("@")[0] for stage in self.loaded}
        return {address: tuple(each.file for each in deps if each.stage == name) for address, name in names.items()}

    def _less(self, deps: Sequence[_CodeDep]) -> tuple[str, Any]:
        """The text without some deps, and its data."""
        edits, data = YamlEdits(self.text), copy.deepcopy(self._data)
        for around in {each.place[:-1] for each in deps}:
            body = data
            for key in around[:-1]:
                body = body[key]
            gone = {each.place[-1] for each in deps if each.place[:-1] == around}
            body["deps"] = [dep for number, dep in enumerate(body["deps"]) if number not in gone]
            if not body["deps"]:
                del body["deps"]
                edits.remove(around)
            else:
                for number in gone:
                    edits.remove((*around, number))
        return edits.result(data), data

    def _keep(self, stages: list[str]) -> None:
        """Keep only these stages, and the charts that are possible with them."""
        self.stages = stages
        if not stages:
            self.loaded = ()
            return
        charts = [(key, at) for key in _CHARTS for at in range(len(self._data.get(key) or ()))]
        charts, lost = largest(charts, lambda some: self._load(self._without(stages, some)[0]))
        for problem in lost.values():
            text, hint = problem.split("\n", 1)
            self._leave(self.draft.source, self._plain(text), hint)
        self.text, self._data = self._without(stages, charts)
        self._load(self.text)

    def _leave_stage(self, name: str, problem: str) -> None:
        text, hint = problem.split("\n", 1)
        where = self.draft.places.get(name, self.draft.source)
        said = f"the stage {name!r} is not carried: {self._plain(text)}"
        self._leave(where, said, f"{hint}; afterwards, repeat with --force")

    def _leave(self, where: str, problem: str, remedy: str) -> None:
        self._leftovers.append(Leftover(where, problem, remedy))

    def _plain(self, text: str) -> str:
        """A text without places in files that only the trial has."""
        return _PLACE.sub("", text.replace(f"{self._top}/", ""))

    def _without(self, stages: Sequence[str], charts: Sequence[tuple[str, int]]) -> tuple[str, Any]:
        """The text with only these stages and charts, and its data."""
        edits = YamlEdits(self.text)
        data = dict(self._data)
        data["stages"] = {name: body for name, body in self._data["stages"].items() if name in stages}
        for name in self._data["stages"]:
            if name not in data["stages"]:
                edits.remove(("stages", name))
        for key in _CHARTS:
            items = self._data.get(key) or ()
            kept = [item for at, item in enumerate(items) if (key, at) in charts]
            if items and not kept:
                edits.remove((key,))
                del data[key]
            elif items:
                data[key] = kept
                for at in range(len(items)):
                    if (key, at) not in charts:
                        edits.remove((key, at))
        return edits.result(data), data

    def _load(self, text: str) -> PivotError | None:
        """Load a text in the place of the file; return the problem, if there is one."""
        file = self._top / self.path
        file.write_bytes(text.encode())
        self.loaded = ()
        try:
            loaded = shell_only.load(file, self._top, (), {}).stages
        except ImportRequiredError:
            return None
        except PivotError as error:
            return error
        for stage in loaded:
            spec = stage.spec
            for path in (*spec.deps, *(out.path for out in spec.outs)):
                if any(len(part.encode()) > _LONGEST_NAME for part in path.split("/")):
                    return StageError(spec.name, spec.location, f"no file can have the name {path[:_LONGEST_NAME]}…")
        self.loaded = loaded
        return None


def _listed(deps: Sequence[_CodeDep]) -> str:
    names = sorted({str(each.file) for each in deps})
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _add_deps(files: Sequence[_DraftedFile]) -> None:
    """Declare the files that commands name, and other stages write: DVC runs such stages in any order."""
    specs = [stage.spec for file in files for stage in file.loaded]
    producers = {out.path: spec.address for spec in specs for out in spec.outs}
    for file in files:
        if file.draft.kept:
            continue
        undeclared: dict[str, set[str]] = {}
        for stage in file.loaded:
            spec, name = stage.spec, stage.spec.name.partition("@")[0]
            found = set(_undeclared(spec, producers))
            undeclared[name] = undeclared.get(name, found) & found
        bases = {stage.spec.name.partition("@")[0]: stage.spec.base for stage in file.loaded}
        for name, paths in undeclared.items():
            for path in sorted(paths, reverse=True):
                file.add_dep(name, bases[name], path)


def _undeclared(spec: StageSpec, producers: Mapping[Any, str]) -> Iterator[str]:
    for path in spec.named:
        writers = {producers.get(around, spec.address) for around in (path, *parents(path))}
        if writers != {spec.address}:
            yield str(path)


def _settled_graph(files: Sequence[_DraftedFile], top: Path, leftovers: list[Leftover]) -> tuple[str, ...]:
    """Leave out stages that contradict others; return the addresses of the others in their order."""
    own = [(file, name) for file in files if not file.draft.kept for name in file.stages]
    loaded = {file.path: file.loaded for file in files}

    def problem(some: Sequence[tuple[_DraftedFile, str]]) -> PivotError | None:
        known = {(file.path, name) for file, name in some}
        stages = {
            file.path: tuple(
                stage
                for stage in loaded[file.path]
                if file.draft.kept or (file.path, stage.spec.name.partition("@")[0]) in known
            )
            for file in files
        }
        try:
            refuse_same_names(((top / path, Loaded(SCHEMA, found, {})) for path, found in stages.items()), top)
            refuse_contradictions(Graph.build(stage.spec for found in stages.values() for stage in found))
        except PivotError as error:
            return error
        return None

    error = problem([])
    if error is not None:
        remedy = f"{error.hint or 'repair it'}; afterwards, repeat with --keep"
        leftovers.append(Leftover(files[0].path, f"the stages contradict each other: {error}", remedy))
        return ()
    _, lost = largest(own, problem)
    for file in files:
        gone = {own[at][1]: text for at, text in lost.items() if own[at][0] is file}
        if gone:
            file.remove(gone)
    return tuple(Graph.build(stage.spec for file in files for stage in file.loaded).stages)
