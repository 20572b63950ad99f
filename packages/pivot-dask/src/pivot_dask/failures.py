"""Why stage runs end without an answer, in words: whose worker, what differs there, and a hint."""

import re
import sys
from asyncio import CancelledError
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, Final

from distributed.scheduler import KilledWorker

from pivot_dask import on_worker

PACKAGES: Final = ("pivot-dask", "pivot-runtime")
"""The packages that workers need in the version that is here."""
_PLACES: Final = ("here", "on the scheduler", "on workers")
_SHOWN: Final = 4
"""The most workers that a message names."""


def explained(error: BaseException, unfit: str = "") -> tuple[str, str | None]:
    """Why Dask gave up a task, and a hint.

    Args:
        error: The error with which Dask did.
        unfit: The workers that cannot run stages, as `unfit_workers` says; empty if all can, or if that is unknown.
    """
    if isinstance(error, KilledWorker):
        worker = shown(getattr(error.last_worker, "name", None), error.last_worker.address)
        hint = "the logs of the workers say why; often memory, or a time limit of the queue, was too short"
        number = error.allowed_failures + 1
        return f"it was given up, since {number} workers ended while they ran it, {worker} as the last", hint
    if isinstance(error, CancelledError):
        return "somebody cancelled it in the cluster", None
    if isinstance(error, on_worker.StageServiceError):
        return f"{error.summary}{f'; {unfit}' if unfit else ''}", _install() if error.unfit else None
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, ImportError) and (error.name or "").startswith("pivot_"):
        return unfit or f"a worker cannot import {error.name}: {said}", _install()
    return f"the task failed in Dask: {said}{f'; {unfit}' if unfit else ''}", _install() if unfit else None


def may_be_unfit(error: BaseException) -> bool:
    """Whether the error may come from a worker without the packages that stages need, or with others."""
    if isinstance(error, on_worker.StageServiceError):
        return error.unfit
    return not isinstance(error, KilledWorker | CancelledError)


def _install() -> str:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    pivot = f"`pivot[dask]` {metadata.version(PACKAGES[0])}"
    return f"install {pivot} for Python {python} in the environment of these workers, and start them again"


def unfit_workers(versions: Mapping[str, Any], names: Mapping[str, Any]) -> str:
    """The workers that lack a package, or have another version of one or of Python than this machine, and which.

    Args:
        versions: As Dask collects them: ``client`` and, by address, ``workers``; each with ``host`` and ``packages``.
        names: The names of workers by address.

    Returns:
        A sentence; empty if all are alike.
    """
    here, found = _relevant(versions["client"]), dict[str, list[str]]()
    for address, there in versions["workers"].items():
        differences = _differences(here, _relevant(there))
        if differences:
            found.setdefault(differences, []).append(shown(names.get(address), address))
    return "; ".join(f"{_all_of(workers)} {differences}" for differences, workers in found.items())


def shown(name: object, address: str) -> str:
    """A worker for people: its address, and the name that its user gave it."""
    return f"{name} ({address})" if isinstance(name, str) and name and name != address else address


def _all_of(workers: Sequence[str]) -> str:
    if len(workers) == 1:
        return f"worker {workers[0]} has"
    more = f" and {len(workers) - _SHOWN} more" if len(workers) > _SHOWN else ""
    return f"{len(workers)} workers ({', '.join(workers[:_SHOWN])}{more}) have"


def _relevant(versions: Mapping[str, Any]) -> dict[str, str | None]:
    packages = versions["packages"]
    python = ".".join(str(versions["host"]["python"]).split(".")[:2])
    return {"Python": python, **{name: packages.get(name) for name in PACKAGES}}


def _differences(here: Mapping[str, str | None], there: Mapping[str, str | None]) -> str:
    """The differences, as the object of a verb."""
    lacking = [name for name, version in there.items() if version is None]
    others = [
        f"{name} {version} (here {here[name]})"
        for name, version in there.items()
        if version is not None and version != here[name]
    ]
    return ", ".join([f"no {' and no '.join(lacking)}"] * bool(lacking) + others)


def different_versions(table: str) -> str | None:
    """Dask's table of packages with different versions in one line; None if these are only missing somewhere."""
    rows = [[cell.strip() for cell in line.strip(" |").split("|")] for line in table.splitlines() if "|" in line]
    found = {row[0]: [_versions_in(cell) for cell in row[1:]] for row in rows[1:]}
    different = {name: places for name, places in found.items() if len(set().union(*places)) > 1}
    if rows and not different:
        return None
    said = []
    for name, places in different.items():
        named = [
            f"{' or '.join(sorted(there))} {place}" for there, place in zip(places, _PLACES, strict=False) if there
        ]
        said.append(f"{name} {', '.join(named)}")
    return f"versions differ, which Dask may not support: {'; '.join(said) or ' '.join(table.split())}"


def _versions_in(cell: str) -> set[str]:
    """The versions of a package that a cell of the table has: several if those of workers differ."""
    return set(re.findall(r"[^\s{}',]+", cell)) - {"None", "MISSING"}
