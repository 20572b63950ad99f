r"""Lock files: what the last run of a stage rested on and left, as JSON that people commit and merge.

Each fact has its own line, in an order that depends on nothing but the facts::

    {
        "format": 1,
        "algorithm": "xxh3-128",
        "schema": 1,
        "code": {"func:pipeline:preprocess": {"digest": "...", "file": "pipeline.py", "line": 16}},
        "observed": {},
        "params": {"threshold": 0.5},
        "deps": {"data.json": {"digest": "...", "size": 123}},
        "outs": {"clean.json": {"cache": true, "digest": "...", "executable": false, "size": 45}},
    }

``file`` and ``line`` of a code entry are left out where they are not known, and ``observed`` is empty in
this format. A dep's executable bit is not kept: no result rests on it. Everything read is untrusted.
"""

from collections.abc import Mapping
from json import loads as _parse
from pathlib import Path

from pivot_cache import _artifacts, atomic
from pivot_cache._artifacts import FieldError, below
from pivot_cache.errors import LockFileError, cannot
from pivot_core.digest import ALGORITHM, canonical_json, is_digest
from pivot_core.lock import Artifact, CodeEntry, Inputs, StageLock
from pivot_core.stage import Location, OutSpec

FORMAT = 1
"""The version of the layout above."""

_TOP = frozenset({"format", "algorithm", "schema", "code", "observed", "params", "deps", "outs"})
_CODE = frozenset({"digest", "file", "line"})
_PLACE = frozenset({"file", "line"})
_DEP = frozenset({"digest", "size"})
_OUT = frozenset({"cache", "digest", "executable", "size"})
_CONFLICT = ("<<<<<<< ", "=======", ">>>>>>> ")
_HINT = "`git checkout` the file, or delete it and run `pivot repro`"
_HINT_NEWER = "upgrade Pivot, or delete the file and run `pivot repro`"


