"""The facts about a loaded stage that must be the same on a worker, and the differences in words."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pivot_core.files.digest import canonical_json, digest_bytes
from pivot_core.lock import Inputs
from pivot_runtime.loading.loaded import LoadedStage

_SHOWN: Final = 10
_WORDS: Final[Mapping[str, str]] = {
    "code": "code",
    "values": "value",
    "params": "parameter",
    "env": "variable",
    "deps": "dep",
    "outs": "out",
}


def facts(stage: LoadedStage, schema: int) -> dict[str, Any]:
    """The facts as plain data: the code, its parameters and variables, the paths, and the versions of libraries.

    A value that differs by chance at each import counts by the code that computes it. Variables that the import sets,
    and that the stage does not declare, do not count: they matter only if a run reads them.
    """
    steady = {} if stage.steady is None else stage.steady.digests
    spec = stage.spec
    declared = Inputs(schema, params=stage.params, outs=spec.outs).lines()
    return {
        "schema": schema,
        "base": spec.base,
        "code": {key: entry.digest for key, entry in stage.code.items() if key not in steady},
        "values": {key: digest for key, digest in steady.items() if key in stage.code},
        "params": {line.key: digest_bytes(line.value.encode()) for line in declared if line.kind == "param"},
        "env": dict(stage.env),
        "deps": dict.fromkeys(spec.deps, ""),
        "outs": {line.key: line.value for line in declared if line.kind == "out"},
        "libraries": {name: use.version for name, use in stage.libraries.items()},
    }


def digest(found: Mapping[str, Any]) -> str:
    """The digest of facts."""
    return digest_bytes(canonical_json(found).encode())


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The differences between our facts and those of a worker, each in words; none if they are the same.

    No value of a parameter or a variable is named, since it may be secret.
    """
    found = list(_differences(ours, theirs))
    more = len(found) - _SHOWN
    return [*found[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    if ours.get("schema") != theirs.get("schema"):
        yield "fingerprints are of another version"
        return
    if ours.get("base") != theirs.get("base"):
        yield f"it runs in {theirs.get('base')!r}, not in {ours.get('base')!r}"
    for name, here, there in _each(ours, theirs, "libraries"):
        if there is None:
            yield f"library {name} {here} is not installed or not used there"
        elif here is None:
            yield f"library {name} {there} is used there only"
        else:
            yield f"library {name} is {there} there, and {here} here"
    for kind, word in _WORDS.items():
        for name, here, there in _each(ours, theirs, kind):
            missing = "is missing there" if there is None else "exists there only" if here is None else "differs"
            yield f"{word} {shown_key(name)} {missing}"


def _each(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], kind: str
) -> Iterator[tuple[str, str | None, str | None]]:
    one, other = ours.get(kind, {}), theirs.get(kind, {})
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            yield name, one.get(name), other.get(name)


def shown_key(key: str) -> str:
    """A key of a manifest without its kind."""
    return key.partition(":")[2] or key
