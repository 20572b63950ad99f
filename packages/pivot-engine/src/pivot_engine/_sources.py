"""Importing the user's modules from their source, never from a stale ``.pyc``, and recording which."""

import importlib.machinery
import os
import site
import sysconfig
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

from pivot_core import digest

_OWN = ("pivot", "pivot_cache", "pivot_cli", "pivot_core", "pivot_engine", "pivot_fingerprint", "pivot_remote_s3")
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def user_code_predicate() -> Callable[[str], bool]:
    """Decides whether a file is the user's code: not installed, not the standard library, not Pivot itself.

    What a developer put on the path by hand (the project, an editable install, ``PYTHONPATH``)
    is theirs to edit, so it counts; what an installer put there changes with its version.
    """
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    installed |= {*site.getsitepackages(), site.getusersitepackages()}
    prefixes = tuple(f"{os.path.realpath(path)}{os.sep}" for path in (*installed, *_own_directories()) if path)
    known: dict[str, bool] = {}

    def is_user_code(file: str) -> bool:
        verdict = known.get(file)
        if verdict is None:
            real = os.path.realpath(file)
            verdict = (
                not file.startswith("<") and not real.startswith(prefixes) and _INSTALLED.isdisjoint(real.split(os.sep))
            )
            known[file] = verdict
        return verdict

    return is_user_code


def _own_directories() -> Iterable[str]:
    """Where Pivot's packages lie, which in its own checkout is no installed place."""
    for name in _OWN:
        spec = importlib.machinery.PathFinder.find_spec(name)
        if spec is not None:
            yield from spec.submodule_search_locations or ()


def import_from_source(is_user_code: Callable[[str], bool], seen: dict[str, str]) -> None:
    """From now on compile the user's modules from their source, and note each file's digest in ``seen``.

    A ``.pyc`` is validated by size and whole seconds, so an edit of the same size within the
    same second would run the old code under the new fingerprint. Every loader of source
    files is a `SourceFileLoader`, also those of editable installs, so it is changed there.
    """
    loader: Any = importlib.machinery.SourceFileLoader
    path_stats, source_to_code = loader.path_stats, loader.source_to_code

    def no_cache_for_user_code(self: Any, path: str) -> Any:
        if is_user_code(path):
            raise OSError  # what the import system takes for "do not look for a .pyc, and write none"
        return path_stats(self, path)

    def noting(self: Any, data: Any, path: Any, **options: Any) -> CodeType:
        name = os.fspath(path)
        if isinstance(data, bytes) and is_user_code(name):
            seen[os.path.abspath(name)] = digest.of_bytes(data)
        code: CodeType = source_to_code(self, data, path, **options)
        return code

    loader.path_stats, loader.source_to_code = no_cache_for_user_code, noting


def changed(seen: dict[str, str]) -> list[str]:
    """The noted files whose bytes are no longer those that were imported."""
    return [file for file, known in seen.items() if _digest(file) != known]


def _digest(file: str) -> str | None:
    try:
        with open(file, "rb") as source:  # in step with the import system, which knows only texts
            return digest.of_bytes(source.read())
    except OSError:
        return None
