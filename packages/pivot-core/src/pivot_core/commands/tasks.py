"""Tasks that a project declares for its task runner: PDM, Pixi, Hatch, Rye, Poe and taskipy; pure."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "pdm": ("scripts",),
    "rye": ("scripts",),
    "poe": ("tasks",),
    "task": ("tasks",),
    "pixi": ("tasks", "feature.*.tasks", "target.*.tasks", "feature.*.target.*.tasks"),
    "hatch": ("envs.*.scripts",),
}
"""The tables with the tasks of a runner, below its own."""
_TOOLS: Final = {"task": "taskipy"}
FILES: Final = {"pixi": "pixi.toml", "hatch": "hatch.toml", "poe": "poe_tasks.toml"}
"""The files of runners that have one of their own, beside ``pyproject.toml``."""
_TEXTS: Final = ("cmd", "shell", "sequence", "composite", "chain")
_FUNCTIONS: Final = ("call", "script")
_OTHERS: Final = ("depends-on", "depends_on", "deps", "ref", "parallel")
_DIRECTORIES: Final = ("cwd", "working_dir")


class Task(NamedTuple):
    """One declaration of a task.

    Attributes:
        texts: The texts for a shell; each may begin with the name of another task.
        functions: The functions that it calls, as ``module:function``.
        directory: Its working directory, relative to that of the file.
        python_path: The value of `PYTHONPATH` that it sets; None for none.
    """

    texts: tuple[str, ...]
    functions: tuple[str, ...] = ()
    directory: str = ""
    python_path: str | None = None


def declarations(runner: str, name: str, project: Mapping[str, Any], own: Mapping[str, Any]) -> list[Any]:
    """The declarations of a task, of which there may be one for each environment.

    Args:
        runner: The program that runs it.
        name: Its name.
        project: The content of ``pyproject.toml``.
        own: The content of the runner's own file.
    """
    tool = _TOOLS.get(runner, runner)
    given = [_at(project, ("tool", tool)), _at(own, ("tool", tool)), own]
    tables = [table for each in given for path in _TABLES.get(runner, ()) for table in _tables(each, path.split("."))]
    return [table[name] for table in tables if name in table]


def task(declared: Any, runner: str) -> Task:
    """A task as it is declared, as far as its declaration has a known form."""
    if not isinstance(declared, Mapping):
        if isinstance(declared, list) and runner == "rye":
            return Task((_joined(declared),))
        return Task(tuple(_texts(declared)))
    texts = [text for key in _TEXTS for text in _texts(declared.get(key), words=key == "cmd")]
    texts += [text for key in _OTHERS for text in _texts(declared.get(key))]
    functions = [value.partition("(")[0] for key in _FUNCTIONS if isinstance(value := declared.get(key), str)]
    directory = next((value for key in _DIRECTORIES if isinstance(value := declared.get(key), str)), "")
    path = _at(declared, ("env",)).get("PYTHONPATH")
    return Task(tuple(texts), tuple(functions), directory, path if isinstance(path, str) else None)


def _texts(value: Any, *, words: bool = False) -> Iterator[str]:
    """The texts in a part of a declaration; a list is one text if it consists of ``words``."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and words:
        yield _joined(value)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, Mapping):  # a part of a sequence, or the name of another task with its arguments
        for key in ("task", *_TEXTS, "ref"):
            yield from _texts(value.get(key), words=key == "cmd")


def _joined(words: Sequence[Any]) -> str:
    return shlex.join(each for each in words if isinstance(each, str))


def _at(table: Any, path: Sequence[str]) -> Mapping[str, Any]:
    for name in path:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table if isinstance(table, Mapping) else {}


def _tables(table: Mapping[str, Any], path: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The tables at a path, in which ``*`` is any name."""
    if not path:
        yield table
        return
    names = list(table) if path[0] == "*" else [path[0]]
    for name in names:
        if isinstance(table.get(name), Mapping):
            yield from _tables(table[name], path[1:])
