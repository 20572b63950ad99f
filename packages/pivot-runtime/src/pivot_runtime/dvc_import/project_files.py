"""Finds the files of a DVC project, and reads them."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from pivot_cache.files import safe_read
from pivot_core.discovery import PIPELINE_FILE
from pivot_core.errors import PivotError
from pivot_core.values import Value
from pivot_runtime.dvc_import.dvc_config import ConfigFile
from pivot_runtime.dvc_import.leftovers import Leftover
from pivot_runtime.project.ignore import ignored

DVC: Final = ".dvc"
"""The directory of DVC's own files, and the suffix of a file for data."""
STAGES: Final = "dvc.yaml"
LOCK: Final = "dvc.lock"
OLD_STAGE: Final = "Dvcfile"
"""A file like ``x.dvc`` with the last stage, before DVC 1.0."""
IGNORE: Final = ".dvcignore"
_NEVER: Final = frozenset({".git", ".hg", DVC})
"""The names that DVC ignores everywhere."""
_SKIPPED: Final = frozenset({".git", ".hg", ".svn", DVC, ".pivot", "__pycache__", "node_modules", ".venv"})


class NoDvcProjectError(PivotError):
    """There is no DVC project here."""


@attrs.frozen(eq=False, repr=False)
class DvcFiles(Value):
    """The files of a project, by their paths relative to its root.

    Attributes:
        root: The root of the project.
        stages: The text of each ``dvc.yaml``.
        locks: The text of each ``dvc.lock``.
        data: The text of each ``.dvc`` file.
        ignore: The lines of all ``.dvcignore`` files, as the one at the root would have them.
        config: The configuration files, the strongest last.
        is_ignored: Whether DVC ignores a path.
        leftovers: The files that cannot be read.
    """

    root: Path
    stages: Mapping[str, str]
    locks: Mapping[str, str]
    data: Mapping[str, str]
    ignore: tuple[str, ...]
    config: tuple[ConfigFile, ...]
    is_ignored: Callable[[str], bool]
    leftovers: tuple[Leftover, ...] = ()

    @property
    def dvc_dir(self) -> Path:
        """Return the directory of DVC's own files."""
        return self.root / DVC


def find_root(directory: Path) -> Path:
    """The root of the DVC project around a directory.

    Raises:
        NoDvcProjectError: There is none.
    """
    for each in (directory, *directory.parents):
        if (each / DVC).is_dir():
            return each
    raise NoDvcProjectError(
        f"there is no DVC project in {directory}", hint="name the directory that contains .dvc: pivot import-dvc DIR"
    )


def read_files(root: Path, environment: Mapping[str, str]) -> DvcFiles:
    """Find and read the files of a project."""
    reader = _Reader(root)
    reader.walk()
    return DvcFiles(
        root=root,
        stages=reader.stages,
        locks=reader.locks,
        data=reader.data,
        ignore=tuple(reader.ignore),
        config=tuple(_config(root, environment)),
        is_ignored=reader.is_ignored,
        leftovers=tuple(reader.leftovers),
    )


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.stages: dict[str, str] = {}
        self.locks: dict[str, str] = {}
        self.data: dict[str, str] = {}
        self.ignore: list[str] = []
        self.leftovers: list[Leftover] = []
        self.is_ignored: Callable[[str], bool] = is_never_read

    def walk(self) -> None:
        for around, directories, names in os.walk(self._root):
            base = os.path.relpath(around, self._root)
            prefix = "" if base == "." else f"{base}/"
            if prefix and DVC in directories:
                problem = "it is a DVC project of its own, which is not carried with this one"
                remedy = "import a clone of it that is outside: of two Pivot projects, only the outer one counts"
                self.leftovers.append(Leftover(base, problem, remedy))
                directories.clear()
                continue
            if IGNORE in names:
                self.ignore += self._patterns(prefix)
                self.is_ignored = _with_those_never_read(ignored(self._root / DVC / IGNORE, tuple(self.ignore)))
            held = set(names)
            directories[:] = sorted(
                name
                for name in directories
                if name not in _SKIPPED and f"{name}{DVC}" not in held and not self.is_ignored(f"{prefix}{name}/")
            )
            for name in sorted(names):
                is_data = name.endswith(DVC) or name == OLD_STAGE
                kind = {STAGES: self.stages, LOCK: self.locks}.get(name, self.data if is_data else None)
                path = f"{prefix}{name}"
                if name == PIPELINE_FILE and STAGES not in held and is_of_others(self._root / path):
                    self.leftovers.append(_other_pipeline(path, prefix))
                if kind is not None and not self.is_ignored(path) and name != DVC:
                    kind[path] = self._text(path)

    def _patterns(self, prefix: str) -> Iterator[str]:
        path = f"{prefix}{IGNORE}"
        for line in _below(prefix, self._text(path)):
            try:
                ignored(self._root / DVC / IGNORE, (line,))
            except PivotError as error:
                problem = f"the line {line!r} is not carried: {error}"
                self.leftovers.append(Leftover(path, problem, "remove or repair it"))
            else:
                yield line

    def _text(self, path: str) -> str:
        try:
            return safe_read.read_regular(self._root / path).decode()
        except (OSError, UnicodeDecodeError) as error:
            problem = getattr(error, "strerror", None) or "it is not UTF-8"
            self.leftovers.append(Leftover(path, f"it cannot be read: {problem}", "repair it, and repeat the command"))
            return ""


def is_never_read(path: str) -> bool:
    """Whether DVC ignores a path in all projects: it is a repository, or in one."""
    return not _NEVER.isdisjoint(path.split("/"))


def _with_those_never_read(others: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda path: is_never_read(path) or others(path)


def is_of_others(file: Path) -> bool:
    """Whether a ``pipeline.py`` exists that does not name Pivot, and so belongs to another program."""
    try:
        return b"pivot" not in safe_read.read_regular(file)
    except OSError:
        return False


def _other_pipeline(path: str, prefix: str) -> Leftover:
    remedy = f"rename it, or write {prefix} into .pivotignore" if prefix else "rename it"
    return Leftover(path, "it has the name of Pivot's pipeline files, so that Pivot would import it", remedy)


def _below(prefix: str, text: str) -> list[str]:
    """The lines of an ignore file in a directory, as one at the root would have them."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not prefix:
        return lines
    found = []
    for line in lines:
        negated, pattern = line.startswith("!"), line.removeprefix("!")
        anchored = "/" in pattern.rstrip("/")
        found.append(f"{'!' if negated else ''}{prefix}{'' if anchored else '**/'}{pattern.removeprefix('/')}")
    return found


def _config(root: Path, environment: Mapping[str, str]) -> list[ConfigFile]:
    home = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", "/"), ".config")
    mine = Path(home) / "dvc"
    places = (
        (mine / "config", str(mine / "config"), False),
        (root / DVC / "config", f"{DVC}/config", True),
        (root / DVC / "config.local", f"{DVC}/config.local", False),
    )
    found = []
    for file, name, shared in places:
        try:
            text = safe_read.read_regular(file).decode()
        except (OSError, UnicodeDecodeError):
            continue
        found.append(ConfigFile(name, text, os.fspath(file.parent), shared))
    return found
