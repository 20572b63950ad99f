"""Decides whether a run that a ``dvc.lock`` records still holds: command, deps, parameters and outs are the same."""

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from pivot_core.files.digest import canonical_json
from pivot_core.files.paths import ArtifactPath, parents
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.dvc_import.contents import Contents
from pivot_runtime.dvc_import.dvc_lock import DvcRun, Md5, is_elsewhere
from pivot_runtime.loading.loaded import LoadedStage

_COMMAND = "command"
_SEPARATED = re.compile(r"\b[0-9]+(?:_[0-9]+)+\b")
"""A number with separators, which is a text for Pivot."""


@attrs.frozen(eq=False, repr=False)
class ImportedStage(Value):
    """A stage of a translated file, with what DVC recorded of it.

    Attributes:
        loaded: The stage.
        runs: The recorded runs that may be its last one, the likeliest first.
        scripts: Further deps in the ``dvc.yaml``, which count by their code here.
    """

    loaded: LoadedStage
    runs: tuple[DvcRun, ...]
    scripts: tuple[ArtifactPath, ...] = ()

    @property
    def deps(self) -> tuple[ArtifactPath, ...]:
        """Return all that DVC compares."""
        return (*self.loaded.spec.deps, *self.scripts)

    @property
    def params_files(self) -> frozenset[str]:
        """Return the files whose keys are parameters, which DVC records without an MD5."""
        return frozenset(map(str, self.loaded.spec.file_params))

    @property
    def address(self) -> str:
        """Return the address of the stage."""
        return self.loaded.spec.address


@attrs.frozen(eq=False, repr=False)
class Judged(Value):
    """The judgement on a stage.

    Attributes:
        problem: Why its record does not hold; "" if it does.
        outs: The content of its outs, if it does.
        missing: The outs whose content is neither in the workspace nor in DVC's cache.
    """

    problem: str
    outs: Mapping[ArtifactPath, Artifact] = attrs.field(factory=dict)
    missing: tuple[str, ...] = ()


class KnownContent:
    """The content that data and stages have, by path, wherever it is: in the workspace, or only in the store."""

    def __init__(self, contents: Contents) -> None:
        """Nothing is known yet."""
        self._contents = contents
        self._found: dict[str, tuple[Md5, Artifact]] = {}

    def add(self, path: str, md5: Md5, artifact: Artifact) -> None:
        """Content is at a path, or would be there after a checkout."""
        self._found[path] = md5, artifact

    def has(self, path: str, md5: Md5) -> bool:
        """Return whether the content at a path has this MD5."""
        if self._contents.is_there(path):
            return self._contents.matches(path, md5) is not None
        if path in self._found:
            return self._found[path][0].digest == md5.digest
        for around in parents(ArtifactPath(path)):
            if around in self._found:
                listed = self._contents.listing(self._found[around][0])
                inner = listed.get(posixpath.relpath(path, around))
                return inner is not None and inner.digest == md5.digest
        return False

    def difference(self, path: str) -> str:
        """Return the reason why a path does not have the recorded content."""
        if not self._contents.is_there(path) and not any(each in self._found for each in (path, *parents(path))):
            return f"{path} is neither here nor in DVC's cache"
        return f"{path} is not as DVC recorded it"

    def absent(self) -> dict[str, Artifact]:
        """Return the content that is not in the workspace."""
        return {path: artifact for path, (_, artifact) in self._found.items() if not self._contents.is_there(path)}


def judge(
    stage: ImportedStage, contents: Contents, known: KnownContent, params: Callable[[LoadedStage], Mapping[str, Any]]
) -> Judged:
    """Decide about a stage, and take its outs over if the record holds.

    Args:
        stage: The stage.
        contents: The content of the project and of DVC's cache.
        known: The content of data, and of the outs of the stages before; those of this one are added.
        params: Returns the current values of the keys of files that are parameters of a stage, by file and key.
    """
    if not stage.runs:
        return Judged("DVC has recorded no run of it")
    spec, base = stage.loaded.spec, stage.loaded.spec.base
    found_problems = []
    for run in stage.runs:
        deps, outs = _placed(run.deps, base), _placed(run.outs, base)
        problem = (
            _differing_declaration(stage, run, deps, outs)
            or _changed_dep(stage, deps, known)
            or _uncompared_dep(run)
            or _changed_param(stage, run, params(stage.loaded))
        )
        missing: tuple[str, ...] = ()
        if not problem:
            wanted = {str(out.path): outs[str(out.path)] for out in spec.outs}
            found, problem = _taken(wanted, {str(out.path) for out in spec.outs if out.cache}, contents)
            if not problem:
                for path, artifact in found.items():
                    md5 = outs[path]
                    if md5 is not None:
                        known.add(path, md5, artifact)
                return Judged("", {ArtifactPath(path): artifact for path, artifact in found.items()})
            missing = _missing(wanted, contents)
        found_problems.append(Judged(problem, missing=missing))
    return found_problems[0]


