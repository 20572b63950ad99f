"""The report of an error that keeps a pipeline from being loaded: one line, the traceback, a hint."""

import pathlib
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from pivot_core.errors import PivotError
from pivot_core.spec import Location, StageError
from pivot_runtime.worker import failure

_FACADE = "pivot"
_MOST_NAMES = 5
_LIGHT = "without it, push, pull, fetch, checkout and verify --static work"


def refused(error: PivotError, root: pathlib.Path, is_user_code: Callable[[str], bool]) -> dict[str, Any]:
    """A definition that is wrong, as JSON-able data, with the line of the user's code that caused it."""
    told = error.below(str(root)) if isinstance(error, StageError) else _placed(error, root, is_user_code)
    return {"message": str(told), "hint": error.hint}


def broken(
    error: BaseException,
    file: pathlib.Path,
    root: pathlib.Path,
    is_user_code: Callable[[str], bool],
    replaced: Sequence[str] = (),
) -> dict[str, Any]:
    """The user's module's error, or an error caused by what it ``replaced``, as JSON-able data."""
    place = error.__traceback__
    while place is not None and not is_user_code(place.tb_frame.f_code.co_filename):
        place = place.tb_next
    where = file.relative_to(root)
    if place is None and replaced and not isinstance(error, SyntaxError):
        named = ", ".join(replaced[:_MOST_NAMES]) + (", …" if len(replaced) > _MOST_NAMES else "")
        return {
            "message": f"{where} cannot be loaded, since it replaces {named}: {failure.one_line(error)}",
            "traceback": "",
            "hint": "replace them inside the stages that need it, or with functions that do all that the old ones did",
        }
    if isinstance(error, SyntaxError):
        place = None
    return {
        "message": f"{where} cannot be imported: {failure.one_line(error)}",
        "traceback": "".join(traceback.format_exception(type(error), error, place)),
        "hint": _way_out(error, is_user_code),
    }


def _placed(error: PivotError, root: pathlib.Path, is_user_code: Callable[[str], bool]) -> str:
    places = [
        Location(frame.filename, frame.lineno or 0).below(str(root))
        for frame in traceback.extract_tb(error.__traceback__)
        if is_user_code(frame.filename)
    ]
    return f"{places[-1]}: {error}" if places else str(error)


def _way_out(error: BaseException, is_user_code: Callable[[str], bool]) -> str | None:
    """A hint for a failed import."""
    if is_user_code(getattr(sys.modules.get(_FACADE), "__file__", None) or "<none>"):
        return f"a module of yours is called {_FACADE!r} and hides the package: rename it"
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    if error.name == _FACADE:
        return f"install {_FACADE}, which pipelines import, from where you got pivot-cli: {_LIGHT}"
    return f"install what the pipeline imports in this environment: {_LIGHT}" if "." not in error.name else None
