"""`pivot repro --watch`: what it prints from round to round."""

import contextlib
from collections.abc import Iterator, Sequence

from pivot_cli import signals
from pivot_cli.reporting.reporter import Telling, reporting
from pivot_cli.terminal import console
from pivot_cli.views import phrases, status
from pivot_core.errors import PivotError
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.project.project import Project
from pivot_runtime.running.repro import Options
from pivot_runtime.running.watch import Round, Watch

_WORTH_TELLING = (
    events.WaitingForGuard,
    events.PipelinesBroken,
    events.Fetching,
    events.StageStarted,
    events.StageRestored,
    events.StageFailed,
    events.StageBlocked,
)


def watch(project: Project, targets: Sequence[str], options: Options, *, command: str, telling: Telling) -> None:
    """Run until the user wants no more.

    Raises:
        PivotError: The command cannot begin.
        KeyboardInterrupt: It has ended.
    """

    @contextlib.contextmanager
    def telling_of(because: Sequence[str]) -> Iterator[Reporter]:
        with reporting(telling, command, project, output=options.show_output) as report:
            yield Held(report, because) if because else report

    def polling(reason: str) -> None:
        console.note(f"directories are looked at twice a second, since {reason}")

    told = [False]

    def waiting() -> None:
        if told[0] and not telling.quiet:
            console.note("watching for changes; Ctrl-C ends")
        told[0] = False

    watching = Watch(project, targets, options, command=command, reporting=telling_of, waiting=waiting, polling=polling)
    with signals.heeding():
        try:
            first = True
            for done in watching.rounds():
                told[0] |= _tell(done, telling, first=first)
                first = False
        except KeyboardInterrupt:
            signals.again()
            raise


class Held:
    """A reporter that says nothing of a round in which nothing has to be done."""

    def __init__(self, report: Reporter, because: Sequence[str]) -> None:
        """Hold lines back until they are worth it; ``because`` of these paths the round began."""
        self._report = report
        self._because = because
        self._held: list[events.Event] | None = []

    def __call__(self, event: events.Event) -> None:
        """Take the next event."""
        if self._held is None:
            self._report(event)
            return
        self._held.append(event)
        if isinstance(event, _WORTH_TELLING):
            console.text(f"\nchanged: {phrases.listed(self._because)}")
            for each in self._held:
                self._report(each)
            self._held = None


def _tell(done: Round, telling: Telling, *, first: bool) -> bool:
    """Say how a round has ended; False if there is nothing to say."""
    if done.outcome is None:
        _show(done.error)
    elif not first and done.outcome.idle:
        return False
    elif telling.summary:
        console.data(status.summary(done.outcome))
    return True


def _show(error: PivotError | None) -> None:
    if error is None:
        return
    trace = getattr(error, "traceback", "")
    if trace:
        console.printed(trace)
    console.error(str(error))
    if error.hint:
        console.hint(error.hint)
