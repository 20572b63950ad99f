"""Kinds of values of settings: how each is written, and its meaning."""

import enum
import re
from collections.abc import Callable
from typing import Any, NamedTuple


class ValueKind(NamedTuple):
    """A kind of value.

    Attributes:
        values: Which values there are, in Markdown.
        parse: The value that a text says; ``ValueError`` if it says none.
        show: The text that says a value.
    """

    values: str
    parse: Callable[[str], Any]
    show: Callable[[Any], str] = str


_WORDS = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def one_of(choices: type[enum.Enum]) -> ValueKind:
    """One of some words."""

    def parse(text: str) -> enum.Enum:
        for choice in choices:
            if choice.value == text:
                return choice
        raise ValueError(f"{text!r} is not one of {', '.join(choice.value for choice in choices)}")

    return ValueKind(", ".join(f"`{choice.value}`" for choice in choices), parse, lambda choice: str(choice.value))


def at_least(least: int, what: str = "") -> ValueKind:
    """A whole number, of ``what``."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < least:
            raise ValueError(f"{text!r} is not a whole number of at least {least}")
        return int(text)

    return ValueKind(f"a number of {what}, at least {least}" if what else f"a number of at least {least}", parse)


def seconds(least: float) -> ValueKind:
    """A number of seconds, also in tenths."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9])?", text) or float(text) < least:
            raise ValueError(f"{text!r} is not a number of seconds of at least {least}")
        return float(text)

    return ValueKind(f"a number of seconds, at least {least}", parse, lambda value: f"{value:.1f}".removesuffix(".0"))


def switch(on: str, off: str) -> ValueKind:
    """Yes or no, in any spelling."""

    def parse(text: str) -> bool:
        if text.lower() not in _WORDS:
            raise ValueError(f"{text!r} is neither {on} nor {off}")
        return _WORDS[text.lower()]

    return ValueKind(f"`{on}`, `{off}`", parse, lambda value: on if value else off)


def directory(text: str) -> str:
    """The path of a directory."""
    if not text or not text.isprintable():
        raise ValueError(f"{text!r} is not the path of a directory")
    return text


def patterns(text: str) -> str:
    """Patterns as in a `.gitignore`."""
    if not text.isprintable():
        raise ValueError(f"{text!r} is not a list of patterns")
    return text


def member(text: str) -> str:
    """A name that the user chose, such as that of a remote.

    Raises:
        ValueError: It cannot be part of a key.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text):
        raise ValueError(f"{text!r} is not a name: letters, digits, '-' and '_', at most 64")
    return text


def remote(text: str) -> str:
    """An S3 path; what may be a secret is not repeated in an error."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() != "s3":
        raise ValueError("the URL of a remote must be an S3 path, s3://bucket/prefix")
    bucket = rest.partition("/")[0]
    if not bucket or {"@", ":"} & set(bucket):
        raise ValueError("the URL of a remote is s3://bucket/prefix, without credentials or port")
    if not text.isprintable() or " " in text:
        raise ValueError("the URL of a remote, s3://bucket/prefix, has no spaces")
    return text


def words_or_names(text: str) -> bool | tuple[str, ...]:
    """Yes, no, or some names."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    return tuple(member(name.strip()) for name in text.split(","))


def words_or_names_text(value: bool | tuple[str, ...]) -> str:  # noqa: FBT001  # the value of a key
    """The text that says it."""
    return ("true" if value else "false") if isinstance(value, bool) else ",".join(value)
