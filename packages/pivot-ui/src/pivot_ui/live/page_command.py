"""The command that the page has started: one at a time."""

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from pivot_cli.embedding.command_process import CommandProcess
from pivot_ui.errors import NotAllowedError
from pivot_ui.live.hub import EventHub
from pivot_ui.project import ProjectService

__all__ = ["PageCommand"]

_LEAST_S: Final = 0.1
_GRACE_S: Final = 15


class PageCommand:
    """The last command that the page has started, with what listeners hear about it."""

    def __init__(self, service: ProjectService, hub: EventHub) -> None:
        """Start nothing."""
        self._service = service
        self._hub = hub
        self._lock = threading.Lock()
        self._process: CommandProcess | None = None
        self._told = 0.0
        self._late = False
        self._closed = False
        self._telling = threading.Lock()
        """Held while listeners get an event, so that none hears an older state after a newer one."""

    def start(self, words: Sequence[str]) -> dict[str, Any]:
        """Start a command; return what listeners hear.

        Raises:
            NotAllowedError: The page may start none, one is at work, or the system cannot start it.
        """
        if not self._service.allow_run:
            raise NotAllowedError("this page may not run stages", hint="start 'pivot ui --allow-run'")
        with self._lock:
            if self._closed:
                raise NotAllowedError("the server of this page ends")
            if self._process is not None and self._process.state == "running":
                raise NotAllowedError("a command of this page is at work", hint="wait for its end, or stop it")
            try:
                self._process = CommandProcess(words, self._service.root, self._service.environment, self._tell)
            except OSError as error:  # the project has been moved, or there are too many processes
                raise NotAllowedError(f"the command cannot be started: {error.strerror or error}") from None
        self._tell()
        return self._plain()

    def stop(self) -> bool:
        """Interrupt the command as Ctrl-C does; return whether one was at work."""
        process = self._process
        return process is not None and process.stop()

    def close(self) -> None:
        """Interrupt the command, and wait for its end; kill it if that takes too long or the user is impatient.

        None starts afterwards, since nobody would stop it.
        """
        with self._lock:
            self._closed = True
            process = self._process
        if process is None or not process.stop():
            return
        try:
            ended = process.wait(_GRACE_S)
        except KeyboardInterrupt:
            ended = False
        if not ended:
            process.kill()

    def _tell(self) -> None:
        """Tell listeners, but not more often than people can read; they hear of the end at once."""
        process = self._process
        if process is None:
            return
        with self._telling:
            wait = self._told + _LEAST_S - time.monotonic()
            if process.state == "ended" or wait <= 0:
                self._publish()
            elif not self._late:
                self._late = True
                late = threading.Timer(wait, self._tell_late)
                late.daemon = True
                late.start()

    def _tell_late(self) -> None:
        with self._telling:
            self._late = False
            self._publish()

    def _publish(self) -> None:
        self._told = time.monotonic()
        self._hub.publish("command", self._plain())

    def _plain(self) -> dict[str, Any]:
        process = self._process
        if process is None:
            return {}
        return {
            "state": process.state,
            "words": list(process.words),
            "exit_code": process.exit_code,
            "lines": list(process.lines),
        }
