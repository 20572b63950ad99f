"""Values of files' keys that are parameters of stages: read where the files are, or from the cache."""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pivot_cache.files import safe_read
from pivot_core.errors import PivotError
from pivot_core.files.digest import canonical_json, digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.params import file_keys
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.definitions import values_file


@attrs.frozen(eq=False, repr=False)
class FileParamValues(Value):
    """The values of some keys of a file.

    Attributes:
        found: By name, as plain data.
        missing: The names whose keys the file lacks, with the problem; the path itself if the file cannot be read.
        unread: Whether the file cannot be read.
    """

    found: Mapping[str, Any]
    missing: Mapping[ArtifactPath, str] = attrs.field(factory=dict)
    unread: bool = False


class ValuesFiles:
    """The values files of a command, each content of which is parsed once."""

    def __init__(self, context: CommandContext, stores: Stores) -> None:
        """Read the files of the project of ``context``."""
        self._context = context
        self._stores = stores
        self._parsed: dict[tuple[ArtifactPath, str], Any] = {}

    def values(self, path: ArtifactPath, artifact: Artifact, keys: Iterable[str]) -> FileParamValues:
        """Return the values of keys in a file with this content; a problem is reported."""
        try:
            data = self._data(path, artifact)
            found, missing = file_keys.select(data, path, keys)
            return FileParamValues(found, {ArtifactPath(name): problem for name, problem in missing.items()})
        except PivotError as error:
            self._context.read_set.mark_incomplete("a path cannot be read")
            self._context.notices.add(Notice(str(error), error.hint))
            return FileParamValues({}, {path: str(error)}, unread=True)

    def _data(self, path: ArtifactPath, artifact: Artifact) -> Any:
        if artifact.tree:
            raise PivotError(f"{path} is a directory, which has no keys", hint="name a file in it")
        known = (path, artifact.digest)
        if known not in self._parsed:
            self._parsed[known] = values_file.parse(self._content(path, artifact), path)
        return self._parsed[known]

    def _content(self, path: ArtifactPath, artifact: Artifact) -> bytes:
        places = (self._stores.layout.artifact(path), self._stores.store.path_of(artifact.digest))
        for place in places:
            with contextlib.suppress(OSError):
                content = safe_read.read_regular(place)
                if digest_bytes(content) == artifact.digest:
                    return content
        raise PivotError(f"the content of {path}, which has parameters, is not in the cache", hint="run 'pivot pull'")


def in_workspace(context: CommandContext, spec: StageSpec) -> dict[str, Any]:
    """The current values of the file parameters of a stage, as far as they can be read."""
    values: dict[str, Any] = {}
    for path, keys in spec.file_params.items():
        with contextlib.suppress(OSError, PivotError):
            content = safe_read.read_regular(context.project.layout.artifact(path))
            values |= file_keys.select(values_file.parse(content, path), path, keys)[0]
    return values


def differing(spec: StageSpec, before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the file parameters of a stage whose values differ."""
    names = (name for path, keys in spec.file_params.items() for name in file_keys.labels(path, keys))
    return tuple(
        name
        for name in names
        if (name in before) != (name in now) or canonical_json(before.get(name)) != canonical_json(now.get(name))
    )
