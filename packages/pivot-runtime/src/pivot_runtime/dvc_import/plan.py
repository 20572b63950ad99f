"""Plans the import of a DVC project: the files to write, and the stages and data in them; changes nothing."""

import contextlib
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from pivot_cache.formats import pvt
from pivot_core.discovery import DECLARED_FILE, PIPELINE_FILE
from pivot_core.errors import PivotError
from pivot_core.pivot_yaml.expand import Expansion
from pivot_core.pivot_yaml.variables import VariablesFiles
from pivot_core.values import Value
from pivot_runtime.definitions.pipeline_file import ProjectVariables
from pivot_runtime.dvc_import import data_files, dvc_config, dvc_lock, stage_files
from pivot_runtime.dvc_import.data_files import DvcData
from pivot_runtime.dvc_import.dvc_config import TranslatedConfig
from pivot_runtime.dvc_import.dvc_lock import DvcLock, DvcRun
from pivot_runtime.dvc_import.judgement import ImportedStage
from pivot_runtime.dvc_import.leftovers import Leftover
from pivot_runtime.dvc_import.loadable import LoadableFiles, PipelineDraft, loadable
from pivot_runtime.dvc_import.project_files import LOCK, DvcFiles, is_of_others
from pivot_runtime.dvc_import.stage_files import TranslatedStages, valid_name
from pivot_runtime.errors import YamlError
from pivot_runtime.loading.loaded import LoadedStage

_HEADING: Final = "# From .dvcignore:"
_VARIANT: Final = re.compile(r"[^A-Za-z0-9]+")


@attrs.frozen(eq=False, repr=False)
class ImportPlan(Value):
    """The plan.

    Attributes:
        pipelines: The text of each ``pivot.yaml``, by its path, with the ``dvc.yaml`` that it comes from.
        data: The data that no stage writes.
        stages: The stages, each after those that it depends on; none if a file cannot be loaded.
        config: The configuration.
        ignore: The lines to add to the ``.pivotignore``.
        leftovers: The parts that are not carried.
        kept: The files of the user's that stay as they are although others were planned in their places.
    """

    pipelines: Mapping[str, tuple[str, str]]
    data: tuple[DvcData, ...]
    stages: tuple[ImportedStage, ...]
    config: TranslatedConfig
    ignore: tuple[str, ...]
    leftovers: tuple[Leftover, ...]
    kept: tuple[str, ...] = ()


class TakenError(PivotError):
    """Files of the user's are in the places of those that an import would write."""


def make_plan(files: DvcFiles, *, force: bool = False, keep: bool = False, script_deps: bool = False) -> ImportPlan:
    """Plan an import.

    Args:
        files: The files of the project.
        force: Plan to replace other pipeline files.
        keep: Use other pipeline files as they are.
        script_deps: Leave Python code that commands run among the deps, where it counts by its bytes.

    Raises:
        TakenError: There are other pipeline files, and neither is wanted.
    """
    files = _with_single_stages(files)
    leftovers = list(files.leftovers)
    config = dvc_config.translate(files.config, os.fspath(files.dvc_dir))
    locks = {name: _lock(name, text, leftovers) for name, text in files.locks.items()}
    names = _pipeline_names(files)
    translated = {name: _stages(name, files, names[name], locks, leftovers) for name in files.stages}
    drafts = {
        posixpath.join(posixpath.dirname(name), DECLARED_FILE): PipelineDraft(each.text, name, each.places)
        for name, each in translated.items()
        if each is not None and each.text
    }
    _refuse_beside(files.root, drafts)
    found = loadable(files.root, drafts, script_deps=script_deps)
    kept = _others(files.root, found.texts, force=force, keep=keep)
    if kept:
        drafts = {path: attrs.evolve(draft, text=found.texts[path]) for path, draft in drafts.items()}
        drafts |= {path: attrs.evolve(drafts[path], text=text, kept=True) for path, text in kept.items()}
        known, found = found, loadable(files.root, drafts, script_deps=script_deps)
        found = attrs.evolve(
            found, leftovers=(*known.leftovers, *found.leftovers), scripts={**known.scripts, **found.scripts}
        )
    for each in translated.values():
        for assumed in () if each is None else each.assumed:
            where, _, path = assumed.partition(" ")
            problem = f"{path} is taken for a directory, since no run of it is recorded"
            leftovers.append(Leftover(where, problem, "if it is a file, remove the / at its end in the pivot.yaml"))
    data = list(_data(files, leftovers))
    leftovers += (*found.leftovers, *config.leftovers)
    return ImportPlan(
        pipelines={path: (text, drafts[path].source) for path, text in found.texts.items()},
        data=tuple(data),
        stages=_recorded(found, drafts, translated, locks),
        config=config,
        ignore=_ignore(files),
        leftovers=tuple(leftovers),
        kept=tuple(kept),
    )


