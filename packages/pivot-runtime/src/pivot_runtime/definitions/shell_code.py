"""Dependencies of a shell stage's command: its text, and the files that it names.

A file that runs of the command created, and that is not an out, is not code. Its name is in one JSON file for each
stage; this is derived data: without it, such a file counts as code, and the stage runs once more.
"""

import contextlib
import json
import os
import pathlib
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pivot_cache.errors import CacheError
from pivot_cache.files import safe_read
from pivot_cache.files.atomic import write_bytes
from pivot_cache.layout import Layout
from pivot_core.errors import DefinitionError, PathError
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath, is_within
from pivot_core.files.patterns import literal
from pivot_core.pipeline import Pipeline
from pivot_core.spec import Location
from pivot_core.stages.command import KEY, Command, fill_in, words
from pivot_core.stages.notebook import Notebook
from pivot_core.stages.stage import Stage
from pivot_fingerprint import Entry, Manifest, Unresolved

if TYPE_CHECKING:
    from pivot_runtime.programs.program_code import ProgramFinder

_READS: Final = "and what they read beyond its deps and the files that it names"
_MOST: Final = 5
"""The maximum number of other programs that are named."""
_LARGEST: Final = 1 << 24
"""The maximum number of bytes in a file of code."""


class ShellInputs(NamedTuple):
    """The files that a command depends on.

    Attributes:
        manifest: Its text, and the files that it names without declaring them.
        sources: The digest of each such file, by absolute path.
        named: Their paths, whether or not they exist.
        texts: Its text, by its key in the manifest.
        record: The file that lists what its runs created.
        superseded: By the key by which a script counted before its code was followed, the digest that it would have
            now, and the key of the entry of its body.
    """

    manifest: Manifest
    sources: Mapping[str, str]
    named: tuple[ArtifactPath, ...]
    texts: Mapping[str, str]
    record: pathlib.Path
    superseded: Mapping[str, tuple[str, str]] = MappingProxyType({})


def all_shell_inputs(
    pipelines: Iterable[Pipeline],
    *,
    base: str,
    root: str,
    programs: "ProgramFinder",
    values: Callable[[str, str], Mapping[str, Any]],
) -> dict[str, ShellInputs]:
    """The files that the command of each shell stage depends on, by the stage's address.

    Args:
        pipelines: The pipelines of one file.
        base: The directory of the file, relative to the root.
        root: The project's root.
        programs: Follows the Python programs of the commands.
        values: Returns the parameters of a stage, by the names of the stage and of its pipeline.

    Raises:
        PivotError: The paths of a stage cannot be artifacts.
    """
    found = {}
    layout = Layout(pathlib.Path(root))
    pipelines = list(pipelines)
    written = {str(out.path) for each in pipelines for spec in each.specs(base=base, root=root) for out in spec.outs}
    for pipeline in pipelines:
        commands = {
            name: each.func
            for name, each in pipeline.stages.items()
            if isinstance(each.func, Command) and not isinstance(each.func, Notebook)
        }
        for spec in pipeline.specs(base=base, root=root) if commands else ():
            if spec.name in commands:
                stage = pipeline.stages[spec.name]
                found[spec.address] = shell_inputs(
                    stage,
                    commands[spec.name],
                    layout.created_file(spec.address),
                    base=spec.base,
                    root=root,
                    programs=programs,
                    params=values(spec.name, pipeline.name),
                    written=written,
                )
    return found


