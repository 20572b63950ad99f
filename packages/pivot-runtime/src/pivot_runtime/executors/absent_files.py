"""Hints for stages that fail on a worker because a file or module of the project was not sent."""

import os
import pathlib
import re
from collections.abc import Iterable
from typing import Final

from pivot_runtime.executors.base import Failure

_FILE: Final = re.compile(r"No such file or directory: '([^'\n]+)'|: ([^\s:']+): No such file or directory")
"""As Python says it, or a program of the shell."""
_SCRIPT: Final = re.compile(r"can't open file '([^'\n]+)': \[Errno 2\]")
"""As Python says it of its script, which may be in the copy of the project there."""
_MODULE: Final = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def hint(
    failure: Failure, root: pathlib.Path, base: str, *, output: str = "", scripts: Iterable[str] = ()
) -> str | None:
    """A hint if a failure names a file or a module that this project has, for a stage that runs in ``base``.

    Args:
        failure: The failure.
        root: The project's root.
        base: The directory of the stage, relative to the root.
        output: The end of what it printed: that of a command says more than its exit status.
        scripts: The files that its command may run, relative to the root: programs import modules from beside them.
    """
    text = f"{failure.summary}\n{failure.detail}\n{output}"
    found = _FILE.search(text)
    if found is not None and (path := _below(root, [base, ""], found[1] or found[2])) is not None:
        return f"{path} exists here; workers have only declared files: declare it as a dep, or add it to worker.include"
    script = _SCRIPT.search(text)
    if script is not None:
        names = pathlib.PurePath(script[1]).parts
        tails = ("/".join(names[start:]) for start in range(names[0] == "/", len(names)))
        path = next((inside for tail in tails if (inside := _below(root, [base, ""], tail)) is not None), None)
        if path is not None:
            return f"{path} exists here, and was not sent, since no load reads it: add it to worker.include"
    module = _MODULE.search(text)
    if module is not None:
        name = module[1].replace(".", "/")
        places = [base, "", *(os.path.dirname(script) for script in scripts)]
        for path in (f"{name}.py", f"{name}/__init__.py", name):
            if (inside := _below(root, places, path)) is not None:
                return f"{inside} exists here, and was not sent, since no load reads it: add it to worker.include"
    return None


def _below(root: pathlib.Path, places: Iterable[str], path: str) -> str | None:
    """The path relative to the root, if there is such a file or directory in one of the places."""
    for directory in dict.fromkeys(root / place for place in places):
        file = pathlib.Path(os.path.normpath(directory / path))
        if file.is_relative_to(root) and file.exists():
            return str(file.relative_to(root))
    return None
