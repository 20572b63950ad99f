"""Result of a load: the stages of a pipeline file and the code that they depend on, as plain data."""

import os
import pathlib
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

import attrs

from pivot_core.code import CodeEntry, LibraryUse, UnresolvedCode
from pivot_core.errors import GraphError, PivotError, list_names
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_core.params import overrides as param_overrides
from pivot_core.params.overrides import Override, OverrideTarget, ParamError
from pivot_core.spec import Location, OutSpec, OutValue, PartView, PlotOptions, StageError, StageSpec
from pivot_core.values import Value
from pivot_runtime.freshness.load_trace import LoadTrace

if TYPE_CHECKING:
    from pivot_core.graph import Graph
    from pivot_fingerprint import Manifest


_UNSET: Final[Mapping[str, Any]] = {
    "mutex": [],
    "resources": {},
    "named": [],
    "timeout": None,
    "retries": 0,
    "always": False,
    "frozen": False,
    "ttl": None,
    "uncounted": [],
    "after": [],
    "priority": 0,
    "desc": "",
    "patterns": [],
    "unresolved": [],
    "libraries": {},
    "via": {},
    "params": {},
    "uncounted_params": [],
    "executor": "",
    "file_params": {},
    "meta": {},
    "variables": {},
    "env": {},
    "texts": {},
    "steady": None,
    "values": [],
    "superseded": {},
}
"""The fields of a stage that most stages leave as they are here; then they are omitted from its data."""


