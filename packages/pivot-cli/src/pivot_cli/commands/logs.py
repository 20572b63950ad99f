"""`pivot logs`."""

import pathlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.terminal import console, formats
from pivot_runtime.history import logs
from pivot_runtime.history.follow import RUNNING, LogFollower, RunningStage, running_stages
from pivot_runtime.project.project import Project

_STEP_SECONDS = 0.1
_GOOD = ("ran", "restored", "frozen", "cached")


_EXAMPLES: Final = """\b
Examples:
  pivot logs summarize                 Print the output of the last run.
  pivot logs --back 1 -n 20 summarize  Print the end of the run before.
  pivot logs --follow                  Print what the running stages print.
"""


@click.command("logs", epilog=_EXAMPLES)
@click.argument("stages", metavar="STAGE...", nargs=-1, shell_complete=options.complete_targets)
@click.option("-n", "--lines", type=options.WholeNumber(min=1), metavar="N", help="Print only the last N lines.")
@click.option(
    "--back",
    type=options.WholeNumber(min=0),
    default=0,
    metavar="N",
    help="Print the output of the run N runs earlier; three earlier logs of each stage are kept.",
)
@click.option("-f", "--follow", is_flag=True, help="Continue until the stages have ended; exit with 1 if one failed.")
def command(stages: tuple[str, ...], *, lines: int | None, back: int, follow: bool) -> int:
    """Print the output of the last run of stages.

    For a running stage, print its output so far; with --follow, continue until it ends, with the name of the stage
    before each line if there are several. Without STAGE, --follow takes the running stages. If the output is longer
    than 3 MB, its beginning and end are kept. The output of a stage on a cluster comes when it has ended. The command
    imports and changes nothing.
    """
    if follow and (back or lines):
        raise click.UsageError("--follow excludes --back and --lines")
    if not stages and not follow:
        raise click.UsageError("Missing argument 'STAGE...'.")
    context = command_context()
    project = context.project
    running = running_stages(project)
    addresses = list(dict.fromkeys(logs.resolve_name(project.layout, stage, running) for stage in stages)) or list(
        running
    )
    if follow:
        return _follow(project, addresses, running)
    for address in addresses:
        _show(project, address, running.get(address) if back == 0 else None, lines=lines, back=back)
    return 0


def _show(project: Project, address: str, running: RunningStage | None, *, lines: int | None, back: int) -> None:
    log = logs.find(project.layout, address, back=back)
    since = f" (running for {_age(running)})" if running is not None else ""
    if running is not None and (log is None or log.stat().st_size == 0):
        console.note(_state(running) + ("" if running.worker else ", and has printed nothing yet"))
    elif log is None:
        console.note(f"no run of {address!r} on this machine has printed anything")
    else:
        console.note(f"{log.relative_to(log.parents[3])}{since}")
        _print(log, lines)


def _print(log: pathlib.Path, lines: int | None) -> None:
    if lines is not None:
        text = logs.tail(log, lines)
        click.echo(text, nl=bool(text))
        return
    sys.stdout.flush()
    for line in logs.user_lines(log):
        sys.stdout.buffer.write(line)


def _state(running: RunningStage) -> str:
    state = f"{running.name!r} has been running for {_age(running)}"
    return f"{state} on {running.worker}, and its output comes when it has ended" if running.worker else state


def _age(running: RunningStage) -> str:
    return formats.seconds(max(0.0, time.time() - running.began))


def _follow(project: Project, addresses: Sequence[str], running: Mapping[str, RunningStage]) -> int:
    if not addresses:
        console.note("no stage is running")
        return 0
    for address in addresses:
        if address not in running:
            console.note(f"{address!r} is not running; this is the output of its last run")
            _show(project, address, None, lines=None, back=0)
    wanted = {address: running[address] for address in addresses if address in running}
    width = max((len(each.name) for each in wanted.values()), default=0) if len(addresses) > 1 else 0
    followed = [_FollowedStage(project, address, each, width) for address, each in wanted.items()]
    left = list(followed)
    while left:
        left = [each for each in left if each.go_on()]
        sys.stdout.flush()
        if left:
            time.sleep(_STEP_SECONDS)
    return 0 if all(each.state in _GOOD for each in followed) else 1


class _FollowedStage:
    """A stage whose output is followed."""

    def __init__(self, project: Project, address: str, running: RunningStage, width: int) -> None:
        self._follower = LogFollower(project, address, running)
        self._name = running.name
        self._mark = f"{running.name:<{width}} | ".encode() if width else b""
        self._frames = logs.Frames()
        self._pending = b""
        console.note(_state(running))

    @property
    def state(self) -> str:
        return self._follower.state

    def go_on(self) -> bool:
        """Print new output; return whether more may follow."""
        new = False
        for data in self._follower.read():
            new = True
            *lines, self._pending = (self._pending + data).split(b"\n")
            for line in lines:
                self._print(line)
        if self.state == RUNNING:
            if not new and not self._mark:  # the progress of a stage, on a line that has not ended
                sys.stdout.buffer.write(self._pending)
                self._pending = b""
            return True
        if self._pending:
            self._print(self._pending)
        self._follower.close()
        console.note(f"{self._name!r} has ended: {self.state}")
        return False

    def _print(self, line: bytes) -> None:
        if self._frames.is_users(line.decode(errors="replace")):
            sys.stdout.buffer.write(self._mark + line + b"\n")
