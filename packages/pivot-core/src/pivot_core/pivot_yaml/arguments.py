"""Values within the text of a command: a mapping becomes arguments, ``--name value`` for each of its items; pure."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pivot_core.errors import DefinitionError
from pivot_core.stages.interpolation import text_of


def command_text(value: Any) -> str | None:
    """A value as part of a command; None if it has no such form.

    A mapping becomes arguments, with the names of nested mappings joined by dots: ``--name value``, ``--name`` for
    true and nothing for false, ``--name first second`` for a list. Names and texts are quoted for the shell, and other
    values written as in Python. Null is ``None``.

    Raises:
        DefinitionError: A list in a mapping contains more than plain values.
    """
    if isinstance(value, Mapping):
        return " ".join(_arguments(value))
    return "None" if value is None else text_of(value)


def _arguments(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _arguments(value, f"{name}.")
            continue
        option = shlex.quote(f"--{name}")
        if isinstance(value, bool):
            if value:
                yield option
        elif isinstance(value, list):
            if value:
                yield " ".join([option, *(_plain(each, name) for each in value)])
        else:
            yield f"{option} {_plain(value, name)}"


def _plain(value: Any, name: str) -> str:
    if isinstance(value, Mapping | list):
        raise DefinitionError(
            f"the items of the list {name!r} must be plain values to be arguments", hint="name the items one by one"
        )
    return shlex.quote(value) if isinstance(value, str) else str(value)
