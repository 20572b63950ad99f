"""The directory of `cache.dir`: variables expanded, created, and kept out of git."""

import os
import pathlib
import re
import shlex
from collections.abc import Mapping
from typing import Final

from pivot_cache.files.atomic import make_directory
from pivot_cache.layout import Layout
from pivot_runtime.errors import ConfigError
from pivot_runtime.git import gitignore
from pivot_runtime.project import cache_mount

_KEY: Final = "cache.dir"
_VARIABLE: Final = re.compile(r"\$(?:\{([^{}]*)\}|([A-Za-z_][A-Za-z0-9_]*))?")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MADE: Final = ("files", "runs", "quarantine", "partial", "trash", "projects", "gc.guard", gitignore.FILE)


def expand(text: str, environment: Mapping[str, str]) -> pathlib.Path:
    """Expand ``~``, ``~user``, ``$NAME`` and ``${NAME}`` in a path.

    Raises:
        ConfigError: The variable or user does not exist.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2] or ""
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{text!r} has a $ that no name of a variable follows", key=_KEY, hint="write $NAME or ${NAME}"
            )
        if not environment.get(name):
            raise ConfigError(
                f"the environment variable {name} is not set", key=_KEY, hint="set it, or write the directory itself"
            )
        return environment[name]

    path = _VARIABLE.sub(value, text)
    if not path.startswith("~"):
        return pathlib.Path(path)
    user, _, rest = path.partition("/")
    home = environment.get("HOME") if user == "~" else None
    home = home or os.path.expanduser(user)
    if not os.path.isabs(home):
        raise ConfigError(f"the home directory of {user} is unknown", key=_KEY, hint="write the directory itself")
    return pathlib.Path(home, rest)


def variables(text: str) -> set[str]:
    """Return the names of the environment variables in a path."""
    return {found[1] or found[2] or "" for found in _VARIABLE.finditer(text)}


def prepare(layout: Layout, shared: str | None = None) -> None:
    """Create the directory of a cache that is not in the default place; if it is in the project, keep it out of git.

    It is not created where a file system is missing: that of the ``shared`` directory of a cluster, or the one that
    the cache was on when it was last used.

    Raises:
        ConfigError: The directory cannot be created, or a file system is missing.
    """
    home = layout.cache
    if home is None:
        return
    if not layout.objects_dir.is_dir():
        _check_mounts(layout, home, shared)
    if not home.is_dir():
        _make(home)
    if not layout.cache_mount_file.exists():
        cache_mount.remember(layout)
    if home.is_relative_to(layout.root):
        for name in _MADE:
            gitignore.add(home, name)


def _check_mounts(layout: Layout, home: pathlib.Path, shared: str | None) -> None:
    if shared is not None and home.is_relative_to(shared) and not os.path.isdir(shared):
        raise ConfigError(
            f"there is no directory {shared}",
            key="executor.shared",
            hint="mount the file system that the machines share; or create the directory: "
            f"mkdir -p {shlex.quote(shared)}",
        )
    absent = cache_mount.absent(layout)
    if absent is not None:
        raise ConfigError(
            f"{home} was on a file system at {absent}, where none is mounted now",
            key=_KEY,
            hint=f"mount it; or begin a new cache on this one: mkdir -p {shlex.quote(os.fspath(layout.objects_dir))}",
        )


def _make(home: pathlib.Path) -> None:
    hint = "pivot config set cache.dir DIRECTORY, or 'pivot config unset cache.dir' for the default"
    if home.is_symlink() and not home.exists():
        problem = f"{home} is a symbolic link that leads nowhere"
        raise ConfigError(problem, key=_KEY, hint=f"create its target; or {hint}")
    try:
        make_directory(home)
    except OSError as error:
        problem = f"{home} cannot be a directory: {error.strerror}"
        raise ConfigError(problem, key=_KEY, hint=hint) from None
