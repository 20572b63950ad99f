"""The files that the command of a shell stage depends on: its text, and the files that it names."""

import contextlib
import os
import pathlib
import stat
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pivot_cache.layout import Layout
from pivot_core import digest
from pivot_core.errors import PathError
from pivot_core.paths import ArtifactPath
from pivot_core.pipeline import Pipeline
from pivot_core.spec import Location
from pivot_core.stages.command import KEY, Command, filled_in, words
from pivot_core.stages.stage import Stage
from pivot_fingerprint import Entry, Manifest, Unresolved
from pivot_runtime.definitions import created_files

_LARGEST: Final = 1 << 24
"""Bytes; what is larger is no code."""


class ShellInputs(NamedTuple):
    """The files that a command depends on.

    Attributes:
        manifest: Its text, and the files that it names without declaring them.
        sources: The digest of each such file, by absolute path.
        named: Where they lie, or would lie.
        texts: Its text, by its key in the manifest.
        record: The file that remembers what its runs created.
    """

    manifest: Manifest
    sources: Mapping[str, str]
    named: tuple[ArtifactPath, ...]
    texts: Mapping[str, str]
    record: pathlib.Path


def all_shell_inputs(pipelines: Iterable[Pipeline], *, base: str, root: str) -> dict[str, ShellInputs]:
    """The files that the command of each shell stage depends on, by the stage's address.

    Raises:
        PivotError: The paths of a stage cannot be artifacts.
    """
    found = {}
    layout = Layout(pathlib.Path(root))
    for pipeline in pipelines:
        commands = {name: each.func for name, each in pipeline.stages.items() if isinstance(each.func, Command)}
        for spec in pipeline.specs(base=base, root=root) if commands else ():
            if spec.name in commands:
                stage = pipeline.stages[spec.name]
                found[spec.address] = shell_inputs(
                    stage, commands[spec.name], created_files.record_of(layout, spec.address), base=spec.base, root=root
                )
    return found


def shell_inputs(stage: Stage, command: Command, record: pathlib.Path, *, base: str, root: str) -> ShellInputs:
    """The files that the command of a stage that runs in ``base`` depends on besides its deps and parameters.

    Files that its runs created, as ``record`` remembers, are listed as not tracked.
    """
    text = filled_in(command.text, stage.deps, stage.outs)
    at = stage.location.below(root)
    entries = {KEY: Entry(digest.of_bytes(text.encode()), at.file, at.line)}
    unresolved = [
        _open(at, "the programs that it calls, and what they read beyond its deps and the files that it names")
    ]
    sources = {}
    named = []
    by_runs = created_files.remembered(record)
    for word, path in _paths(text, base, root):
        declared = [
            _resolved(each, base, root) for item in (*stage.deps.values(), *stage.outs.values()) for each in item.paths
        ]
        file = os.path.join(root, path)
        if any(_inside(path, each) for each in declared):
            continue
        if os.path.isdir(file):
            if not any(_inside(each, path) for each in declared):
                unresolved.append(
                    _open(at, f"the directory {str(path)!r}, which it names: declare what it reads there")
                )
            continue
        named.append(path)
        if word in by_runs:
            unresolved.append(_open(at, f"{str(path)!r}, which it creates: declare it as an out"))
            continue
        try:
            status = os.stat(file)
            if not stat.S_ISREG(status.st_mode):  # a device may have no end
                continue
            content = pathlib.Path(file).read_bytes() if status.st_size <= _LARGEST else None
        except OSError:
            continue
        if content is None:
            unresolved.append(_open(at, f"{str(path)!r}, which it names: too large for code, so declare it as a dep"))
            continue
        found = sources[file] = digest.of_bytes(content)
        entries[f"file:{path}"] = Entry(found, str(path), 1, content.count(b"\n") + 1, 1, KEY)
    return ShellInputs(Manifest(entries, tuple(unresolved)), sources, tuple(named), {KEY: text}, record)


def _paths(text: str, base: str, root: str) -> Iterable[tuple[str, ArtifactPath]]:
    """Words of the command, and the places in the project that they may mean, each once."""
    found: dict[ArtifactPath, str] = {}
    for word in words(text):
        with contextlib.suppress(PathError):
            found.setdefault(ArtifactPath.resolve(word, base=base, root=root), word)
    return [(word, path) for path, word in found.items()]


def _resolved(declared: str, base: str, root: str) -> str:
    return str(ArtifactPath.resolve(declared, base=base, root=root))


def _inside(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/")


def _open(at: Location, reason: str) -> Unresolved:
    return Unresolved(at.file, at.line, reason, KEY)
