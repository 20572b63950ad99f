"""One command's request, answered in a process forked from the warm one, which becomes the command's fork server."""

import importlib
import os
import socket
import sys
import traceback
import types
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, NoReturn

from pivot_runtime.processes import clean_fork, process_tree, wire
from pivot_runtime.warm import messages
from pivot_runtime.warm.client import OTHER_LIBRARIES
from pivot_runtime.warm.conditions import SESSION_VARIABLES, conditions, difference, different_variables
from pivot_runtime.warm.installation import Installation

_REQUEST_SECONDS: Final = 2.0
_MOST_FDS: Final = 3
_NOT_SERVED: Final = 1


class Warm(NamedTuple):
    """The warm process, as a command may use it.

    Attributes:
        path: The module search path that it began with.
        environment: Its environment variables.
        installation: The code that it has imported.
        file: The pipeline file for whose hosts it has imported libraries.
        names: The modules that it has imported in advance.
        shared: The libraries of which they are; None without any.
    """

    path: tuple[str, ...]
    environment: Mapping[str, str]
    installation: Installation
    file: str
    names: tuple[str, ...]
    shared: Any


class Service:
    """The answer to one request."""

    def __init__(self, warm: Warm, commands: int, idle: float) -> None:
        """Take the warm process, the number of commands that it serves already, and its idle seconds."""
        self._warm = warm
        self._commands = commands
        self._idle = idle

    def run(self, line: socket.socket, listener: socket.socket) -> NoReturn:
        """Be the process that answers on this line; return never."""
        status = _NOT_SERVED
        try:
            os.setpgid(0, 0)
            listener.close()
            message, fds = messages.receive(line, _REQUEST_SECONDS, _MOST_FDS)
            line.settimeout(_REQUEST_SECONDS)
            if message.get("op") == "status":
                messages.send(line, self._status())
            elif message.get("op") == "serve":
                reason = self._refusal(message, fds)
                if reason is None:
                    self._serve(line, message, fds)
                    status = 0
                else:
                    messages.send(line, {"event": "refused", "reason": reason})
        except (OSError, messages.MessageError, KeyError, TypeError, ValueError):
            pass  # the other side is gone, or no command
        except BaseException:  # noqa: BLE001  # it would return into the code of the warm process
            traceback.print_exc()
        finally:
            os._exit(status)

    def _status(self) -> dict[str, Any]:
        libraries = sorted({name.partition(".")[0] for name in self._warm.names})
        return {"event": "status", "commands": self._commands, "idle": self._idle, "libraries": libraries}

    def _refusal(self, message: Mapping[str, Any], fds: list[int]) -> str | None:
        """Why this command must not be served; None if it may be."""
        if len(fds) != (_MOST_FDS if message["guard"] else _MOST_FDS - 1):
            return "a descriptor is missing"
        own = conditions(self._warm.path)  # of now, since a process can be moved, for one to another control group
        differs = "control group" if own is None else difference(own, message["conditions"])
        if differs is not None:
            return f"another {differs}"
        names = different_variables(self._warm.environment, message["environment"])
        if names:
            return f"other environment variables: {', '.join(names[:3])}"
        changed = self._warm.installation.changed()
        if changed is not None:
            return changed
        return None if tuple(message["names"]) == self._warm.names else OTHER_LIBRARIES

    def _serve(self, line: socket.socket, message: Mapping[str, Any], fds: list[int]) -> None:
        """Become the fork server of the command."""
        directory, output, *guard = fds
        os.fchdir(directory)
        os.close(directory)
        for name in SESSION_VARIABLES:
            value = message["environment"].get(name)
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        sys.argv[:], sys.orig_argv[:] = message["arguments"]
        main: Any = types.ModuleType("__main__")
        main.__builtins__ = sys.modules["builtins"]
        sys.modules["__main__"] = main
        sys.path_importer_cache.clear()  # directories may have changed
        os.dup2(output, 2)
        given = [(line.detach(), wire.COMMANDS_FD), *((fd, wire.GUARD_FD) for fd in guard)]
        clean_fork.replace_descriptors(given, quiet=False)
        process_tree.adopt()  # what a host leaves if it is killed, for the command to end
        forkserver = importlib.import_module("pivot_runtime.host.forkserver")
        with forkserver.taken_line() as own:
            own.settimeout(_REQUEST_SECONDS)
            messages.send(own, {"event": "ready", "pid": os.getpid(), "file": self._warm.file})
            own.settimeout(None)
            forkserver.serve(own, guard=bool(guard), shared=self._warm.shared)
        if guard:
            os.close(wire.GUARD_FD)
