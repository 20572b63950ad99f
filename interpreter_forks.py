"""New interpreters that the tests' own process starts for Pivot, forked from one that has imported Pivot.

A host, a fork server and a process that talks to a cluster each begin with a new interpreter, which imports Pivot in a
time in which it could be forked many times over. A fork runs the same, with the same environment, directory,
descriptors, process group and parent. Interpreters of the executable are new, and those whose environment has other
effects when they begin.
"""

import contextlib
import gc
import importlib
import json
import os
import pathlib
import re
import signal
import socket
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

_SUBREAPER = 36
_LARGEST = 1 << 18
_MOST_FDS = 8
_PID_BYTES = 8
_STDERR = 2
_PATIENCE_S = 30.0
_HOST = "pivot_runtime.host.server"
_COMMAND = re.compile(r"from (pivot_runtime\.[\w.]+) import main; main\(\d+, guard=(?:True|False)\)")
_PATH = "PYTHONPATH"
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
_ADDED = ("sitecustomize.py", "usercustomize.py")
_EARLY = ("PYTHON", "LC_", "LANG", "MALLOC_", "LD_")
"""How the names of variables begin that have an effect when an interpreter begins."""


def _early(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_EARLY) and name not in (_PATH, _NO_BYTECODE)
    }


def _directories(environment: Mapping[str, str]) -> list[str]:
    return list(filter(None, environment.get(_PATH, "").split(os.pathsep)))


