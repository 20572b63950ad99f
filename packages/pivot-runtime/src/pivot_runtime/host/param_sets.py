"""The parameters of an imported pipeline under several sets of overrides, without another import."""

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from pivot_cache.layout import Layout
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.params.overrides import Override
from pivot_core.stages.command import Command
from pivot_core.stages.notebook import Notebook
from pivot_core.stages.stage import Stage
from pivot_runtime.definitions import shell_code
from pivot_runtime.definitions.outline_cache import OutlineCache
from pivot_runtime.definitions.params import ParamResolver
from pivot_runtime.host import load_failure
from pivot_runtime.host.load import ImportedPipeline
from pivot_runtime.loading.loaded import stage_from_plain, stage_of, stage_to_plain
from pivot_runtime.worker import failure

if TYPE_CHECKING:
    from pivot_core.commands.python_programs import ProgramCall
    from pivot_runtime.programs.program_code import ProgramFinder


def param_sets(imported: ImportedPipeline, sets: Iterable[Sequence[str]]) -> dict[str, Any]:
    """The answer for the command: for each set of overrides, the parameters of the stages that it applies to.

    Stages whose commands start other Python programs with these parameters are in ``stages``, with their code. The
    ``event`` of the answer is ``params``, or ``refused`` where a value does not fit.
    """
    commands = _Commands(imported)
    try:
        return {"event": "params", "sets": [_set(imported, each, commands) for each in sets]}
    except PivotError as error:
        root = pathlib.Path(imported.root)
        return {"event": "refused", **load_failure.wrong_definition(error, root, imported.is_user_code)}
    except Exception as error:  # noqa: BLE001  # whatever the user's class raises
        return {"event": "refused", "message": f"the parameters are refused: {failure.one_line(error)}", "hint": None}


def _set(imported: ImportedPipeline, overrides: Sequence[str], commands: "_Commands") -> dict[str, Any]:
    resolver = imported.params.with_overrides(Override.parse(text) for text in overrides)
    params: dict[str, Mapping[str, Any]] = {}
    stages: dict[str, Mapping[str, Any]] = {}
    for address, live in imported.stages.items():
        pipeline = address.removesuffix(f".{live.stage.name}")
        if resolver.concerns(live.stage, pipeline):
            stage, params[address] = resolver.stage(live.stage, pipeline)
            if isinstance(stage.func, Command) and not isinstance(stage.func, Notebook):
                changed = commands.changed(address, stage, stage.func, params[address])
                stages |= {} if changed is None else {address: changed}
    return {"params": params, "stages": stages}


class _Commands:
    """The commands of shell stages with other parameters than those of the load."""

    def __init__(self, imported: ImportedPipeline) -> None:
        self._imported = imported
        self._loaded: dict[str, list[list[ProgramCall]]] = {}

    def changed(
        self, address: str, stage: Stage, command: Command, params: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """A stage as plain data, with the code of its command; None if that is the code of the load."""
        if address not in self._loaded:
            pipeline = address.removesuffix(f".{stage.name}")
            self._loaded[address] = _calls(stage, command, self._resolver.stage(stage, pipeline)[1])
        if _calls(stage, command, params) == self._loaded[address]:
            return None
        root = self._imported.root
        known = stage_from_plain(self._imported.fingerprints.plain(address), {})
        record = Layout(pathlib.Path(root)).created_file(address)
        found = shell_code.shell_inputs(
            stage,
            command,
            record,
            base=known.spec.base,
            root=root,
            programs=self._programs,
            params=params,
            written=self._written,
        )
        new = stage_of(attrs.evolve(known.spec, named=found.named), found.manifest, params, known.env)
        return stage_to_plain(attrs.evolve(new, texts=found.texts, values=known.values, superseded=found.superseded))

    @cached_property
    def _resolver(self) -> ParamResolver:
        return self._imported.params.with_overrides(map(Override.parse, self._imported.overrides))

    @cached_property
    def _programs(self) -> "ProgramFinder":
        from pivot_runtime.programs.program_code import ProgramFinder  # lazy: few sweeps need it

        root = self._imported.root
        return ProgramFinder(root, os.environ, OutlineCache(Layout(pathlib.Path(root)).outlines_dir))

    @cached_property
    def _written(self) -> frozenset[str]:
        """The paths of all outs."""
        root = self._imported.root
        return frozenset(
            str(ArtifactPath.resolve(path, base=os.path.relpath(live.directory, root), root=root))
            for live in self._imported.stages.values()
            for out in live.stage.outs.values()
            for path in out.paths
        )


def _calls(stage: Stage, command: Command, params: Mapping[str, Any]) -> "list[list[ProgramCall]]":
    """The programs that each text of a command starts with some parameters."""
    from pivot_core.commands.python_programs import python_programs  # lazy: few pipelines have commands

    return [python_programs(text) for text in shell_code.filled_steps(stage, command, params)]
