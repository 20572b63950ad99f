"""Programs that a project declares in its files: console scripts, and tasks of task runners."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from pivot_core.commands import tasks
from pivot_core.files.digest import canonical_json, digest_bytes

_ENTRY_POINT: Final = re.compile(r"\s*(?P<module>[\w.]+)\s*:\s*(?P<object>[\w.]+)")
_PROJECT: Final = "pyproject.toml"


class FileReads(Protocol):
    """Records what the search for declarations depends on."""

    def read(self, path: str, content: bytes | None, /) -> object:
        """A file had this content."""
        ...

    def probed(self, path: str, /) -> object:
        """The existence of a path is about to be checked."""
        ...


class DeclaredTask(NamedTuple):
    """A task, and the files that declare it.

    Attributes:
        tasks: Its declarations, one for each environment.
        directory: The absolute path of the project that declares it.
        file: The path of the file.
        line: The line in it, as far as that is known.
        digest: The digest of its declarations.
    """

    tasks: tuple[tasks.Task, ...]
    directory: str
    file: str
    line: int
    digest: str


class ProjectFiles:
    """Reads each file once."""

    def __init__(self, reads: FileReads) -> None:
        self._reads = reads
        self._known: dict[str, tuple[Mapping[str, Any], str]] = {}

    def console_script(self, name: str, place: str) -> str | None:
        """The text of a program that the project in a directory declares by this name."""
        target = self._scripts(place).get(name)
        return None if target is None else text_of(target)

    def task(self, runner: str, name: str, place: str) -> DeclaredTask | None:
        """The task that the project in a directory declares by this name for a runner."""
        project, _ = self._toml(os.path.join(place, _PROJECT))
        own_name = tasks.FILES.get(runner)
        own, _ = self._toml(os.path.join(place, own_name)) if own_name is not None else ({}, "")
        declared = tasks.declarations(runner, name, project, own)
        if not declared:
            return None
        is_own = own_name is not None and bool(tasks.declarations(runner, name, {}, own))
        file = os.path.join(place, own_name if is_own and own_name is not None else _PROJECT)
        line = _line_of(name, self._toml(file)[1])
        found = tuple(tasks.task(each, runner) for each in declared)
        return DeclaredTask(found, place, file, line, digest_bytes(canonical_json(_plain(declared)).encode()))

    def _scripts(self, place: str) -> Mapping[str, str]:
        found, _ = self._toml(os.path.join(place, _PROJECT))
        tool = found.get("tool", {})
        project, poetry = found.get("project", {}), tool.get("poetry", {}) if isinstance(tool, dict) else {}
        return {
            name: target
            for table in (project, poetry)
            for kind in ("scripts", "gui-scripts")
            for name, target in _items(table, kind)
            if isinstance(target, str)
        }

    def _toml(self, file: str) -> tuple[Mapping[str, Any], str]:
        """The content of a file and its text; nothing if there is none, or if it is wrong."""
        if file not in self._known:
            self._known[file] = self._read(file)
        return self._known[file]

    def _read(self, file: str) -> tuple[Mapping[str, Any], str]:
        self._reads.probed(file)
        try:
            with open(file, "rb") as content:
                raw = content.read()
            text = raw.decode()
            found = tomllib.loads(text)
        except (OSError, ValueError):
            return {}, ""
        self._reads.read(file, raw)
        return found, text


def text_of(target: str) -> str | None:
    """The text of a program that calls ``module:function``."""
    match = _ENTRY_POINT.match(target)
    if match is None:
        return None
    first = match["object"].partition(".")[0]
    return f"from {match['module']} import {first}\n{match['object']}()\n"


def _items(table: Any, kind: str) -> Iterator[tuple[str, Any]]:
    scripts = table.get(kind, {}) if isinstance(table, dict) else {}
    if isinstance(scripts, dict):
        yield from scripts.items()


def _line_of(name: str, text: str) -> int:
    """The line on which a task is declared, as a key or as a table; otherwise the first line."""
    word = re.escape(name)
    match = re.search(rf"^\s*(?:\[[^\]\n]*\.)?[\"']?{word}[\"']?(?:\s*=|\]|\.\w+\s*=)", text, re.MULTILINE)
    return 1 if match is None else text.count("\n", 0, match.end()) + 1


def _plain(value: Any) -> Any:
    """Values of TOML as JSON has them."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case bool() | int() | float() | str():
            return value
    return str(value)
