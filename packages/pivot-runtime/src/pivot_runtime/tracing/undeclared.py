"""The files that a stage used and does not declare, each with the line that would declare it; pure."""

import json
import keyword
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

import attrs

from pivot_core.errors import PathError
from pivot_core.files.paths import ArtifactPath, is_within
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.tracing.usage import UsedFiles

_MANY = 3
"""The most files of one directory that are declared one by one; of more, the directory is declared."""


@attrs.frozen(eq=False, repr=False)
class Undeclared(Value):
    """A file or directory that a stage used and that is not in its signature.

    Attributes:
        path: The file, or the directory of the files.
        wrote: It was written; else it was read.
        line: The line to add to the signature: a parameter if it was read, a key of the returned TypedDict if it was
            written. Empty if it was written and is the out of another stage, since no declaration allows that.
        owner: The address of the stage whose out it is, if it is one.
        count: The number of files that were used in a directory; 1 for a file.
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
        graph: The graph of all stages.
        ignored: Whether a path needs no declaration.
        shell: The stage is a shell command in a pivot.yaml.
    """
    line = _yaml_line if shell else _python_line
    declared = {*spec.deps, *(out.path for out in spec.outs)}
    return tuple(
        Undeclared(
            path,
            wrote,
            "" if wrote and owner is not None else line(path, spec, wrote=wrote, directory=directory),
            owner,
            count,
        )
        for paths, wrote in ((seen.read, False), (seen.wrote, True))
        for path, directory, owner, count in _groups(
            _artifacts((path for path in paths if path not in declared), ignored), spec, graph
        )
    )


type _Group = tuple[ArtifactPath, bool, str | None, int]
"""Files for which one declaration suffices: its path, whether that is a directory, the owner, and their number."""


def _groups(paths: Iterable[ArtifactPath], spec: StageSpec, graph: Graph) -> Iterator[_Group]:
    """The undeclared ones of some files: by the out that they belong to, by directory if there are many, or alone."""
    declared = [*spec.deps, *(out.path for out in spec.outs), *spec.named]
    patterns = [dep.matcher() for dep in spec.deps if isinstance(dep, PathPattern)]
    by_out: dict[ArtifactPath, list[ArtifactPath]] = {}
    by_directory: dict[str, list[ArtifactPath]] = {}
    for path in paths:
        if any(is_within(path, each) for each in declared) or any(matches(path) for matches in patterns):
            continue
        out = next((each for each in (path, *_parents(path)) if each in graph.producers), None)
        if out is None:
            by_directory.setdefault(posixpath.dirname(path), []).append(path)
        else:
            by_out.setdefault(out, []).append(path)
    for out, inside in sorted(by_out.items()):
        yield out, False, graph.producers[out], len(inside)
    for directory, files in sorted(by_directory.items()):
        if len(files) > _MANY and _may_be_declared(directory, spec, graph):
            yield ArtifactPath(directory), True, None, len(files)
        else:
            yield from ((path, False, None, 1) for path in files)


def _may_be_declared(directory: str, spec: StageSpec, graph: Graph) -> bool:
    """Whether a directory can be declared as a whole: it contains neither outs nor the pipeline."""
    return bool(directory) and not graph.writers(ArtifactPath(directory)) and not is_within(spec.base or "", directory)


def _yaml_line(path: ArtifactPath, spec: StageSpec, *, wrote: bool, directory: bool) -> str:
    relative = path.relative_to(spec.base) + "/" * directory
    return f"{'outs' if wrote else 'deps'}: [{json.dumps(relative, ensure_ascii=False)}]"


def _python_line(path: ArtifactPath, spec: StageSpec, *, wrote: bool, directory: bool) -> str:
    quoted = json.dumps(path.relative_to(spec.base), ensure_ascii=False)
    kind = ("DirectoryOut" if directory else "Out") if wrote else "Dep"
    # The stage opens the file itself, so it needs no loader.
    return f"{_name(path)}: Annotated[pathlib.Path, pivot.{kind}({quoted}, pivot.loaders.PathOnly())]"


def _name(path: ArtifactPath) -> str:
    """A Python name made of the name of a file."""
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
        except PathError:  # it cannot be declared
            continue


def _parents(path: ArtifactPath) -> Iterator[ArtifactPath]:
    end = path.rfind("/")
    while end > 0:
        yield ArtifactPath(path[:end])
        end = path.rfind("/", 0, end)
