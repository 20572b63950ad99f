"""Live threads of this process, which must not be forked while it has more than one.

A forked process has only the thread that forked it. Locks that another thread held at that moment stay locked there, so
code that waits for them waits forever, silently.
"""

import ctypes
import os
import re
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from pivot_runtime.processes import process_tree

_TASKS: Final = "/proc/self/task"
_MAPS: Final = "/proc/self/maps"
_ENDING_SECONDS: Final = (0.001, 0.004, 0.02)
"""The pauses between looks at the threads: the system still lists a thread for a moment after it was joined."""
_TRIAL_SECONDS: Final = 2.0
_MOST_NAMES: Final = 3
_START: Final = "_thread.start_new_thread"
_POOLS: Final = re.compile(r"/lib((?:gomp|iomp|omp|tbb|mkl|grpc|cuda|torch)\w*)[^/\s]*\.(?:so|dylib)")
"""Native libraries whose threads have no names."""

_FORK_SAFE: Final = frozenset({"jemalloc_bg_thd"})
"""Threads of libraries that take all locks before a fork, and start what they need in the forked process."""

_FLAVOUR_TASKINFO: Final = 4
_TASKINFO_BYTES: Final = 96
_THREADNUM_OFFSET: Final = 84


class ThreadStarts:
    """The lines of user code that started the threads of Python."""

    def __init__(self, is_user_code: Callable[[str], bool]) -> None:
        """Take the predicate of files with user code."""
        self._is_user_code = is_user_code
        self._places: weakref.WeakKeyDictionary[threading.Thread, tuple[str, int]] = weakref.WeakKeyDictionary()

    def note(self, function: Any, depth: int = 2) -> None:
        """Note that the frame at this depth starts a thread, which calls ``function``."""
        thread = getattr(function, "__self__", None)
        frame = sys._getframe(depth)  # noqa: SLF001
        while frame.f_back is not None and not self._is_user_code(frame.f_code.co_filename):
            frame = frame.f_back
        if isinstance(thread, threading.Thread) and self._is_user_code(frame.f_code.co_filename):
            self._places[thread] = (frame.f_code.co_filename, frame.f_lineno)

    def describe(self, thread: threading.Thread, root: str) -> str:
        """The name of a thread, and the line that started it if that is known."""
        file, line = self._places.get(thread, ("", 0))
        return f"{thread.name}, started at {os.path.relpath(file, root)}:{line}" if file else thread.name


def count() -> int:
    """The number of threads of this process: native ones and the calling one too, but no fork-safe ones."""
    try:
        number = len(os.listdir(_TASKS))
        return number if number == 1 else sum(name not in _FORK_SAFE for _, name in _tasks())
    except OSError:
        counted = _counted_by_mach() if sys.platform == "darwin" else 0
        return max(counted, threading.active_count())


def describe_others(starts: ThreadStarts, root: str, replaced: Collection[str] = ()) -> tuple[str, ...]:
    """Descriptions of the threads that a forked process would lack; empty if this process can be forked.

    If Python's function that starts threads is among the ``replaced`` names, as with gevent, the result is not empty:
    threads cannot be counted then, and such libraries restore their state imperfectly after a fork.

    Some native libraries end their threads before a fork and start them again on demand. So if all threads are native,
    the process is forked once on trial, and the threads that remain count.
    """
    if _START in replaced:
        return (f"threads of a library that replaces {_START}",)
    if count() == 1:
        return ()
    if len(_other_python_threads()) == 0:
        _fork_on_trial()
    for pause in _ENDING_SECONDS:
        if count() == 1:
            return ()
        time.sleep(pause)
    return () if count() == 1 else tuple(_descriptions(starts, root))


def _other_python_threads() -> list[threading.Thread]:
    own = threading.current_thread()
    return [thread for thread in threading.enumerate() if thread is not own]


def _fork_on_trial() -> None:
    """Fork a process that ends before any Python code can wait for a lock in it."""
    pid = ctypes.PyDLL(None).fork()  # it keeps the GIL, and skips the functions of `os.register_at_fork`
    if pid == 0:
        os._exit(0)
    if pid > 0:
        if not process_tree.ends_within(pid, _TRIAL_SECONDS):
            os.kill(pid, 9)
        os.waitpid(pid, 0)


def _descriptions(starts: ThreadStarts, root: str) -> Iterable[str]:
    known: set[int | None] = {threading.get_native_id()}
    for thread in _other_python_threads():
        known.add(thread.native_id)
        yield starts.describe(thread, root)
    native = [name for task, name in _tasks() if task not in known and name not in _FORK_SAFE]
    if native:
        yield _describe_native(native)


def _describe_native(names: list[str]) -> str:
    """The text for native threads: their names, unless that is the program's, or the libraries that may have them."""
    own = _name("self")
    named = sorted({name for name in names if name not in (own, "")})
    libraries = named or _libraries_with_pools()
    listed = ", ".join(libraries[:_MOST_NAMES]) + (", …" if len(libraries) > _MOST_NAMES else "")
    threads = "a thread" if len(names) == 1 else f"{len(names)} threads"
    return f"{threads} of a library in C" + (f": {listed}" if listed else "")


def _libraries_with_pools() -> list[str]:
    try:
        with open(_MAPS, encoding="utf-8", errors="replace") as maps:
            return sorted({f"lib{name}" for name in _POOLS.findall(maps.read())})
    except OSError:
        return []


def _tasks() -> Iterable[tuple[int, str]]:
    try:
        return [(int(task), _name(f"self/task/{task}")) for task in os.listdir(_TASKS)]
    except OSError:
        return []


def _name(of: str) -> str:
    try:
        with open(f"/proc/{of}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _counted_by_mach() -> int:
    """The number of threads that the kernel of macOS counts; 0 if it reports none."""
    try:
        information = ctypes.create_string_buffer(_TASKINFO_BYTES)
        asked = (os.getpid(), _FLAVOUR_TASKINFO, ctypes.c_uint64(0), information, _TASKINFO_BYTES)
        if ctypes.CDLL(None).proc_pidinfo(*asked) != _TASKINFO_BYTES:
            return 0
    except (OSError, AttributeError):
        return 0
    return int.from_bytes(information.raw[_THREADNUM_OFFSET : _THREADNUM_OFFSET + 4], sys.byteorder)
