"""The files that match the pattern of a dep: in the workspace, as outs of stages, and as tracked data."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from pivot_cache.errors import CacheError
from pivot_cache.formats import pvt
from pivot_core.files.paths import ArtifactPath, is_within
from pivot_core.files.patterns import PathPattern, find_files
from pivot_core.graph import Graph
from pivot_core.lock import Artifact
from pivot_core.spec import StageSpec
from pivot_runtime.context import CommandContext


class FileView(Protocol):
    """The facts that are needed here."""

    def artifact_at(self, path: ArtifactPath) -> Artifact | None:
        """Return the artifact at a path, or None."""
        ...

    def files_matching(self, pattern: PathPattern) -> list[ArtifactPath]:
        """Return the files in the workspace that match a pattern, and tracked data that do, even if absent."""
        ...

    def artifact_in(self, directory: Artifact, path: str) -> Artifact | None:
        """Return the artifact at a relative path in a directory with this content, if there is one."""
        ...

    def names_in(self, directory: Artifact) -> Iterable[str]:
        """Return the relative paths of the files in a directory with this content, as far as known."""
        ...


def matching(
    pattern: PathPattern, graph: Graph, view: FileView, restored: Mapping[ArtifactPath, Artifact] | None = None
) -> dict[ArtifactPath, Artifact | None]:
    """The content of each file that matches a pattern; None for one that is absent.

    Outs of stages that match count even if they are absent, so that the files do not depend on what is checked out.

    Args:
        pattern: The pattern of a dep.
        graph: The stages.
        view: The view of the workspace.
        restored: The artifacts that will have been restored.
    """
    restored = restored or {}
    there = view.files_matching(pattern)
    found: dict[ArtifactPath, Artifact | None] = {}
    matches = pattern.matcher()
    for out in graph.matching(pattern):
        artifact = restored[out.path] if out.path in restored else view.artifact_at(out.path)
        if not out.directory:
            found[out.path] = artifact
            continue
        if out.path in restored:
            there = [path for path in there if not is_within(path, out.path)]
        if artifact is None:
            found[out.path] = None
        elif not any(is_within(path, out.path) for path in there):
            for name in view.names_in(artifact):
                path = ArtifactPath(f"{out.path}/{name}")
                if matches(path):
                    found[path] = view.artifact_in(artifact, name)
    return {**{path: view.artifact_at(path) for path in there if path not in found}, **found}


def dep_paths(spec: StageSpec, graph: Graph, view: FileView) -> list[ArtifactPath]:
    """The paths of the deps of a stage, with the files that match in the place of each pattern."""
    paths: dict[ArtifactPath, None] = {}
    for dep in spec.deps:
        paths |= dict.fromkeys(matching(dep, graph, view) if isinstance(dep, PathPattern) else [dep])
    return list(paths)


def new_matches(
    spec: StageSpec, graph: Graph, view: FileView, deps: Mapping[ArtifactPath, Artifact]
) -> Iterable[ArtifactPath]:
    """The files that match patterns of a stage and are not among the given deps."""
    for dep in spec.deps:
        if isinstance(dep, PathPattern) and dep not in spec.uncounted:
            yield from (path for path in matching(dep, graph, view) if path not in deps)


def matching_inside(
    pattern: PathPattern, directories: Iterable[tuple[ArtifactPath, Artifact]], view: FileView
) -> Iterator[ArtifactPath]:
    """The files in directories, which may be absent, that match a pattern, as far as their contents are known."""
    matches = pattern.matcher()
    for directory, artifact in directories:
        inside = (ArtifactPath(f"{directory}/{name}") for name in view.names_in(artifact))
        yield from (path for path in inside if matches(path))


def workspace_files(pattern: PathPattern, context: CommandContext) -> list[ArtifactPath]:
    """The files in the workspace that match a pattern, and tracked files that do, even if absent."""
    project = context.project
    found = []
    for name in find_files(pattern, str(project.root), suffix=pvt.SUFFIX, look=context.read_set.look):
        path = ArtifactPath(name)
        if project.layout.artifact(path).exists() or _is_tracked_file(context, path):
            found.append(path)
    return found


def _is_tracked_file(context: CommandContext, path: ArtifactPath) -> bool:
    file = context.project.root / f"{path}{pvt.SUFFIX}"
    context.read_set.look(file)
    try:
        return not pvt.read(file).tree
    except CacheError:
        return False
