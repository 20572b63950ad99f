"""Which variables a stage uses, with their values and places, so that an edit of one can be named; pure."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from pivot_core.conversion.masking import public
from pivot_core.files.digest import canonical_json, digest_bytes
from pivot_core.stages.interpolation import Left, find, parts_of, references
from pivot_core.values import Value

_MOST: Final = 50
_LONGEST: Final = 200
_WITHOUT: Final = ("desc", "meta", "params", "vars")
"""Parts of a stage whose references are not noted: they count as nothing, are compared by name and may be secrets, or
are noted where they are used."""

type Keys = tuple[str, ...]
"""The name of a variable, and the keys of an item in it."""


def named(raw: Mapping[str, Any]) -> tuple[tuple[str, bool], ...]:
    """The references in the declaration of a stage, each once, and whether a command has it."""
    found: dict[tuple[str, bool], None] = {}
    for key, value in raw.items():
        if key not in _WITHOUT:
            found |= dict.fromkeys((name, key == "cmd") for name in references(value))
    return tuple(found)


@attrs.frozen(eq=False, repr=False)
class VariableUse(Value):
    """The values that a reference stands for.

    Attributes:
        values: The name, the canonical text and the place of each, at most as many as a stage keeps.
        behind: The references in the definition of the variable.
    """

    values: tuple[tuple[str, str, str], ...]
    behind: tuple[str, ...] = ()


def use(name: str, known: Mapping[str, Any], place: Callable[[Keys], str], behind: Iterable[str]) -> VariableUse:
    """The use of a variable; of a mapping, each item counts. Values that may be secrets are left out.

    Args:
        name: The reference.
        known: The values.
        place: The ``file:line`` of a value; ``""`` for what is none, such as the name of a variant.
        behind: The references in the definition of the variable.
    """
    located = ((keys, value, place(keys)) for keys, value in _leaves(parts_of(name), find(name, known)))
    values = ((".".join(keys), _text(public(value, ".".join(keys))), where) for keys, value, where in located if where)
    return VariableUse(tuple(itertools.islice(values, _MOST)), tuple(behind))


def used(
    names: Iterable[tuple[str, bool]], left: Left, use_of: Callable[[str], VariableUse]
) -> dict[str, tuple[str, str]]:
    """The canonical text and the place of each value, by its name.

    Args:
        names: The references, from `named`.
        left: The references in commands that mean something else.
        use_of: The use of a variable.
    """
    found: dict[str, tuple[str, str]] = {}
    todo = list(dict.fromkeys(name for name, in_command in names if not (in_command and left.holds(name))))
    seen = set(todo)
    for name in todo:
        use = use_of(name)
        todo += (each for each in dict.fromkeys(use.behind) if each not in seen)
        seen.update(use.behind)
        for key, text, where in use.values:
            if len(found) < _MOST:
                found.setdefault(key, (text, where))
    return found


def _leaves(keys: Keys, value: Any) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _leaves((*keys, key), each)
    else:
        yield keys, value


def _text(value: Any) -> str:
    """The canonical text; a long one is cut, and differs if it differs in the rest."""
    text = canonical_json(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({digest_bytes(text.encode())[:8]})"