class Interpreters:
    """The process from which interpreters are forked; it ends with this one, whose children they are."""

    def __init__(self, start: Callable[[socket.socket, socket.socket], int]) -> None:
        """``start`` starts the process and returns its pid, given both ends of the line, the process's first."""
        import ctypes  # lazy: the process that forks hosts must not have it before them
        import threading  # lazy

        self._owner, self._lock = os.getpid(), threading.Lock()
        self._environment = dict(os.environ)
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._pid = start(theirs, self._line)
        self._libc = ctypes.CDLL(None, use_errno=True)

    def close(self) -> None:
        """End the process; the interpreters go on."""
        self._line.close()
        os.waitpid(self._pid, 0)

    def can_begin(self, words: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Whether a fork is like a new interpreter with this command line and environment."""
        return (
            os.getpid() == self._owner
            and [*words[:3]] == [sys.executable, "-P", "-c"]
            and _COMMAND.fullmatch(words[-1]) is not None
            and _early(environment) == _early(self._environment)
            and not any(pathlib.Path(each, name).exists() for each in _directories(environment) for name in _ADDED)
        )

    def begin(self, words: Sequence[str], environment: Mapping[str, str], actions: Sequence[tuple[Any, ...]]) -> int:
        """Fork an interpreter that runs a command, and return its pid."""
        given = [(ours, theirs) for kind, ours, theirs, *_ in actions if kind == os.POSIX_SPAWN_DUP2 and ours > _STDERR]
        umask = os.umask(0)
        os.umask(umask)
        request = {
            "command": words[-1],
            "environment": dict(environment),
            "directory": os.getcwd(),
            "umask": umask,
            "actions": [action for action in actions if action[0] == os.POSIX_SPAWN_OPEN or action[1] <= _STDERR],
            "numbers": [theirs for _, theirs in given],
        }
        fds = [1, 2, *(ours for ours, _ in given)]
        with self._lock:
            self._libc.prctl(_SUBREAPER, 1, 0, 0, 0)  # whose parent ends becomes a child of this process
            try:
                socket.send_fds(self._line, [json.dumps(request).encode()], fds)
                answer = self._line.recv(_PID_BYTES)
            finally:
                self._libc.prctl(_SUBREAPER, 0, 0, 0, 0)
        assert answer, "the process that forks interpreters has ended"
        return int.from_bytes(answer)


def _start(theirs: socket.socket, ours: socket.socket) -> int:
    del ours  # it is not inherited
    words = [sys.executable, "-P", __file__, str(theirs.fileno())]
    return os.posix_spawn(
        words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), theirs.fileno())]
    )


@contextlib.contextmanager
def forked_interpreters(start: Callable[[socket.socket, socket.socket], int] = _start) -> Iterator[None]:
    """Within the block, interpreters for Pivot's own processes are forked."""
    from unittest import mock  # lazy

    spawn, interpreters = os.posix_spawn, Interpreters(start)

    def begin(path: str, words: list[str], environment: Mapping[str, str], **options: Any) -> int:
        alike = options.keys() == {"file_actions", "setpgroup"} and options["setpgroup"] == 0
        if alike and interpreters.can_begin(words, environment):
            return interpreters.begin(words, environment, options["file_actions"])
        return spawn(path, words, environment, **options)

    with mock.patch.object(os, "posix_spawn", begin), contextlib.closing(interpreters):
        yield


def serve(line: socket.socket) -> None:
    """Fork an interpreter for each request."""
    importlib.import_module(_HOST).prepare()
    own = {*_directories(os.environ)}
    path = [each for each in sys.path if each not in own]
    gc.collect()
    gc.freeze()
    while True:
        message, fds, _, _ = socket.recv_fds(line, _LARGEST, _MOST_FDS)
        if not message:
            return
        reading, writing = os.pipe()
        middle = os.fork()
        if middle == 0:
            os.close(reading)
            pid = os.fork()
            if pid == 0:
                os.close(writing)
                line.close()
                _become(json.loads(message), fds, path)
            os.setpgid(pid, pid)  # a new interpreter's group exists when its starter goes on, too
            os.write(writing, pid.to_bytes(_PID_BYTES))
            os._exit(0)
        os.close(writing)
        for fd in fds:
            os.close(fd)
        os.waitpid(middle, 0)
        line.send(os.read(reading, _PID_BYTES))
        os.close(reading)


def _become(request: dict[str, Any], fds: list[int], path: list[str]) -> NoReturn:
    from pivot_runtime.processes import clean_fork  # lazy

    status = 1
    try:
        coordinator = int(re.findall(r"main\((\d+)", request["command"])[0])
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.umask(request["umask"])
        os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.dont_write_bytecode = bool(os.environ.get(_NO_BYTECODE))
        sys.path[:] = [*_directories(os.environ), *path]
        sys.path_importer_cache.clear()
        out, err, *given = fds
        _place(out, err, given, request)
        clean_fork.replace_streams()
        main: Any = types.ModuleType("__main__")
        main.__builtins__ = sys.modules["builtins"]
        clean_fork._kept.append(sys.modules["__main__"])  # noqa: SLF001
        sys.modules["__main__"] = main
        sys.argv[:] = ["-c"]
        deadline = time.monotonic() + _PATIENCE_S
        while os.getppid() != coordinator:
            assert time.monotonic() < deadline, "its parent has ended"
            time.sleep(0.0005)
        exec(request["command"], vars(main))
        status = 0
    except BaseException:  # noqa: BLE001
        import traceback  # lazy

        traceback.print_exc()
    finally:
        clean_fork.end(status)


def _place(out: int, err: int, given: list[int], request: dict[str, Any]) -> None:
    """Give this process the descriptors of the request, and close all others."""
    import fcntl  # lazy

    highest = max([_STDERR, *request["numbers"]]) + 1
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, highest) for fd in (out, err, *given)]
    for fd, number in zip(moved, (1, 2, *request["numbers"]), strict=True):
        os.dup2(fd, number)
    for kind, fd, *what in request["actions"]:
        if kind == os.POSIX_SPAWN_OPEN:
            opened = os.open(what[0], what[1], what[2])
            os.dup2(opened, fd)
            os.close(opened)
        else:
            os.dup2(fd, what[0])
    for number in range(_STDERR + 1, highest):
        if number not in request["numbers"]:
            with contextlib.suppress(OSError):
                os.close(number)
    os.closerange(highest, 1 << 20)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as line:
        serve(line)
