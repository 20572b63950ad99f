"""Stages of a ``pivot.yaml`` with shell commands only, which are loaded without an import."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence

import attrs

from pivot_core.params.overrides import Override
from pivot_core.spec import StageError, base_of
from pivot_fingerprint import SCHEMA
from pivot_runtime.definitions import params, shell_code
from pivot_runtime.definitions.pipeline_file import read_definitions
from pivot_runtime.loading.loaded import Loaded, LoadedStage, stage_of
from pivot_runtime.programs.program_code import ProgramFinder


def load(file: pathlib.Path, root: pathlib.Path, overrides: Sequence[str], environment: Mapping[str, str]) -> Loaded:
    """Return the result that an import of a pipeline file would have.

    Raises:
        ImportRequiredError: It is a ``pipeline.py``, or names functions.
        PivotError: A definition in it is wrong.
    """
    try:
        return Loaded(SCHEMA, tuple(_stages(file, root, overrides, environment)), {})
    except StageError as error:
        raise error.below(str(root)) from None


def _stages(
    file: pathlib.Path, root: pathlib.Path, overrides: Sequence[str], environment: Mapping[str, str]
) -> Iterator[LoadedStage]:
    meant = [Override.parse(text) for text in overrides]
    pipelines = read_definitions(file, root, imports=False, overrides=meant).pipelines
    settled = params.ParamResolver(pipelines, file, root=root, overrides=meant)
    base = base_of(file, root)
    stages = {
        (name, pipeline.name): settled.stage(stage, pipeline.name)
        for pipeline in pipelines
        for name, stage in pipeline.stages.items()
    }
    commands = shell_code.all_shell_inputs(
        pipelines,
        base=base,
        root=str(root),
        programs=ProgramFinder(str(root), environment),
        values=lambda name, pipeline: stages[name, pipeline][1],
    )
    for pipeline in pipelines:
        for spec in pipeline.specs(base=base, root=str(root)):
            stage, values = stages[spec.name, pipeline.name]
            command = commands[spec.address]
            env = params.variables(stage, spec.address)
            found = stage_of(attrs.evolve(spec, named=command.named), command.manifest, values, env)
            yield attrs.evolve(found, texts=command.texts, superseded=command.superseded)