def keep_old_outs(stage: ImportedStage, contents: Contents) -> None:
    """Take over the outs in the workspace that DVC's last run of a stage wrote, so that another run may replace them.

    Raises:
        ArtifactError: Something cannot be read.
        CacheError: The store cannot be written.
    """
    declared = {str(out.path) for out in stage.loaded.spec.outs}
    for run in stage.runs[:1]:
        for path, md5 in _placed(run.outs, stage.loaded.spec.base).items():
            if md5 is not None and path in declared and contents.is_there(path):
                contents.keep(path, md5, in_workspace=True)


def command_text(cmd: str | list[str]) -> str:
    """A command as the text by which Pivot compares it."""
    steps = [cmd] if isinstance(cmd, str) else cmd
    return steps[0] if len(steps) == 1 else "\n".join(f"$ {step}" for step in steps)


def _placed(contents: Mapping[str, Md5 | None], base: str) -> dict[str, Md5 | None]:
    """The content by path from the root of the project."""
    return {posixpath.normpath(posixpath.join(base, path)): md5 for path, md5 in contents.items()}


def _differing_declaration(
    stage: ImportedStage, run: DvcRun, deps: Mapping[str, Md5 | None], outs: Mapping[str, Md5 | None]
) -> str:
    """The first declaration that its run did not have; like DVC, this ignores those that only the run had."""
    spec = stage.loaded.spec
    before, now = command_text(run.cmd).strip(), stage.loaded.texts.get(_COMMAND, "").strip()
    if before != now:
        return _separated(before, now) or "its command has changed since DVC ran it"
    for path in stage.deps:
        if str(path) not in deps and str(path) not in stage.params_files:
            return f"{path} was no dep when DVC ran it"
    for out in spec.outs:
        if str(out.path) not in outs:
            return f"{out.path} was no out when DVC ran it"
        md5 = outs[str(out.path)]
        if md5 is not None and md5.directory is not out.directory:
            return f"{out.path} is declared as a {'directory' if out.directory else 'file'}, and DVC recorded the other"
    return ""


def _separated(before: str, now: str) -> str:
    """The reason if two texts differ only in the separators of numbers; else ""."""
    found = _SEPARATED.search(now)
    if found is None or before != _SEPARATED.sub(lambda each: each[0].replace("_", ""), now):
        return ""
    return f"{found[0]} is a text for Pivot, and a number for DVC: write {found[0].replace('_', '')}"


def _changed_dep(stage: ImportedStage, deps: Mapping[str, Md5 | None], known: KnownContent) -> str:
    for path in map(str, stage.deps):
        if path not in deps:
            continue
        md5 = deps[path]
        if md5 is None:
            return f"{path} is recorded without an MD5"
        if not known.has(path, md5):
            return known.difference(path)
    return ""


def _uncompared_dep(run: DvcRun) -> str:
    found = next(filter(is_elsewhere, run.deps), "")
    return f"{found} is outside the project, where only DVC knows whether it has changed" if found else ""


def _changed_param(stage: ImportedStage, run: DvcRun, now: Mapping[str, Mapping[str, Any]]) -> str:
    spec = stage.loaded.spec
    before = {posixpath.normpath(posixpath.join(spec.base, file)): values for file, values in run.params.items()}
    for path, keys in spec.file_params.items():
        old, new = before.get(str(path), {}), now.get(str(path), {})
        for key in keys or sorted(old.keys() | new.keys()):
            if key not in old or key not in new:
                return f"{path}:{key} is not as DVC recorded it"
            if canonical_json(old[key]) != canonical_json(new[key]):
                return _separated(str(old[key]), str(new[key])) or f"{path}:{key} is not as DVC recorded it"
    return ""


def _taken(outs: Mapping[str, Md5 | None], cached: set[str], contents: Contents) -> tuple[dict[str, Artifact], str]:
    """The outs of a stage, which are stored; and why that is impossible, if it is."""
    found = {}
    for path, md5 in outs.items():
        if md5 is None:
            return {}, f"{path} is recorded without an MD5"
        there = contents.is_there(path)
        artifact = contents.keep(path, md5, in_workspace=there) if path in cached else contents.matches(path, md5)
        if artifact is None:
            return {}, f"{path} is not as DVC recorded it" if there else f"{path} is neither here nor in DVC's cache"
        found[path] = artifact
    return found, ""


def _missing(outs: Mapping[str, Md5 | None], contents: Contents) -> tuple[str, ...]:
    return tuple(
        path
        for path, md5 in outs.items()
        if md5 is not None and not contents.is_there(path) and not contents.is_known(md5)
    )
