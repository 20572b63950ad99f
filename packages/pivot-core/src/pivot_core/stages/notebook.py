"""`notebook`: declares a stage that runs the cells of a Jupyter notebook, with its deps and outs."""

import posixpath
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_core.errors import DefinitionError
from pivot_core.spec import Location
from pivot_core.stages.annotations import Out, PathLike
from pivot_core.stages.command import Command, make_command

__pivot_module__ = "pivot"

EXECUTED: Final = "executed"
"""The name of the out with the executed copy."""
_SUFFIX: Final = ".ipynb"


class Notebook(Command):
    """The notebook of a stage; made by `notebook`. Its text is its path."""

    @property
    def path(self) -> str:
        """Its path, relative to the directory of the stage."""
        return self.text


def notebook(
    path: PathLike,
    *,
    deps: Sequence[PathLike] | Mapping[str, Any] = (),
    outs: Sequence[PathLike | Out] | Mapping[str, Any] = (),
    params: Mapping[str, Any] | None = None,
    executed: PathLike | Out | None = None,
) -> Notebook:
    """A Jupyter notebook that can be registered as a stage under a name. Needs ``pivot[notebooks]``.

    For example::

        pipeline.register(pivot.notebook("report.ipynb", deps=["scores.json"], outs=["plot.png"]), name="report")

    Its code cells run in a new kernel, in the directory of the pipeline, and the stage fails with the first cell that
    does. The code of the cells counts, and that of the project's modules that they import; outputs, metadata and
    Markdown do not.

    Args:
        path: The notebook, which is never changed.
        deps: The paths that it reads, or a mapping from names to them.
        outs: The paths that it writes (or `Out` for more than a path), or a mapping from names to them.
        params: Values by name: a cell that assigns them runs after the cell with the tag ``parameters``, or first.
        executed: The path (or `Out`) of the copy with all outputs, which is an out named ``executed``.

    Raises:
        DefinitionError: An argument has the wrong type, or the path is not that of a notebook.
    """
    caller = sys._getframe(1)  # noqa: SLF001  # a notebook stage is where it is written, as a function is
    location = Location(caller.f_code.co_filename, caller.f_lineno)
    return make_notebook(path, deps, outs, params or {}, executed, location=location)


def make_notebook(  # one parameter per part of a declaration
    path: Any, deps: Any, outs: Any, params: Mapping[str, Any], executed: Any, *, location: Location
) -> Notebook:
    """Like `notebook`, with a given ``location``."""
    name = str(path)
    if not name.endswith(_SUFFIX):
        raise DefinitionError(f"{name!r} is not the path of a notebook", hint=f"its name ends with {_SUFFIX}")
    made = make_command(name, deps, outs, params, location)
    fields = {field.name: getattr(made, field.name) for field in attrs.fields(Command)}
    if executed is not None:
        if EXECUTED in made.outs:
            raise DefinitionError(f"'outs' names {EXECUTED!r}, which is the executed copy", hint="rename it")
        out = executed if isinstance(executed, Out) else Out(executed)
        if out.paths == (name,) or posixpath.normpath(out.paths[0]) == posixpath.normpath(name):
            raise DefinitionError("the executed copy would replace the notebook", hint="give it another path")
        fields["outs"] = {**made.outs, EXECUTED: out}
    return Notebook(**fields)
