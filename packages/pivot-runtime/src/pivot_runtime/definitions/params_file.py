"""``params.yaml``: values of parameters by stage, in the project's root and in a pipeline's directory."""

import os
import pathlib
import stat
from collections.abc import Collection, Container, Iterable, Mapping
from typing import TYPE_CHECKING

import attrs

from pivot_core.errors import suggest
from pivot_core.files.digest import digest_bytes
from pivot_core.params.layers import ParamLayer
from pivot_core.params.overrides import ParamError, base_name, names_for
from pivot_core.values import Value
from pivot_runtime.definitions.source_import import ABSENT
from pivot_runtime.errors import EngineError, YamlError

if TYPE_CHECKING:
    from pivot_runtime.definitions.yaml_document import Document

PARAMS_FILE = "params.yaml"


@attrs.frozen(eq=False, repr=False)
class ParamFiles(Value):
    """The params files for one pipeline file, the more general one first.

    Attributes:
        documents: Their contents.
        sources: The digest of each, by absolute path; for a missing one, a marker.
        complete: Whether the last one is in the pipeline's directory, so that its keys are meant for stages there.
        only_stages: Whether each of these keys must be such a stage, since nothing else reads the file.
        read: By the name of a file, the keys that stages read of it themselves; ``""`` for all of it.
    """

    documents: "tuple[Document, ...]" = ()
    sources: Mapping[str, str] = attrs.field(factory=dict)
    complete: bool = False
    only_stages: bool = True
    read: Mapping[str, Collection[str]] = attrs.field(factory=dict)

    def layers(self, pipeline: str, stage: str, own: Container[str] = ()) -> tuple[ParamLayer, ...]:
        """The layers of values for a stage with the parameters ``own``, the most general first.

        Raises:
            YamlError: Its values are no mapping.
        """
        found = []
        for document in self.documents:
            for key in names_for(pipeline, stage):
                if key not in document.data:
                    continue
                values = document.data[key]
                if not isinstance(values, dict):
                    if not self._is_read(document, key):
                        raise _not_a_mapping(document, key)
                    continue
                meant = {
                    name: value
                    for name, value in values.items()
                    if name in own or not self._is_read(document, f"{key}.{name}")
                }
                found.append(ParamLayer(meant, {name: document.where((key, name)) for name in meant}))
        return tuple(found)

    def _is_read(self, document: "Document", key: str) -> bool:
        """Whether stages read a key themselves, or a part of its value, or a value that it is a part of."""
        return any(
            not read or f"{key}.".startswith(f"{read}.") or f"{read}.".startswith(f"{key}.")
            for read in self.read.get(document.name, ())
        )

    def check(self, addresses: Iterable[tuple[str, str, bool]]) -> None:
        """Check that every key of the file in the pipeline's directory is one of its stages.

        If the file has other values, too, only those that look like a misspelled stage are refused.

        Args:
            addresses: The pipeline and name of each stage, and whether it takes parameters.

        Raises:
            ParamError: A key is not.
            YamlError: Its values are no mapping.
        """
        if not self.complete:
            return
        document = self.documents[-1]
        takes: dict[str, bool] = {}
        for pipeline, stage, has in addresses:
            for name in names_for(pipeline, stage):
                takes[name] = takes.get(name, False) or has
        for key, values in document.data.items():
            if not self.only_stages:
                close = suggest(base_name(key), [name for name, has in takes.items() if has])
                if key in takes or close is None or not isinstance(values, dict) or self._is_read(document, key):
                    continue
            elif not isinstance(values, dict):
                raise _not_a_mapping(document, key)
            if key not in takes:
                known = ", ".join(name for name, has in takes.items() if has and "." not in name)
                raise ParamError(
                    f"{document.where((key,))}: there is no stage {key!r}",
                    hint=suggest(base_name(key), takes) or f"stages that take parameters: {known or 'none'}",
                )
            if not takes[key]:
                raise ParamError(
                    f"{document.where((key,))}: stage {key!r} takes no parameters",
                    hint="annotate a parameter of its function with a class derived from pivot.StageParams; "
                    "a command takes those that it is declared with",
                )


def read(
    directory: pathlib.Path,
    root: pathlib.Path,
    *,
    only_stages: bool = True,
    keys: Mapping[str, Collection[str]] | None = None,
) -> ParamFiles:
    """Read the params files for a pipeline in ``directory``.

    Args:
        directory: The directory.
        root: The root of the project.
        only_stages: Whether nothing but these values may be in the file there. Otherwise a key may be
            any plain word.
        keys: By absolute path, the keys of files that stages read themselves; ``""`` for a whole file.

    Raises:
        YamlError: A file is not YAML, or not a mapping.
        EngineError: A file cannot be read.
    """
    documents: list[Document] = []
    sources = {}
    read = {}
    beside = False
    for place in dict.fromkeys((root, directory)):
        file = place / PARAMS_FILE
        try:
            if not stat.S_ISREG(file.stat().st_mode):
                raise EngineError(
                    f"{file.relative_to(root)} cannot be read: it is not a file",
                    hint="write the parameters into a file",
                )
            data = file.read_bytes()
        except FileNotFoundError:
            sources[os.fspath(file)] = ABSENT
            continue
        except OSError as error:
            raise EngineError(f"{file.relative_to(root)} cannot be read: {error.strerror}") from None
        sources[os.fspath(file)] = digest_bytes(data)
        named = (keys or {}).get(os.fspath(file), ())
        documents.append(_document(data, str(file.relative_to(root)), every_key=not only_stages or bool(named)))
        read[documents[-1].name] = named
        beside = place == directory
        only_stages = only_stages and not (beside and read[documents[-1].name])
    return ParamFiles(tuple(documents), sources, beside, only_stages, read)


def _document(data: bytes, name: str, *, every_key: bool) -> "Document":
    from pivot_runtime.definitions import yaml_document  # lazy

    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise YamlError(f"{name}: this is not UTF-8") from None
    document = yaml_document.parse(text, name, every_key=every_key)
    found = document.data if document.data is not None else {}
    if not isinstance(found, dict):
        raise YamlError(f"{name}:1: this must be a mapping", hint="write 'stage:', and below it 'name: value'")
    for key, values in found.items():
        if values is None:
            found[key] = {}
    return attrs.evolve(document, data=found)


def _not_a_mapping(document: "Document", key: str) -> YamlError:
    return YamlError(
        f"{document.where((key,))}: {key!r} must be a mapping from names of parameters to values",
        hint="write 'stage:', and below it 'name: value'",
    )
