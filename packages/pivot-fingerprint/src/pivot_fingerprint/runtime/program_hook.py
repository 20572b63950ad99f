"""Audit hook for programs that are started without `subprocess`: it sets their `PYTHONPATH` just before the start."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from os import putenv, unsetenv  # the observed code decides what happens to the module
from threading import get_ident

from pivot_fingerprint import programs
from pivot_fingerprint.runtime import start_file

type PathFor = Callable[[list[str], object], str | None]

_SYSTEM = "os.system"
_EVENTS = frozenset({_SYSTEM, "os.exec", "os.posix_spawn"})
_hooks: list[PathFor] = []
"""The function of the audit hook, once that is installed."""
_before: dict[int, str] = {}
"""The previous value of the variable, by each thread that was about to start a program."""


def watch(path_for: PathFor) -> None:
    """Ask for the `PYTHONPATH` of each program before it is started.

    Args:
        path_for: Gets the words of the command, and the environment if the program gets one of its own, which can no
            longer be changed; returns None for a program that gets no other path.
    """
    if not _hooks:  # an audit hook cannot be removed
        programs.track_putenv()
        _hooks.append(path_for)
        sys.addaudithook(_on_event)


def restore() -> None:
    """Restore the environment once the program that this thread was starting has started."""
    before = _before.pop(get_ident(), None)
    if before is not None:
        _set(before)


def _on_event(
    event: str, args: tuple[object, ...], before: dict[int, str] = _before, events: frozenset[str] = _EVENTS
) -> None:
    """Handle an audit event; names of this module are gone when the interpreter ends, hence the defaults."""
    if before:
        restore()  # whatever a thread does next, it does after the start of the program
    if event in events:
        with suppress(Exception):  # it must not reach the observed code
            _before_start(event, *args)


def _before_start(event: str, program: object, command: object = None, env: object = None) -> None:
    if event == _SYSTEM:
        words = programs.command_words(program)
    elif isinstance(program, int) or (isinstance(program, str | bytes | os.PathLike) and os.path.exists(program)):
        words = [*programs.command_words(program), *programs.command_words(command)[1:]]
    else:
        return  # one of the places in `PATH` that lack the program
    path = _hooks[0](words, env)
    if path is not None and env is None:
        before = programs.inherited_environment().get(start_file.PATH, "")
        _set(path)  # `os.environ` does not show it
        _before[get_ident()] = before


def _set(path: str) -> None:
    if path:
        putenv(start_file.PATH, path)
    else:
        unsetenv(start_file.PATH)
