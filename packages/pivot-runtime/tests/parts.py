"""Small stages, worlds and graphs without a disk."""

from collections.abc import Iterable, Mapping

import attrs

from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, CodeEntry, Inputs, LibraryUse, RunRecord, StageLock
from pivot_core.params import file_keys
from pivot_core.spec import Location, OutSpec, StageSpec
from pivot_runtime.evaluating.evaluate import Evaluation, evaluate
from pivot_runtime.evaluating.file_params import FileParamValues
from pivot_runtime.loading.loaded import LoadedStage

SCHEMA = 1


def spec(
    name: str, deps: Iterable[str] = (), outs: Iterable[str] = (), *, pipeline: str = "p", base: str = ""
) -> StageSpec:
    """A stage that declares these paths, already relative to the root."""
    return StageSpec(
        name=name,
        pipeline=pipeline,
        base=base,
        location=Location("pipeline.py", 1),
        deps=tuple(sorted(map(ArtifactPath, deps))),
        outs=tuple(OutSpec(ArtifactPath(path)) for path in sorted(outs)),
    )


def artifact(content: str) -> Artifact:
    """A file with this content; equal contents are equal artifacts."""
    return Artifact(content.encode().hex().rjust(32, "0"), len(content))


@attrs.define
class FakeWorld:
    """A disk, lock files and a cache as mappings."""

    disk: dict[ArtifactPath, Artifact] = attrs.field(factory=dict)
    locks: dict[str, StageLock] = attrs.field(factory=dict)
    records: dict[str, RunRecord] = attrs.field(factory=dict)
    objects: set[str] = attrs.field(factory=set)
    looked: list[str] = attrs.field(factory=list)
    gone: set[str] = attrs.field(factory=set)
    lacking: set[str] = attrs.field(factory=set)
    directories: dict[str, dict[str, Artifact]] = attrs.field(factory=dict)
    held: dict[ArtifactPath, str] = attrs.field(factory=dict)

    def artifact_at(self, path: ArtifactPath) -> Artifact | None:
        self.looked.append(path)
        return self.disk.get(path)

    def lost(self, path: ArtifactPath, artifact: Artifact) -> bool:
        assert self.disk[path] == artifact
        return artifact.digest in self.lacking

    def artifact_in(self, directory: Artifact, path: str) -> Artifact | None:
        return self.directories[directory.digest].get(path)

    def files_matching(self, pattern: PathPattern) -> list[ArtifactPath]:
        return sorted(filter(pattern.matcher(), self.disk))

    def names_in(self, directory: Artifact) -> Iterable[str]:
        return self.directories[directory.digest]

    def lock(self, address: str) -> StageLock | None:
        return self.locks.get(address)

    def memory(self) -> "FakeWorld":
        return self

    def taken(
        self, spec: StageSpec, lock: StageLock | None, outs: Mapping[ArtifactPath, Artifact | None]
    ) -> Mapping[ArtifactPath, str]:
        del lock, outs
        return {out.path: self.held[out.path] for out in spec.outs if out.path in self.held}

    def current_code(self, observed: Mapping[str, CodeEntry]) -> Mapping[str, CodeEntry]:
        return {key: entry for key, entry in observed.items() if key not in self.gone}

    def library_versions(self, libraries: Mapping[str, LibraryUse]) -> Mapping[str, str]:
        return {name: use.version for name, use in libraries.items()}

    def file_values(self, path: ArtifactPath, artifact: Artifact, keys: Iterable[str]) -> FileParamValues:
        """Every key of a file has its digest as the value, except ``none``."""
        keys = list(keys)
        found = {file_keys.label(path, key): artifact.digest for key in keys if key != "none"}
        return FileParamValues(found, {ArtifactPath(file_keys.label(path, key)): "no" for key in keys if key == "none"})

    def recorded(self, key: str) -> list[RunRecord]:
        return [self.records[key]] if key in self.records else []

    def has(self, artifact: Artifact) -> bool:
        return artifact.digest in self.objects

    def write(self, **contents: str) -> None:
        """Put files on the disk; ``__`` in a name is a dot."""
        for name, content in contents.items():
            self.disk[ArtifactPath(name.replace("__", "."))] = artifact(content)


@attrs.define
class Model:
    """A project of given stages in a fake world."""

    specs: list[StageSpec]
    world: FakeWorld = attrs.field(factory=FakeWorld)
    code: dict[str, str] = attrs.field(factory=dict)

    @property
    def graph(self) -> Graph:
        return Graph.build(self.specs)

    @property
    def stages(self) -> dict[str, LoadedStage]:
        return {
            each.address: LoadedStage(each, {"func:f": CodeEntry(self.code.get(each.name, "0" * 32))})
            for each in self.specs
        }

    def evaluate(self, *, force: bool = False) -> dict[str, Evaluation]:
        """By bare name, in graph order."""
        evaluations = evaluate(self.graph, self.stages, self.world, schema=SCHEMA, force=force)
        return {address.partition(".")[2]: evaluation for address, evaluation in evaluations.items()}

    def verdicts(self, *, force: bool = False) -> dict[str, str]:
        return {name: found.decision.verdict.value for name, found in self.evaluate(force=force).items()}

    def pretend_run(self, name: str, **outs: str) -> None:
        """As if the stage had just run and left these outs."""
        stage = next(each for each in self.stages.values() if each.spec.name == name)
        self.world.write(**outs)
        left = {ArtifactPath(path.replace("__", ".")): artifact(content) for path, content in outs.items()}
        deps = {path: self.world.disk[path] for path in stage.spec.deps}
        inputs = Inputs(schema=SCHEMA, code=stage.code, deps=deps, outs=stage.spec.outs)
        self.world.locks[stage.spec.address] = StageLock(inputs, left)
        self.world.records[inputs.key()] = RunRecord(inputs.key(), left)
        self.world.objects.update(each.digest for each in left.values())
