"""The known facts about a stage: its inputs, the current files, and the record of its last run."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from pivot_core.code import CodeEntry, LibraryUse, UnresolvedCode
from pivot_core.files.digest import canonical_json, digest_lines
from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import Location, OutSpec
from pivot_core.values import Value

__all__ = [
    "Artifact",
    "CodeEntry",
    "InputLine",
    "Inputs",
    "LibraryUse",
    "Observation",
    "RunRecord",
    "StageLock",
    "UnresolvedCode",
]


@attrs.frozen(eq=False, repr=False)
class Artifact(Value):
    """The content of a file or of a directory.

    Attributes:
        digest: The digest of its bytes; for a directory, of the listing of its contents.
        size: The number of bytes; for a directory, of all its files together.
        executable: Whether its owner may execute it; always False for a directory.
        tree: Whether it is a directory.
        sha256: A digest that cannot be forged, if known; equality ignores it.
    """

    digest: str
    size: int
    executable: bool = False
    tree: bool = False
    sha256: str = attrs.field(default="", eq=False)


@attrs.frozen(eq=False, repr=False)
class InputLine(Value):
    """A fact that a stage's result depends on.

    Attributes:
        kind: ``code``, ``observed``, ``package``, ``param``, ``env``, ``dep`` or ``out``.
        key: The subject, unique in its kind.
        value: Its canonical text; equal texts are equal facts.
        location: Its location, for code.
    """

    kind: str
    key: str
    value: str
    location: Location | None = attrs.field(default=None, eq=False)


@attrs.frozen(eq=False, repr=False)
class Inputs(Value):
    """All tracked facts that a stage's result depends on.

    Attributes:
        schema: The version of the fingerprints in ``code``.
        code: Entries by manifest key.
        params: Plain values by name.
        deps: The content of each dep.
        outs: The declaration of each out.
        observed: Code by key that a run was observed to depend on, beyond ``code``.
        library_versions: By name, the part of each library's version that counts.
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
    _key: str = attrs.field(default="", init=False, eq=False, repr=False)

    def lines(self) -> list[InputLine]:
        """All facts except the schema, sorted within their kind; key and explanation share this walk."""
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

    def same_lines(self, other: "Inputs") -> bool:
        """Whether the other's schema and `lines` are equal; they are not built, since most stages are unchanged."""
        return (
            self.schema == other.schema
            and _same_digests(self.code, other.code)
            and _same_digests(self.observed, other.observed)
            and _same_digests(self.deps, other.deps)
            and self.library_versions == other.library_versions
            and self.env == other.env
            and _by_path(self.outs) == _by_path(other.outs)
            and (not (self.params or other.params) or canonical_json(self.params) == canonical_json(other.params))
        )

    def key(self) -> str:
        """The inputs key: equal if and only if the schema and all lines are equal.

        Lines of kind ``observed`` are excluded: they are known only after a run, and the key must be known before it.
        Code that looks something up by its key must compare them separately.
        """
        if not self._key:  # a run needs it several times
            key = digest_lines(
                text
                for line in (InputLine("schema", "", str(self.schema)), *self.lines())
                if line.kind != "observed"
                for text in (line.kind, line.key, line.value)
            )
            object.__setattr__(self, "_key", key)
        return self._key


def _same_digests(one: Mapping[Any, CodeEntry | Artifact], other: Mapping[Any, CodeEntry | Artifact]) -> bool:
    if len(one) != len(other):
        return False
    for key, entry in one.items():
        found = other.get(key)
        if found is None or found.digest != entry.digest:
            return False
    return True


def _by_path(outs: Sequence[OutSpec]) -> list[OutSpec]:
    return sorted(outs, key=lambda spec: spec.path) if len(outs) > 1 else list(outs)


@attrs.frozen(eq=False, repr=False)
class StageLock(Value):
    """The record of a stage's last run; the content of its lock file.

    Attributes:
        inputs: The inputs of the run.
        outs: The outs of the run.
        libraries: The library uses of its code, by distribution.
        accepted: Why a user accepted these outs instead of running the stage; empty after a run.
        ran_at: The start of the run that made the outs, in seconds since the epoch, if the stage declares how long its
            result counts.
        uncounted_params: The values of the parameters that do not count as inputs, by name.
    """

    inputs: Inputs
    outs: Mapping[ArtifactPath, Artifact]
    libraries: Mapping[str, LibraryUse] = attrs.field(factory=dict)
    accepted: str = ""
    ran_at: int | None = None
    uncounted_params: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def params(self) -> Mapping[str, Any]:
        """The values of all parameters of the run, by name."""
        return {**self.inputs.params, **self.uncounted_params}


@attrs.frozen(eq=False, repr=False)
class RunRecord(Value):
    """The result of a run with a given inputs key; the content of the run cache.

    Attributes:
        key: The inputs key.
        outs: The outs of the run.
        observed: Other code that it was observed to depend on, beyond the code in its key.
        ran_at: As in the lock.
    """

    key: str
    outs: Mapping[ArtifactPath, Artifact]
    observed: Mapping[str, CodeEntry] = attrs.field(factory=dict)
    ran_at: int | None = None


@attrs.frozen(eq=False, repr=False)
class Observation(Value):
    """The current state of a stage.

    Attributes:
        inputs: Code, params, out specs, the deps with known content, and the current entries for the code that the last
            run observed.
        outs: The content of each declared out, None if it does not exist.
        lost: Outs that are in place as the last run left them, but not completely in the cache.
        missing: Deps that are not on disk and that no stage about to run will write.
        upstream: Addresses of the stages that will run first and may change a dep.
        blocked: Addresses of the upstream stages that cannot run.
        unresolved: The code that the fingerprint could not follow.
        taken: Outs whose paths contain something that no run may replace, with a description of it.
        always: Whether it runs even if nothing has changed.
        frozen: Whether it does not run even if something has changed.
        unknown_params: The parameters whose values are unknown, since their file is missing or will be written.
        oldest: The results of runs that began before this time, in seconds since the epoch, have expired; None if no
            result expires.
    """

    inputs: Inputs
    outs: Mapping[ArtifactPath, Artifact | None]
    lost: Sequence[ArtifactPath] = ()
    missing: Sequence[ArtifactPath] = ()
    upstream: Sequence[str] = ()
    blocked: Sequence[str] = ()
    unresolved: Sequence[UnresolvedCode] = ()
    taken: Mapping[ArtifactPath, str] = attrs.field(factory=dict)
    always: bool = False
    frozen: bool = False
    oldest: int | None = None
    unknown_params: Sequence[str] = ()
