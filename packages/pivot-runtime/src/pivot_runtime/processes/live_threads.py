"""Live threads of this process; while there are others than the caller, it must not be forked.

A forked process has only the thread that forked it. Locks and places in queues that another thread held at that moment
are held there forever, and whoever waits for them waits forever, silently.
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
"""How long a thread that has been joined may be seen yet, look by look."""
_REHEARSAL_SECONDS: Final = 2.0
_MOST_NAMES: Final = 3
_START: Final = "_thread.start_new_thread"
_POOLS: Final = re.compile(r"/lib((?:gomp|iomp|omp|tbb|mkl|grpc|cuda|torch)\w*)[^/\s]*\.(?:so|dylib)")
"""Libraries in C whose threads have no names of their own."""

_FLAVOUR_TASKINFO: Final = 4
_TASKINFO_BYTES: Final = 96
_THREADNUM_OFFSET: Final = 84


class ThreadStarts:
    """Where in the user's code threads of Python were started."""

    def __init__(self, is_user_code: Callable[[str], bool]) -> None:
        """``is_user_code``: whether code in a file is the user's."""
        self._is_user_code = is_user_code
        self._places: weakref.WeakKeyDictionary[threading.Thread, tuple[str, int]] = weakref.WeakKeyDictionary()

    def note(self, function: Any, depth: int = 2) -> None:
        """A thread that calls ``function`` is being started by the frame at this depth."""
        thread = getattr(function, "__self__", None)
        frame = sys._getframe(depth)  # noqa: SLF001
        while frame.f_back is not None and not self._is_user_code(frame.f_code.co_filename):
            frame = frame.f_back
        if isinstance(thread, threading.Thread) and self._is_user_code(frame.f_code.co_filename):
            self._places[thread] = (frame.f_code.co_filename, frame.f_lineno)

    def told(self, thread: threading.Thread, root: str) -> str:
        """The name of a thread, and where it was started, if known."""
        file, line = self._places.get(thread, ("", 0))
        return f"{thread.name}, started at {os.path.relpath(file, root)}:{line}" if file else thread.name


def count() -> int:
    """How many threads this process has, of whatever library, the calling one among them."""
    try:
        return len(os.listdir(_TASKS))
    except OSError:
        counted = _counted_by_mach() if sys.platform == "darwin" else 0
        return max(counted, threading.active_count())


def describe_others(starts: ThreadStarts, root: str, replaced: Collection[str] = ()) -> tuple[str, ...]:
    """The threads besides the calling one that a forked process would be without, in words; none if it can be forked.

    Where Python's own way to start threads is among the names that were ``replaced``, as gevent does, there may be any:
    what stands for threads then cannot be counted, and libraries that do so repair a fork imperfectly.

    Libraries that prepare for a fork end their threads for it and start them again when they need them. So where only
    libraries have threads, a fork is rehearsed: the child ends at once, and what is left here counts.
    """
    if _START in replaced:
        return (f"threads of a library that replaces {_START}",)
    if count() == 1:
        return ()
    if len(_of_python()) == 0:
        _rehearse()
    for pause in _ENDING_SECONDS:
        if count() == 1:
            return ()
        time.sleep(pause)
    return () if count() == 1 else tuple(_told(starts, root))


def _of_python() -> list[threading.Thread]:
    own = threading.current_thread()
    return [thread for thread in threading.enumerate() if thread is not own]


def _rehearse() -> None:
    """Fork a process that ends before any code of Python's or of the user's can wait for anything in it."""
    pid = ctypes.PyDLL(None).fork()  # which keeps the interpreter to itself, and calls no functions registered with it
    if pid == 0:
        os._exit(0)
    if pid > 0:
        if not process_tree.ends_within(pid, _REHEARSAL_SECONDS):
            os.kill(pid, 9)
        os.waitpid(pid, 0)


def _told(starts: ThreadStarts, root: str) -> Iterable[str]:
    known: set[int | None] = {threading.get_native_id()}
    for thread in _of_python():
        known.add(thread.native_id)
        yield starts.told(thread, root)
    native = [name for task, name in _tasks() if task not in known]
    if native:
        yield _natives(native)


def _natives(names: list[str]) -> str:
    """Threads that only the system knows, by their names if they have any besides that of the program."""
    own = _name("self")
    named = sorted({name for name in names if name not in (own, "")})
    libraries = named or _libraries()
    told = ", ".join(libraries[:_MOST_NAMES]) + (", …" if len(libraries) > _MOST_NAMES else "")
    what = "a thread" if len(names) == 1 else f"{len(names)} threads"
    return f"{what} of a library in C" + (f": {told}" if told else "")


def _libraries() -> list[str]:
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
    """How many threads the kernel of macOS counts; 0 if it does not say."""
    try:
        information = ctypes.create_string_buffer(_TASKINFO_BYTES)
        asked = (os.getpid(), _FLAVOUR_TASKINFO, ctypes.c_uint64(0), information, _TASKINFO_BYTES)
        if ctypes.CDLL(None).proc_pidinfo(*asked) != _TASKINFO_BYTES:
            return 0
    except (OSError, AttributeError):
        return 0
    return int.from_bytes(information.raw[_THREADNUM_OFFSET : _THREADNUM_OFFSET + 4], sys.byteorder)