def _with_single_stages(files: DvcFiles) -> DvcFiles:
    single = data_files.single_stages(files.data, files.stages)
    return attrs.evolve(
        files,
        stages={**files.stages, **single.stages},
        locks={**files.locks, **single.locks},
        data={name: text for name, text in files.data.items() if name not in single.files},
    )


def _pipeline_names(files: DvcFiles) -> dict[str, str]:
    """The name of the pipeline of each file; those of directories precede that of the root."""
    found: dict[str, str] = {}
    for file in sorted(files.stages, key=lambda each: ("/" not in each, each)):
        base = posixpath.dirname(file)
        name = wanted = valid_name(base.replace("/", "-") if base else files.root.name, "pipeline")
        number = 1
        while name in found.values():
            number += 1
            name = f"{wanted}_{number}"
        found[file] = name
    return found


def _refuse_beside(root: Path, paths: Iterable[str]) -> None:
    for path in paths:
        beside = root / posixpath.dirname(path) / PIPELINE_FILE
        if beside.exists():
            hint = "move its stages into a pivot.yaml, or into a directory of their own"
            if is_of_others(beside):
                hint = "rename it, also where commands and other modules name it"
            raise TakenError(f"{beside} is where {path} would be: a directory has only one of the two", hint=hint)


def _others(root: Path, texts: Mapping[str, str], *, force: bool, keep: bool) -> dict[str, str]:
    """The texts of files of the user's that stay as they are."""
    found = {}
    for path, text in texts.items():
        try:
            there = (root / path).read_bytes().decode()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError):
            there = ""
        if there != text:
            found[path] = there
    if found and not force and not keep:
        problem = f"{next(iter(found))} already exists with other content"
        raise TakenError(problem, hint="--keep uses it as it is, --force replaces it")
    return found if keep else {}


def _lock(name: str, text: str, leftovers: list[Leftover]) -> DvcLock:
    try:
        lock = dvc_lock.parse(text, name)
    except YamlError as error:
        leftovers.append(Leftover(name, str(error), "repair it, and repeat the command; otherwise all stages run"))
        return DvcLock({})
    leftovers += lock.leftovers
    return lock


def _stages(
    name: str, files: DvcFiles, pipeline: str, locks: Mapping[str, DvcLock], leftovers: list[Leftover]
) -> TranslatedStages | None:
    base = posixpath.dirname(name)
    lock = locks.get(posixpath.join(base, LOCK), DvcLock({}))
    kinds = _Kinds(files.root / base, lock.runs)
    try:
        variables = ProjectVariables(files.root / name, files.root)
        found = stage_files.translate(
            files.stages[name],
            name,
            pipeline,
            kinds.is_directory,
            lambda data: outs_of_variants(data, variables),
        )
    except YamlError as error:
        problem = str(error).removeprefix(f"{name}:").strip()
        leftovers.append(Leftover(name, f"it is not carried: {problem}", error.hint or "repair it, and repeat"))
        return None
    leftovers += found.leftovers
    return found


