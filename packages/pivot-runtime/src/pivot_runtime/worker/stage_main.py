"""The main function of a stage's process: runs the stage, reports the result, and ends as an interpreter does."""

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
from typing import Any, NamedTuple, NoReturn, TextIO

import attrs

from pivot_core.stages.command import Command
from pivot_core.stages.stage import Stage
from pivot_core.values import Value
from pivot_fingerprint.observation import Observer
from pivot_runtime.processes import parent_death, process_tree, wire
from pivot_runtime.processes.originals import Originals, Replacements
from pivot_runtime.tracing.tracer import StageTracer
from pivot_runtime.worker import failure
from pivot_runtime.worker.call import execute

_STANDARD_FDS = 2
_shutdown: Any = threading._shutdown  # type: ignore[attr-defined]  # noqa: SLF001  # as multiprocessing does
_LOOK_SECONDS = 0.02
_EARLIER_THREADS_SECONDS = 0.1
"""The time that threads from before the stage get to end."""
_FAILED_SECONDS = 2.0
"""The time that threads of a failed stage get to end."""


@attrs.frozen(eq=False, repr=False)
class WorkerFds(Value):
    """The descriptors of the process of a stage.

    Attributes:
        output: The descriptor for everything that the stage prints.
        result: The descriptor for its one report.
        inherited: Descriptors of the host that the stage must not hold open.
        host: The pid of the host; this process dies with it.
    """

    output: int
    result: int
    inherited: tuple[int, ...]
    host: int


class StandardStreams(NamedTuple):
    """New `sys.stdout` and `sys.stderr`, since the host prints what is in the buffers of its own."""

    stdout: TextIO
    stderr: TextIO

    @classmethod
    def create(cls) -> "StandardStreams":
        """Create them for the standard descriptors; they write by lines, so that a crash loses none."""
        stdout = open(1, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        return cls(stdout, open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False))

    @classmethod
    def create_for_forks(cls) -> "StandardStreams":
        """Create them in a process that will fork the process of a stage, whose standard descriptors are pipes.

        Raises:
            OSError: A standard descriptor is closed here.
        """
        with contextlib.ExitStack() as stack:
            reader, writer = os.pipe()
            stack.callback(os.close, reader)
            stack.callback(os.close, writer)
            for fd in (1, 2):
                before = os.dup(fd)
                stack.callback(os.close, before)
                stack.callback(os.dup2, before, fd)
                os.dup2(writer, fd)
            return cls.create()


class StageObservers(NamedTuple):
    """The observers of one stage run.

    Attributes:
        code: Records the code that runs; it has been entered.
        usage: Records the files and variables that the stage uses.
    """

    code: Observer
    usage: StageTracer


def reset_signals() -> None:
    """Handle signals as a program does, in this process and those that it forks."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def prepare(fds: WorkerFds, streams: StandardStreams | None = None) -> None:
    """Make a new process ready for the run of a stage, after `reset_signals`; ``streams`` are its own if not given."""
    os.setpgid(0, 0)
    parent_death.die_with(fds.host)
    process_tree.adopt()  # descendants stay below this process, so that they can be attributed to the stage
    for fd in fds.inherited:
        os.close(fd)
    _redirect(fds.output)
    sys.stdout, sys.stderr = streams or StandardStreams.create()
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _show_unraisable
    _replace_exit_functions()


def run(
    stage: Stage,
    directory: str,
    result: int,
    observers: StageObservers,
    *,
    originals: Originals,
    replacements: Replacements,
) -> NoReturn:
    """Run a stage in a directory, report to the descriptor ``result``, and end this process.

    The stage uses the replacements of its module; before and after it, Pivot uses the original functions.
    """
    status = 1
    observers.code.add_companion(observers.usage.companion)
    observers.code.set_program_run(observers.usage.program_run)
    if isinstance(stage.func, Command):
        observers.code.pass_over_programs()
    process, result_file = os.getpid(), os.fstat(result)[1:3]  # its inode and device
    earlier_threads = _joined_threads()
    try:
        if stage.timeout is not None:
            faulthandler.register(signal.SIGTERM, file=2, chain=True)  # the log shows the line where time ran out
        os.makedirs(directory, exist_ok=True)
        os.chdir(directory)
        try:
            message = _execute(stage, observers, originals, replacements, earlier_threads)
            status = 0
        except BaseException as error:  # noqa: BLE001  # whatever a stage raises is its result
            originals.restore_all_for_end()
            message = {"ok": False, "failure": failure.describe_failure(error)}
            if os.getpid() != process:
                status = _exit_status(error)
            _run_exit_steps_of_failed()
        flush_streams()
        # A process that the stage forked may get here too, and the stage may have replaced the descriptor.
        if os.getpid() == process and os.fstat(result)[1:3] == result_file:
            wire.send(result, message)
    finally:
        os._exit(status)


def _execute(
    stage: Stage,
    observers: StageObservers,
    originals: Originals,
    replacements: Replacements,
    earlier_threads: list[Thread],
) -> dict[str, Any]:
    """Call the stage; returns the report of a run that succeeded."""
    try:
        with observers.usage:
            replacements.apply()
            try:
                execute(stage, observers.usage)
                _run_exit_steps(earlier_threads)
            finally:
                originals.restore_for_end()
    finally:
        observers.code.__exit__(None, None, None)
    flush_streams()
    if _has_open_files():
        originals.restore_all_for_end()
        _flush_files()
    used = observers.usage.used.to_plain()
    ran, sources = observers.code.observed.to_json(), observers.usage.sources
    return {"ok": True, "ran": ran, "seen": used} | ({"sources": sources} if sources else {})


def end_fork(error: BaseException | None = None) -> NoReturn:
    """End a process that user code forked and that has returned into Pivot's code, with the error that it raised."""
    status = 0 if error is None else _exit_status(error)
    flush_streams()
    os._exit(status)


