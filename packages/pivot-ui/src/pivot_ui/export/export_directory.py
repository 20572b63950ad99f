"""The directory of an exported page: what may be replaced, and in which order files are written."""

import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Any, Final

from pivot_core.errors import PivotError
from pivot_core.files.paths import STATE_DIR
from pivot_ui.api.query import MediaAnswer

__all__ = ["ExportDirectory", "ExportError"]

MARKER: Final = "export.json"
"""By this file an export is recognised, also one that was killed."""
DATA: Final = "data"
_INDEX: Final = "index.html"
_PLACE: Final = "<!-- export -->"
_SUFFIXES: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
}


class ExportError(PivotError):
    """The page cannot be exported there."""


class ExportDirectory:
    """An export while it is written.

    The page itself comes last, so a directory with it has everything. Use `check`, `begin`, `add` for each answer, and
    `finish`.
    """

    def __init__(self, place: pathlib.Path, shown: str) -> None:
        """Nothing is written yet; ``shown`` is the directory as the user named it."""
        self._place = place
        self._shown = shown
        self._files: dict[str, str] = {}
        self.size = 0

    def check(self, project: pathlib.Path) -> None:
        """Create the directory if it is absent.

        Args:
            project: The root of the project, where Pivot and git have directories of their own.

        Raises:
            ExportError: It is in one of these, has other files than those of an export, or cannot be created.
        """
        for name in (STATE_DIR, ".git"):
            if _is_in(self._place, project / name):
                problem = f"{self._shown} is in {name}, where only {'git' if name == '.git' else 'Pivot'} writes"
                raise ExportError(problem, hint="name another directory, such as 'site'")
        try:
            self._place.mkdir(parents=True, exist_ok=True)
            other = not _is_export(self._place) and any(self._place.iterdir())
        except OSError as error:
            raise self._failed(error) from None
        if other:
            problem = f"{self._shown} is not empty, and no earlier export"
            raise ExportError(problem, hint="name another directory, or empty this one")

    def begin(self) -> None:
        """Remove what an earlier export has written, and mark the directory as an export that is not complete.

        Raises:
            ExportError: It cannot be written.
        """
        try:
            self._write(MARKER, _marker(complete=False))
            (self._place / _INDEX).unlink(missing_ok=True)
            data = self._place / DATA
            if data.is_dir() and not data.is_symlink():
                shutil.rmtree(data)
        except OSError as error:
            raise self._failed(error) from None

    def add(self, key: str, found: Any, text: str) -> None:
        """Write an answer.

        Args:
            key: The question.
            found: The answer: plain data, or bytes.
            text: The plain data as JSON; not used for bytes.

        Raises:
            ExportError: It cannot be written.
        """
        stem = f"{DATA}/{len(self._files) + 1}"
        try:
            if isinstance(found, MediaAnswer):
                name = f"{stem}{_SUFFIXES.get(found.media, '.bin')}"
                self._write(name, found.data)
            else:
                name = f"{stem}.js"
                # Parsed as JSON, since a literal of JavaScript gives the name `__proto__` another meaning.
                self._write(name, f"pivotData({json.dumps(key)}, JSON.parse({json.dumps(text)}));\n".encode())
        except OSError as error:
            raise self._failed(error) from None
        self._files[key] = name

    def finish(self, page: Mapping[str, Traversable]) -> pathlib.Path:
        """Write the files of the page, and return the path of the page.

        Raises:
            ExportError: They cannot be written.
        """
        index = page[_INDEX].read_text("utf-8").replace(_PLACE, f'<script src="{DATA}/index.js" defer></script>')
        files = f"window.pivotExport = JSON.parse({json.dumps(json.dumps({'files': self._files}))});\n"
        try:
            self._write(f"{DATA}/index.js", files.encode())
            for name, file in page.items():
                if name != _INDEX:
                    self._write(name, file.read_bytes())
            self._write(MARKER, _marker(complete=True))
            self._write(_INDEX, index.encode())
        except OSError as error:
            raise self._failed(error) from None
        return self._place / _INDEX

    def _write(self, name: str, data: bytes) -> None:
        path = self._place / name
        if path.parent != self._place and path.parent.is_symlink():
            path.parent.unlink()
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)  # and no link is followed
        with path.open("xb") as file:
            file.write(data)
        self.size += len(data)

    def _failed(self, error: OSError) -> ExportError:
        place = os.fspath(error.filename or self._shown)
        return ExportError(f"{place}: {error.strerror or error}", hint="name another directory")


def _is_in(place: pathlib.Path, directory: pathlib.Path) -> bool:
    """Whether a place is a directory or in it, also by another name of it, as with other case."""
    resolved = place.resolve()
    return directory.exists() and any(
        each.exists() and each.samefile(directory) for each in (resolved, *resolved.parents)
    )


def _marker(*, complete: bool) -> bytes:
    return json.dumps({"pivot_export": 1, "complete": complete}).encode()


def _is_export(place: pathlib.Path) -> bool:
    marker = place / MARKER
    try:
        plain = json.loads(marker.read_text("utf-8")) if marker.is_file() and not marker.is_symlink() else {}
    except ValueError:
        return False
    return isinstance(plain, dict) and plain.get("pivot_export") == 1
