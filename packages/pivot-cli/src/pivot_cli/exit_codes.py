"""Exit codes: reports every way in which a command can end, and returns its code."""

import errno
import os
import pathlib
from collections.abc import Sequence
from typing import Final

import click

from pivot_cli.error_topics import GENERAL, topic_of
from pivot_cli.signals import Terminated
from pivot_cli.terminal import console
from pivot_core.errors import PivotError

_INTERRUPTED: Final = 130


def exit_code(error: BaseException, arguments: Sequence[str] = ()) -> int:
    """Print the error that ended the command with these arguments, and return its exit code."""
    match error:
        case click.exceptions.Exit():
            code = error.exit_code
        case click.ClickException():
            code = _misused(error, arguments)
        case click.Abort() | KeyboardInterrupt():
            code = _interrupted(error)
        case PivotError():
            code = _reported(error)
        case OSError():
            code = _refused(error)
        case _:
            code = _bug(error)
    return code


def _interrupted(error: BaseException) -> int:
    if isinstance(error, Terminated):
        console.error("terminated")
        return 128 + error.number
    console.error("interrupted")
    return _INTERRUPTED


def _misused(error: click.ClickException, arguments: Sequence[str]) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    console.error(error.format_message())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        console.hint(_misplaced(error, context, arguments) or f"{context.command_path} --help")
    return error.exit_code


def _misplaced(error: click.ClickException, context: click.Context, arguments: Sequence[str]) -> str:
    """Return the command with an option of the group before it, if that was given behind it; otherwise nothing."""
    root = context.find_root()
    if not isinstance(error, click.NoSuchOption) or context is root:
        return ""
    for option in root.command.params:
        if isinstance(option, click.Option) and error.option_name in option.opts:
            end = len(error.option_name)
            at = next((at for at, word in enumerate(arguments) if word[:end] == error.option_name), None)
            if at is None:
                return ""
            length = 1 if option.is_flag or arguments[at] != error.option_name else 2
            rest = [*arguments[:at], *arguments[at + length :]]
            import shlex  # lazy

            moved = shlex.join(["pivot", *arguments[at : at + length], *rest])
            return f"{error.option_name!r} comes before the command: {moved}"
    return ""


def _reported(error: PivotError) -> int:
    console.failure(error)
    return error.exit_code


def _refused(error: OSError) -> int:
    """Report an error of the operating system that no module has converted to a Pivot error."""
    from pivot_cache.errors import RAISE, SCARCE, cache_error, obstacle_hint  # lazy

    if error.errno in SCARCE:
        console.error("too many open files")
        console.hint(f"nothing is lost: {RAISE}, and repeat the command")
        console.docs(topic_of(error))
        return 3
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG) and isinstance(error.filename, str):
        _reported(cache_error("use", pathlib.Path(error.filename), error))
        return 3
    where = f": {error.filename}" if error.filename else ""
    console.error(f"{error.strerror or error}{where}")
    scarce = error.errno in (errno.EAGAIN, errno.ENOMEM)
    see = "your limits of processes and memory" if scarce else "the permissions and the free space there"
    other = obstacle_hint(pathlib.Path(error.filename), error) if isinstance(error.filename, str) else None
    console.hint(other or f"check {see}, and repeat the command; nothing was lost")
    console.docs(topic_of(error))
    return 3


def _bug(error: BaseException) -> int:
    if os.environ.get("PIVOT_DEBUG"):
        import traceback  # lazy

        console.stage_output("".join(traceback.format_exception(error)))
    console.error(f"this is a bug in Pivot: {type(error).__name__}: {error}")
    console.hint("repeat the command with PIVOT_DEBUG=1 and report the traceback; nothing was recorded as done")
    console.docs(f"{GENERAL}#bug")
    return 3
