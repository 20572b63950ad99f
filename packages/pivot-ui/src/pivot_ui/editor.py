"""The editor that opens a file at a line: that of the user if it has a window of its own, else one by a link."""

import contextlib
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_ui.errors import NotAllowedError, NothingThereError
from pivot_ui.project import ProjectService

__all__ = ["LINK", "Editor", "find_editor", "open_file"]

type _Arguments = Callable[[str, int], list[str]]


def _colon(path: str, line: int) -> list[str]:
    return [f"{path}:{line}"]


def _goto(path: str, line: int) -> list[str]:
    return ["--goto", f"{path}:{line}"]


def _plus(path: str, line: int) -> list[str]:
    return [f"+{line}", path]


def _line(path: str, line: int) -> list[str]:
    return ["--line", str(line), path]


_KNOWN: Final[Mapping[str, tuple[str, _Arguments]]] = {
    **dict.fromkeys(("code", "code-insiders"), ("VS Code", _goto)),
    **{name: (name.capitalize(), _goto) for name in ("codium", "vscodium", "cursor", "windsurf")},
    "subl": ("Sublime Text", _colon),
    "zed": ("Zed", _colon),
    **{name: (label, _line) for name, label in (("idea", "IntelliJ"), ("pycharm", "PyCharm"), ("kate", "Kate"))},
    **{name: (name, _plus) for name in ("gvim", "mvim", "gedit", "gnome-text-editor")},
}
"""By the name of the program: how the page calls it, and its arguments. Each opens a window, and needs no terminal."""


class Editor(NamedTuple):
    """An editor.

    Attributes:
        kind: ``link`` if the browser opens it by an address, ``command`` if the server starts it.
        label: Its name.
        template: The address, with ``{path}`` and ``{line}``; "" for a command.
        words: The words of its command line before those of the file.
    """

    kind: str
    label: str
    template: str = ""
    words: tuple[str, ...] = ()


LINK: Final = Editor("link", "VS Code", "vscode://file{path}:{line}")


def find_editor(environment: Mapping[str, str]) -> Editor:
    """Return the user's editor by ``VISUAL`` or ``EDITOR``, if its program is known and there."""
    for name in ("VISUAL", "EDITOR"):
        try:
            words = tuple(shlex.split(environment.get(name, "")))
        except ValueError:
            continue
        if words and _program(words) in _KNOWN and shutil.which(words[0], path=environment.get("PATH")):
            return Editor("command", _KNOWN[_program(words)][0], words=words)
    return LINK


def open_file(service: ProjectService, file: str, line: int) -> None:
    """Open a file of the project in the user's editor.

    Raises:
        NotAllowedError: The user has no editor that the server can start.
        NothingThereError: The project has no such file.
    """
    editor = find_editor(service.environment)
    if editor.kind != "command":
        raise NotAllowedError(
            "no editor is known that has a window of its own", hint="set VISUAL, for example to 'code'"
        )
    path = project_file(service, file)
    arguments = _KNOWN[_program(editor.words)][1](path, line)
    threading.Thread(
        target=_run, args=([*editor.words, *arguments], service), name="editor", daemon=True
    ).start()  # some editors keep their caller waiting


def _run(command: list[str], service: ProjectService) -> None:
    with contextlib.suppress(OSError):
        subprocess.run(  # noqa: S603  # the user's own editor
            command,
            cwd=service.root,
            env=dict(service.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )


def project_file(service: ProjectService, file: str) -> str:
    """Return the absolute path of a file of the project, which is not behind a link that leads out of it.

    Raises:
        NothingThereError: There is no such file.
    """
    root = os.path.realpath(service.root)
    try:
        path = os.path.join(service.root, ArtifactPath.parse(file))
    except (PivotError, ValueError):
        raise NothingThereError(f"the project has no file {file!r}") from None
    real = os.path.realpath(path)
    if not (real.startswith(f"{root}{os.sep}") and os.path.isfile(real)):
        raise NothingThereError(f"the project has no file {file!r}")
    return path


def _program(words: tuple[str, ...]) -> str:
    return os.path.basename(words[0])
