"""The state of this process that the import of a library may depend on, or change."""

import builtins
import contextlib
import gc
import os
import random
import signal
import sys
import threading
import time
import warnings
from _contextvars import copy_context  # a module of the user may be called as those of Python around these
from _locale import LC_ALL, setlocale
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pivot_fingerprint.programs import inherited_environment

_SIMPLE: Final = (str, bytes, int, float, bool, type(None))
_MULTIPROCESSING: Final = "multiprocessing.context"
_LOGGING: Final = "logging"
_SOCKET: Final = "socket"
_SIGNAL: Final = "_signal"
_WORD: Final = 32
_MOST_WORDS: Final = 100
_TEMPFILE: Final = "tempfile"
_CSV: Final = "_csv"
_DECIMAL: Final = "_decimal"
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_NO_TIMER: Final = (0.0, 0.0)
_NO_LOGGING: Final = (30, (), 0)
"""The level of warnings, no handlers, and nothing disabled."""
_FIELD_SIZE: Final = 131072
_DECIMAL_CONTEXT: Final = (28, "ROUND_HALF_EVEN", -999999, 999999, 1, 0)
"""As Python makes them."""


class StateChanges(NamedTuple):
    """The changes of a process by the import of a library that can be made again in another process.

    Attributes:
        environment: The variables that it sets; None for one that it removes.
        filters_before: The filters that it puts before the others of `warnings`.
        filters_after: Those that it puts after them.
        finders_before: The finders that it puts at the start of `sys.meta_path`.
        finders_after: The finders that it puts at its end.
        random_words: The number of words that it takes from the generator of random numbers.
    """

    environment: Mapping[bytes, bytes | None] = {}
    filters_before: tuple[Any, ...] = ()
    filters_after: tuple[Any, ...] = ()
    finders_before: tuple[Any, ...] = ()
    finders_after: tuple[Any, ...] = ()
    random_words: int = 0

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return any(self)

    def apply(self) -> None:
        """Make these changes in this process."""
        for name, value in self.environment.items():
            if value is not None:
                os.environ[os.fsdecode(name)] = os.fsdecode(value)
            else:
                os.environ.pop(os.fsdecode(name), None)
        if self.filters_before or self.filters_after:
            _set_filters((*self.filters_before, *warnings.filters, *self.filters_after))
        if self.finders_before or self.finders_after:
            sys.meta_path[:] = [*self.finders_before, *sys.meta_path, *self.finders_after]
        for _ in range(self.random_words):
            random.getrandbits(_WORD)


class ProcessState(NamedTuple):
    """The state of this process at one moment.

    Attributes:
        environment: The variables.
        filters: The filters of `warnings`.
        finders: The finders in `sys.meta_path`.
        context: The context variables.
        random: The state of the generator of random numbers.
        others: Everything else, by name.
    """

    environment: Mapping[bytes, bytes]
    filters: tuple[Any, ...]
    finders: tuple[Any, ...]
    context: Mapping[Any, Any]
    random: tuple[Any, ...]
    others: Mapping[str, Any]

    @classmethod
    def now(cls) -> "ProcessState":
        """Return the current state."""
        held = _held()
        return cls(
            dict(held),
            tuple(warnings.filters),
            tuple(sys.meta_path),
            dict(copy_context().items()),
            random.getstate(),
            dict(_others()),
        )

    def restore(self) -> None:
        """Restore what `StateChanges` can change."""
        held = _held()
        for name in [each for each in held if each not in self.environment]:
            del os.environ[os.fsdecode(name)]
        for name, value in self.environment.items():
            if held.get(name) != value:
                os.environ[os.fsdecode(name)] = os.fsdecode(value)
        if not _same(self.filters, tuple(warnings.filters)):
            _set_filters(self.filters)
        sys.meta_path[:] = self.finders

    def difference(self, other: "ProcessState") -> str | None:
        """Return the name of something that another state has different; None if there is nothing."""
        for name, one, two in zip(self._fields, self, other, strict=True):
            if isinstance(one, Mapping) and isinstance(two, Mapping):
                found = _differing(one, two)
                if found is not None:
                    return str(found) if name == "others" else name
            elif not _same(one, two):
                return name
        return None

    def changes(self, after: "ProcessState") -> StateChanges | str:
        """Return the changes up to a later state; the name of one that cannot be made again, if there is one."""
        found = _differing(self.others, after.others)
        if found is not None:
            return str(found)
        filters = _inserted(self.filters, after.filters)
        finders = _inserted(self.finders, after.finders)
        if filters is None:
            return "filters"
        if finders is None:
            return "finders"
        words = _words_between(self.random, after.random)
        if words is None:
            return "random numbers"
        names = self.environment.keys() | after.environment.keys()
        changed = {name for name in names if self.environment.get(name) != after.environment.get(name)}
        environment = {name: after.environment.get(name) for name in sorted(changed)}
        return StateChanges(environment, *filters, *finders, words)


def _words_between(before: tuple[Any, ...], after: tuple[Any, ...]) -> int | None:
    """The number of words that were taken from a generator between two states; None if it was seeded."""
    generator = random.Random()  # noqa: S311  # it is the user's
    generator.setstate(before)
    for words in range(_MOST_WORDS):
        if _same(generator.getstate(), after):
            return words
        generator.getrandbits(_WORD)
    return None


