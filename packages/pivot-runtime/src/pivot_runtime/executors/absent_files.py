"""Hints for stages that fail on a worker because a file or module of the project was not sent."""

import os
import pathlib
import re
from typing import Final

from pivot_runtime.executors.base import Failure

_FILE: Final = re.compile(r"No such file or directory: '([^'\n]+)'")
_MODULE: Final = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")


def hint(failure: Failure, root: pathlib.Path, base: str) -> str | None:
    """A hint if a failure names a file or a module that this project has, for a stage that runs in ``base``."""
    text = f"{failure.summary}\n{failure.detail}"
    found = _FILE.search(text)
    if found is not None and (path := _below(root, base, found[1])) is not None:
        return f"{path} exists here; workers have only declared files: declare it as a dep, or add it to worker.include"
    module = _MODULE.search(text)
    if module is not None:
        name = module[1].replace(".", "/")
        for path in (f"{name}.py", f"{name}/__init__.py"):
            if (inside := _below(root, base, path)) is not None:
                return f"{inside} exists here, and was not sent, since no load reads it: add it to worker.include"
    return None


def _below(root: pathlib.Path, base: str, path: str) -> str | None:
    """The path relative to the root, if there is such a file or directory in the stage's directory or at the root."""
    for directory in dict.fromkeys((root / base, root)):
        file = pathlib.Path(os.path.normpath(directory / path))
        if file.is_relative_to(root) and file.exists():
            return str(file.relative_to(root))
    return None
