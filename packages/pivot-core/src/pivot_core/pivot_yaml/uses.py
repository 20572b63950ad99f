"""Which variables a stage uses, with their values and places, so that an edit of one can be named; pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from pivot_core.files.digest import canonical_json, digest_bytes
from pivot_core.stages.interpolation import Left, find, parts_of, references

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


def used(
    names: Iterable[tuple[str, bool]],
    known: Mapping[str, Any],
    left: Left,
    place: Callable[[Keys], str],
    behind: Callable[[str], Iterable[str]],
) -> dict[str, tuple[str, str]]:
    """The canonical text and the place of each value, by its name; a mapping counts by its items.

    Args:
        names: The references, from `named`.
        known: The values.
        left: The references in commands that mean something else.
        place: The ``file:line`` of a value; ``""`` for what is none, such as the name of a variant.
        behind: The references in the definition of a variable.
    """
    found: dict[str, tuple[str, str]] = {}
    todo = dict.fromkeys(name for name, in_command in names if not (in_command and left.holds(name)))
    seen = set(todo)
    while todo:
        name = next(iter(todo))
        del todo[name]
        more = dict.fromkeys(each for each in behind(parts_of(name)[0]) if each not in seen)
        todo |= more
        seen |= more.keys()
        for keys, value in _leaves(parts_of(name), find(name, known)):
            where = place(keys) if len(found) < _MOST else ""
            if where:
                found.setdefault(".".join(keys), (_text(value), where))
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