def read(file: Path) -> StageLock | None:
    """What a lock file holds; None if there is none, or if a power cut left it empty.

    Raises:
        LockFileError: It does not hold what a lock file must hold.
        CacheError: It cannot be read.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot("read", file, error) from error
    if not data.strip(b"\0"):
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise LockFileError(str(file), "it is not UTF-8", hint=_HINT) from None
    return loads(text, str(file))


def write(file: Path, lock: StageLock) -> bool:
    """Make ``lock`` the content of a lock file, whole or not at all; False if it already was.

    Raises:
        CacheError: It cannot be written; the old content stays.
    """
    data = dumps(lock).encode()
    try:
        if file.read_bytes() == data:
            return False
    except OSError:
        pass  # not there, or not readable: then writing it will tell
    atomic.write_bytes(file, data)
    return True


def dumps(lock: StageLock) -> str:
    """The one text of a lock; equal locks have equal texts.

    Raises:
        ValueError: The lock's outs are not the declared ones.
    """
    specs = {spec.path: spec for spec in lock.inputs.outs}
    if len(specs) != len(lock.inputs.outs) or specs.keys() != lock.outs.keys():
        raise ValueError(f"the outs {sorted(lock.outs)} are not the declared ones, {sorted(specs)}")
    sections: Mapping[str, Mapping[str, object]] = {
        "code": {key: _code(entry) for key, entry in lock.inputs.code.items()},
        "observed": {},
        "params": lock.inputs.params,
        "deps": {path: {"digest": dep.digest, "size": dep.size} for path, dep in lock.inputs.deps.items()},
        "outs": {path: {**_artifacts.encode(out), "cache": specs[path].cache} for path, out in lock.outs.items()},
    }
    lines = [f'"format": {FORMAT}', f'"algorithm": "{ALGORITHM}"', f'"schema": {lock.inputs.schema}']
    lines += [f'"{name}": {_section(entries)}' for name, entries in sections.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def loads(text: str, name: str) -> StageLock:
    """The lock that a text describes.

    Args:
        text: What a lock file holds.
        name: The file's name, for errors.

    Raises:
        LockFileError: It says what is wrong, and where.
    """
    try:
        return _lock(_artifacts.mapping(_parse(text, object_pairs_hook=_artifacts.unique_pairs), ""))
    except _NewerError as error:
        raise LockFileError(name, error.problem, field=error.field, hint=_HINT_NEWER) from None
    except FieldError as error:
        raise LockFileError(name, error.problem, field=error.field or None, hint=_HINT) from None
    except (ValueError, RecursionError) as error:
        if any(line.startswith(_CONFLICT) for line in text.splitlines()):
            hint = "resolve the conflict: take either side, then run `pivot repro`"
            raise LockFileError(name, "it holds the marks of a merge conflict", hint=hint) from None
        raise LockFileError(name, f"it is not JSON: {error}", hint=_HINT) from None


class _NewerError(FieldError):
    """Something that only another version of Pivot understands."""


def _lock(record: Mapping[str, object]) -> StageLock:
    if "format" in record:  # first, since another format may have other fields
        number = _artifacts.number(record["format"], "format", least=1)
        if number != FORMAT:
            raise _NewerError("format", f"format {number} is newer than {FORMAT}, the newest that this Pivot reads")
    top = _artifacts.fields(record, "", _TOP)
    algorithm = _artifacts.text(top["algorithm"], "algorithm")
    if algorithm != ALGORITHM:
        raise _NewerError("algorithm", f"this Pivot reads digests of {ALGORITHM}, not of {algorithm!r}")
    if _artifacts.mapping(top["observed"], "observed"):
        raise _NewerError("observed", "this Pivot does not understand observed entries")
    outs = _artifacts.artifacts(top["outs"], "outs", _out)
    inputs = Inputs(
        schema=_artifacts.number(top["schema"], "schema"),
        code=_code_entries(top["code"]),
        params=_artifacts.mapping(top["params"], "params"),
        deps=_artifacts.artifacts(top["deps"], "deps", _dep),
        outs=tuple(OutSpec(path, cache=cache) for path, (_, cache) in sorted(outs.items())),
    )
    return StageLock(inputs, {path: artifact for path, (artifact, _) in outs.items()})


def _code_entries(value: object) -> dict[str, CodeEntry]:
    """The entries of ``code``: most of a lock, so that the usual form is recognised at once."""
    entries = {}
    for key, item in _artifacts.mapping(value, "code").items():
        if isinstance(item, dict) and item.keys() == _CODE:
            digest, file, line = item["digest"], item["file"], item["line"]
            if is_digest(digest) and type(file) is str and type(line) is int and line >= 0:
                entries[key] = CodeEntry(digest, Location(file, line))
                continue
        entries[key] = _code_entry(item, below("code", key))
    return entries


def _code_entry(value: object, field: str) -> CodeEntry:
    record = _artifacts.fields(value, field, _CODE, _PLACE)
    place = None
    if not _PLACE.isdisjoint(record):
        record = _artifacts.fields(value, field, _CODE)
        line = _artifacts.number(record["line"], below(field, "line"))
        place = Location(_artifacts.text(record["file"], below(field, "file")), line)
    return CodeEntry(_artifacts.digest(record["digest"], below(field, "digest")), place)


def _dep(value: object, field: str) -> Artifact:
    record = _artifacts.fields(value, field, _DEP)
    return Artifact(
        _artifacts.digest(record["digest"], below(field, "digest")),
        _artifacts.number(record["size"], below(field, "size")),
    )


def _out(value: object, field: str) -> tuple[Artifact, bool]:
    record = _artifacts.fields(value, field, _OUT)
    cache = _artifacts.boolean(record.pop("cache"), below(field, "cache"))
    return _artifacts.artifact(record, field), cache


def _code(entry: CodeEntry) -> Mapping[str, object]:
    if entry.location is None:
        return {"digest": entry.digest}
    return {"digest": entry.digest, "file": entry.location.file, "line": entry.location.line}


def _section(entries: Mapping[str, object]) -> str:
    if not entries:
        return "{}"
    return "{\n" + ",\n".join(f"{canonical_json(k)}: {canonical_json(v)}" for k, v in sorted(entries.items())) + "\n}"
