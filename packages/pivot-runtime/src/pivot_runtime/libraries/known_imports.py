"""The libraries that the last imports of each pipeline file asked for, which the next one may have in advance.

It is stored in one JSON file of derived data; if that is missing or damaged, nothing is imported in advance.
"""

import contextlib
import json
import os
import pathlib
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pivot_cache.errors import CacheError
from pivot_cache.files.atomic import write_bytes
from pivot_cache.files.safe_read import read_json
from pivot_cache.layout import Layout
from pivot_runtime.freshness import load_trace
from pivot_runtime.libraries.origin import is_python

if TYPE_CHECKING:
    import ast

_FORMAT: Final = 1
_MOST: Final = 200
"""Modules that are imported in advance."""
_WORTH_SECONDS: Final = 0.1
"""Libraries that are imported faster are not worth a process of their own."""


class KnownImports:
    """The library imports of a project's pipelines, by file; the file of derived data is read once."""

    def __init__(self, layout: Layout) -> None:
        """Read nothing yet."""
        self._root = layout.root
        self._file = layout.libraries_file
        self._known: dict[str, Any] | None = None
        self._is_new = False
        self._left_out_now: set[str] = set()

    def names(self, file: pathlib.Path) -> tuple[str, ...]:
        """Return the modules to import in advance for one pipeline file alone; none if that is not worth while."""
        known = self._of(file)
        if not known or known["seconds"] < _WORTH_SECONDS:
            return ()
        return self._sound(known["asked"], known["refused"])

    def common(self, files: Sequence[pathlib.Path]) -> tuple[str, ...]:
        """Return the modules to import in advance for several pipeline files."""
        known = [self._of(file) or _read_imports(file, self._root) for file in files]
        if not known or all(each["seconds"] < _WORTH_SECONDS for each in known):
            return ()
        first, *others = known
        loaded = [{*each["asked"], *each["libraries"]} for each in others]
        names = [name for name in first["asked"] if all(name in each for each in loaded)]
        refused: dict[str, Any] = {}
        for each in known:
            refused |= each["refused"]
        return self._sound(names, refused)

    def together(self, file: pathlib.Path) -> list[pathlib.Path]:
        """Return the pipeline files that a command loaded together with this one, which comes first."""
        known = self._of(file)
        others = [self._root / each for each in (known["together"] if known else ())]
        return [file, *(each for each in others if each != file and each.is_file())]

    def imported(self, file: pathlib.Path, asked: Iterable[str], libraries: Iterable[str], seconds: float) -> None:
        """Note the modules that an import of a file asked for, and the top-level libraries that it loaded.

        `loaded_together` writes that down.
        """
        known = self._of(file) or _new()
        asked, libraries = list(asked)[:_MOST], list(libraries)
        # Shared libraries took no time here, but would take at least as long as where some of them were imported.
        held = set(libraries)
        same = (
            each
            for each in self._all()["pipelines"].values()
            if each["libraries"] and held.issuperset(each["libraries"])
        )
        seconds = max([seconds, *(each["seconds"] for each in same)])
        self._set(file, {**known, "asked": asked, "libraries": libraries, "seconds": round(seconds, 1)})

    def loaded_together(self, files: Sequence[pathlib.Path]) -> None:
        """Note that a command has loaded these files, and write down all that is new."""
        names = [self._name(file) for file in files]
        for file in files:
            known = self._of(file)
            if known:
                self._set(file, {**known, "together": names if len(files) > 1 else []})
        if self._is_new and (len(files) > 1 or any((self._of(file) or _new())["asked"] for file in files)):
            self._write()

    def refuse(self, file: pathlib.Path, name: str, asking: str) -> None:
        """Note that an import in advance could not be used for a file, until the ``asking`` file is edited."""
        known = self._of(file) or _new()
        asking = asking or os.fspath(file)
        self._set(file, {**known, "refused": {**known["refused"], name: [asking, load_trace.content(asking)]}})
        self._write()

    def leave_out(self, name: str, reason: str, *, lasting: bool = True) -> None:
        """Note that a library cannot be imported in advance, until it is installed again.

        If that is not ``lasting``, it counts only for this object.
        """
        if not lasting:
            self._left_out_now.add(name)
            return
        place = _place(name.partition(".")[0])
        self._all()["left out"][name] = [place, load_trace.mtime(place), reason]
        self._write()

    def _sound(self, names: Iterable[str], refused: Mapping[str, Any]) -> tuple[str, ...]:
        """The names without left-out libraries, up to the first that is refused."""
        held = self._all()["left out"].items()
        left_out = self._left_out_now | {name for name, (place, at, _) in held if load_trace.mtime(place) == at}
        found: list[str] = []
        for name in names:
            for each in (name, ""):
                asking, digest = refused.get(each, ("", ""))
                if asking and load_trace.content(asking) == digest:
                    return tuple(found)
            if not any(f"{name}.".startswith(f"{each}.") for each in left_out):
                found.append(name)
        return tuple(found)

    def _of(self, file: pathlib.Path) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._all()["pipelines"].get(self._name(file))
        return found

    def _set(self, file: pathlib.Path, known: dict[str, Any]) -> None:
        pipelines = self._all()["pipelines"]
        if pipelines.get(self._name(file)) != known:
            pipelines[self._name(file)] = known
            self._is_new = True

    def _name(self, file: pathlib.Path) -> str:
        return os.path.relpath(file, self._root)

    def _all(self) -> dict[str, Any]:
        if self._known is None:
            self._known = {"format": _FORMAT, "pipelines": {}, "left out": {}}
            with contextlib.suppress(OSError, ValueError):
                found = read_json(self._file)
                if _is_valid(found):
                    self._known = found
        return self._known

    def _write(self) -> None:
        self._is_new = False
        with contextlib.suppress(OSError, CacheError):
            write_bytes(self._file, json.dumps(self._known, sort_keys=True).encode())


