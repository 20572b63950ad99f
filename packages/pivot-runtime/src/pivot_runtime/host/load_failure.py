"""The report of a load that failed: one line, the traceback, a hint."""

import pathlib
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from pivot_core.errors import PivotError
from pivot_core.spec import Location, StageError
from pivot_runtime.host.earlier_names import instead_of
from pivot_runtime.worker import failure

_FACADE = "pivot"
_MOST_NAMES = 5
_WITHOUT = "without it, push, pull, fetch, checkout and verify --static work"


def wrong_definition(error: PivotError, root: pathlib.Path, is_user_code: Callable[[str], bool]) -> dict[str, Any]:
    """The report of a wrong definition, as JSON-able data, with the line of the user's code that caused it."""
    message = error.below(str(root)) if isinstance(error, StageError) else _with_line(error, root, is_user_code)
    return {"message": str(message), "hint": error.hint, "kind": type(error).__name__}


def failed_import(
    error: BaseException,
    file: pathlib.Path,
    root: pathlib.Path,
    is_user_code: Callable[[str], bool],
    replaced: Sequence[str] = (),
) -> dict[str, Any]:
    """The report of an error that the user's module raised, as JSON-able data.

    If no code of the user's is in the traceback, the functions that the module ``replaced`` caused the error.
    """
    entry = error.__traceback__
    while entry is not None and not is_user_code(entry.tb_frame.f_code.co_filename):
        entry = entry.tb_next
    name = file.relative_to(root)
    if entry is None and replaced and not isinstance(error, SyntaxError):
        listed = ", ".join(replaced[:_MOST_NAMES]) + (", …" if len(replaced) > _MOST_NAMES else "")
        return {
            "message": f"{name} cannot be loaded, since it replaces {listed}: {failure.one_line(error)}",
            "traceback": "",
            "hint": "replace them inside the stages that need it, or with functions that do what the old ones did",
        }
    if isinstance(error, SyntaxError):
        entry = None
    return {
        "message": f"{name} cannot be imported: {failure.one_line(error)}",
        "traceback": "".join(traceback.format_exception(type(error), error, entry)),
        "hint": _import_hint(error, is_user_code),
    }


def _with_line(error: PivotError, root: pathlib.Path, is_user_code: Callable[[str], bool]) -> str:
    """The message after the innermost line of user code, if there is one."""
    lines = [
        Location(frame.filename, frame.lineno or 0).below(str(root))
        for frame in traceback.extract_tb(error.__traceback__)
        if is_user_code(frame.filename)
    ]
    return f"{lines[-1]}: {error}" if lines else str(error)


def _import_hint(error: BaseException, is_user_code: Callable[[str], bool]) -> str | None:
    if is_user_code(getattr(sys.modules.get(_FACADE), "__file__", None) or "<none>"):
        return f"a module of yours is called {_FACADE!r} and hides the package: rename it"
    if (advice := instead_of(error)) is not None:
        return advice
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    if error.name == _FACADE:
        return f"install {_FACADE}, which pipelines import, from where you got pivot-cli: {_WITHOUT}"
    return f"install what the pipeline imports in this environment: {_WITHOUT}" if "." not in error.name else None
