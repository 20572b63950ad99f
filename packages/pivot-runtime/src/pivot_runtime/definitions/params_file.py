"""``params.yaml``: values of parameters by stage, in the project's root and in a pipeline's directory."""

import os
import pathlib
import stat
from collections.abc import Iterable, Mapping
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
        complete: Whether the last one is in the pipeline's directory, so that all its keys must be stages there.
    """

    documents: "tuple[Document, ...]" = ()
    sources: Mapping[str, str] = attrs.field(factory=dict)
    complete: bool = False

    def layers(self, pipeline: str, stage: str) -> tuple[ParamLayer, ...]:
        """The layers of values for a stage, the most general first."""
        return tuple(
            ParamLayer(document.data[key], {name: document.where((key, name)) for name in document.data[key]})
            for document in self.documents
            for key in names_for(pipeline, stage)
            if key in document.data
        )

    def check(self, addresses: Iterable[tuple[str, str, bool]]) -> None:
        """Check that every key of the file in the pipeline's directory is one of its stages.

        Args:
            addresses: The pipeline and name of each stage, and whether it takes parameters.

        Raises:
            ParamError: A key is not.
        """
        if not self.complete:
            return
        document = self.documents[-1]
        takes: dict[str, bool] = {}
        for pipeline, stage, has in addresses:
            for name in names_for(pipeline, stage):
                takes[name] = takes.get(name, False) or has
        for key in document.data:
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


def read(directory: pathlib.Path, root: pathlib.Path) -> ParamFiles:
    """Read the params files for a pipeline in ``directory``.

    Raises:
        YamlError: A file is not YAML, or not a mapping of mappings.
        EngineError: A file cannot be read.
    """
    documents: list[Document] = []
    sources = {}
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
        documents.append(_document(data, str(file.relative_to(root))))
        beside = place == directory
    return ParamFiles(tuple(documents), sources, beside)


def _document(data: bytes, name: str) -> "Document":
    from pivot_runtime.definitions import yaml_document  # lazy

    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise YamlError(f"{name}: this is not UTF-8") from None
    document = yaml_document.parse(text, name)
    found = document.data if document.data is not None else {}
    if not isinstance(found, dict):
        raise YamlError(f"{name}:1: this must be a mapping", hint="write 'stage:', and below it 'name: value'")
    for key, values in found.items():
        if values is None:
            found[key] = {}
        elif not isinstance(values, dict):
            raise YamlError(
                f"{document.where((key,))}: {key!r} must be a mapping from names of parameters to values",
                hint="write 'stage:', and below it 'name: value'",
            )
    return attrs.evolve(document, data=found)
