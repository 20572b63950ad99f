"""The main function of a stage's process: loads the deps, calls the function, saves the outs."""

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
import weakref
from threading import Thread, active_count, main_thread
from threading import enumerate as all_threads
from typing import Any, NoReturn

import attrs

from pivot_core.stages.stage import Stage
from pivot_core.values import Value
from pivot_fingerprint.observation import Observer
from pivot_runtime.processes import parent_death, process_tree, wire
from pivot_runtime.processes.pristine import Pristine, Replacements
from pivot_runtime.tracing.tracer import StageTracer
from pivot_runtime.worker import failure
from pivot_runtime.worker.call import execute

_STANDARD_FDS = 2
_shutdown: Any = threading._shutdown  # type: ignore[attr-defined]  # noqa: SLF001  # as multiprocessing does
_LOOK_SECONDS = 0.02
_OTHERS_SECONDS = 0.1
"""How long threads that are none of the stage's may take to end."""
_THREADS_SECONDS = 2.0
"""How long threads of a stage that has failed may go on."""


@attrs.frozen(eq=False, repr=False)
class WorkerFds(Value):
    """The descriptors of the process of a stage.

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


def prepare(place: WorkerFds) -> None:
    """Make a fresh child ready for the run of a stage."""
    os.setpgid(0, 0)
    parent_death.die_with(place.host)
    process_tree.adopt()  # what it starts stays below it, so that it is known whose it is
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for fd in place.inherited:
        os.close(fd)
    _redirect(place.output)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _show_unraisable
    _have_own_end()


def run(
    stage: Stage, directory: str, result: int, seeing: tuple[Observer, StageTracer], own: tuple[Pristine, Replacements]
) -> NoReturn:
    """Be the run of a stage in a directory; reports through the descriptor ``result`` and never returns.

    Of ``seeing``, the first notes what code runs, and has been entered, the other what else it uses. The stage finds
    what its module has put in place of what is Pivot's ``own``.
    """
    (watched, witness), (pristine, replaced) = seeing, own
    status = 1
    watched.add_companion(witness.also)
    process, line = os.getpid(), os.fstat(result)
    before = _lasting()
    try:
        if stage.timeout is not None:
            faulthandler.register(signal.SIGTERM, file=2, chain=True)  # the log says where it was
        os.chdir(directory)
        try:
            try:
                with witness:
                    replaced.apply()
                    try:
                        execute(stage)
                        _finish(before)
                    finally:
                        pristine.restore_for_end()
            finally:
                watched.__exit__(None, None, None)
            flush()
            _flush_files()
            seen = witness.seen.to_plain()
            message: dict[str, Any] = {"ok": True, "ran": watched.observed.to_json(), "seen": seen}
            status = 0
        except BaseException as error:  # noqa: BLE001  # whatever a stage raises is its result
            message = {"ok": False, "failure": failure.describe_failure(error)}
            if os.getpid() != process:
                status = _last_words(error)
            _finish_failed()
        flush()
        # A fork of the stage's ends as it would in any program. A stage that has closed what it did not open may have a
        # file of its own there.
        if os.getpid() == process and os.path.samestat(os.fstat(result), line):
            wire.send(result, message)
    finally:
        os._exit(status)


def leave(error: BaseException | None = None) -> NoReturn:
    """End a fork of a stage that was not meant to go on here, with what it raised."""
    status = 0 if error is None else _last_words(error)
    flush()
    os._exit(status)


def _last_words(error: BaseException) -> int:
    """The interpreter's own steps at the end of a program that has raised something; returns its exit code."""
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        return (error.code or 0) & 0xFF
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{error.code}\n" if isinstance(error, SystemExit) else failure.format_user_traceback(error))
    return 1


def _redirect(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(nothing)
    if output > _STANDARD_FDS:
        os.close(output)
    # Text in the host's own buffers at the fork is the host's to print.
    # Line by line, so that a crash loses nothing of what led to it.
    sys.stdout = open(1, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _finish_threads() -> None:
    """The interpreter's own shutdown: idle thread pools are stopped, then all threads but daemons are joined."""
    _shutdown()


def _lasting() -> list[Thread]:
    """The threads, other than this one, for which the interpreter would wait at its end."""
    if active_count() == 1:
        return []
    own = main_thread()
    return [thread for thread in all_threads() if thread is not own and not thread.daemon]


def _finish(before: list[Thread]) -> None:
    """The other steps of the interpreter at its end, and os._exit would pass over: functions registered by the stage.

    The threads ``before`` are not the stage's: they began when the pipeline was imported, and may never end.
    """
    if before:
        waiting = Thread(target=_finish_threads, daemon=True)
        waiting.start()
        while waiting.is_alive() and not all(thread in before for thread in _lasting()):
            waiting.join(_LOOK_SECONDS)
        waiting.join(_OTHERS_SECONDS)
    elif active_count() > 1:
        _finish_threads()
    if atexit._ncallbacks():  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001


def _finish_failed() -> None:
    """The same, but threads and processes may wait for what a failed stage will never do."""
    with contextlib.suppress(BaseException):
        if active_count() > 1:
            waiting = Thread(target=_finish_threads, daemon=True)
            waiting.start()
            waiting.join(_THREADS_SECONDS)
        processes: Any = sys.modules.get("multiprocessing.util")
        if processes is not None:
            atexit.unregister(processes._exit_function)  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
        _flush_files()


def _show_unraisable(told: Any) -> None:
    """Print as the interpreter does, which opens the source as a stage would that reads it."""
    place = "" if told.object is None else f": {told.object!r}"
    sys.stderr.write(f"{told.err_msg or 'Exception ignored in'}{place}\n")
    traceback.print_exception(told.exc_value)


def _have_own_end() -> None:
    """Forget what the host has to do at its end, but not what libraries do at the end of every process."""
    atexit._clear()  # noqa: SLF001
    finalize: Any = weakref.finalize
    for known in finalize._registry.values():  # noqa: SLF001
        known.atexit = False
    finalize._registered_with_atexit = False  # noqa: SLF001
    logging = sys.modules.get("logging")
    if logging is not None:
        atexit.register(logging.shutdown)
    processes: Any = sys.modules.get("multiprocessing.util")
    if processes is not None:  # as it does in children of its own
        processes._finalizer_registry.clear()  # noqa: SLF001
        sys.modules["multiprocessing.process"]._children.clear()  # noqa: SLF001
        atexit.register(processes._exit_function)  # noqa: SLF001


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
        with contextlib.suppress(BaseException):
            stream.flush()
