"""Reads a ``dvc.lock`` and the entries of data in it: the last run of each stage, by MD5; pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from pivot_cache.formats import tree
from pivot_core.values import Value
from pivot_runtime.definitions import yaml_document
from pivot_runtime.dvc_import.leftovers import Leftover

DIRECTORY: Final = ".dir"
"""The end of the MD5 of a directory."""
_ELSEWHERE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|[/~]")
_MD5: Final = re.compile(r"[0-9a-f]{32}(?:\.dir)?")


@attrs.frozen(eq=False, repr=False)
class Md5(Value):
    """The digest by which DVC knows some content.

    Attributes:
        digest: The MD5 in hexadecimal digits; that of a directory ends with `DIRECTORY`.
        text: It is that of DVC before 3.0, which reads CR LF as LF in texts.
        executable: Whether the file is marked as executable.
        files: The files of a directory by their relative paths, if the entry lists them; the remotes of such data keep
            versions of files under their own names.
    """

    digest: str
    text: bool = False
    executable: bool = False
    files: Mapping[str, "Md5"] = attrs.field(factory=dict)

    @property
    def directory(self) -> bool:
        """Whether it is that of a directory."""
        return self.digest.endswith(DIRECTORY)


@attrs.frozen(eq=False, repr=False)
class DvcRun(Value):
    """The last run of a stage.

    Attributes:
        cmd: Its command.
        deps: The content of each dep, by its path as in the ``dvc.yaml``; None if it is not known by its MD5.
        outs: Likewise of each out.
        params: The values that it read, by file and key.
        line: The line of its name.
    """

    cmd: str | list[str]
    deps: Mapping[str, Md5 | None]
    outs: Mapping[str, Md5 | None]
    params: Mapping[str, Mapping[str, Any]]
    line: int


@attrs.frozen(eq=False, repr=False)
class DvcLock(Value):
    """A ``dvc.lock``.

    Attributes:
        runs: The last run of each stage, by its name with the variant.
        leftovers: The parts that cannot be read.
    """

    runs: Mapping[str, DvcRun]
    leftovers: tuple[Leftover, ...] = ()


def parse(text: str, name: str) -> DvcLock:
    """Parse a file, which is untrusted.

    Raises:
        YamlError: The text is not YAML that Pivot reads; the error names the line.
    """
    document = yaml_document.parse(text, name, every_key=True, reading=yaml_document.LargeReader)
    data = document.data if isinstance(document.data, dict) else {}
    stages = data.get("stages") if "schema" in data or "stages" in data else data  # the first format was flat
    runs, leftovers = {}, []
    for stage, entry in stages.items() if isinstance(stages, dict) else ():
        path = ("stages", stage) if "stages" in data else (stage,)
        try:
            runs[stage] = _run(entry, document.line(path))
        except (AttributeError, KeyError, TypeError, ValueError):
            problem = f"the record of {stage!r} is damaged"
            leftovers.append(Leftover(document.where(path), problem, "the stage runs again: nothing else"))
    return DvcLock(runs, tuple(leftovers))


def _run(entry: Any, line: int) -> DvcRun:
    cmd = entry["cmd"]
    if not isinstance(cmd, str) and not (isinstance(cmd, list) and all(isinstance(each, str) for each in cmd)):
        raise ValueError(cmd)
    params = {file: dict(values) for file, values in (entry.get("params") or {}).items()}
    return DvcRun(cmd, _contents(entry.get("deps")), _contents(entry.get("outs")), params, line)


def _contents(entries: Any) -> dict[str, Md5 | None]:
    found = {}
    for entry in entries or ():
        path = entry["path"]
        if not isinstance(path, str):
            raise TypeError(path)
        found[path] = md5_of(entry)
    return found


def is_elsewhere(path: str) -> bool:
    """Whether a dep or an out is outside the project."""
    return _ELSEWHERE.match(path) is not None


def md5_of(entry: Mapping[str, Any]) -> Md5 | None:
    """The MD5 in an entry for some data; None if it has none that is valid."""
    digest = entry.get("md5")
    text = entry.get("hash", "md5-dos2unix") != "md5"
    if isinstance(digest, str) and _MD5.fullmatch(digest):
        return Md5(digest, text, executable=entry.get("isexec") is True)
    files = _files(entry.get("files"), text=text)
    return Md5(listing_md5({name: each.digest for name, each in files.items()}), text, files=files) if files else None


def _files(listed: Any, *, text: bool) -> dict[str, Md5]:
    found = {}
    for each in listed if isinstance(listed, list) else ():
        digest, name = (each.get("md5"), each.get("relpath")) if isinstance(each, dict) else (None, None)
        if not isinstance(digest, str) or not _MD5.fullmatch(digest):
            return {}
        if not isinstance(name, str) or tree.path_problem(name):
            return {}
        found[name] = Md5(digest, text, executable=each.get("isexec") is True)
    return found


def listing_md5(files: Mapping[str, str]) -> str:
    """The MD5 of a directory, from those of its files by their relative paths."""
    entries = [{"md5": digest, "relpath": name} for name, digest in sorted(files.items())]
    text = json.dumps(entries, sort_keys=True).encode()
    return f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}{DIRECTORY}"
