"""JSON fields of lock files, ``.pvt`` files and run records, read as untrusted input: every error names its field."""

import re
from collections.abc import Callable, Mapping
from json import loads as _loads
from typing import Any

from pivot_core.errors import PathError
from pivot_core.files.digest import canonical_json, is_digest
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, CodeEntry, LibraryUse
from pivot_core.spec import Location, OutSpec

_MOST = (1 << 63) - 1


class FieldError(Exception):
    """A field has an invalid value."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem


def parse(text: str | bytes, constant: Callable[[str], object] | None = None) -> Any:
    """Parse a JSON text in which no key occurs twice.

    Args:
        text: The text.
        constant: Called for ``NaN`` and the infinities; by default they are numbers.

    Raises:
        FieldError: A key occurs twice.
        ValueError: The text is not JSON.
        RecursionError: The text is nested too deeply.
    """
    return _loads(text, object_pairs_hook=_unique_pairs, parse_constant=constant)


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise FieldError(key, "the key occurs twice")
            seen.add(key)
    return result


def fields(value: object, field: str, known: frozenset[str], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    """An object with all ``known`` keys (the ``optional`` ones may be missing) and no others."""
    record = mapping(value, field)
    if record.keys() == known:
        return record
    if not known.issuperset(record):
        raise FieldError(below(field, min(record.keys() - known)), "is not a known field")
    missing = known - optional - record.keys()
    if missing:
        raise FieldError(below(field, min(missing)), "is missing")
    return record


def mapping(value: object, field: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise FieldError(field, f"must be an object, not {_named(value)}")
    return value


def sequence(value: object, field: str) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise FieldError(field, f"must be a list, not {_named(value)}")
    return value


def text(value: object, field: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise FieldError(field, f"must be a string, not {_named(value)}")
    return value


def number(value: object, field: str, *, least: int = 0) -> int:
    """A whole number of at least ``least``."""
    if type(value) is not int:
        raise FieldError(field, f"must be a whole number, not {_named(value)}")
    if value < least:
        raise FieldError(field, f"must be at least {least}, not {value}")
    if value > _MOST:
        raise FieldError(field, "is more than any file has")
    return value


def boolean(value: object, field: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise FieldError(field, f"must be true or false, not {_named(value)}")
    return value


def digest(value: object, field: str) -> str:
    """A digest."""
    if not is_digest(value):
        raise FieldError(field, "is not a digest (32 lowercase hex digits)")
    return str(value)


def path(value: str, field: str) -> ArtifactPath:
    """The path of an artifact."""
    try:
        return ArtifactPath.parse(value)
    except PathError as error:
        raise FieldError(field, str(error)) from None


def texts(value: object, field: str) -> dict[str, str]:
    """An object with one string per key."""
    return {key: text(item, below(field, key)) for key, item in mapping(value, field).items()}


def artifacts(value: object, field: str) -> dict[ArtifactPath, Artifact]:
    """An object of one artifact per path."""
    return _by_path(value, field, artifact)


def _by_path[T](value: object, field: str, read: Callable[[object, str], T]) -> dict[ArtifactPath, T]:
    return {path(key, below(field, key)): read(item, below(field, key)) for key, item in mapping(value, field).items()}


def below(field: str, key: str) -> str:
    """The name of a field within a field."""
    return f"{field}.{key}" if field else key


_ARTIFACT = frozenset({"digest", "size", "executable", "tree", "sha256"})
_OPTIONAL = frozenset({"tree", "sha256"})
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def artifact(value: object, field: str) -> Artifact:
    """An artifact."""
    record = fields(value, field, _ARTIFACT, _OPTIONAL)
    return Artifact(
        digest(record["digest"], below(field, "digest")),
        number(record["size"], below(field, "size")),
        boolean(record["executable"], below(field, "executable")),
        boolean(record.get("tree", False), below(field, "tree")),
        _sha256(record.get("sha256", ""), below(field, "sha256")),
    )


def _sha256(value: object, field: str) -> str:
    if value != "" and not _SHA256.fullmatch(text(value, field)):
        raise FieldError(field, "is not a SHA-256 (64 lowercase hex digits)")
    return str(value)


def encode(value: Artifact) -> Mapping[str, object]:
    """The plain form that `artifact` reads."""
    plain: dict[str, object] = {"digest": value.digest, "size": value.size, "executable": value.executable}
    if value.tree:
        plain["tree"] = True
    if value.sha256:
        plain["sha256"] = value.sha256
    return plain


_DEP = frozenset({"digest", "size", "tree"})
_DEP_OPTIONAL = frozenset({"tree"})


def deps(value: object, field: str) -> dict[ArtifactPath, Artifact]:
    """An object with one dep per path: an artifact without its executable bit."""
    return _by_path(value, field, _dep)


def _dep(value: object, field: str) -> Artifact:
    record = fields(value, field, _DEP, _DEP_OPTIONAL)
    return Artifact(
        digest(record["digest"], below(field, "digest")),
        number(record["size"], below(field, "size")),
        tree=boolean(record.get("tree", False), below(field, "tree")),
    )


def encode_dep(dep: Artifact) -> dict[str, object]:
    """The plain form that `deps` reads."""
    plain: dict[str, object] = {"digest": dep.digest, "size": dep.size}
    return {**plain, "tree": True} if dep.tree else plain


def outs(value: object, field: str) -> tuple[dict[ArtifactPath, Artifact], tuple[OutSpec, ...]]:
    """An object of one out per path: the artifacts, and their declarations, sorted."""
    found = _by_path(value, field, _out)
    specs = [
        OutSpec(path, cache=cache, directory=artifact.tree, incremental=incremental, kind=kind, temp=temp)
        for path, (artifact, cache, incremental, kind, temp) in sorted(found.items())
    ]
    return {path: artifact for path, (artifact, *_) in found.items()}, tuple(specs)


def _out(value: object, field: str) -> tuple[Artifact, bool, bool, str, bool]:
    record = mapping(value, field)
    if "cache" not in record:
        raise FieldError(below(field, "cache"), "is missing")
    cache = boolean(record.pop("cache"), below(field, "cache"))
    incremental = boolean(record.pop("incremental", False), below(field, "incremental"))
    kind = text(record.pop("kind", ""), below(field, "kind"))
    temp = boolean(record.pop("temp", False), below(field, "temp"))
    return artifact(record, field), cache, incremental, kind, temp


def encode_out(artifact: Artifact, spec: OutSpec) -> dict[str, object]:
    """The plain form that `outs` reads."""
    plain: dict[str, object] = {**encode(artifact), "cache": spec.cache}
    if spec.incremental:
        plain["incremental"] = True
    if spec.kind:
        plain["kind"] = spec.kind
    if spec.temp:
        plain["temp"] = True
    return plain


_LIBRARY = frozenset({"version", "names"})


def libraries(value: object, field: str) -> dict[str, LibraryUse]:
    """An object of one library per distribution."""
    return {name: _library(item, below(field, name)) for name, item in mapping(value, field).items()}


def _library(value: object, field: str) -> LibraryUse:
    record = fields(value, field, _LIBRARY)
    names = record["names"]
    if not isinstance(names, list):
        raise FieldError(below(field, "names"), "must be a list")
    return LibraryUse(
        text(record["version"], below(field, "version")), tuple(text(name, below(field, "names")) for name in names)
    )


_CODE = frozenset({"digest", "file", "line"})
_PLACE = frozenset({"file", "line"})


def code_entries(value: object, field: str) -> dict[str, CodeEntry]:
    """An object with one code entry per key; they make up most of a lock, so the usual form is recognised fast."""
    entries = {}
    for key, item in mapping(value, field).items():
        if isinstance(item, dict) and item.keys() == _CODE:
            known, file, line = item["digest"], item["file"], item["line"]
            if is_digest(known) and type(file) is str and type(line) is int and line >= 0:
                entries[key] = CodeEntry(known, Location(file, line))
                continue
        entries[key] = _code_entry(item, below(field, key))
    return entries


def encode_code(entry: CodeEntry) -> Mapping[str, object]:
    """The plain form that `code_entries` reads."""
    if entry.location is None:
        return {"digest": entry.digest}
    return {"digest": entry.digest, "file": entry.location.file, "line": entry.location.line}


def code_text(entry: CodeEntry) -> str:
    """The canonical text of `encode_code`; a lock has up to thousands of entries."""
    digest = canonical_json(entry.digest)
    if entry.location is None:
        return f'{{"digest":{digest}}}'
    return f'{{"digest":{digest},"file":{canonical_json(entry.location.file)},"line":{entry.location.line}}}'


def _code_entry(value: object, field: str) -> CodeEntry:
    record = fields(value, field, _CODE, _PLACE)
    place = None
    if not _PLACE.isdisjoint(record):
        record = fields(value, field, _CODE)
        line = number(record["line"], below(field, "line"))
        place = Location(text(record["file"], below(field, "file")), line)
    return CodeEntry(digest(record["digest"], below(field, "digest")), place)


def _named(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
