"""Reports of the imports of a command's pipelines: while they take long, and when they have ended."""

import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pivot_runtime.context import CommandContext
from pivot_runtime.loading.loaded import Loaded

if TYPE_CHECKING:
    from pivot_runtime.history.events import ImportReporter
    from pivot_runtime.loading.host_client import SlowImports


class ImportReports:
    """Makes the events of imports, by pipeline file."""

    def __init__(self, context: CommandContext, report: "ImportReporter") -> None:
        """Call ``report`` with each event."""
        self._root = context.project.root
        self._began = context.began
        self._interval = float(context.settings.silence_seconds)
        self._report = report

    def slow(self, file: pathlib.Path) -> "SlowImports":
        """Return the callback for an import of a file, and after how many seconds it is called again."""

        def report(seconds: float, where: str, libraries: Mapping[str, float]) -> None:
            from pivot_runtime.history import events  # lazy

            self._report(events.ImportSlow(self._name(file), seconds, where, libraries))

        return report, self._interval

    def ended(self, file: pathlib.Path, loaded: Loaded) -> None:
        """Report the end of an import."""
        times = loaded.times
        if times is not None:
            from pivot_runtime.history import events  # lazy

            began = max(0.0, times.began - self._began)
            self._report(events.PipelineImported(self._name(file), began, times.seconds, times.libraries))

    def _name(self, file: pathlib.Path) -> str:
        return str(file.relative_to(self._root))
