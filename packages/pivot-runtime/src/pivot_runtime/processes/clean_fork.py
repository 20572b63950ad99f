"""Forks a process that continues like a new interpreter, in a fraction of the time."""

import atexit
import contextlib
import fcntl
import gc
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
"""The modules that the new process would import anyhow."""
_FIRST = 3
_MOST = 1 << 20
_TOOLS = 6
"""How many `sys.monitoring` can have."""

_kept: list[object] = []
"""Objects that are forgotten but not torn down: their descriptors are closed, and the numbers have other uses."""


def fork(
    main: Callable[[], None], given: Sequence[tuple[int, int]], *, quiet: bool, startup_state: StartupState
) -> int:
    """Start ``main`` in a process that leads a group of its own; returns its pid.

    Args:
        main: Its work; then it ends, as an interpreter does.
        given: The descriptors that it has besides the standard ones: each with the number that it has there.
        quiet: Drop what it prints; else that goes where this process's errors go.
        startup_state: The state of this process when it began.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Signals to this process must not affect the other, not even in its first moments.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become(main, given, quiet=quiet, startup_state=startup_state, mask=blocked)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    with contextlib.suppress(OSError):  # it has done so itself, and has even ended perhaps
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
        gc.freeze()  # nothing of the command's is ever taken down here
        os.setpgid(0, 0)
        atexit._clear()  # noqa: SLF001  # what the command has to do at its end is not this process's business
        _place(given, quiet=quiet)
        _forget_signals()
        _forget_tools()
        _forget_modules(startup_state)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        main()
        status = 0
    except BaseException:  # noqa: BLE001  # nothing must get out into the command's own code
        traceback.print_exc()
    finally:
        _end(status)


def _place(given: Sequence[tuple[int, int]], *, quiet: bool) -> None:
    beyond = max((number for _, number in given), default=_FIRST) + 1
    moved = [(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, beyond), number) for fd, number in given]
    for fd, number in moved:
        os.dup2(fd, number)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    # Output while importing is no answer of ours, so it does not go to our stdout.
    if quiet:
        os.dup2(nothing, 2)
    os.dup2(2, 1)
    wanted = {number for _, number in given}
    for number in range(_FIRST, beyond):
        if number not in wanted:
            with contextlib.suppress(OSError):  # it was not open
                os.close(number)
    os.closerange(beyond, _MOST)
    for name, fd, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        errors = "backslashreplace" if fd else None
        stream = open(fd, mode, 1 if fd == 2 else -1, errors=errors, closefd=False)  # noqa: SIM115, PLR2004
        for each in (name, f"__{name}__"):
            _kept.append(getattr(sys, each))
            setattr(sys, each, stream)


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _forget_tools() -> None:
    """Tools that profile or debug the command are not wanted here."""
    threading.setprofile(None)
    threading.settrace(None)
    sys.setprofile(None)
    sys.settrace(None)
    for tool in range(_TOOLS):
        if sys.monitoring.get_tool(tool) is not None:
            sys.monitoring.set_events(tool, 0)
            sys.monitoring.free_tool_id(tool)


def _forget_modules(startup_state: StartupState) -> None:
    """So that the user's code finds its own modules, and imports libraries as if it were the first to do so."""
    fixed = {
        name.partition(".")[0]
        for name, module in list(sys.modules.items())
        if isinstance(getattr(module, "__loader__", None), importlib.machinery.ExtensionFileLoader)
    }  # what is written in C may not bear to be imported twice
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
    sys.path_importer_cache.clear()  # what a directory held a moment ago is not what it holds


def _end(status: int) -> NoReturn:
    """As an interpreter ends, but for the taking down."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # as multiprocessing does
        atexit._run_exitfuncs()  # noqa: SLF001
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:  # noqa: BLE001  # the user's own functions at the end, which nothing depends on
        status = 1
    finally:
        os._exit(status)