def _exit_status(error: BaseException) -> int:
    """The exit status of a program that raised this, which is printed as the interpreter does."""
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


def _join_threads() -> None:
    """Do as the interpreter at its end: stop idle thread pools, then join all threads but daemons."""
    _shutdown()


def _joined_threads() -> list[Thread]:
    """The threads, other than this one, that the interpreter would join at its end."""
    if active_count() == 1:
        return []
    own = main_thread()
    return [thread for thread in all_threads() if thread is not own and not thread.daemon]


def _run_exit_steps(earlier_threads: list[Thread]) -> None:
    """Do the steps of the interpreter at its end that `os._exit` skips: join threads, call exit functions.

    The earlier threads are from the import of the pipeline and may never end, so the stage does not wait for them.
    """
    if earlier_threads:
        joining = Thread(target=_join_threads, daemon=True)
        joining.start()
        while joining.is_alive() and not all(thread in earlier_threads for thread in _joined_threads()):
            joining.join(_LOOK_SECONDS)
        joining.join(_EARLIER_THREADS_SECONDS)
    elif active_count() > 1:
        _join_threads()
    if atexit._ncallbacks():  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001


def _run_exit_steps_of_failed() -> None:
    """Do the same with a limit, since threads and processes may wait for something that a failed stage never does."""
    with contextlib.suppress(BaseException):
        if active_count() > 1:
            joining = Thread(target=_join_threads, daemon=True)
            joining.start()
            joining.join(_FAILED_SECONDS)
        processes: Any = sys.modules.get("multiprocessing.util")
        if processes is not None:
            atexit.unregister(processes._exit_function)  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
        if _has_open_files():
            _flush_files()


def _show_unraisable(unraisable: Any) -> None:
    """Print an ignored exception in Python code; the interpreter's own code would open the source like the stage."""
    place = "" if unraisable.object is None else f": {unraisable.object!r}"
    sys.stderr.write(f"{unraisable.err_msg or 'Exception ignored in'}{place}\n")
    traceback.print_exception(unraisable.exc_value)


def _replace_exit_functions() -> None:
    """Unregister the exit functions of the host, and register those of libraries that every process calls."""
    atexit._clear()  # noqa: SLF001
    finalize: Any = weakref.finalize
    for known in finalize._registry.values():  # noqa: SLF001
        known.atexit = False
    finalize._registered_with_atexit = False  # noqa: SLF001
    logging = sys.modules.get("logging")
    if logging is not None:
        atexit.register(logging.shutdown)
    processes: Any = sys.modules.get("multiprocessing.util")
    if processes is not None:  # multiprocessing does the same in its own children
        processes._finalizer_registry.clear()  # noqa: SLF001
        sys.modules["multiprocessing.process"]._children.clear()  # noqa: SLF001
        atexit.register(processes._exit_function)  # noqa: SLF001


def _has_open_files() -> bool:
    """Whether the stage left files open that it writes to."""
    return any(fd > _STANDARD_FDS and _is_written(fd) for fd in map(int, os.listdir("/dev/fd")))


def _flush_files() -> None:
    """Flush the buffers of all files."""
    for each in gc.get_objects():
        if isinstance(each, io.TextIOWrapper | io.BufferedWriter | io.BufferedRandom):
            with contextlib.suppress(Exception):
                each.flush()


def _is_written(fd: int) -> bool:
    """Whether a descriptor is a regular file, open for writing."""
    try:
        writing = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        return writing and stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return False


def flush_streams() -> None:
    """Flush the standard streams, even if the stage has replaced or closed them."""
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105  # each stage does it several times
            stream.flush()
        except BaseException:  # noqa: BLE001, S110  # whatever a stage's own stream raises
            pass
