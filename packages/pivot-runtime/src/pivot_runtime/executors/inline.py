"""The executor of tests: it runs stages in this very process."""

import os
import pathlib
import time
from collections.abc import Mapping

from pivot_core.stages.stage import Stage
from pivot_runtime.executors.host_executor import Failure, Finished, Immediate
from pivot_runtime.worker import failure as _failing
from pivot_runtime.worker.call import execute


class InlineExecutor(Immediate):
    """Runs stages in this process, one after the other; what they print is not captured."""

    def __init__(self, stages: Mapping[str, tuple[Stage, pathlib.Path]]) -> None:
        """Take the live stages by address, each with the absolute path of its directory."""
        super().__init__()
        self._stages = stages

    def start(self, address: str, log: pathlib.Path) -> None:
        """As `Executor.start`; returns when the stage has ended."""
        stage, directory = self._stages[address]
        began = time.monotonic()
        log.touch()
        before = pathlib.Path.cwd()
        failure = None
        os.chdir(directory)
        try:
            execute(stage)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a stage raises is its result
            failure = Failure(**_failing.failure(error))
        finally:
            os.chdir(before)
        self._finished.append(Finished(address, time.monotonic() - began, failure))
