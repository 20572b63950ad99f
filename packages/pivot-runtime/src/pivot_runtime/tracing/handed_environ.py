"""Notes which of the variables that the import has set are handed to programs that cannot be observed."""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from pivot_fingerprint.programs import command_words, starts_python
from pivot_runtime.tracing.spool import UNSEEN, Spool

_SHELL: Final = "os.system"
_EVENTS: Final = frozenset({"subprocess.Popen", _SHELL, "os.exec", "os.posix_spawn"})
_SHOWN: Final = 3


class Handed:
    """An audit hook, which nothing can take away again."""

    def __init__(self, assigned: Iterable[str], spool: Spool, read: Callable[[str], object]) -> None:
        """Nothing is noted before `start`.

        Args:
            assigned: The variables.
            spool: Where other processes leave what they see.
            read: Called with the name of one that a command itself names.
        """
        self._given: set[tuple[str, str]] = set()
        self._assigned = tuple(assigned)
        self._spool = spool
        self._read = read
        self._active = False

    def start(self) -> None:
        """Note from now on. A process can do so once."""
        if self._assigned:
            self._active = True
            sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Note no more, and take in what others have seen."""
        self._active = False
        for kind, text in self._spool.told():
            if kind == UNSEEN:
                program, _, name = text.partition("\0")
                self._given.add((program, name))

    def unseen(self, read: Collection[str]) -> tuple[str, ...]:
        """The text about it, a line for each program; ``read`` are the variables that count anyway."""
        by_program: dict[str, list[str]] = {}
        for program, name in sorted(self._given):
            if name not in read:
                by_program.setdefault(program, []).append(name)
        return tuple(
            f"`{program}` was given {_listed(names)}, set by the import: add env=[...] to the stage if it reads them"
            for program, names in by_program.items()
        )

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self._active and event in _EVENTS:
            with suppress(Exception):  # an exception here would fail what the stage does
                program, command, *_, env = args if len(args) > 1 else (args[0], args[0], None)
                if not isinstance(program, int) and ("/" not in os.fsdecode(program) or os.path.exists(program)):
                    self._starting(command_words(command) or command_words(program), env)

    def _starting(self, command: list[str], env: object) -> None:
        names = [each for each in self._assigned if env is None or (isinstance(env, Mapping) and _is_in(each, env))]
        told = not starts_python(command)
        for name in names:
            if any(word == name or f"${name}" in word or f"${{{name}" in word for word in command):
                self._read(name)
            elif told:
                shown = command[0].split(" ")[0] if command else "a program"  # what follows may be secret
                if (shown, name) not in self._given:
                    self._given.add((shown, name))
                    self._spool.tell(UNSEEN, f"{shown}\0{name}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more variables" if len(names) > _SHOWN else ""
    return ", ".join(f"`{name}`" for name in names[:_SHOWN]) + more


def _is_in(name: str, env: Mapping[Any, Any]) -> bool:
    keys = set(env)
    return name in keys or os.fsencode(name) in keys
