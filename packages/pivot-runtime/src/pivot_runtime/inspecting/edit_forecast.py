"""The effects of an edit of Python code on stages, without an import of the edited code.

A forecast is certain; where an import could contradict it, the stage may change, for a reason.
"""

import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from pivot_core.code import PROGRAMS, CodeEntry
from pivot_core.files.paths import parent_names
from pivot_core.spec import Location
from pivot_core.values import Value
from pivot_fingerprint import Entry
from pivot_fingerprint.edits.foresight import Foresight, foresee
from pivot_runtime.freshness import load_trace
from pivot_runtime.freshness.load_trace import LoadTrace
from pivot_runtime.inspecting.diff_patch import EditedFile
from pivot_runtime.loading.loaded import Loaded, LoadedStage

_AS_READ: Final = frozenset({load_trace.FILE, load_trace.TYPE, load_trace.LINK})
"""The kinds of facts about a source file that an import of it leaves, or that an edit does not change."""
_LISTS: Final = frozenset({load_trace.NAMES, load_trace.DISTRIBUTIONS})


@attrs.frozen(eq=False, repr=False)
class LoadForecast(Value):
    """A load as it would be after an edit.

    Attributes:
        loaded: It, with other digests for code that the edit changes for certain.
        changed: By the address of each stage whose code it changes for certain, the changed names.
        unknown: By the address of a stage of which nothing is certain, the reason.
        unclear: Why the load itself may have other stages; empty if it has not.
    """

    loaded: Loaded
    changed: Mapping[str, str] = attrs.field(factory=dict)
    unknown: Mapping[str, str] = attrs.field(factory=dict)
    unclear: str = ""


def forecast(root: pathlib.Path, loaded: Loaded, files: Mapping[str, EditedFile | None]) -> LoadForecast:
    """Return a load as it would be after an edit, as far as that is certain without an import.

    Args:
        root: The root of the project.
        loaded: The load of a pipeline file as it is.
        files: The edited files by path; None for one that is deleted.
    """
    plain = attrs.evolve(loaded, sources={}, read={}, trace=None)
    unclear, edited = _touched(root, loaded, files)
    foresight = None
    if edited and not unclear:
        try:
            foresight = foresee(_sources(root, loaded), edited)
        except OSError as error:
            unclear = f"{error.filename} has changed meanwhile"
    return LoadForecast(plain, unclear=unclear) if foresight is None else _of_stages(plain, foresight, edited)


def _of_stages(loaded: Loaded, foresight: Foresight, edited: Iterable[str]) -> LoadForecast:
    changed: dict[str, str] = {}
    unknown: dict[str, str] = {}
    stages: list[LoadedStage] = []
    for stage in loaded.stages:
        address = stage.spec.address
        effect = foresight.effect({key: _entry(stage, key, each) for key, each in stage.code.items()})
        if foresight.unclear:
            if effect.names:
                unknown[address] = f"its code contains {', '.join(effect.names)}; {foresight.unclear}"
        elif _is_followed_otherwise(stage):
            unknown[address] = f"its programs or notebook may use {', '.join(sorted(edited))}"
        elif effect.kind == "unknown":
            unknown[address] = effect.reason
        elif effect.kind == "changed":
            changed[address] = ", ".join(effect.names)
            stage = _edited(stage, effect.entries)  # noqa: PLW2901
        stages.append(stage)
    return LoadForecast(attrs.evolve(loaded, stages=tuple(stages)), changed, unknown, foresight.unclear)


def _is_followed_otherwise(stage: LoadedStage) -> bool:
    """Whether the code of a stage is not that of a function."""
    places = (each.location.file for each in stage.code.values() if each.location is not None)
    return PROGRAMS in stage.code or bool(stage.spec.named) or any(each.endswith(".ipynb") for each in places)


def _entry(stage: LoadedStage, key: str, code: CodeEntry) -> Entry:
    start, end = stage.spans.get(key, (None, None))
    if code.location is None:
        return Entry(code.digest)
    return Entry(code.digest, code.location.file, code.location.line or None, end, start)


def _edited(stage: LoadedStage, entries: Mapping[str, Entry | None]) -> LoadedStage:
    code, spans = dict(stage.code), dict(stage.spans)
    for key, entry in entries.items():
        spans.pop(key, None)
        if entry is None:
            del code[key]
            continue
        code[key] = CodeEntry(entry.digest, Location(entry.file or "", entry.line or 0))
        if entry.start is not None and entry.end is not None:
            spans[key] = (entry.start, entry.end)
    return attrs.evolve(stage, code=code, spans=spans)


def _sources(root: pathlib.Path, loaded: Loaded) -> dict[str, bytes]:
    """The content of all Python files that the load has read, by path; those outside the project by absolute path."""
    found: dict[str, bytes] = {}
    for path, digest in {**loaded.sources, **loaded.read}.items():
        if digest and path.endswith(".py"):
            name = os.path.relpath(path, root) if path.startswith(f"{root}/") else path
            found[name] = pathlib.Path(path).read_bytes()
    return found


def _touched(
    root: pathlib.Path, loaded: Loaded, files: Mapping[str, EditedFile | None]
) -> tuple[str, dict[str, bytes | None]]:
    """Why the load may do something else because of files that are no code; and the edited code that it has read."""
    edited: dict[str, bytes | None] = {}
    if loaded.trace is None or loaded.unrecorded:
        return (
            f"it is not known what the import depends on: {next(iter(loaded.unrecorded), 'nothing was recorded')}",
            {},
        )
    read = {**loaded.sources, **loaded.read}
    facts: dict[str, set[str]] = {}
    for fact in loaded.trace.facts:
        facts.setdefault(fact.subject, set()).add(fact.kind)
    for path, after in files.items():
        full = f"{root}/{path}"
        kinds = facts.get(full, set())
        is_there = os.path.lexists(full)
        if not is_there or after is None:
            if full in read or kinds or _is_looked_for(root, path, loaded.trace, facts):
                return f"{path} is {'deleted' if is_there else 'new'}, and the import of the pipeline looks for it", {}
        elif path.endswith(".py") and read.get(full) and kinds <= _AS_READ:
            edited[path] = after.content
        elif full in read or kinds:
            return f"{path} is read by the import of the pipeline", {}
    if edited and any(stage.steady is not None for stage in loaded.stages):
        return "some of its values may be others at each import", {}
    return "", edited


def _is_looked_for(root: pathlib.Path, path: str, trace: LoadTrace, facts: Mapping[str, set[str]]) -> bool:
    """Whether a load would notice that a file is new or gone."""
    name = path
    for directory in (*parent_names(path), ""):
        full = f"{root}/{directory}".rstrip("/")
        kinds, stem = facts.get(full, set()), name.rpartition("/")[2].partition(".")[0]
        is_asked = (load_trace.MODULES in kinds and stem in trace.requested) or (
            load_trace.TOP_MODULES in kinds and stem in trace.top
        )
        if is_asked or kinds & _LISTS:
            return True
        if os.path.isdir(full):
            return False
        if kinds:
            return True
        name = directory
    return False