def _others() -> Iterable[tuple[str, Any]]:
    held = {os.fsdecode(name): os.fsdecode(value) for name, value in _held().items()}
    yield "variables of programs", tuple(sorted(inherited_environment().items() ^ held.items()))
    yield "directory", _directory()
    yield "path", tuple(sys.path)
    yield "path hooks", tuple(sys.path_hooks)
    yield "arguments", tuple(sys.argv)
    yield "warning options", tuple(sys.warnoptions)
    yield "bytecode", sys.dont_write_bytecode
    yield "recursion limit", sys.getrecursionlimit()
    yield "switch interval", sys.getswitchinterval()
    yield "digits", sys.get_int_max_str_digits()
    yield "streams", (sys.stdin, sys.stdout, sys.stderr)
    yield "hooks", (sys.excepthook, sys.unraisablehook, sys.displayhook, sys.breakpointhook, threading.excepthook)
    yield "tracing", (sys.gettrace(), sys.getprofile())
    yield "locale", setlocale(LC_ALL, None)
    yield "time zone", time.tzname
    handler: Any = sys.modules[_SIGNAL].getsignal  # that of `signal` creates a value of an enumeration for each
    yield "signals", tuple(map(handler, range(1, signal.NSIG)))
    yield "collector", (gc.isenabled(), *gc.get_threshold())
    yield "threads", threading.active_count()
    yield "mask", _mask()
    if hasattr(os, "sched_getaffinity"):
        yield "processors", tuple(sorted(os.sched_getaffinity(0)))
    yield "builtins", len(vars(builtins))
    yield "libraries in C", sys.getdlopenflags()
    yield "small numbers", sys.float_info.min / 2  # zero where a library in C has switched them off
    yield "stack size", threading.stack_size()
    yield "timers", tuple(signal.getitimer(each) != _NO_TIMER for each in _TIMERS)  # no fork has them
    yield from _others_in_modules()


def _others_in_modules() -> Iterable[tuple[str, Any]]:
    """The state in modules that may not be imported yet."""
    logging: Any = sys.modules.get(_LOGGING)
    if logging is not None:
        root = logging.getLogger()
        yield "loggers", (root, logging.getLoggerClass())
        yield "logging", (root.level, tuple(root.handlers), root.manager.disable)
    else:
        yield "logging", _NO_LOGGING
    multiprocessing: Any = sys.modules.get(_MULTIPROCESSING)
    yield "processes", None if multiprocessing is None else multiprocessing._default_context._actual_context  # noqa: SLF001
    csv: Any = sys.modules.get(_CSV)
    yield "fields of tables", _FIELD_SIZE if csv is None else csv.field_size_limit()
    yield "decimal numbers", tuple(_decimal_contexts())
    tempfile: Any = sys.modules.get(_TEMPFILE)
    if tempfile is not None:
        yield "temporary files", tempfile.tempdir
    yield "names of temporary files", _temporary_names(tempfile)
    socket: Any = sys.modules.get(_SOCKET)
    yield "timeout", None if socket is None else socket.getdefaulttimeout()


def _decimal_contexts() -> Iterable[tuple[Any, ...]]:
    """The contexts of decimal numbers that are not as Python makes them."""
    decimal: Any = sys.modules.get(_DECIMAL)
    if decimal is None:
        return
    for each in (decimal.DefaultContext, *copy_context().values()):
        if type(each) is decimal.Context:
            held = each.prec, each.rounding, each.Emin, each.Emax, each.capitals, each.clamp
            if held != _DECIMAL_CONTEXT:
                yield held


def _temporary_names(tempfile: Any) -> Any:
    """The generator of their names: such a file belongs to one process, which often removes it at its end."""
    names = None if tempfile is None else tempfile._name_sequence  # noqa: SLF001
    generator = getattr(names, "_rng", None)
    return None if generator is None else generator.getstate()


def _held() -> Mapping[bytes, bytes]:
    """The variables of `os.environ`, whose methods would record a read."""
    environment: Any = os.environ
    held: Mapping[bytes, bytes] = environment._data  # noqa: SLF001
    return held


def _directory() -> str:
    with contextlib.suppress(OSError):
        return os.getcwd()
    return ""


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _set_filters(filters: Iterable[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  # as its own functions do


def _inserted(before: tuple[Any, ...], after: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """The items put before and after the others; None if the others are no longer the same."""
    more = len(after) - len(before)
    for start in range(more + 1):
        if _same(after[start : start + len(before)], before):
            return after[:start], after[start + len(before) :]
    return None


def _differing(one: Mapping[Any, Any], two: Mapping[Any, Any]) -> Any:
    """A key whose values differ; a key that only one has counts only where the other has an older state."""
    gone = object()
    return next((key for key in one if not _same(one[key], two.get(key, gone))), None) or next(
        (key for key in two if key not in one and not isinstance(key, str)), None
    )


def _same(one: Any, two: Any) -> bool:
    if one is two:
        return True
    if type(one) is not type(two):
        return False
    if isinstance(one, tuple):
        return len(one) == len(two) and all(map(_same, one, two))
    return isinstance(one, _SIMPLE) and bool(one == two)