@attrs.frozen(eq=False, repr=False)
class Steady(Value):
    """Digests for a stage's values that may differ at each import.

    Attributes:
        digests: By the key of an entry with such a value, the digest of the code that computes it.
        parts: By the same key and the path in the value, the token by which a part of it counts.
    """

    digests: Mapping[str, str]
    parts: Mapping[str, Mapping[str, str]]

    def to_plain(self) -> dict[str, Any]:
        """Return the digests as data for JSON."""
        return {"digests": dict(self.digests), "parts": dict(self.parts)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the digests of such data."""
        return cls(digests=plain["digests"], parts=plain["parts"])


@attrs.frozen(eq=False, repr=False)
class LoadedStage(Value):
    """One stage: its declaration, and the fingerprint of its code.

    Attributes:
        spec: Its declaration.
        code: The entries of its manifest.
        unresolved: The code that its fingerprint could not follow.
        libraries: By distribution, the names of libraries that its code uses.
        via: For each entry except those where the walk began, the entry that leads to it.
        spans: The first and the last line of each entry whose source is known.
        params: Its parameters by name, as plain data.
        uncounted_params: Likewise, those that do not count as inputs.
        env: By name, a digest of the value of each environment variable that it declares; ``""`` if it is not set.
        texts: The text of each entry without source lines: a command.
        steady: The digests for its values that may differ by chance; None if there are none.
        assigned: As ``env``, for each variable that the import of its pipeline set; those that it reads count.
        values: The values that it returns, with their paths and loaders.
        superseded: By the key by which a script of its command counted before its code was followed, the digest that it
            would have now, and the key of the entry of its body.
    """

    spec: StageSpec
    code: Mapping[str, CodeEntry]
    unresolved: tuple[UnresolvedCode, ...] = ()
    libraries: Mapping[str, LibraryUse] = attrs.field(factory=dict)
    via: Mapping[str, str] = attrs.field(factory=dict)
    spans: Mapping[str, tuple[int, int]] = attrs.field(factory=dict)
    params: Mapping[str, Any] = attrs.field(factory=dict)
    env: Mapping[str, str] = attrs.field(factory=dict)
    texts: Mapping[str, str] = attrs.field(factory=dict)
    assigned: Mapping[str, str] = attrs.field(factory=dict)
    steady: Steady | None = None
    values: tuple[OutValue, ...] = ()
    uncounted_params: Mapping[str, Any] = attrs.field(factory=dict)
    superseded: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)

    @property
    def all_params(self) -> Mapping[str, Any]:
        """Return all its parameters by name, as plain data."""
        return {**self.params, **self.uncounted_params}

    @property
    def undeclared(self) -> tuple[str, ...]:
        """Return the variables that the import has set and the stage does not declare."""
        return tuple(name for name in self.assigned if name not in self.env)

    def kept_frozen(self, frozen: Container[str]) -> Self:
        """Return the stage, frozen if its address is among these."""
        if self.spec.frozen or self.spec.address not in frozen:
            return self
        return attrs.evolve(self, spec=attrs.evolve(self.spec, frozen=True))

    def path(self, key: str) -> tuple[str, ...]:
        """Return the keys that lead to an entry, from where the walk began."""
        chain = [key]
        while chain[-1] in self.via:
            chain.append(self.via[chain[-1]])
        return tuple(reversed(chain))


@attrs.frozen(eq=False, repr=False)
class ImportTimes(Value):
    """The time that the import of a pipeline file took.

    Attributes:
        began: Its start, by the monotonic clock of the machine.
        seconds: Its duration, without the fingerprints.
        libraries: The part of each library, by top-level module, in the order in which user code imported them. The
            libraries that a library imports itself count for it; those that took less than a millisecond are left out.
    """

    began: float
    seconds: float
    libraries: Mapping[str, float]

    def to_plain(self) -> dict[str, Any]:
        """Return the times as data for JSON."""
        return {"began": self.began, "seconds": self.seconds, "libraries": dict(self.libraries)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the times of such data."""
        return cls(began=plain["began"], seconds=plain["seconds"], libraries=plain["libraries"])


@attrs.frozen(eq=False, repr=False)
class Loaded(Value):
    """The result of a load; it has no objects of user code.

    Attributes:
        schema: The version of all fingerprints.
        stages: In the order of registration.
        sources: The digest of each imported source file of the user, and of each file with definitions or parameters,
            by absolute path; ``""`` for a file that was looked for and does not exist.
        trace: Other facts that it depended on; None if unknown.
        unrecorded: Why ``trace`` is incomplete.
        read: As ``sources``, for each further file that was fingerprinted without an import.
        times: How long its import took; None if it was not imported for this command.
    """

    schema: int
    stages: tuple[LoadedStage, ...]
    sources: Mapping[str, str]
    trace: LoadTrace | None = attrs.field(default=None, eq=False)
    unrecorded: tuple[str, ...] = ()
    read: Mapping[str, str] = attrs.field(factory=dict)
    times: ImportTimes | None = attrs.field(default=None, eq=False)


def to_plain(loaded: Loaded) -> dict[str, Any]:
    """Return a load as data for JSON, without its times."""
    return {
        "schema": loaded.schema,
        "stages": [stage_to_plain(stage) for stage in loaded.stages],
        "sources": dict(loaded.sources),
        "trace": None if loaded.trace is None else loaded.trace.to_plain(),
        "unrecorded": list(loaded.unrecorded),
        "read": dict(loaded.read),
        "assigned": dict(loaded.stages[0].assigned) if loaded.stages else {},  # the same for all stages of one file
    }


def stage_to_plain(stage: LoadedStage) -> dict[str, Any]:
    """Return a stage as data for JSON, without the variables that the import has set, which all stages share."""
    plain = {
        "name": stage.spec.name,
        "pipeline": stage.spec.pipeline,
        "base": stage.spec.base,
        "location": _from_location(stage.spec.location),
        "deps": list(stage.spec.deps),
        "outs": [_out_to_plain(out) for out in stage.spec.outs],
        "mutex": list(stage.spec.mutex),
        "resources": dict(stage.spec.resources),
        "named": list(stage.spec.named),
        "timeout": stage.spec.timeout,
        "retries": stage.spec.retries,
        "always": stage.spec.always,
        "frozen": stage.spec.frozen,
        "ttl": stage.spec.ttl,
        "uncounted": list(stage.spec.uncounted),
        "after": list(stage.spec.after),
        "priority": stage.spec.priority,
        "desc": stage.spec.desc,
        "patterns": [path for path in stage.spec.deps if isinstance(path, PathPattern)],
        "code": {key: [entry.digest, _from_location(entry.location)] for key, entry in stage.code.items()},
        "unresolved": [[edge.reason, _from_location(edge.location)] for edge in stage.unresolved],
        "libraries": {name: [use.version, list(use.names)] for name, use in stage.libraries.items()},
        "via": dict(stage.via),
        "spans": {key: list(span) for key, span in stage.spans.items()},
        "params": stage.all_params,
        "uncounted_params": list(stage.spec.uncounted_params),
        "executor": stage.spec.executor,
        "file_params": {path: list(keys) for path, keys in stage.spec.file_params.items()},
        "meta": dict(stage.spec.meta),
        "variables": {name: list(each) for name, each in stage.spec.variables.items()},
        "env": dict(stage.env),
        "texts": dict(stage.texts),
        "steady": stage.steady and stage.steady.to_plain(),
        "values": [value.to_plain() for value in stage.values],
        "superseded": {key: list(pair) for key, pair in stage.superseded.items()},
    }
    return {name: value for name, value in plain.items() if name not in _UNSET or value != _UNSET[name]}


def from_plain(data: Mapping[str, Any]) -> Loaded:
    """Return the load of data from `to_plain`; the data come from Pivot's own process."""
    return Loaded(
        schema=data["schema"],
        stages=tuple(stage_from_plain(stage, data["assigned"]) for stage in data["stages"]),
        sources=data["sources"],
        trace=None if data["trace"] is None else LoadTrace.from_plain(data["trace"]),
        unrecorded=tuple(data["unrecorded"]),
        read=data["read"],
    )


def stage_from_plain(data: Mapping[str, Any], assigned: Mapping[str, str]) -> LoadedStage:
    """Return the stage of data from `stage_to_plain`, with the variables that the import has set."""
    stage = {**_UNSET, **data}
    return LoadedStage(
        StageSpec(
            name=stage["name"],
            pipeline=stage["pipeline"],
            base=stage["base"],
            location=Location(*stage["location"]),
            deps=tuple(_dep(path, stage["patterns"]) for path in stage["deps"]),
            outs=tuple(_out(*plain) for plain in stage["outs"]),
            mutex=tuple(stage["mutex"]),
            resources=stage["resources"],
            named=tuple(ArtifactPath(path) for path in stage["named"]),
            timeout=stage["timeout"],
            retries=stage["retries"],
            always=stage["always"],
            frozen=stage["frozen"],
            ttl=stage["ttl"],
            uncounted=tuple(_dep(path, stage["patterns"]) for path in stage["uncounted"]),
            after=tuple(stage["after"]),
            priority=stage["priority"],
            desc=stage["desc"],
            uncounted_params=tuple(stage["uncounted_params"]),
            executor=stage["executor"],
            file_params={ArtifactPath(path): tuple(keys) for path, keys in stage["file_params"].items()},
            meta=stage["meta"],
            variables={name: (text, place) for name, (text, place) in stage["variables"].items()},
        ),
        {key: CodeEntry(digest, _to_location(at)) for key, (digest, at) in stage["code"].items()},
        tuple(UnresolvedCode(reason, _to_location(at)) for reason, at in stage["unresolved"]),
        {name: LibraryUse(version, tuple(names)) for name, (version, names) in stage["libraries"].items()},
        stage["via"],
        {key: (start, end) for key, (start, end) in stage["spans"].items()},
        {name: value for name, value in stage["params"].items() if name not in stage["uncounted_params"]},
        stage["env"],
        stage["texts"],
        assigned,
        stage["steady"] and Steady.from_plain(stage["steady"]),
        tuple(map(OutValue.from_plain, stage["values"])),
        {name: value for name, value in stage["params"].items() if name in stage["uncounted_params"]},
        {key: (digest, body) for key, (digest, body) in stage["superseded"].items()},
    )


def _dep(path: str, patterns: list[str]) -> ArtifactPath:
    return PathPattern(path) if path in patterns else ArtifactPath(path)


def _out_to_plain(out: OutSpec) -> list[Any]:
    facts = {**out.facts(), "temp": True} if out.temp else out.facts()
    if out.desc or out.meta or out.inside:
        plot = None if out.plot is None else out.plot.to_plain()
        inside = [view.to_plain() for view in out.inside]
        return [out.path, facts, out.kind, plot, {"desc": out.desc, "meta": dict(out.meta), "inside": inside}]
    if out.plot is not None:
        return [out.path, facts, out.kind, out.plot.to_plain()]
    return [out.path, facts, out.kind] if out.kind else [out.path, facts]


def _out(
    path: str,
    facts: Mapping[str, bool],
    kind: str = "",
    plot: Mapping[str, Any] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> OutSpec:
    notes = notes or {}
    return OutSpec(
        ArtifactPath(path),
        cache=facts["cache"],
        directory=facts.get("directory", False),
        incremental=facts.get("incremental", False),
        kind=kind,
        plot=None if plot is None else PlotOptions.from_plain(plot),
        temp=facts.get("temp", False),
        desc=notes.get("desc", ""),
        meta=notes.get("meta", {}),
        inside=tuple(map(PartView.from_plain, notes.get("inside", ()))),
    )


def _from_location(location: Location | None) -> list[Any] | None:
    return None if location is None else [location.file, location.line]


def _to_location(plain: list[Any] | None) -> Location | None:
    return None if plain is None else Location(*plain)


def stage_of(spec: StageSpec, manifest: "Manifest", params: Mapping[str, Any], env: Mapping[str, str]) -> LoadedStage:
    """Return a stage with the fingerprint of its code, its parameters and its variables."""
    return LoadedStage(
        spec,
        {key: CodeEntry(entry.digest, _location(entry.file, entry.line)) for key, entry in manifest.items()},
        tuple(UnresolvedCode(edge.reason, _location(edge.file, edge.line)) for edge in manifest.unresolved),
        {name: LibraryUse(library.version, library.names) for name, library in manifest.libraries.items()},
        {key: entry.via for key, entry in manifest.items() if entry.via is not None},
        {
            key: (entry.start, entry.end)
            for key, entry in manifest.items()
            if entry.start is not None and entry.end is not None
        },
        {name: value for name, value in params.items() if name not in spec.uncounted_params},
        env,
        uncounted_params={name: value for name, value in params.items() if name in spec.uncounted_params},
    )


def _location(file: str | None, line: int | None) -> Location | None:
    return None if file is None else Location(file, line or 0)


def refuse_same_names(files: Iterable[tuple[pathlib.Path, Loaded]], root: pathlib.Path) -> None:
    """Refuse two files with one pipeline name, since the name is the first half of the stages' addresses.

    Raises:
        GraphError: Two files have the same pipeline name.
    """
    homes: dict[str, tuple[pathlib.Path, Location]] = {}
    for own, loaded in files:
        for stage in loaded.stages:
            here = (own, stage.spec.location)
            home = homes.setdefault(stage.spec.pipeline, here)
            if home[0] != own:
                first, second = (f"in {file.relative_to(root)} ({place})" for file, place in (home, here))
                raise GraphError(
                    f"two pipelines have the name {stage.spec.pipeline!r}: {first} and {second}",
                    hint="rename one of them: pivot.Pipeline(...), or 'pipeline' in a pivot.yaml",
                )


def refuse_sources(graph: "Graph", files: Iterable[Loaded], root: pathlib.Path) -> None:
    """Refuse stages that would overwrite the imported code.

    Raises:
        StageError: An out is a source file of a pipeline.
    """
    sources = {source for loaded in files for source, found in loaded.sources.items() if found}
    prefix = os.path.join(root, "")
    for path, address in graph.producers.items():
        if f"{prefix}{path}" in sources:
            spec = graph.stages[address]
            problem = f"its out {str(path)!r} is a source file of the pipeline"
            raise StageError(spec.name, spec.location, problem, hint="let it write to another path")


def check_overrides(
    overrides: Sequence[Override],
    files: Sequence[tuple[pathlib.Path, Loaded]],
    unread: Mapping[str, PivotError],
    root: pathlib.Path,
) -> None:
    """Check that some stage has each parameter, and some ``pivot.yaml`` each variable, that the command line sets.

    Args:
        overrides: The overrides of the command line.
        files: The files that were loaded.
        unread: The errors of pipeline files that cannot be loaded, and may have others.
        root: The project's root.

    Raises:
        ParamError: None has it, or the stages of several pipelines do.
    """
    try:
        _check_overrides(overrides, files, root)
    except ParamError as error:
        for file, reason in unread.items():
            raise ParamError(str(error), hint=f"{file} cannot be loaded: {reason}") from None
        raise


def _check_overrides(
    overrides: Sequence[Override], files: Sequence[tuple[pathlib.Path, Loaded]], root: pathlib.Path
) -> None:
    stages = [
        OverrideTarget(stage.spec.pipeline, stage.spec.name, tuple(stage.all_params))
        for _, loaded in files
        for stage in loaded.stages
    ]
    try:
        param_overrides.check(overrides, stages)
    except ParamError as error:
        read = sorted({path for _, loaded in files for stage in loaded.stages for path in stage.spec.file_params})
        if not read:
            raise
        raise ParamError(str(error), hint=f"{error.hint}; values in {list_names(read)} are edited there") from None
    if any(each.variable for each in overrides):
        from pivot_runtime.definitions.pipeline_file import variable_names  # lazy

        names = {name for file, _ in files for name in variable_names(file, root, overrides)}
        param_overrides.check_variables(overrides, names)
