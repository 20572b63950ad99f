"""Forks a process that continues like a new interpreter, in a fraction of the time."""

import atexit
import contextlib
import fcntl
import gc
import importlib
import importlib.machinery
import os
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from pivot_runtime.processes.startup_state import StartupState

_NEEDED = frozenset(
    {"pivot", "pivot_core", "pivot_cache", "pivot_runtime", "pivot_fingerprint"} | {"attr", "attrs", "xxhash"}
)
"""The packages that the new process would import anyway."""
_FIRST_FD = 3
_FDS = 1 << 20
_TOOL_IDS = 6
"""The number of tools that `sys.monitoring` supports."""

_kept: list[object] = []
"""Objects of the command that are never destroyed here, since a destructor would close a descriptor that is reused."""


def fork(
    main: Callable[[], None], given: Sequence[tuple[int, int]], *, quiet: bool, startup_state: StartupState
) -> int:
    """Call ``main`` in a new process, which leads a process group and ends as an interpreter does; returns its pid.

    Args:
        main: The work of the process.
        given: The descriptors that it has besides the standard ones, each with its number there.
        quiet: Drop its output; else its output goes to the standard error of this process.
        startup_state: The state of this process when it began.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Until the child has its own handlers, a signal would run those of this process.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become(main, given, quiet=quiet, startup_state=startup_state, mask=blocked)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    with contextlib.suppress(OSError):  # the child does the same, whichever comes first, and may have ended already
        os.setpgid(pid, pid)
    return pid


def _become(
    main: Callable[[], None],
    given: Sequence[tuple[int, int]],
    *,
    quiet: bool,
    startup_state: StartupState,
    mask: Iterable[int],
) -> NoReturn:
    status = 1
    try:
        gc.freeze()  # the collector must destroy no object of the command here
        os.setpgid(0, 0)
        atexit._clear()  # noqa: SLF001  # those functions are for the end of the command
        replace_descriptors(given, quiet=quiet)
        replace_streams()
        _reset_signals()
        _remove_tools()
        _remove_modules(startup_state)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        main()
        status = 0
    except BaseException:  # noqa: BLE001  # an exception would return into the command's code
        traceback.print_exc()
    finally:
        end(status)


def serve(module: str, coordinator: int, *, guard: bool, startup_state: StartupState) -> None:
    """Import a module of Pivot and call its ``main``, in a process that was forked here from ``coordinator``."""
    main = importlib.import_module(module).main
    sys.path_importer_cache.clear()  # directories of the user may have changed
    gc.freeze()
    gc.set_threshold(*startup_state.thresholds)  # the command has others
    main(coordinator, guard=guard)


def replace_descriptors(given: Sequence[tuple[int, int]], *, quiet: bool) -> None:
    """Give the process the standard descriptors and the ``given`` ones, and close all others."""
    beyond = max((number for _, number in given), default=_FIRST_FD) + 1
    moved = [(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, beyond), number) for fd, number in given]
    for fd, number in moved:
        os.dup2(fd, number)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    if quiet:
        os.dup2(nothing, 2)
    os.dup2(2, 1)  # the command's stdout is for its answer only
    wanted = {number for _, number in given}
    for number in range(_FIRST_FD, beyond):
        if number not in wanted:
            with contextlib.suppress(OSError):  # it was not open
                os.close(number)
    os.closerange(beyond, _FDS)


def replace_streams() -> None:
    """Give the process new streams on its standard descriptors."""
    for name, fd, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        errors = "backslashreplace" if fd else None
        stream = open(fd, mode, 1 if fd == 2 else -1, errors=errors, closefd=False)  # noqa: SIM115, PLR2004
        for each in (name, f"__{name}__"):
            _kept.append(getattr(sys, each))
            setattr(sys, each, stream)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _remove_tools() -> None:
    """Remove tools that profile, trace or debug the command."""
    threading.setprofile(None)
    threading.settrace(None)
    sys.setprofile(None)
    sys.settrace(None)
    for tool in range(_TOOL_IDS):
        if sys.monitoring.get_tool(tool) is not None:
            sys.monitoring.set_events(tool, 0)
            sys.monitoring.free_tool_id(tool)


def _remove_modules(startup_state: StartupState) -> None:
    """Remove the command's modules, so that user code imports its own modules and libraries for the first time."""
    fixed = {
        name.partition(".")[0]
        for name, module in list(sys.modules.items())
        if isinstance(getattr(module, "__loader__", None), importlib.machinery.ExtensionFileLoader)
    }  # not every extension in C can be imported twice
    needed = _NEEDED | sys.stdlib_module_names | fixed
    for name in list(sys.modules):
        package = name.partition(".")[0]
        if package not in needed and name not in startup_state.modules:
            _kept.append(sys.modules.pop(name))
    _kept.append(sys.modules["__main__"])
    main: Any = types.ModuleType("__main__")
    main.__builtins__ = sys.modules["builtins"]
    sys.modules["__main__"] = main
    sys.path[:] = startup_state.path


def end(status: int) -> NoReturn:
    """End this process as an interpreter does, without destroying objects."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # as multiprocessing does
        atexit._run_exitfuncs()  # noqa: SLF001
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:  # noqa: BLE001  # exit functions of user code, on which nothing depends
        status = 1
    finally:
        os._exit(status)
