"""Stages with other parameters, and the code that these choose: a command may name a program by a parameter."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from pivot_core.commands.python_programs import python_programs
from pivot_core.errors import DefinitionError
from pivot_core.params.overrides import Override
from pivot_core.stages.command import KEY, PARAMS, fill_in
from pivot_runtime.loading.assembly import Assembly
from pivot_runtime.loading.loaded import LoadedStage, stage_from_plain
from pivot_runtime.sweeps.params_values import InexpressibleError, differences, for_yaml

type Params = Mapping[str, Mapping[str, Any]]
"""The parameters of stages by address and name, as plain data."""


class Given(NamedTuple):
    """The changes that the options of a combination make.

    Attributes:
        params: The parameters of the stages that they apply to.
        stages: Those of these stages by address whose commands start other programs with them.
    """

    params: dict[str, Mapping[str, Any]]
    stages: dict[str, LoadedStage]


def given_by(assembly: Assembly, options: Sequence[tuple[str, ...]]) -> list[Given]:
    """The changes that the options of each combination make."""
    parsed = [Override.parse(text) for text in dict.fromkeys(itertools.chain.from_iterable(options))]
    found = [Given({}, {}) for _ in options]
    for file in assembly.files:
        concerned = next((each for each in file.loaded.stages if _concerns(parsed, each)), None)
        if concerned is not None:
            sets = assembly.host_of(concerned.spec.address).param_sets(options)
            for given, of_file in zip(found, sets, strict=True):
                given.params.update(of_file["params"])
                stages = of_file["stages"].items()
                given.stages.update((address, stage_from_plain(plain, {})) for address, plain in stages)
    return found


def _concerns(overrides: Iterable[Override], stage: LoadedStage) -> bool:
    return any(each.path(stage.spec.pipeline, stage.spec.name, stage.params) for each in overrides)


def with_params(stage: LoadedStage, params: Mapping[str, Any], other: LoadedStage | None) -> LoadedStage:
    """A stage with other parameters, and with the code of the ``other`` one if that depends on them."""
    uncounted = stage.spec.uncounted_params
    if other is not None:
        spec = attrs.evolve(stage.spec, named=other.spec.named)
        stage = attrs.evolve(
            stage,
            spec=spec,
            code=other.code,
            unresolved=other.unresolved,
            via=other.via,
            spans=other.spans,
            superseded=other.superseded,
        )
    return attrs.evolve(
        stage,
        params={name: value for name, value in params.items() if name not in uncounted},
        uncounted_params={name: value for name, value in params.items() if name in uncounted},
    )


def with_recorded(assembly: Assembly, stage: LoadedStage, recorded: Mapping[str, Any]) -> LoadedStage:
    """A stage with the code that it would have with recorded parameters; only a command that they change costs a load.

    Raises:
        PivotError: The parameters are refused, or the pipeline cannot be imported.
    """
    if f"${{{PARAMS}." not in stage.texts.get(KEY, ""):
        return stage
    changed = list(differences(stage.params, recorded))
    if not changed or _programs(stage, stage.all_params) == _programs(stage, {**stage.all_params, **recorded}):
        return stage
    spec = stage.spec
    try:
        values = ((path, for_yaml(value)) for path, value in changed)
        texts = [
            f"{spec.address}.{'.'.join(path)}={value if isinstance(value, str) else json.dumps(value)}"
            for path, value in values
        ]
    except InexpressibleError:
        return stage
    [given] = given_by(assembly, [tuple(texts)])
    return with_params(stage, stage.all_params, given.stages.get(spec.address))


def _programs(stage: LoadedStage, params: Mapping[str, Any]) -> object:
    try:
        return python_programs(fill_in(stage.texts[KEY], {}, {}, params))
    except (DefinitionError, KeyError):  # a text that only looks like a reference
        return None