def shell_inputs(  # noqa: PLR0913  # as for `all_shell_inputs`
    stage: Stage,
    command: Command,
    record: pathlib.Path,
    *,
    base: str,
    root: str,
    programs: "ProgramFinder",
    params: Mapping[str, Any],
    written: Collection[str] = (),
) -> ShellInputs:
    """The files that the command of a stage that runs in ``base`` depends on besides its deps and parameters.

    Python programs count by the code that they reach, other files by their bytes. Files that its runs created,
    according to ``record``, are listed as untracked.
    """
    text = fill_in(command.text, stage.deps, stage.outs)
    at = stage.location.below(root)
    entries = {KEY: Entry(digest_bytes(text.encode()), at.file, at.line)} | place_entries(stage, base, root)
    unresolved: list[Unresolved] = []
    paths = [*(literal(each) for dep in stage.deps.values() for each in dep.paths)]
    paths += [each for out in stage.outs.values() for each in out.paths]
    paths += [file for file in stage.file_params if not file.endswith(".py")]  # which may be the program itself
    declared = [_resolved(each, base, root) for each in paths]
    filled = filled_steps(stage, command, params)
    code = programs.code_of(filled, base, declared=declared, written=written, via=KEY)
    if code.others:
        unresolved.append(_open(at, f"the programs that it calls ({_listed(code.others)}), {_READS}"))
    sources = dict(code.sources)
    entries |= code.manifest
    unresolved += code.manifest.unresolved
    unresolved += [_open(at, reason) for reason in code.open]
    named = [*code.scripts]
    superseded = {}
    by_runs = read_created(record)
    for word, path in _paths(text, base, root):
        file = os.path.join(root, path)
        if any(is_within(path, each) for each in declared):
            continue
        if path in code.scripts:
            superseded[f"file:{path}"] = sources.get(file, ""), code.main.get(path, "")
            continue
        if os.path.isdir(file):
            entered = os.path.normpath(word) in code.entered
            if not entered and not any(is_within(each, path) for each in declared):
                unresolved.append(
                    _open(at, f"the directory {str(path)!r}, which it names: declare what it reads there")
                )
            continue
        named.append(path)
        if word in by_runs:
            unresolved.append(_open(at, f"{str(path)!r}, which it creates: declare it as an out"))
            continue
        try:
            content = _read_code(file)
        except _TooLargeError:
            unresolved.append(_open(at, f"{str(path)!r}, which it names: too large for code, so declare it as a dep"))
            continue
        if content is not None:
            found = sources[file] = digest_bytes(content)
            entries[f"file:{path}"] = Entry(found, str(path), 1, content.count(b"\n") + 1, 1, KEY)
    return ShellInputs(Manifest(entries, tuple(unresolved)), sources, tuple(named), {KEY: text}, record, superseded)


def filled_steps(stage: Stage, command: Command, params: Mapping[str, Any]) -> list[str]:
    """The texts for the shell, with parameters, as far as they can be filled in."""
    try:
        return [fill_in(step, stage.deps, stage.outs, params) for step in command.steps]
    except DefinitionError:  # reported when it runs
        return [fill_in(step, stage.deps, stage.outs) for step in command.steps]


def place_entries(stage: Stage, base: str, root: str) -> dict[str, Entry]:
    """An entry for the directory of a stage, ``base``, if it declares one: what it does there may depend on it."""
    at = stage.location.below(root)
    return {} if stage.wdir == "." else {"wdir": Entry(digest_bytes(base.encode()), at.file, at.line)}


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:_MOST], *(["…"] if len(names) > _MOST else [])])


class _TooLargeError(Exception):
    """A file is too large to be code."""


def _read_code(file: str) -> bytes | None:
    """The content of a file; None if it cannot be read, or is a device, whose content may be endless."""
    try:
        status = os.stat(file)
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_size > _LARGEST:
            raise _TooLargeError
        return pathlib.Path(file).read_bytes()
    except OSError:
        return None


def _paths(text: str, base: str, root: str) -> Iterable[tuple[str, ArtifactPath]]:
    """Words of the command with the paths in the project that they may name, each once."""
    found: dict[ArtifactPath, str] = {}
    for word in words(text):
        with contextlib.suppress(PathError):
            found.setdefault(ArtifactPath.resolve(word, base=base, root=root), word)
    return [(word, path) for path, word in found.items()]


def _resolved(declared: str, base: str, root: str) -> str:
    return str(ArtifactPath.resolve(declared, base=base, root=root))


def _open(at: Location, reason: str) -> Unresolved:
    return Unresolved(at.file, at.line, reason, KEY)


def read_created(record: pathlib.Path) -> frozenset[str]:
    """The words of the command that name files created by a run."""
    try:
        found = safe_read.read_json(record)
    except (OSError, ValueError):
        return frozenset()
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


@contextlib.contextmanager
def note_created(text: str, outs: Iterable[str], record: pathlib.Path | None) -> Iterator[None]:
    """Record the files that a command with this text creates in the current directory, unless it fails.

    Args:
        text: The text of the command, as searched at its load.
        outs: Its declared outs.
        record: The file for the record; None for no record.
    """
    declared = [os.path.normpath(out) for out in outs]
    absent = [word for word in words(text) if not os.path.lexists(word)] if record is not None else []
    yield
    new = {
        word
        for word in absent
        if os.path.isfile(word) and not any(is_within(os.path.normpath(word), each) for each in declared)
    }
    if record is not None and new and not new <= (known := read_created(record)):
        with contextlib.suppress(OSError, CacheError):
            record.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(record, json.dumps(sorted(known | new)).encode())
