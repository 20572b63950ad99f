"""An executor for stages that are functions of the test, which run in its process."""

import contextlib
import pathlib
import time
from collections.abc import Mapping

from pivot_core.lock import Inputs
from pivot_core.stages.stage import Stage
from pivot_runtime.executors.base import Failure, Finished, Immediate
from pivot_runtime.worker.call import execute
from pivot_runtime.worker.failure import describe_failure


class InlineExecutor(Immediate):
    """Runs stages one after the other; their output is not captured."""

    def __init__(self, stages: Mapping[str, tuple[Stage, pathlib.Path]]) -> None:
        """Take the live stages by address, each with the absolute path of its directory."""
        super().__init__()
        self._stages = stages

    def start(self, address: str, log: pathlib.Path, inputs: Inputs | None = None) -> None:
        """Return after the end of the stage."""
        del inputs
        stage, directory = self._stages[address]
        began = time.monotonic()
        log.touch()
        failure = None
        with contextlib.chdir(directory):
            try:
                execute(stage)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a stage raises is its result
                traceback = error.__traceback__
                below = traceback and traceback.tb_next  # this frame would count as the user's
                failure = Failure(**describe_failure(error.with_traceback(below)))
        self._finished.append(Finished(address, time.monotonic() - began, failure))
