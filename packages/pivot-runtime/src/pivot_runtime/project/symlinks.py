"""Refuses symbolic links in place of Pivot's own files, which could lead its writes elsewhere."""

import os
import pathlib
import shlex

from pivot_cache.layout import DATABASES, OWN_DIRECTORIES
from pivot_core.discovery import find_root
from pivot_core.errors import DiscoveryError
from pivot_core.paths import STATE_DIR
from pivot_runtime.errors import LinkError

_IGNORE = ".pivotignore"
_EDITOR = ".#"
"""Editors mark a file that they change by a link of such a name, which leads nowhere; nothing of Pivot's has one."""


def find(cwd: pathlib.Path) -> pathlib.Path:
    """The root of the project around ``cwd``, in which nothing of Pivot's own is a symbolic link.

    Raises:
        DiscoveryError: There is none.
        LinkError: There is such a link.
    """
    try:
        root = find_root(cwd)
    except DiscoveryError:
        for directory in (cwd, *cwd.parents):  # one that leads nowhere
            if os.path.islink(directory / STATE_DIR):
                refuse(directory, cwd)
        raise
    refuse(root, cwd)
    return root


def refuse(root: pathlib.Path, cwd: pathlib.Path) -> None:
    """Refuse a symbolic link where something of Pivot's own is to be; where it leads does not matter.

    Raises:
        LinkError: There is one, shown as from ``cwd``.
    """
    for name in (STATE_DIR, _IGNORE):
        if os.path.islink(root / name):
            raise _refusal(root, name, cwd)
    for place in OWN_DIRECTORIES:
        directory = os.path.join(STATE_DIR, place)
        try:
            with os.scandir(root / directory) as entries:
                found = min(
                    (each.name for each in entries if each.is_symlink() and not _of_editor(each.name)), default=""
                )
        except OSError:  # whoever needs the directory tells
            continue
        if found:
            raise _refusal(root, os.path.join(directory, found), cwd)


def _of_editor(name: str) -> bool:
    return name.startswith(_EDITOR)


def _refusal(root: pathlib.Path, name: str, cwd: pathlib.Path) -> LinkError:
    file = root / name
    shown = os.path.relpath(file, cwd)
    leads = os.readlink(file)
    where = leads if os.path.exists(file) else f"{leads}, where nothing is"
    return LinkError(
        f"{shown} is a symbolic link to {where}; Pivot follows no links there", hint=_hint(name, shown, file)
    )


def _hint(name: str, shown: str, file: pathlib.Path) -> str:
    quoted = shlex.quote(shown)
    removed = f"remove the link: rm {quoted}"
    if name == STATE_DIR:
        return f"{removed}; then 'pivot init' makes a directory of the project's own"
    inner = name.removeprefix(f"{STATE_DIR}/")
    if inner == "cache":
        return f"{removed}; to keep the cache elsewhere: pivot config set cache.dir DIRECTORY"
    if inner.startswith((DATABASES, "cache/")):
        return f"{removed}; Pivot makes again what is missing there"
    if inner.startswith("stages"):
        return f"{removed}; then 'git checkout' what was recorded, or 'pivot repro'"
    if file.is_file():
        copy = shlex.quote(f"{shown}.copy")
        return f"put a copy in place of the link: cp {quoted} {copy} && mv {copy} {quoted}; or rm {quoted}"
    return removed
