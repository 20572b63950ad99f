r"""Lock files: the inputs and outs of a stage's last run, as JSON that people commit and merge.

Each fact has its own line, in an order that depends only on the facts::

    {
        "format": 1,
        "algorithm": "xxh3-128",
        "schema": 1,
        "code": {"func:pipeline:preprocess": {"digest": "...", "file": "pipeline.py", "line": 16}},
        "observed": {"func:plugins.upper:run": {"digest": "...", "file": "plugins/upper.py", "line": 3}},
        "libraries": {"pandas": {"version": "2.2.3", "names": ["pandas.read_csv"]}},
        "params": {"threshold": 0.5},
        "env": {"API_URL": "..."},
        "deps": {"data.json": {"digest": "...", "size": 123}},
        "outs": {"clean.json": {"cache": true, "digest": "...", "executable": false, "size": 45}},
    }

``file`` and ``line`` of a code entry are omitted if unknown. ``tree`` is true if an artifact is a directory, and
``incremental`` if a run of the stage starts from the last run's out; both are omitted otherwise. ``kind`` is present
for outs that people look at, such as ``"metric"``, and ``temp`` for those that are removed once they have been used; no
run depends on either. ``env`` is present if environment variables are declared, with a salted digest of each value, or
"" for a variable that is not set. ``accepted`` is present, with the reason, if a user accepted the outs instead of
running the stage. ``sha256`` is present if it was computed. ``ran_at``, the start of the run in seconds since the
epoch, is present if the result of the stage expires, and ``uncounted_params`` if parameters do not count as inputs,
with their values. A file with ``kind``, ``temp``, ``ran_at`` or ``uncounted_params`` has format 2. A dep has no
executable bit, since no result depends on it. Everything read is untrusted.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path

from pivot_cache.errors import CacheError, LockFileError, NewerFormatError, as_cache_errors
from pivot_cache.files import atomic, syscalls
from pivot_cache.files.safe_read import read_regular
from pivot_cache.formats import artifact_json
from pivot_cache.formats.artifact_json import FieldError
from pivot_core.files.digest import ALGORITHM, canonical_json
from pivot_core.lock import Inputs, StageLock

FORMAT = 1
"""The version of the layout above, without the facts of `EXTENDED`."""
EXTENDED = 2
"""The version of the layout with ``kind``, ``temp``, ``ran_at`` or ``uncounted_params``, which older versions of Pivot
refuse. Files of `FORMAT` may have them too, since some versions have written them so."""

_TOP_OPTIONAL = frozenset({"accepted", "env", "ran_at", "uncounted_params"})
_TOP = _TOP_OPTIONAL | {"format", "algorithm", "schema", "code", "observed", "libraries", "params", "deps", "outs"}
_CONFLICT = ("<<<<<<< ", "=======", ">>>>>>> ")
_HINT = "`pivot repro` writes it again; or `git checkout` the file"
_HINT_NEWER = "upgrade Pivot, or delete the file and run `pivot repro`"


def read(
    file: Path | str, name: str | None = None, parsed: MutableMapping[bytes, StageLock] | None = None
) -> StageLock | None:
    """The content of a lock file; None if the file does not exist, or if a merge or a power cut has emptied it.

    Args:
        file: The lock file.
        name: The name used in errors; by default the path.
        parsed: Locks that `parse` has returned, by the bytes; the one that is returned is removed.

    Raises:
        NewerFormatError: Only a newer Pivot can read it.
        LockFileError: The content is invalid.
    """
    name = str(file) if name is None else name
    try:
        data = read_regular(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LockFileError(name, f"it cannot be read: {error.strerror or error}", hint=_HINT) from error
    known = parsed.pop(data, None) if parsed else None
    return known or (parse(data, name) if data else None)


def parse(data: bytes, name: str) -> StageLock:
    """The lock in the bytes of a file.

    Raises:
        NewerFormatError: Only a newer Pivot can read it.
        LockFileError: The content is invalid; the error names the field.
    """
    if not data.strip(b"\0"):
        lost = "it contains only zeros, as after a power cut" if data else "it is empty"
        raise LockFileError(name, lost, hint=_HINT)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise LockFileError(name, "it is not UTF-8", hint=_HINT) from None
    return loads(text, name)


def write(file: Path | str, lock: StageLock) -> bool:
    """Write ``lock`` to a lock file atomically; False if that was already its content.

    A directory in the place of the file is renamed.

    Raises:
        CacheError: The file cannot be written; the old content stays.
    """
    data = dumps(lock).encode()
    try:
        return atomic.change_bytes(file, data)
    except CacheError:
        if not os.path.isdir(file) or os.path.islink(file):
            raise
    with as_cache_errors("move away", file):
        syscalls.rename(file, next(free for free in _names(file) if not os.path.lexists(free)))
    return atomic.change_bytes(file, data)


def _names(file: Path | str) -> Iterator[str]:
    return (f"{file}.{number}" for number in itertools.count(1))


def dumps(lock: StageLock) -> str:
    """The canonical text of a lock; equal locks have equal texts.

    Raises:
        ValueError: The lock's outs differ from the declared ones.
    """
    specs = {spec.path: spec for spec in lock.inputs.outs}
    if len(specs) != len(lock.inputs.outs) or specs.keys() != lock.outs.keys():
        raise ValueError(f"the outs {sorted(lock.outs)} are not the declared ones, {sorted(specs)}")
    sections = {
        "code": _section(lock.inputs.code, artifact_json.code_text),
        "observed": _section(lock.inputs.observed, artifact_json.code_text),
        "libraries": _section(
            lock.libraries, lambda use: canonical_json({"version": use.version, "names": list(use.names)})
        ),
        "params": _section(lock.inputs.params, canonical_json),
        **({"uncounted_params": _section(lock.uncounted_params, canonical_json)} if lock.uncounted_params else {}),
        **({"env": _section(lock.inputs.env, canonical_json)} if lock.inputs.env else {}),
        "deps": _section(lock.inputs.deps, lambda dep: canonical_json(artifact_json.encode_dep(dep))),
        "outs": _section(
            {path: (out, specs[path]) for path, out in lock.outs.items()},
            lambda out: canonical_json(artifact_json.encode_out(*out)),
        ),
    }
    number = EXTENDED if _is_extended(lock) else FORMAT
    lines = [f'"format": {number}', f'"algorithm": "{ALGORITHM}"', f'"schema": {lock.inputs.schema}']
    lines += [f'"accepted": {canonical_json(lock.accepted)}'] if lock.accepted else []
    lines += [f'"ran_at": {lock.ran_at}'] if lock.ran_at is not None else []
    lines += [f'"{name}": {section}' for name, section in sections.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _is_extended(lock: StageLock) -> bool:
    return (
        lock.ran_at is not None or bool(lock.uncounted_params) or any(out.kind or out.temp for out in lock.inputs.outs)
    )


def loads(text: str, name: str) -> StageLock:
    """The lock in a text.

    Args:
        text: The text of a lock file.
        name: The file's name, for errors.

    Raises:
        NewerFormatError: Only a newer Pivot can read it.
        LockFileError: The content is invalid; the error names the field.
    """
    try:
        return _lock(artifact_json.mapping(artifact_json.parse(text), ""))
    except _NewerError as error:
        raise NewerFormatError(name, error.problem, field=error.field, hint=_HINT_NEWER) from None
    except FieldError as error:
        raise LockFileError(name, error.problem, field=error.field or None, hint=_HINT) from None
    except (ValueError, RecursionError) as error:
        if any(line.startswith(_CONFLICT) for line in text.splitlines()):
            hint = "take either side, or leave it as it is, and run `pivot repro`"
            raise LockFileError(name, "it contains merge conflict markers", hint=hint) from None
        raise LockFileError(name, f"it is not JSON: {error}", hint=_HINT) from None


class _NewerError(FieldError):
    """Data that only another version of Pivot can read."""


def _lock(record: Mapping[str, object]) -> StageLock:
    if "format" in record:  # checked first, since another format may have other fields
        number = artifact_json.number(record["format"], "format", least=1)
        if number > EXTENDED:
            raise _NewerError("format", f"format {number} is newer than {EXTENDED}, the newest that this Pivot reads")
    top = artifact_json.fields(record, "", _TOP, _TOP_OPTIONAL)
    algorithm = artifact_json.text(top["algorithm"], "algorithm")
    if algorithm != ALGORITHM:
        raise _NewerError("algorithm", f"this Pivot reads digests of {ALGORITHM}, not of {algorithm!r}")
    outs, specs = artifact_json.outs(top["outs"], "outs")
    accepted = artifact_json.text(top.get("accepted", ""), "accepted")
    inputs = Inputs(
        schema=artifact_json.number(top["schema"], "schema"),
        code=artifact_json.code_entries(top["code"], "code"),
        params=artifact_json.mapping(top["params"], "params"),
        deps=artifact_json.deps(top["deps"], "deps"),
        outs=specs,
        observed=artifact_json.code_entries(top["observed"], "observed"),
        env=artifact_json.texts(top.get("env", {}), "env"),
    )
    ran_at = artifact_json.number(top["ran_at"], "ran_at") if "ran_at" in top else None
    uncounted_params = artifact_json.mapping(top.get("uncounted_params", {}), "uncounted_params")
    return StageLock(
        inputs, outs, artifact_json.libraries(top["libraries"], "libraries"), accepted, ran_at, uncounted_params
    )


def _section[K: str, T](entries: Mapping[K, T], text: Callable[[T], str]) -> str:
    if not entries:
        return "{}"
    return "{\n" + ",\n".join([f"{canonical_json(key)}: {text(entries[key])}" for key in sorted(entries)]) + "\n}"
