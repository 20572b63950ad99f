"""Detects calls of user code, during an import, whose results differ each time."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, ModuleType
from typing import Any, Final

TIME: Final = "it asks for the time"
RANDOM: Final = "it asks for a random number"
_CHANCE: Final[Mapping[str, frozenset[str]]] = {
    TIME: frozenset({"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime", "ctime", "asctime"}),
    RANDOM: frozenset(
        {
            *("random", "randint", "randrange", "getrandbits", "randbytes", "choice", "choices", "sample", "shuffle"),
            *("uniform", "gauss", "normalvariate", "urandom", "getrandom"),
            *("uuid1", "uuid4", "token_bytes", "token_hex", "token_urlsafe"),
        }
    ),
}
"""Functions that the user's module code must not call: names of functions of the modules below, or of methods."""

_OF_CHANCE: Final = frozenset({"time", "datetime", "random", "_random", "secrets", "uuid", "posix", "pandas", "numpy"})
_UNAUDITED: Final = frozenset(
    {"polars", "pyarrow", "h5py", "duckdb", "netCDF4", "xarray", "rasterio", "fiona", "pysam", "zarr", "tables"}
)
"""Libraries that read files without Python's `open`."""


_OF_PROCESS: Final = frozenset(
    {
        *("getpid", "getppid", "get_ident", "get_native_id", "monotonic", "monotonic_ns", "perf_counter"),
        *(
            "perf_counter_ns",
            "process_time",
            "mkdtemp",
            "mkstemp",
            "mktemp",
            "NamedTemporaryFile",
            "TemporaryDirectory",
        ),
    }
)
"""Modules with functions whose results belong to this process, and by which programs seldom decide anything."""
_HOMES: Final = frozenset({"posix", "time", "tempfile", "_thread", "threading"})
_HASHED: Final = (str, bytes, tuple, frozenset)
"""Types whose hash is another one in each process, or may be."""
_SMALLEST: Final = 1 << 24
"""Smaller numbers may well be something else."""
_MOST: Final = 100_000


class RandomCalls:
    """Notices calls, in the code of the user's modules, of what gives another answer each time.

    Attributes:
        numbers: The numbers that `id` and `hash` returned: numbers of this process alone, each with what it stands for.
        possible: Whether something was asked for that is another one in each process, and not reported.
    """

    def __init__(self, told: dict[str, None]) -> None:
        self.numbers: dict[int, tuple[str, object]] = {}
        self.possible = False
        self._told = told
        self._tool: int | None = None
        self._watched: list[CodeType] = []

    @property
    def may_differ(self) -> bool:
        """Whether chance can have made values other ones than at another import, and nothing else that is not known."""
        return bool(self._told or self.possible) and {RANDOM, TIME}.issuperset(self._told)

    def watch(self, code: CodeType) -> None:
        """Notice the calls that this code makes from now on."""
        monitoring = sys.monitoring
        if self._tool is None:
            self._tool = next((each for each in range(6) if monitoring.get_tool(each) is None), None)
            if self._tool is None:
                self._told["no tool id of sys.monitoring is free"] = None
                return
            monitoring.use_tool_id(self._tool, "pivot load")
            monitoring.register_callback(self._tool, monitoring.events.CALL, self._called)
        for each in _nested(code):
            monitoring.set_local_events(self._tool, each, monitoring.events.CALL)
            self._watched.append(each)

    def stop(self) -> None:
        """Notice nothing more."""
        if self._tool is not None:
            for code in self._watched:
                sys.monitoring.set_local_events(self._tool, code, 0)
            sys.monitoring.register_callback(self._tool, sys.monitoring.events.CALL, None)
            sys.monitoring.free_tool_id(self._tool)
            self._tool = None

    def _called(self, _: CodeType, __: int, function: object, given: object) -> None:
        with contextlib.suppress(Exception):  # an object may refuse to say what it is
            if function is id:
                self._note(id(given), ("id", type(given)))
            elif function is hash and isinstance(given, _HASHED):
                self._note(hash(given), ("hash", given))
            elif function is hash and type(given).__hash__ is object.__hash__:
                self._note(hash(given), ("id", type(given)))
            reason = _unrecordable(function)
            if reason is not None:
                self._told[reason] = None
            elif getattr(function, "__name__", "") in _OF_PROCESS and getattr(function, "__module__", "") in _HOMES:
                self.possible = True

    def _note(self, number: int, stands_for: tuple[str, object]) -> None:
        if abs(number) >= _SMALLEST and len(self.numbers) < _MOST:
            self.numbers[number] = stands_for


def _unrecordable(function: Any) -> str | None:
    owner = getattr(function, "__self__", None)
    if owner is None:  # a method in C is called by its descriptor
        owner = getattr(function, "__objclass__", None)
        if owner is not None and owner.__module__ == "datetime":  # what a given date says of itself is no chance
            return None
    module = getattr(function, "__module__", None)
    if not isinstance(module, str):
        module = owner.__name__ if isinstance(owner, ModuleType) else getattr(owner, "__module__", None)
    if not isinstance(module, str):
        module = type(owner).__module__ if owner is not None else ""
    package = module.partition(".")[0]
    if package in _UNAUDITED:
        return f"it calls {package}, which may read files unseen"
    if package not in _OF_CHANCE:
        return None
    name = getattr(function, "__name__", "")
    if name == "strftime" and package == "time":
        return TIME
    return next((reason for reason, listed in _CHANCE.items() if name in listed), None)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
