"""Clusters that exist for one run: on this machine, or from a function of the user's."""

import difflib
import importlib
import inspect
import os
import sys
import traceback
from types import ModuleType
from typing import Any, Final

from distributed import LocalCluster

from pivot_dask.address import FunctionAddress, LocalAddress
from pivot_runtime.cluster.backend import ExecutorSettings
from pivot_runtime.errors import ExecutorError

_NOT_THE_USERS: Final = frozenset(
    {__file__, importlib.__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>"}
)
"""The files of the frames of a traceback before those of the user's code."""


def create(address: LocalAddress | FunctionAddress, settings: ExecutorSettings) -> Any:
    """The cluster object of an address; `close` ends it.

    Raises:
        ExecutorError: The user's function does not exist, fails, or returns something else.
    """
    if isinstance(address, LocalAddress):
        return local(address.workers or os.process_cpu_count() or 1, settings)
    function = _function(address, _module(address, settings))
    wanted = {"resources": dict(settings.resources)} if _takes_resources(function) else {}
    try:
        cluster = function(**wanted)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # any error of the user's code
        summary = f"{address} failed: {type(error).__name__}: {error}"
        raise ExecutorError(summary, traceback=_traceback(error)) from None
    if isinstance(getattr(cluster, "scheduler_address", None), str) and callable(getattr(cluster, "close", None)):
        if getattr(cluster, "asynchronous", False):
            raise ExecutorError(
                f"{address} returned an asynchronous cluster", hint="create it without asynchronous=True"
            )
        return cluster
    raise ExecutorError(
        f"{address} returned {_described(cluster)}, and not a cluster of Dask",
        hint="return a cluster object, such as SLURMCluster(...), KubeCluster(...) or LocalCluster(...)",
    )


def local(workers: int, settings: ExecutorSettings) -> Any:
    """A cluster on this machine: each worker is a process that runs one stage at a time, and has all resources."""
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,  # it would count a worker without its stages
        resources=dict(settings.resources) or None,
        silence_logs=False,
    )


def _module(address: FunctionAddress, settings: ExecutorSettings) -> ModuleType:
    for place in (os.getcwd(), os.fspath(settings.root)):
        if place not in sys.path:
            sys.path.insert(0, place)
    try:
        return importlib.import_module(address.module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{address.module}.".startswith(f"{error.name}."):
            raise ExecutorError(
                f"there is no module {address.module}, from which the executor {address} should come",
                hint=f"it is imported from the project's root or the current directory: write {address.module}.py",
            ) from None
        raise _failed_import(address, error) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # any error of the user's code
        raise _failed_import(address, error) from None


def _failed_import(address: FunctionAddress, error: BaseException) -> ExecutorError:
    summary = f"the import of {address.module} failed: {type(error).__name__}: {error}"
    return ExecutorError(summary, traceback=_traceback(error))


def _function(address: FunctionAddress, module: ModuleType) -> Any:
    function = getattr(module, address.function, None)
    if callable(function):
        return function
    if function is not None:
        raise ExecutorError(f"{address} is {_described(function)}, and not a function that returns a cluster of Dask")
    names = [name for name in vars(module) if not name.startswith("_")]
    near = difflib.get_close_matches(address.function, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"define the function {address.function} in {module.__file__}"
    raise ExecutorError(f"the module {address.module} has no function {address.function}", hint=hint)


def _takes_resources(function: Any) -> bool:
    try:
        return "resources" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def _described(value: object) -> str:
    return "nothing" if value is None else f"an object of type {type(value).__name__}"


def _traceback(error: BaseException) -> str:
    """The traceback from the user's code on."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename in _NOT_THE_USERS:
        place = place.tb_next
    return "".join(traceback.format_exception(type(error), error, place))
