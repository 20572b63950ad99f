"""Notices programs that are started without `subprocess`, by an audit hook: it may still change the environment."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from os import putenv, unsetenv  # the observed code decides what happens to the module
from threading import get_ident

from pivot_fingerprint.runtime import commands, environment, start_file

type Asked = Callable[[list[str], object], str | None]

_SYSTEM = "os.system"
_EVENTS = frozenset({_SYSTEM, "os.exec", "os.posix_spawn"})
_hooks: list[Asked] = []
_before: dict[int, str] = {}
"""By thread that was about to start a program, what the variable was before."""


def watch(asked: Asked) -> None:
    """Before a program is started, ask what `PYTHONPATH` is to be for it, if that matters.

    The callback receives the words, and the environment if the program gets one of its own: that has been read
    already, and cannot be changed any more. A hook for audit events cannot be taken back: it is set once.
    """
    if not _hooks:
        environment.heed()
        _hooks.append(asked)
        sys.addaudithook(_heard)


def undo() -> None:
    """The program that this thread was starting has started: the environment is again as it was."""
    before = _before.pop(get_ident(), None)
    if before is not None:
        _set(before)


def _heard(
    event: str, args: tuple[object, ...], before: dict[int, str] = _before, events: frozenset[str] = _EVENTS
) -> None:
    """Names of this module are gone when the interpreter ends, hence the defaults."""
    if before:
        undo()  # whatever a thread does next, it does after the start of the program
    if event in events:
        with suppress(Exception):  # it must not reach the code that is observed
            _starting(event, *args)


def _starting(event: str, program: object, command: object = None, env: object = None) -> None:
    if event == _SYSTEM:
        words = commands.words(program)
    elif isinstance(program, int) or (isinstance(program, str | bytes | os.PathLike) and os.path.exists(program)):
        words = [*commands.words(program), *commands.words(command)[1:]]
    else:
        return  # one of the places in `PATH` where it is not
    path = _hooks[0](words, env)
    if path is not None and env is None:
        before = environment.of_programs().get(start_file.PATH, "")
        _set(path)  # nobody sees it in `os.environ`
        _before[get_ident()] = before


def _set(path: str) -> None:
    if path:
        putenv(start_file.PATH, path)
    else:
        unsetenv(start_file.PATH)
