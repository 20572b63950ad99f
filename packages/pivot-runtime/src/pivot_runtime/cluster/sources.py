"""The sources of a project for workers: the files that a load is known to read, their archive, and its extraction."""

import contextlib
import io
import os
import pathlib
import stat
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

import attrs

from pivot_cache.files import safe_read
from pivot_cache.layout import Layout
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import RESERVED_DIRS, STATE_DIR, below, is_within, parent_names
from pivot_core.lock import CodeEntry
from pivot_core.values import Value
from pivot_runtime.errors import ConfigError, EngineError
from pivot_runtime.freshness.load_trace import FILE, NAMES, PROBE, TYPE
from pivot_runtime.loading.loaded import Loaded

_NEVER: Final = RESERVED_DIRS | {"__pycache__", "node_modules", "site-packages"}
"""The names of directories whose files are no sources."""
_SECRET: Final = (".env", ".env.*", "*.env")
"""Names of files that patterns do not include, and that are not sent because a worker says that it used them."""
_ENVIRONMENT: Final = "pyvenv.cfg"
_INIT: Final = "__init__.py"
MOST_BYTES: Final = 256 << 20
"""The most bytes of sources; larger ones are data that a load should not read."""
_MOST_EXTRACTED: Final = 2 * MOST_BYTES


class ArchiveError(EngineError):
    """An archive of sources is damaged, or names paths outside the project."""


@attrs.frozen(eq=False, repr=False)
class Archive(Value):
    """The sources of a project.

    Attributes:
        digest: The digest of the files, with their names.
        data: The compressed archive.
    """

    digest: str
    data: bytes = attrs.field(repr=False)


def collect(
    root: pathlib.Path, loads: Iterable[Loaded], *, include: Sequence[str] = (), observed: Iterable[str] = ()
) -> dict[str, pathlib.Path]:
    """The files below the root that the loads read, by their path relative to it, sorted.

    Files that stages write, declared or not, and links to files outside the project, are no sources.

    Args:
        root: The project's root.
        loads: The loads of its pipeline files.
        include: Patterns, as in a ``.gitignore``, of further files; they match no ``.env`` file.
        observed: Further files, relative to the root, with code that stages were observed to use.

    Raises:
        ConfigError: A pattern is invalid.
    """
    loads = list(loads)
    outs = {str(out.path) for load in loads for stage in load.stages for out in stage.spec.outs}
    layout = Layout(root)
    own = {os.fspath(file) for file in (layout.config_file, layout.ignore_file)}
    found = {name for file in _known(root, loads, observed) if (name := _name(root, file)) is not None}
    if include:
        found |= set(_matching(root, _matcher(include), outs))
    found |= {
        f"{directory}/{_INIT}" for name in list(found) if name.endswith(".py") for directory in parent_names(name)
    }
    found = {name for name in found if not _is_out(name, outs)} - _written(root, loads)
    found |= {name for file in own if (name := below(file, os.fspath(root))) is not None}
    real = os.path.realpath(root)
    return {name: root / name for name in sorted(found) if _is_file_within(os.path.join(root, name), real)}


def looked_at(root: pathlib.Path, loads: Iterable[Loaded], files: Collection[str]) -> list[str]:
    """The files of the project that the imports looked at, but did not read, and those directories that they listed.

    Workers lack them, so that an import there may find other stages: all that are not among ``files``, as `collect`
    returns them, and that patterns can include. A directory ends with a slash.
    """
    loads = list(loads)
    outs = {str(out.path) for load in loads for stage in load.stages for out in stage.spec.outs}
    facts = {fact for load in loads if load.trace is not None for fact in load.trace.facts}
    base, real, never = os.fspath(root), os.path.realpath(root), {*files, *_written(root, loads)}

    def is_unsent(name: str) -> bool:
        if name in never or _is_out(name, outs) or _is_secret(os.path.basename(name)):
            return False
        return _is_file_within(f"{base}/{name}", real)

    listed = {f"{name}/" for fact in facts if fact.kind == NAMES and (name := _name(root, fact.subject)) is not None}
    found = {name for name in listed if any(map(is_unsent, _entries(base, name)))}
    if any(fact.kind == NAMES and fact.subject == base for fact in facts):
        found.update(filter(is_unsent, _entries(base, "")))
    probed = (_name(root, fact.subject) for fact in facts if fact.kind in (PROBE, TYPE))
    found |= {name for name in probed if name is not None and is_unsent(name) and not name.startswith(tuple(found))}
    return sorted(found)


def _entries(root: str, directory: str) -> list[str]:
    try:
        return [f"{directory}{name}" for name in os.listdir(f"{root}/{directory}")]
    except OSError:
        return []


def _known(root: pathlib.Path, loads: Sequence[Loaded], observed: Iterable[str]) -> Iterator[str]:
    for load in loads:
        yield from (file for file, digest in {**load.sources, **load.read}.items() if digest)
        if load.trace is not None:
            yield from (fact.subject for fact in load.trace.facts if fact.kind == FILE)
        names = {name for stage in load.stages for name in _files(stage.code)}
        yield from (os.path.join(root, name) for name in names)
    yield from (os.path.join(root, name) for name in observed if not _is_secret(os.path.basename(name)))


