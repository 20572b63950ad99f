"""The calls of user code during an import whose results differ each time, such as random numbers and the time."""

import contextlib
import sys
from collections.abc import Callable, Mapping
from types import CodeType, ModuleType
from typing import Any, Final

TIME: Final = "it asks for the time"
RANDOM: Final = "it asks for a random number"
_FUNCTIONS: Final[Mapping[str, frozenset[str]]] = {
    TIME: frozenset({"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime", "ctime", "asctime"}),
    RANDOM: frozenset(
        {
            *("random", "randint", "randrange", "getrandbits", "randbytes", "choice", "choices", "sample", "shuffle"),
            *("uniform", "gauss", "normalvariate", "urandom", "getrandom"),
            *("uuid1", "uuid4", "token_bytes", "token_hex", "token_urlsafe"),
        }
    ),
}
"""By reason, the functions and methods after whose call an import cannot be repeated from a snapshot."""

_MODULES: Final = frozenset({"time", "datetime", "random", "_random", "secrets", "uuid", "posix", "pandas", "numpy"})
"""The packages that those belong to."""
_UNAUDITED: Final = frozenset(
    {"polars", "pyarrow", "h5py", "duckdb", "netCDF4", "xarray", "rasterio", "fiona", "pysam", "zarr", "tables"}
)
"""Libraries that read files without Python's `open`."""

_PROCESS_FUNCTIONS: Final = frozenset(
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
"""Functions whose results belong to this process; they seldom change the outcome of an import."""
_PROCESS_MODULES: Final = frozenset({"posix", "time", "tempfile", "_thread", "threading"})
"""The modules that those belong to."""
_HASHED: Final = (str, bytes, tuple, frozenset)
"""Types whose hash may differ in each process."""
_SMALLEST: Final = 1 << 24
"""Smaller numbers may occur in code for other reasons."""
_MOST_NUMBERS: Final = 100_000
_TOOL_IDS: Final = 6


class RandomCalls:
    """The observed calls in the code of the user's modules.

    Attributes:
        numbers: The numbers that `id` and `hash` returned, which are of this process only, each with the function's
            name and its argument or the type of that.
        possible: A function was called whose result differs in each process, which is not reported.
        listener: Called with the place of each call, as code and offset, and the module of the function; may be None.
    """

    def __init__(self, unrecorded: dict[str, None]) -> None:
        """Add reports to ``unrecorded``, the reasons why a load cannot be kept."""
        self.numbers: dict[int, tuple[str, object]] = {}
        self.possible = False
        self.listener: Callable[[CodeType, int, str], None] | None = None
        self._unrecorded = unrecorded
        self._tool: int | None = None
        self._watched: list[CodeType] = []

    @property
    def may_differ(self) -> bool:
        """Whether values may differ at the next import because of such calls, and for no other known reason."""
        return bool(self._unrecorded or self.possible) and {RANDOM, TIME}.issuperset(self._unrecorded)

    def watch(self, code: CodeType) -> None:
        """Observe the calls that this code makes from now on."""
        monitoring = sys.monitoring
        if self._tool is None:
            self._tool = next((each for each in range(_TOOL_IDS) if monitoring.get_tool(each) is None), None)
            if self._tool is None:
                self._unrecorded["no tool id of sys.monitoring is free"] = None
                return
            monitoring.use_tool_id(self._tool, "pivot load")
            monitoring.register_callback(self._tool, monitoring.events.CALL, self._on_call)
        codes = [code]
        for each in codes:
            codes += [constant for constant in each.co_consts if constant.__class__ is CodeType]
            monitoring.set_local_events(self._tool, each, monitoring.events.CALL)
        self._watched += codes

    def stop(self) -> None:
        """Observe no more."""
        if self._tool is not None:
            for code in self._watched:
                sys.monitoring.set_local_events(self._tool, code, 0)
            sys.monitoring.register_callback(self._tool, sys.monitoring.events.CALL, None)
            sys.monitoring.free_tool_id(self._tool)
            self._tool = None

    def _on_call(self, code: CodeType, offset: int, function: object, argument: object) -> None:
        with contextlib.suppress(Exception):  # methods of a user's object may fail
            if self.listener is not None:
                self.listener(code, offset, _module_of(function, _owner(function)))
            if function is id:
                self._note_number(id(argument), ("id", type(argument)))
            elif function is hash and isinstance(argument, _HASHED):
                self._note_number(hash(argument), ("hash", argument))
            elif function is hash and type(argument).__hash__ is object.__hash__:
                self._note_number(hash(argument), ("id", type(argument)))
            reason = _reason(function)
            if reason is not None:
                self._unrecorded[reason] = None
            elif _belongs_to_process(function):
                self.possible = True

    def _note_number(self, number: int, origin: tuple[str, object]) -> None:
        if abs(number) >= _SMALLEST and len(self.numbers) < _MOST_NUMBERS:
            self.numbers[number] = origin


def _belongs_to_process(function: object) -> bool:
    name, module = getattr(function, "__name__", ""), getattr(function, "__module__", "")
    return name in _PROCESS_FUNCTIONS and module in _PROCESS_MODULES


def _reason(function: object) -> str | None:
    """The reason why an import that calls this function cannot be kept; None if there is none."""
    owner = _owner(function)
    if owner is not None and owner is getattr(function, "__objclass__", None) and owner.__module__ == "datetime":
        return None  # methods of a given date are deterministic
    module = _module_of(function, owner)
    package = module.partition(".")[0]
    if package in _UNAUDITED:
        return f"it calls {package}, which may read files unseen"
    if package not in _MODULES:
        return None
    name = getattr(function, "__name__", "")
    if name == "strftime" and package == "time":
        return TIME
    return next((reason for reason, names in _FUNCTIONS.items() if name in names), None)


def _owner(function: object) -> Any:
    """The object that a method is called on; the class of a method in C, which is called by its descriptor."""
    owner = getattr(function, "__self__", None)
    return getattr(function, "__objclass__", None) if owner is None else owner


def _module_of(function: object, owner: Any) -> str:
    """The name of the module of a function, or of the module or object that it is called on."""
    module = getattr(function, "__module__", None)
    if isinstance(module, str):
        return module
    module = owner.__name__ if isinstance(owner, ModuleType) else getattr(owner, "__module__", None)
    if isinstance(module, str):
        return module
    return type(owner).__module__ if owner is not None else ""
