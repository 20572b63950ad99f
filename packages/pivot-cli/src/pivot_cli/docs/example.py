"""The project of the quick start: its files, as the page shows them, and how they are created."""

import os
import pathlib
import re
from collections.abc import Mapping
from typing import Final

from pivot_cli.docs.topics import find
from pivot_core.errors import PivotError

PAGE: Final = "quick-start"
_TITLED: Final = re.compile(r'(?ms)^```\w+ title="([\w./-]+)"\n(.*?)^```$')
_WRITTEN: Final = re.compile(r"(?ms)^cat > ([\w./-]+) << 'EOF'\n(.*?)^EOF$")
_OTHERS: Final = ("pivot.yaml",)
"""Files beside which the example would not work."""


class ExampleError(PivotError):
    """The example cannot be created here."""


def files() -> Mapping[str, str]:
    """The first content of each file that the page creates, by name."""
    text = find(PAGE).text
    found: dict[str, str] = {}
    for name, content in (*_TITLED.findall(text), *_WRITTEN.findall(text)):
        found.setdefault(name, content)
    return found


def require_place(directory: pathlib.Path) -> None:
    """Raise an error if a file of the example would replace one.

    Raises:
        ExampleError: There is one.
    """
    for name in (*files(), *_OTHERS):
        if os.path.lexists(directory / name):
            raise ExampleError(
                f"{name} exists already, and the example replaces nothing", hint="use --example in a new directory"
            )


def write(directory: pathlib.Path) -> list[str]:
    """Create the files; return their names.

    Raises:
        ExampleError: A file exists, or cannot be written.
    """
    for name, text in files().items():
        try:
            with open(directory / name, "x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ExampleError(f"cannot write {name}: {error.strerror or error}") from error
    return list(files())
