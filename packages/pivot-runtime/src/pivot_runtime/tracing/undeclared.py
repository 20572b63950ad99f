"""The files that a stage used and did not declare, and the line that would declare each; pure."""

import json
import keyword
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

import attrs

from pivot_core.errors import PathError
from pivot_core.graph import Graph
from pivot_core.paths import ArtifactPath, is_within
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.tracing.usage import UsedFiles

_MANY = 3
"""More files than these in one directory are declared as the directory."""


@attrs.frozen(eq=False, repr=False)
class Undeclared(Value):
    """Something that a stage used and that is nowhere in its signature.

    Attributes:
        path: The file, or the directory that holds what was used.
        wrote: It was written; else it was read.
        line: The line to add to the signature: a parameter for what is read, a key of the returned TypedDict for what
            is written. Empty where another stage writes it already: then no line would do.
        owner: The address of the stage whose out it is, if it is one.
        count: How many files were used in a directory; 1 for a file.
    """

    path: ArtifactPath
    wrote: bool
    line: str
    owner: str | None = None
    count: int = 1


def undeclared(
    seen: UsedFiles,
    spec: StageSpec,
    graph: Graph,
    ignored: Callable[[str], bool] = lambda _: False,
    *,
    shell: bool = False,
) -> tuple[Undeclared, ...]:
    """The declarations that ``spec`` lacks after a run with these observations, writes last.

    Args:
        seen: The observations.
        spec: The stage.
        graph: It knows who writes what.
        ignored: Whether a path is of no interest.
        shell: It runs a shell command, so that it has no signature.
    """
    line = _entry if shell else _line
    return tuple(
        Undeclared(
            path,
            wrote,
            "" if wrote and owner is not None else line(path, spec, wrote=wrote, directory=directory),
            owner,
            count,
        )
        for paths, wrote in ((seen.read, False), (seen.wrote, True))
        for path, directory, owner, count in _used(_artifacts(paths, ignored), spec, graph)
    )


def _used(
    paths: Iterable[ArtifactPath], spec: StageSpec, graph: Graph
) -> Iterator[tuple[ArtifactPath, bool, str | None, int]]:
    """The files that should be declared: path, whether it is a directory, whose out it is, how many files it means."""
    declared = [*spec.deps, *(out.path for out in spec.outs), *spec.named]
    loose: dict[str, list[ArtifactPath]] = {}
    owned: dict[ArtifactPath, list[ArtifactPath]] = {}
    for path in paths:
        if any(is_within(path, each) for each in declared):
            continue
        owner = next((out for out in (path, *_parents(path)) if out in graph.producers), None)
        if owner is None:
            loose.setdefault(posixpath.dirname(path), []).append(path)
        else:
            owned.setdefault(owner, []).append(path)
    for out, inside in sorted(owned.items()):
        yield out, False, graph.producers[out], len(inside)
    for directory, files in sorted(loose.items()):
        if len(files) > _MANY and _may_be_declared(directory, spec, graph):
            yield ArtifactPath(directory), True, None, len(files)
        else:
            yield from ((path, False, None, 1) for path in files)


def _may_be_declared(directory: str, spec: StageSpec, graph: Graph) -> bool:
    """A directory that holds outs, or the pipeline itself, is not to be declared as a whole."""
    return bool(directory) and not graph.writers(ArtifactPath(directory)) and not is_within(spec.base or "", directory)


def _entry(path: ArtifactPath, spec: StageSpec, *, wrote: bool, directory: bool) -> str:
    shown = path.relative_to(spec.base) + "/" * directory
    return f"{'outs' if wrote else 'deps'}: [{json.dumps(shown, ensure_ascii=False)}]"


def _line(path: ArtifactPath, spec: StageSpec, *, wrote: bool, directory: bool) -> str:
    quoted = json.dumps(path.relative_to(spec.base), ensure_ascii=False)
    kind = ("DirectoryOut" if directory else "Out") if wrote else "Dep"
    # The stage opens the file itself, so no loader has to.
    return f"{_name(path)}: Annotated[pathlib.Path, pivot.{kind}({quoted}, pivot.loaders.PathOnly())]"


def _name(path: ArtifactPath) -> str:
    """A name in Python made of the file's."""
    stem = posixpath.basename(path).partition(".")[0] or posixpath.basename(path)
    name = re.sub(r"\W+", "_", stem, flags=re.ASCII).strip("_").lower()
    if not name:
        return "file"
    return f"{name}_" if keyword.iskeyword(name) else f"file_{name}" if name[0].isdigit() else name


def _artifacts(paths: Iterable[str], ignored: Callable[[str], bool]) -> Iterator[ArtifactPath]:
    for path in sorted(paths):
        if ignored(path):
            continue
        try:
            yield ArtifactPath.resolve(path)
        except PathError:  # it cannot be declared at all
            continue


def _parents(path: ArtifactPath) -> Iterator[ArtifactPath]:
    end = path.rfind("/")
    while end > 0:
        yield ArtifactPath(path[:end])
        end = path.rfind("/", 0, end)
