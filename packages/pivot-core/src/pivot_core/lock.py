"""The known facts about a stage: the inputs it depends on, what is on disk now, and what its last run left."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from pivot_core.digest import canonical_json, digest_lines
from pivot_core.paths import ArtifactPath
from pivot_core.spec import Location, OutSpec
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class CodeEntry(Value):
    """One thing that a stage's code depends on: the digest of its canonical form, and its place."""

    digest: str
    location: Location | None = None


@attrs.frozen(eq=False, repr=False)
class Artifact(Value):
    """The content of a file or of a directory.

    Attributes:
        digest: Of its bytes; of a directory, of the listing of all that is in it.
        size: In bytes; of a directory, of all files in it together.
        executable: Its owner may execute it; never true of a directory.
        tree: It is a directory.
        sha256: A digest that nobody can forge, where it is known; no part of what makes artifacts equal.
    """

    digest: str
    size: int
    executable: bool = False
    tree: bool = False
    sha256: str = attrs.field(default="", eq=False)


@attrs.frozen(eq=False, repr=False)
class UnresolvedCode(Value):
    """Something that a fingerprint could not follow: never hashed, always shown."""

    reason: str
    location: Location | None = None


@attrs.frozen(eq=False, repr=False)
class InputLine(Value):
    """One fact that a stage's result depends on.

    Attributes:
        kind: ``code``, ``observed``, ``package``, ``param``, ``env``, ``dep`` or ``out``.
        key: The subject, unique in its kind.
        value: Its canonical text; equal texts are equal facts.
        location: Where it stands, if in code.
    """

    kind: str
    key: str
    value: str
    location: Location | None = attrs.field(default=None, eq=False)


@attrs.frozen(eq=False, repr=False)
class Inputs(Value):
    """Everything tracked that a stage's result depends on.

    Attributes:
        schema: The version of the fingerprints in ``code``.
        code: By manifest key.
        params: Plain values by name.
        deps: The content of each dep.
        outs: The declaration of each out.
        observed: By key, code that a run was observed to depend on beyond ``code``.
        library_versions: By name, as much of the version of each library as counts.
        env: By name, a digest of the value of each environment variable; ``""`` if it is not set.
    """

    schema: int
    code: Mapping[str, CodeEntry] = attrs.field(factory=dict)
    params: Mapping[str, Any] = attrs.field(factory=dict)
    deps: Mapping[ArtifactPath, Artifact] = attrs.field(factory=dict)
    outs: Sequence[OutSpec] = ()
    observed: Mapping[str, CodeEntry] = attrs.field(factory=dict)
    library_versions: Mapping[str, str] = attrs.field(factory=dict)
    env: Mapping[str, str] = attrs.field(factory=dict)

    def lines(self) -> list[InputLine]:
        """All facts but the schema, sorted within their kind: the only walk, so that key and explanation agree."""
        lines = [InputLine("code", key, entry.digest, entry.location) for key, entry in sorted(self.code.items())]
        lines += [
            InputLine("observed", key, entry.digest, entry.location) for key, entry in sorted(self.observed.items())
        ]
        lines += [InputLine("library", name, version) for name, version in sorted(self.library_versions.items())]
        lines += [InputLine("param", key, canonical_json(value)) for key, value in sorted(self.params.items())]
        lines += [InputLine("env", name, value) for name, value in sorted(self.env.items())]
        lines += [InputLine("dep", path, artifact.digest) for path, artifact in sorted(self.deps.items())]
        lines += [
            InputLine("out", out.path, canonical_json(out.facts()))
            for out in sorted(self.outs, key=lambda spec: spec.path)
        ]
        return lines

    def key(self) -> str:
        """The inputs key: equal if and only if the schema and all lines are equal.

        Lines of kind ``observed`` are left out: they are known only when a stage has run, and the key
        must be known before. Who finds something by its key compares them by themselves.
        """
        return digest_lines(
            text
            for line in (InputLine("schema", "", str(self.schema)), *self.lines())
            if line.kind != "observed"
            for text in (line.kind, line.key, line.value)
        )


@attrs.frozen(eq=False, repr=False)
class LibraryUse(Value):
    """A library that a stage's code names: its version, and the names."""

    version: str
    names: tuple[str, ...] = ()


@attrs.frozen(eq=False, repr=False)
class StageLock(Value):
    """The record of a stage's last run; what its lock file holds.

    Attributes:
        inputs: The inputs of the run.
        outs: The outs of the run.
        libraries: By distribution, what its code named of libraries.
        accepted: Why somebody accepted these outs instead of running the stage; empty where it ran.
    """

    inputs: Inputs
    outs: Mapping[ArtifactPath, Artifact]
    libraries: Mapping[str, LibraryUse] = attrs.field(factory=dict)
    accepted: str = ""


@attrs.frozen(eq=False, repr=False)
class RunRecord(Value):
    """The result of some run with a given inputs key; what the run cache holds.

    Attributes:
        key: The inputs key.
        outs: The outs of the run.
        observed: Other code that it was observed to depend on, beyond the code in its key.
    """

    key: str
    outs: Mapping[ArtifactPath, Artifact]
    observed: Mapping[str, CodeEntry] = attrs.field(factory=dict)


@attrs.frozen(eq=False, repr=False)
class Observation(Value):
    """A stage as it is now.

    Attributes:
        inputs: Code, params, out specs, those deps whose content is known, and the current
            state of the entries that the last run observed.
        outs: The content of each declared out, None where there is none.
        lost: Outs that are in place as the last run left them, and of which the cache lacks what it should keep.
        missing: Deps that are not on disk, and that no stage that is about to run will write.
        upstream: Addresses of the stages that will run first and so may change a dep.
        blocked: Addresses of the upstream stages that cannot run.
        unresolved: The code that the fingerprint could not follow.
        taken: Outs in whose place is what no run may replace, and what that is.
    """

    inputs: Inputs
    outs: Mapping[ArtifactPath, Artifact | None]
    lost: Sequence[ArtifactPath] = ()
    missing: Sequence[ArtifactPath] = ()
    upstream: Sequence[str] = ()
    blocked: Sequence[str] = ()
    unresolved: Sequence[UnresolvedCode] = ()
    taken: Mapping[ArtifactPath, str] = attrs.field(factory=dict)