def outs_of_variants(data: Any, variables: VariablesFiles) -> stage_files.Outs:
    """The outs of each variant of each stage of a ``dvc.yaml`` without references, as far as these can be resolved."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    with contextlib.suppress(PivotError, AttributeError, KeyError, TypeError, ValueError):  # the translation lists it
        stages = {name: _only_outs(stage) for name, stage in data["stages"].items()}
        parts = [stages, *({name: stage} for name, stage in stages.items())]
        for part in parts:
            with contextlib.suppress(PivotError, AttributeError, KeyError, TypeError, ValueError):
                whole = {"vars": data.get("vars"), "stages": part}
                for stage in Expansion(whole, variables, {}, str).stages:
                    found.setdefault(stage.group, []).append(stage.data)
                if part is stages:
                    break
    return found


def _only_outs(stage: Mapping[str, Any]) -> Mapping[str, Any]:
    if "do" in stage:
        return {"foreach": stage["foreach"], "do": _only_outs(stage["do"])}
    return {key: value for key, value in stage.items() if key in ("vars", "wdir", "matrix", *stage_files.OUT_KEYS)}


class _Kinds:
    """Which outs of the stages of a file are directories."""

    def __init__(self, home: Path, runs: Mapping[str, DvcRun]) -> None:
        self._home = home
        self._recorded: dict[str, list[tuple[str, bool]]] = {}
        for name, run in runs.items():
            known = self._recorded.setdefault(name.partition("@")[0], [])
            known += [(posixpath.normpath(path), md5.directory) for path, md5 in run.outs.items() if md5 is not None]

    def is_directory(self, stage: str, wdir: str, out: str) -> bool | None:
        pattern = stage_files.pattern_of(out)
        recorded = [directory for path, directory in self._recorded.get(stage, ()) if pattern.fullmatch(path)]
        if recorded:
            return any(recorded)
        if "${" in wdir:
            return None
        path = posixpath.join(wdir, out)
        try:
            there = (
                [self._home / path] if "${" not in out else list(self._home.glob(stage_files.REFERENCE.sub("*", path)))
            )
        except (ValueError, NotImplementedError):
            return None
        there = [each for each in there if each.exists()]
        return any(each.is_dir() for each in there) if there else None


def _data(files: DvcFiles, leftovers: list[Leftover]) -> Iterator[DvcData]:
    for name, text in files.data.items():
        try:
            found, lost = data_files.parse(text, name)
        except YamlError as error:
            problem = str(error).removeprefix(f"{name}:").strip()
            leftovers.append(Leftover(name, f"it is not carried: {problem}", "repair it, or 'pivot track' the data"))
            continue
        leftovers += lost
        yield from found


def _recorded(
    loadable: LoadableFiles,
    drafts: Mapping[str, PipelineDraft],
    translated: Mapping[str, TranslatedStages | None],
    locks: Mapping[str, DvcLock],
) -> tuple[ImportedStage, ...]:
    """The stages as Pivot loads them, each with the runs that DVC has recorded of it."""
    found: dict[str, ImportedStage] = {}
    for path, stages in loadable.stages.items():
        source = drafts[path].source
        lock = locks.get(posixpath.join(posixpath.dirname(source), LOCK), DvcLock({}))
        names, runs = translated[source], _Runs(lock)
        for stage in stages:
            known = {} if names is None else names.stages
            address = stage.spec.address
            scripts = loadable.scripts.get(address, ())
            found[address] = ImportedStage(stage, runs.of(stage, known), scripts)
    return tuple(found[address] for address in loadable.order)


class _Runs:
    """The recorded runs of a file, by the stages whose last ones they may be."""

    def __init__(self, lock: DvcLock) -> None:
        self._lock = lock
        self._by_variant: dict[tuple[str, str], list[DvcRun]] = {}
        self._by_outs: dict[tuple[str, frozenset[str]], list[DvcRun]] = {}
        for name, run in lock.runs.items():
            base, at, variant = name.partition("@")
            if at:
                self._by_variant.setdefault((base, _VARIANT.sub("-", variant)), []).append(run)
                self._by_outs.setdefault((base, frozenset(map(posixpath.normpath, run.outs))), []).append(run)

    def of(self, stage: LoadedStage, names: Mapping[str, str]) -> tuple[DvcRun, ...]:
        """Return those of a stage; that of the same variant comes first, and then those with the same outs."""
        base, at, variant = stage.spec.name.partition("@")
        of = names.get(base, base)
        if not at:
            return (self._lock.runs[of],) if of in self._lock.runs else ()
        outs = frozenset(posixpath.relpath(out.path, stage.spec.base or ".") for out in stage.spec.outs)
        found = self._by_variant.get((of, _VARIANT.sub("-", variant)), [])
        others = self._by_outs.get((of, outs), []) if outs else []
        return (*found, *(run for run in others if run not in found))


def _ignore(files: DvcFiles) -> tuple[str, ...]:
    lines = tuple(files.ignore)
    return (_HEADING, *lines) if lines else ()


def pvt_path(data: DvcData) -> str:
    """The path of the file that stands for some data."""
    return f"{data.path}{pvt.SUFFIX}"
