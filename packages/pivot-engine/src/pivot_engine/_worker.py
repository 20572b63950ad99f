"""One stage run in a child of its own: load the deps, call the function, save the outs."""

import atexit
import contextlib
import faulthandler
import fcntl
import gc
import io
import os
import signal
import stat
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, NoReturn

import attrs

from pivot_core.errors import PivotError
from pivot_core.spec import StageError
from pivot_core.stage import Stage
from pivot_core.values import Value
from pivot_engine import _death, _kin, _wire
from pivot_engine.calling import execute
from pivot_engine.witness import Witness
from pivot_fingerprint.observation import Observer

_STANDARD_FDS = 2
_NO_INPUT = ("", "EOF when reading a line")
"""What `getpass` and `input` say."""
_INPUT_HINT = "a stage can ask nobody, unless it has the terminal: pivot run --in-process STAGE"
_DEBUG_HINT = "a debugger has no terminal there: pivot run --in-process STAGE"


def failure(error: BaseException) -> dict[str, Any]:
    """What an error in a stage amounts to, as JSON-able data: one line, its traceback, a hint."""
    if isinstance(error, StageError):
        return {"summary": error.problem, "detail": "", "hint": error.hint}
    if isinstance(error, PivotError):
        return {"summary": f"{error}{_notes(error)}", "detail": "", "hint": error.hint}
    if isinstance(error, SystemExit):
        return {"summary": f"it called sys.exit({error.code!r})", "detail": _user_part(error), "hint": None}
    hint = _DEBUG_HINT if type(error).__name__ == "BdbQuit" else None
    if isinstance(error, EOFError) and str(error) in _NO_INPUT:
        hint = _INPUT_HINT
    return {"summary": one_line(error), "detail": _user_part(error), "hint": hint}


def one_line(error: BaseException) -> str:
    """The error's type, the last line of its message, and its notes."""
    try:
        told = [line for line in str(error).splitlines() if line.strip()]
    except Exception:  # noqa: BLE001  # a user's exception may fail to say what it is
        told = []
    message = f": {_shortened(told[-1].strip())}" if told else ""
    return f"{type(error).__name__}{message}{_notes(error)}"


def _notes(error: BaseException) -> str:
    return "".join(f" ({note})" for note in getattr(error, "__notes__", ()))


def _shortened(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _user_part(error: BaseException) -> str:
    """The whole traceback, less the frames of Pivot through which the stage was called."""
    return "".join(traceback.format_exception(type(error), error, user_place(error)))


def user_place(error: BaseException) -> TracebackType | None:
    """Where an error came from, less the frames of Pivot through which the stage was called."""
    own = os.path.dirname(__file__)
    core = os.path.dirname(sys.modules["pivot_core"].__file__ or "")
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename.startswith((own, core)):
        place = place.tb_next
    return place


@attrs.frozen(eq=False, repr=False)
class Place(Value):
    """What the process of a stage is given.

    Attributes:
        output: The descriptor that takes everything that the stage prints.
        result: The descriptor that takes one message.
        inherited: Descriptors of the host that the stage must not hold open.
        host: The process without which this one has no right to go on.
    """

    output: int
    result: int
    inherited: tuple[int, ...]
    host: int


def prepare(place: Place) -> None:
    """Make a fresh child ready for the run of a stage."""
    os.setpgid(0, 0)
    _death.die_with(place.host)
    _kin.adopt()  # what it starts stays below it, so that it is known whose it is
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for fd in place.inherited:
        os.close(fd)
    _redirect(place.output)
    atexit._clear()  # noqa: SLF001  # what the host has to do at its end is not this process's business


def run(stage: Stage, directory: str, result: int, watched: Observer, witness: Witness) -> NoReturn:
    """Be the run of a stage in a directory; reports through the descriptor ``result`` and never returns.

    What code runs is noted by ``watched``, which has been entered, what else it uses by ``witness``.
    """
    status = 1
    own = os.getpid()
    try:
        if stage.timeout is not None:
            faulthandler.register(signal.SIGTERM, file=2, chain=True)  # the log says where it was
        os.chdir(directory)
        try:
            try:
                with witness:
                    execute(stage)
                    _finish()
            finally:
                watched.__exit__(None, None, None)
            flush()
            _flush_files()
            seen = witness.seen.to_plain()
            message: dict[str, Any] = {"ok": True, "ran": watched.observed.to_json(), "seen": seen}
            status = 0
        except BaseException as error:  # noqa: BLE001  # whatever a stage raises is its result
            message = {"ok": False, "failure": failure(error)}
            if os.getpid() != own:
                status = _last_words(error)
        _finish_threads()
        flush()
        if os.getpid() == own:  # else it is a fork of the stage's, which ends as it would in any program
            _wire.send(result, message)
    finally:
        os._exit(status)


def _last_words(error: BaseException) -> int:
    """What the interpreter does at the end of a program that has raised something; returns its exit code."""
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        return (error.code or 0) & 0xFF
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{error.code}\n" if isinstance(error, SystemExit) else _user_part(error))
    return 1


def _redirect(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    if output > _STANDARD_FDS:
        os.close(output)
    # What the host's own buffers held at the fork is the host's to print.
    # Line by line, so that a crash loses nothing of what led to it.
    sys.stdout = open(1, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _finish_threads() -> None:
    """What the interpreter does at its end: idle pools of threads are told to end, then all but daemons are joined."""
    shutdown: Any = threading._shutdown  # type: ignore[attr-defined]  # noqa: SLF001  # as multiprocessing does
    shutdown()


def _finish() -> None:
    """What else the interpreter does at its end, and os._exit would pass over: functions registered by the stage."""
    if threading.active_count() > 1:
        _finish_threads()
    if atexit._ncallbacks():  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001


def _flush_files() -> None:
    """Write what files that the stage left open still hold."""
    if any(fd > _STANDARD_FDS for fd in map(int, os.listdir("/dev/fd")) if _is_written(fd)):
        for thing in gc.get_objects():
            if isinstance(thing, io.TextIOWrapper | io.BufferedWriter | io.BufferedRandom):
                with contextlib.suppress(Exception):
                    thing.flush()


def _is_written(fd: int) -> bool:
    """Whether it is a regular file, open for writing."""
    try:
        writing = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        return writing and stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return False


def flush() -> None:
    """Write what the standard streams still hold, whatever has become of them."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