def _new() -> dict[str, Any]:
    return {"asked": [], "libraries": [], "seconds": 0.0, "together": [], "refused": {}}


def _is_valid(found: Any) -> bool:
    """Whether data have the format of this module."""
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        return False
    pipelines, left_out = found.get("pipelines"), found.get("left out")
    if not isinstance(pipelines, dict) or not isinstance(left_out, dict):
        return False
    return all(_are_texts(each, 3) for each in left_out.values()) and all(
        isinstance(each, dict)
        and each.keys() == _new().keys()
        and isinstance(each["seconds"], float)
        and all(_are_texts(each[name]) for name in ("asked", "libraries", "together"))
        and all(part.isidentifier() for name in each["asked"] for part in name.split("."))
        and isinstance(each["refused"], dict)
        and all(_are_texts(refused, 2) for refused in each["refused"].values())
        for each in pipelines.values()
    )


def _are_texts(found: Any, count: int | None = None) -> bool:
    return (
        isinstance(found, list)
        and (count is None or len(found) == count)
        and all(isinstance(each, str) for each in found)
    )


def _place(name: str) -> str:
    """The file or directory of an installed module; the directory of all of them if it is in none."""
    for directory in sys.path:
        for place in (os.path.join(directory, name), os.path.join(directory, f"{name}.py")):
            if os.path.exists(place):
                return place
    return sysconfig.get_path("purelib")


def _read_imports(file: pathlib.Path, root: pathlib.Path) -> dict[str, Any]:
    """The same for a file that was never imported: from the imports at the top of its text."""
    import ast  # lazy

    names: list[str] = []
    with contextlib.suppress(OSError, ValueError, SyntaxError, RecursionError):
        for statement in ast.parse(file.read_bytes()).body:
            names += _names(statement)
    found = [name for name in dict.fromkeys(names) if not is_python(name) and not _is_beside(name, file.parent, root)]
    return {**_new(), "asked": found, "libraries": found, "seconds": _WORTH_SECONDS if found else 0.0}


def _names(statement: "ast.stmt") -> Iterator[str]:
    import ast  # lazy

    modules: list[str] = []
    if isinstance(statement, ast.Import):
        modules = [each.name for each in statement.names]
    elif isinstance(statement, ast.ImportFrom) and statement.module is not None and not statement.level:
        modules = [statement.module]
    for module in modules:
        parts = module.split(".")
        yield from (".".join(parts[: end + 1]) for end in range(len(parts)))


def _is_beside(name: str, *directories: pathlib.Path) -> bool:
    top = name.partition(".")[0]
    return any((place / top).exists() or (place / f"{top}.py").exists() for place in directories)
