"""The context of a command: the only place that reads the working directory and builds the project."""

import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import attrs
import click

from pivot_cache.errors import RAISE, SCARCE, CacheError
from pivot_cli.terminal import console
from pivot_core.errors import PivotError
from pivot_core.progress import no_progress
from pivot_runtime.context import CommandContext, Notice, Notices, StartupState
from pivot_runtime.freshness import noop_cache

if TYPE_CHECKING:
    from pivot_runtime.config.store import ConfigStore
    from pivot_runtime.history.events import ImportSlow, PipelineImported
    from pivot_runtime.inspecting.status import Status
    from pivot_runtime.running.repro import RunResult

NO_SNAPSHOT: Final = "pivot.no_snapshot"
"""Marks, in the click context, a command that imports its pipelines again."""
_DESCRIPTORS: Final = 28
"""With fewer descriptors, not even two stages can run at a time."""


def working_directory() -> pathlib.Path:
    """Return the directory in which the command was called.

    Raises:
        PivotError: The directory was removed.
    """
    try:
        return pathlib.Path.cwd()
    except FileNotFoundError:
        raise PivotError("the current directory no longer exists", hint="change to an existing directory") from None


def config_store() -> "ConfigStore":
    """Return the settings as the command's directory and environment give them.

    Raises:
        PivotError: The directory was removed.
    """
    from pivot_runtime.config.store import ConfigStore  # lazy

    return ConfigStore(working_directory(), os.environ)


def command_context(
    overrides: tuple[str, ...] = (), *, quiet: bool = False, report_imports: bool = True
) -> CommandContext:
    """The context of the command line's command, with the values of parameters from its options.

    Its notices are printed, unless it is ``quiet``, and also slow imports if ``report_imports``.

    Raises:
        PivotError: There is no project, or too few files may be open.
    """
    require_descriptors()
    invocation = click.get_current_context()
    began, beginning, early_fork, arguments = invocation.obj
    return attrs.evolve(
        CommandContext.find(working_directory(), os.environ),
        overrides=overrides,
        arguments=arguments,
        began=began,
        use_snapshots=not invocation.meta.get(NO_SNAPSHOT, False),
        startup_state=StartupState(*beginning)._replace(early_fork=early_fork) if beginning else None,
        on_import=_report_import if report_imports and not quiet else no_progress,
        notices=Notices() if quiet else Notices(_notice_reporter()),
    )


def require_descriptors() -> None:
    """Raise an error if fewer files can be opened than a command needs; otherwise it could fail anywhere.

    Raises:
        CacheError: The limit is too low.
    """
    opened: list[int] = []
    try:
        while len(opened) < _DESCRIPTORS:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if error.errno not in SCARCE:
            raise
        problem = f"too many open files: {len(opened)} more can be opened, but a command needs {_DESCRIPTORS}"
        raise CacheError(problem, hint=RAISE) from error
    finally:
        for each in opened:
            os.close(each)


def least_exit_code(context: CommandContext, targets: Sequence[str]) -> int:
    """Return the least exit code of a command that depends on all records: 3 if some could not be read."""
    return 3 if context.notices.left_out and not targets else 0


def _report_import(event: "ImportSlow | PipelineImported") -> None:
    from pivot_cli.terminal import imports  # lazy

    imports.report(event)


def _notice_reporter() -> Callable[[Notice], None]:
    hinted: set[str] = set()

    def report(notice: Notice) -> None:
        if notice.left_out:
            console.warning(f"left out: {notice.text}")
        else:
            console.note(notice.text)
        if notice.hint and notice.hint not in hinted:  # after a power cut, there may be many of one kind
            hinted.add(notice.hint)
            console.hint(notice.hint)

    return report


def keep_answer(context: CommandContext, result: "Status | RunResult", elapsed: str = "") -> None:
    """Cache the output so far as the answer to this command, valid as long as nothing that it read changes."""
    if context.overrides or not context.use_snapshots:  # a parameter may be a secret; the user requested an import
        return
    heard = console.captured()
    if heard is None:
        return
    out, err = heard
    if not _moves_the_cursor(out + err):
        kept = noop_cache.CachedOutput(out, err, 0)
        noop_cache.keep(
            sys.argv[1:],
            context.environment,
            kept,
            read_set=context.read_set,
            traces=result.load_traces,
            elapsed=elapsed,
        )


def _moves_the_cursor(text: str) -> bool:
    """Return whether the text contains control codes other than colours."""
    return "\r" in text or any(
        not part.partition("m")[0].replace(";", "").isdigit() for part in text.split("\x1b[")[1:]
    )
