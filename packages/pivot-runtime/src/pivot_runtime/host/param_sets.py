"""The parameters of an imported pipeline under several sets of overrides, without another import."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from pivot_core.errors import PivotError
from pivot_core.params.overrides import Override
from pivot_runtime.host import load_failure
from pivot_runtime.host.load import ImportedPipeline
from pivot_runtime.worker import failure


def param_sets(imported: ImportedPipeline, sets: Iterable[Sequence[str]]) -> dict[str, Any]:
    """The answer for the command: for each set of overrides, the parameters of the stages that it applies to.

    Its ``event`` is ``params``, or ``refused`` where a value does not fit.
    """
    try:
        return {"event": "params", "sets": [_params(imported, each) for each in sets]}
    except PivotError as error:
        root = pathlib.Path(imported.root)
        return {"event": "refused", **load_failure.wrong_definition(error, root, imported.is_user_code)}
    except Exception as error:  # noqa: BLE001  # whatever the user's class raises
        return {"event": "refused", "message": f"the parameters are refused: {failure.one_line(error)}", "hint": None}


def _params(imported: ImportedPipeline, overrides: Sequence[str]) -> dict[str, Any]:
    resolver = imported.params.with_overrides(Override.parse(text) for text in overrides)
    found = {}
    for address, live in imported.stages.items():
        pipeline = address.removesuffix(f".{live.stage.name}")
        if resolver.concerns(live.stage, pipeline):
            _, found[address] = resolver.stage(live.stage, pipeline)
    return found
