"""The run of a notebook stage: its cells in a new kernel, their output to the log, and the executed copy."""

import json
import os
import pathlib
import re
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from pivot_core.errors import DefinitionError
from pivot_core.spec import StageError
from pivot_core.stages.command import PARAMS, values
from pivot_core.stages.notebook import EXECUTED, Notebook
from pivot_core.stages.stage import Stage
from pivot_runtime.definitions.notebook_code import INJECTED, PARAMETERS, SKIPPED, language_of
from pivot_runtime.tracing import environ
from pivot_runtime.worker import notebook_client

_NEEDED: Final = ("nbclient", "ipykernel")
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def run(stage: Stage, notebook: Notebook) -> Mapping[str, Any]:
    """Run the cells of a notebook in the current directory; returns its outs by key.

    Raises:
        StageError: A cell failed, an out is missing, or a required library is not installed.
    """
    for out in stage.outs.values():
        for path in out.paths:
            os.makedirs(path if out.directory else os.path.dirname(path) or ".", exist_ok=True)
    content = _content(stage, notebook)
    executed = stage.outs.get(EXECUTED)
    copy = None if executed is None else executed.paths[0]
    with tempfile.TemporaryDirectory(prefix="pivot-") as place, environ.unrecorded():
        done = _executed(stage, content, pathlib.Path(place))
    if copy is not None:
        pathlib.Path(copy).write_text(done, encoding="utf-8")
    missing = [path for out in stage.outs.values() for path in out.paths if not os.path.exists(path)]
    if missing:
        hint = "a stage must write all outs that it declares"
        raise StageError(stage.name, stage.location, f"its cells did not write {', '.join(missing)}", hint=hint)
    return {key: out.like([pathlib.Path(path) for path in out.paths]) for key, out in stage.outs.items()}


def _content(stage: Stage, notebook: Notebook) -> dict[str, Any]:
    """The notebook as it is executed: with a cell that assigns the parameters, and without results of other runs."""
    content: dict[str, Any] = json.loads(pathlib.Path(notebook.path).read_bytes())
    cells = [cell for cell in content["cells"] if INJECTED not in _tags(cell)]
    given = values(stage.values.get(PARAMS))
    if given and language_of(content.get("metadata", {})) != "python":
        problem = "it has parameters, but its notebook is not in Python"
        hint = "parameters are assigned in Python: let the cells read them from a file, such as a dep"
        raise StageError(stage.name, stage.location, problem, hint=hint)
    if given:
        after = next((number for number, cell in enumerate(cells, 1) if PARAMETERS in _tags(cell)), 0)
        lines = [f"{name} = {_literal(name, value)}" for name, value in given.items()]
        cells.insert(after, _injected("\n".join(["# Parameters", *lines])))
    for number, cell in enumerate(cells, 1):
        cell.setdefault("id", f"cell-{number}")
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
            cell.get("metadata", {}).pop("execution", None)
    return {**content, "cells": cells, "nbformat_minor": max(5, content["nbformat_minor"])}


def _injected(source: str) -> dict[str, Any]:
    metadata = {"tags": [INJECTED]}
    return {"cell_type": "code", "id": INJECTED, "metadata": metadata, "source": source}


def _literal(name: str, value: Any) -> str:
    """A parameter's value as a literal of Python."""
    try:
        return repr(json.loads(json.dumps(value)))
    except (TypeError, ValueError):
        problem = f"the parameter {name!r} is {type(value).__name__}, which cannot be assigned in a notebook"
        raise DefinitionError(problem) from None


def _executed(stage: Stage, content: dict[str, Any], place: pathlib.Path) -> str:
    """Execute all cells; returns the text of the notebook with their outputs, in which nothing depends on the time.

    The directory ``place`` is for the kernel's sockets.

    Raises:
        StageError: A cell failed, or a library or the kernel is not installed.
    """
    try:
        from jupyter_client.kernelspec import NoSuchKernel  # lazy
        from nbclient.exceptions import CellExecutionError, DeadKernelError  # lazy
        from nbformat import from_dict, writes  # lazy

        node = from_dict(content)
        client = notebook_client.client_of(node, place)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in (*_NEEDED, "nbformat", "jupyter_client"):
            raise
        problem = f"a notebook stage needs {error.name}, which is not installed"
        hint = "install nbclient and ipykernel, which the extra pivot[notebooks] adds"
        raise StageError(stage.name, stage.location, problem, hint=hint) from None
    try:
        client.execute(env=_environment(), cwd=os.getcwd())
    except CellExecutionError as error:
        _fail(stage, node, error)
    except NoSuchKernel as error:
        problem = f"its notebook needs the kernel {error.name!r}, which is not installed"
        hint = "'jupyter kernelspec list' lists the kernels; install the one for its language"
        raise StageError(stage.name, stage.location, problem, hint=hint) from None
    except DeadKernelError:
        raise StageError(stage.name, stage.location, "the kernel of its notebook died") from None
    node.metadata.get("language_info", {}).pop("version", None)
    return f"{writes(node)}\n"


def _fail(stage: Stage, node: Any, error: Any) -> NoReturn:
    """Print the failed cell and its traceback, and raise the error of the stage."""
    cells = [cell for cell in node.cells if cell.cell_type == "code" and SKIPPED not in _tags(cell)]
    at = next((at for at, cell in enumerate(cells) if _failed(cell)), -1)
    cell = cells[at]
    number = sum(INJECTED not in _tags(each) for each in cells[:at]) + 1  # as in the user's notebook
    traces = (line for each in cell.outputs if each.output_type == "error" for line in each.traceback)
    text = _ESCAPES.sub("", "\n".join(traces))
    sys.stderr.write(f"In cell {number}:\n\n{cell.source}\n\n{text}\n")
    sys.stderr.flush()
    message = " ".join(str(error.evalue).split())
    raise StageError(stage.name, stage.location, f"cell {number} failed: {error.ename}: {message}") from None


def _failed(cell: Any) -> bool:
    return any(each.output_type == "error" for each in cell.outputs)


def _tags(cell: Mapping[str, Any]) -> list[str]:
    tags: list[str] = cell.get("metadata", {}).get("tags", [])
    return tags


def _environment() -> dict[str, str]:
    """The environment of the kernel, in which the modules that the pipeline can import can be imported, too."""
    installed = (os.path.join(sys.prefix, ""), os.path.join(sys.base_prefix, ""))
    places = [path for path in sys.path if path and not path.startswith(installed)]
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(dict.fromkeys([*places, *([known] if known else [])]))
    return {**os.environ, "PYTHONPATH": path, "JUPYTER_PLATFORM_DIRS": "1"}
