"""Starting and ending the warm process of a project."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from pivot_cache.layout import Layout
from pivot_runtime.processes import process_tree
from pivot_runtime.project import guard
from pivot_runtime.warm import record

_END_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.02
_AGAIN_SECONDS: Final = 600.0
"""The time after which it is started again where it could not serve."""
_MODULE: Final = "pivot_runtime.warm.server"
_NO: Final = ("", "0", "false", "no", "off")


def why_not(layout: Layout, environment: Mapping[str, str]) -> str | None:
    """Return why a command must not start the process; None if it may."""
    if environment.get("CI", "").lower() not in _NO:
        return "not in continuous integration (the variable CI is set)"
    try:
        owner = os.stat(layout.database_dir).st_uid
    except OSError:
        return "the project has no state yet"
    if owner != os.geteuid():
        return "the project belongs to another user"
    return "not inside a stage of Pivot" if _is_inside_a_stage() else None


class WarmLibraries(NamedTuple):
    """The libraries that the process imports in advance.

    Attributes:
        file: The absolute path of a pipeline file; they are imported as its host does.
        names: The modules; none means that it has imported Pivot only.
    """

    file: str
    names: tuple[str, ...]


def start(layout: Layout, libraries: WarmLibraries) -> None:
    """Start the process, unless one lives, or one could not serve a short time ago; nothing is waited for."""
    held, lives = record.read(layout)
    if lives or (held is not None and held.get("state") == "failed" and record.age(layout) < _AGAIN_SECONDS):
        return
    from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined]  # lazy

    # With the flags of the command, since user code and its programs may see them.
    words = [sys.executable, *_args_from_interpreter_flags(), "-c", code(str(layout.root), libraries)]
    nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    with contextlib.suppress(OSError):  # then the next command takes as long as this one
        os.posix_spawn(words[0], words, os.environ, file_actions=nothing, setsid=True)


def code(root: str, libraries: WarmLibraries) -> str:
    """Return the code of the process, which must not import modules from the current directory."""
    path = "" if sys.flags.safe_path else "import sys; del sys.path[0]; "
    return f"{path}from {_MODULE} import main; main({root!r}, {libraries.file!r}, {libraries.names!r})"


def end(layout: Layout) -> int | None:
    """End the process; return its pid, and None if there was none. Commands that use it go on."""
    held, lives = record.read(layout)
    if held is None or not lives:
        return None
    pid = int(held["pid"])
    pidfd = process_tree.pidfd_of(pid)
    try:
        if record.read(layout) == (held, True) and _MODULE in process_tree.command_of(pid):
            _kill(pid, pidfd)
            until = time.monotonic() + _END_SECONDS
            while record.read(layout)[1] and time.monotonic() < until:
                time.sleep(_POLL_SECONDS)
            if pidfd is not None:  # it lets go of its record a little before it has ended
                process_tree.readable_within(pidfd, _END_SECONDS)
            _remove_socket(layout)
    finally:
        if pidfd is not None:
            os.close(pidfd)
    return pid


def _remove_socket(layout: Layout) -> None:
    """Remove the socket that nobody listens at, since not every tool that copies a project can copy it."""
    with contextlib.suppress(OSError):  # another process has begun meanwhile, and the socket is its own
        held = record.WarmRecord(layout, 0)
        try:
            layout.warm_socket_file.unlink(missing_ok=True)
        finally:
            held.close()


def _kill(pid: int, pidfd: int | None) -> None:
    with contextlib.suppress(OSError):
        if pidfd is None:
            os.kill(pid, signal.SIGKILL)
        else:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _is_inside_a_stage() -> bool:
    """Whether Pivot runs this command, and would end the process as one that a stage has left."""
    for pid in guard.ancestors():
        words = process_tree.command_of(pid).split(" ")
        if any(os.path.basename(word) == "pivot" for word in words[:2]) or any("pivot_" in word for word in words[:5]):
            return True
    return False
