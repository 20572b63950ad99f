"""Imports the user's modules from source, never from a stale ``.pyc``, and records them."""

import functools
import importlib.machinery
import importlib.util
import marshal
import os
import site
import stat
import struct
import sysconfig
import time
import warnings
from _thread import _count as started_threads
from collections.abc import Callable, Mapping
from os import lstat  # a recorder of the user's calls may replace the function of the module
from types import CodeType
from typing import Any

from pivot_cache.files.signatures import settles_at
from pivot_core.files.digest import digest_bytes
from pivot_runtime.definitions.code_cache import CodeCache

ABSENT = ""
"""Replaces the digest of a file that was looked for and did not exist."""

_OWN = (
    *("pivot", "pivot_cache", "pivot_cli", "pivot_core", "pivot_dask", "pivot_fingerprint", "pivot_loaders"),
    *("pivot_mcp", "pivot_remote_obstore", "pivot_remote_s3", "pivot_remote_ssh", "pivot_runtime", "pivot_ui"),
)
_WORD = 0xFFFFFFFF
_INSTALLED = frozenset({"site-packages", "dist-packages"})


@functools.cache
def user_code_predicate() -> Callable[[str], bool]:
    """Create a predicate for user code: not installed, not in the standard library, and not Pivot itself.

    Directories that a developer put on the path (the project, an editable install, ``PYTHONPATH``) are user code, since
    developers edit them; installed files change only with their version.
    """
    prefixes = tuple(f"{os.path.realpath(path)}{os.sep}" for path in (*installed_directories(), *own_directories()))
    known: dict[str, bool] = {}
    directories: dict[str, str] = {}
    # Cached, since each stage's process checks the same few files, and resolving their links takes longer than a tiny
    # stage.
    own = tuple(os.path.join(path, "") for path in own_directories())
    library = os.path.join(sysconfig.get_path("stdlib"), "")

    def is_user_code(file: str) -> bool:
        if file.startswith(own) or (file.startswith(library) and not any(part in file for part in _INSTALLED)):
            return False
        verdict = known.get(file)
        if verdict is None:
            real = _real_path(file, directories)
            verdict = (
                not file.startswith("<") and not real.startswith(prefixes) and _INSTALLED.isdisjoint(real.split(os.sep))
            )
            known[file] = verdict
        return verdict

    return is_user_code


def _real_path(file: str, directories: dict[str, str]) -> str:
    """The path of a file without symbolic links; ``directories`` keeps the paths of directories without links."""
    directory, _, name = file.rpartition(os.sep)
    if not os.path.isabs(file) or name in ("", os.curdir, os.pardir):
        return os.path.realpath(file)
    try:
        if stat.S_ISLNK(lstat(file).st_mode):
            return os.path.realpath(file)
    except (OSError, ValueError):
        return os.path.realpath(file)
    real = directories.get(directory)
    if real is None:
        real = directories[directory] = os.path.realpath(directory)
    return os.path.join(real, name)


def installed_directories() -> set[str]:
    """Return the directories of the standard library and of installed packages."""
    found = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return {path for path in (*found, *site.getsitepackages(), site.getusersitepackages()) if path}


@functools.cache
def own_directories() -> tuple[str, ...]:
    """The directories of Pivot's packages, which may be outside installed places, as in Pivot's own checkout."""
    specs = (importlib.machinery.PathFinder.find_spec(name) for name in _OWN)
    return tuple(place for spec in specs if spec is not None for place in spec.submodule_search_locations or ())


