"""Resolves the parameters and declared environment variables of a stage; runs in the host."""

import copy
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from pivot_core.conversion.plain import NotPlainError
from pivot_core.discovery import DECLARED_FILE
from pivot_core.files.digest import digest_secret
from pivot_core.params.classes import classes_with_code, fields, to_plain
from pivot_core.params.overrides import Override, ParamError
from pivot_core.pipeline import Pipeline
from pivot_core.stages.stage import Stage
from pivot_runtime.definitions import params_file


class ParamResolver:
    """The values of all parameters of one pipeline file.

    Attributes:
        sources: The digest of each file that they come from, by absolute path.
    """

    def __init__(
        self, pipelines: Sequence[Pipeline], file: pathlib.Path, *, root: pathlib.Path, overrides: Iterable[Override]
    ) -> None:
        """Read the params files for the pipelines in ``file``.

        Raises:
            PivotError: A params file cannot be read, or names a stage that does not exist.
        """
        self._root = str(root)
        self._overrides = tuple(overrides)
        declared = file.name == DECLARED_FILE
        takes = any(stage.params is not None for pipeline in pipelines for stage in pipeline.stages.values())
        self._files = params_file.ParamFiles()
        if declared and not takes:  # then the file belongs to the programs
            self.sources: Mapping[str, str] = {}
            return
        self._files = params_file.read(
            file.parent, root, only_stages=not declared, keys=_keys_read(pipelines, file.parent)
        )
        self._files.check(
            (pipeline.name, stage.name, stage.params is not None)
            for pipeline in pipelines
            for stage in pipeline.stages.values()
        )
        self.sources = self._files.sources

    def with_overrides(self, overrides: Iterable[Override]) -> Self:
        """A resolver with the same files and other overrides."""
        other = copy.copy(self)
        vars(other)["_overrides"] = tuple(overrides)
        return other

    def concerns(self, stage: Stage, pipeline: str) -> bool:
        """Whether an override applies to a stage."""
        names = () if stage.params is None else fields(stage.params.cls)
        return any(each.path(pipeline, stage.name, names) for each in self._overrides)

    def stage(self, stage: Stage, pipeline: str) -> tuple[Stage, dict[str, Any]]:
        """A stage with its parameters, and these as plain data by name; secrets as digests.

        Raises:
            ParamError: A name is unknown, or a value does not fit.
        """
        if stage.params is None:
            return stage, {}
        names = fields(stage.params.cls)
        meant = [(each, path) for each in self._overrides if (path := each.path(pipeline, stage.name, names))]
        layers = self._files.layers(pipeline, stage.name, names)
        settled = stage.with_params(layers, meant, root=self._root)
        address = f"{pipeline}.{stage.name}"
        value = settled.values[stage.params.parameter]
        try:
            return settled, to_plain(value, lambda name, text: secret_digest(address, name, text))
        except NotPlainError as error:
            where = stage.location.below(self._root)
            raise ParamError(f"{where}: stage {stage.name!r}: {error}", hint=error.hint) from None


def _keys_read(pipelines: Iterable[Pipeline], directory: pathlib.Path) -> dict[str, set[str]]:
    """The keys that stages read themselves, by the absolute path of the file; ``""`` for a whole file."""
    found: dict[str, set[str]] = {}
    for pipeline in pipelines:
        for stage in pipeline.stages.values():
            for file, keys in stage.file_params.items():
                path = os.path.normpath(os.path.join(directory, pipeline.root, stage.wdir, file))
                found.setdefault(path, set()).update(keys or ("",))
    return found


def behaviour(stage: Stage, is_user_code: Callable[[str], bool]) -> Mapping[str, object]:
    """The code of parameters that a fingerprint must follow: classes with their own code; otherwise values suffice."""
    if stage.params is None:
        return {}
    classes = classes_with_code(stage.params.cls, is_user_code)
    return {f"params:{stage.params.parameter}": list(classes)} if classes else {}


def variables(stage: Stage, address: str) -> dict[str, str]:
    """The public form of each declared environment variable by name; ``""`` for one that is not set."""
    found = {name: os.environ.get(name) for name in stage.env}
    return {
        name: "" if value is None else secret_digest(address, f"env:{name}", value) for name, value in found.items()
    }


def secret_digest(address: str, name: str, text: str) -> str:
    """The public digest of a secret: equal for equal secrets of the same parameter of the same stage, on every machine.

    The address and the name are the salt, so the digest needs no separate file, and users with the same secret find
    each other's results in the run cache. Each guess is expensive, but a guessable secret is not protected.
    """
    salt = f"pivot secret\0{address}\0{name}".encode()
    return digest_secret(text, salt)