def _written(root: pathlib.Path, loads: Sequence[Loaded]) -> set[str]:
    """The files that commands name and that are no code: their runs have created them."""
    stages = [(load, stage) for load in loads for stage in load.stages]
    return {name for load, stage in stages for name in stage.spec.named if os.path.join(root, name) not in load.sources}


def _files(code: Mapping[str, CodeEntry]) -> Iterator[str]:
    return (entry.location.file for entry in code.values() if entry.location is not None)


def _name(root: pathlib.Path, file: str) -> str | None:
    """The path of a file relative to the root; None if it cannot be a source."""
    name = below(os.path.normpath(file), os.fspath(root))
    return None if name is None or name == "." or not _NEVER.isdisjoint(name.split("/")) else name


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    from pathspec import GitIgnoreSpec  # lazy

    try:
        return GitIgnoreSpec.from_lines(patterns).match_file
    except ValueError as error:
        raise ConfigError(str(error), key="worker.include", hint="one pattern each, as in a .gitignore") from None


def _matching(root: pathlib.Path, matches: Callable[[str], bool], outs: set[str]) -> Iterator[str]:
    todo = [""]
    while todo:
        directory = todo.pop()
        try:
            with os.scandir(root / directory) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError:
            continue
        if directory and any(entry.name == _ENVIRONMENT for entry in entries):
            continue
        for entry in entries:
            name = f"{directory}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NEVER and name not in outs:
                    todo.append(f"{name}/")
            elif matches(name) and not _is_secret(entry.name):
                yield name


def _is_secret(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _SECRET)


def _is_out(name: str, outs: set[str]) -> bool:
    return name in outs or any(parent in outs for parent in parent_names(name))


def _is_file_within(file: str, root: str) -> bool:
    """Whether a path is a regular file in a directory, also if links are followed."""
    real = os.path.realpath(file)
    return is_within(real, root) and os.path.isfile(real)


def pack(files: Mapping[str, pathlib.Path], most: int = MOST_BYTES) -> Archive:
    """The archive of files; equal files with equal names give the same. Files that were just removed are left out.

    Raises:
        EngineError: A file cannot be read, or all together have more than ``most`` bytes.
    """
    buffer = io.BytesIO()
    _refuse_too_large(files, most)
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, file in sorted(files.items()):
            try:
                with safe_read.open_regular(file) as source:
                    data, mode = source.read(), os.fstat(source.fileno()).st_mode
            except FileNotFoundError:
                continue
            except OSError as error:
                raise EngineError(f"{name} cannot be read: {error.strerror or error}") from None
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o755 if mode & stat.S_IXUSR else 0o644
            tar.addfile(member, io.BytesIO(data))
    content = buffer.getvalue()
    return Archive(digest_bytes(content), zlib.compress(content))


def _refuse_too_large(files: Mapping[str, pathlib.Path], most: int) -> None:
    sizes: dict[str, int] = {}
    for name, file in files.items():
        with contextlib.suppress(OSError):
            sizes[name] = file.stat().st_size
    total = sum(sizes.values())
    if total > most:
        largest = max(sizes, key=lambda name: sizes[name])
        raise EngineError(
            f"the sources for workers have {total / 1e6:.0f} MB, and {largest} alone {sizes[largest] / 1e6:.0f} MB",
            hint=f"at most {most / 1e6:.0f} MB are sent: let stages declare large files as deps, which no import reads "
            "and worker.include does not name",
        )


def extract(data: bytes, digest: str, target: pathlib.Path) -> dict[str, str]:
    """Extract an archive into an empty directory; return the digest of each file by its path in it.

    Raises:
        ArchiveError: The archive is damaged, is not that of this digest, or names a path outside the directory.
        OSError: The files cannot be written.
    """
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(data, _MOST_EXTRACTED)
    except zlib.error as error:
        raise ArchiveError(f"the archive of the sources is damaged: {error}") from None
    if digest_bytes(content) != digest:
        raise ArchiveError("the archive of the sources is damaged: its digest differs")
    digests = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isreg() and is_safe(member.name) else None
                if source is None:
                    raise ArchiveError(f"the archive of the sources has no file of the project at {member.name!r}")
                file = target / member.name
                file.parent.mkdir(parents=True, exist_ok=True)
                text = source.read()
                mode = 0o755 if member.mode & stat.S_IXUSR else 0o644
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
                with open(descriptor, "wb") as copy:
                    copy.write(text)
                digests[member.name] = digest_bytes(text)
    except tarfile.TarError as error:
        raise ArchiveError(f"the archive of the sources is damaged: {error}") from None
    return digests


def is_safe(name: str) -> bool:
    """Whether a name in an archive is that of a source: relative, and in the directory of no tool but our settings."""
    parts = name.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        return False
    return name == below(os.fspath(Layout(pathlib.Path("/")).config_file), "/") or (
        parts[0].casefold() != STATE_DIR and _NEVER.isdisjoint(parts)
    )