def import_from_source(
    is_user_code: Callable[[str], bool],
    seen: dict[str, str],
    cache: CodeCache | None = None,
    compiled: Callable[[CodeType], None] = lambda _: None,
) -> None:
    """From now on, compile the user's modules from source, and record each file's digest in ``seen``.

    The code of equal source comes from ``cache``, and ``compiled`` receives the code of each module.

    A ``.pyc`` is validated by size and whole seconds, so after an edit within the same second that keeps the size, the
    old code would run under the new fingerprint. Every loader of source files, including those of editable installs, is
    a `SourceFileLoader`, so that class is patched.
    """
    loader: Any = importlib.machinery.SourceFileLoader
    path_stats, source_to_code = loader.path_stats, loader.source_to_code

    def no_cache_for_user_code(self: Any, path: str) -> Any:
        if is_user_code(path):
            raise OSError  # tells the import system not to look for a .pyc, and not to write one
        return path_stats(self, path)

    def noting(self: Any, data: Any, path: Any, **options: Any) -> CodeType:
        name = os.fspath(path)
        if isinstance(data, bytes) and is_user_code(name):
            seen[os.path.abspath(name)] = digest_bytes(data)
            known = cache if not options else None  # options are not in its keys
            code = _code(known, data, name, lambda: source_to_code(self, data, path, **options))
            _remove_misleading(name, code)
            compiled(code)
            return code
        made: CodeType = source_to_code(self, data, path, **options)
        return made

    loader.path_stats, loader.source_to_code = no_cache_for_user_code, noting


def is_importing_from_source() -> bool:
    """Whether `import_from_source` was called here: this process imports user code for Pivot, or runs a stage."""
    loader: Any = importlib.machinery.SourceFileLoader
    return bool(loader.path_stats.__module__ == __name__)


def _code(cache: CodeCache | None, source: bytes, path: str, make: Callable[[], CodeType]) -> CodeType:
    """The code of a source file, which is compiled only if the cache does not have it.

    Code is not kept if compiling it issues warnings, since code from the cache would not issue them.
    """
    if cache is None or started_threads():  # the filter below counts for all threads
        return make()
    key = cache.key(source, path)
    code = cache.get(key)
    if code is not None:
        return code
    filters: list[Any] = warnings.filters  # type: ignore[assignment]  # a list, whatever its declaration says
    raising = ("error", None, Warning, None, 0)
    filters.insert(0, raising)  # the functions of `warnings` would make warnings of the user appear again
    try:
        code = make()
    except Exception:  # noqa: BLE001  # made again to issue the warning, or to raise the error without this frame
        code = None
    finally:
        filters.remove(raising)
    if code is None:
        return make()
    cache.put(key, code)
    return code


def _remove_misleading(source: str, code: CodeType) -> None:
    """Remove a ``.pyc`` with other code that Python would accept: processes that a stage starts read it."""
    try:
        cached = importlib.util.cache_from_source(source)
        lstat(cached)  # most have none, which this says fastest
        with open(cached, "rb") as file:
            header, body = file.read(16), file.read()
        status = os.stat(source)
        stamp = (importlib.util.MAGIC_NUMBER, 0, int(status.st_mtime) & _WORD, status.st_size & _WORD)
        if header == struct.pack("<4sIII", *stamp) and marshal.loads(body) != code:  # noqa: S302  # as Python would
            os.unlink(cached)
    except (OSError, ValueError, EOFError, TypeError, NotImplementedError):
        return


class Changes:
    """Finds the recorded files whose bytes differ from the imported ones; reads only files that may have changed."""

    def __init__(self, seen: Mapping[str, str], stamps: Mapping[str, str] | None = None) -> None:
        """Watch the files of ``seen``, which maps to the digest of the imported bytes, or to `ABSENT`.

        ``stamps`` are those that files have as long as they have these bytes.
        """
        self._seen = seen
        self._verified = {file: tuple(map(int, stamp.split())) for file, stamp in (stamps or {}).items()}

    def find(self) -> list[str]:
        """The files that have changed, disappeared or appeared."""
        return [file for file, known in self._seen.items() if self._changed(file, known)]

    def _changed(self, file: str, known: str) -> bool:
        if known == ABSENT:
            return os.path.isfile(file) and os.access(file, os.R_OK)  # a dangling link still counts as absent
        try:
            status = os.stat(file)
            # The numbers of a stamp, without its text: the files of a large project are looked at after each stage.
            times, place = (status.st_ctime_ns, status.st_mtime_ns), (status.st_ino, status.st_dev, status.st_mode)
            signature = (*times, status.st_size, *place)
            if self._verified.get(file) == signature:
                return False
            now = time.time_ns()
            with open(file, "rb") as source:
                same = digest_bytes(source.read()) == known
        except OSError:
            return True
        if same and settles_at(status.st_ctime_ns) <= now:
            self._verified[file] = signature
        return not same
