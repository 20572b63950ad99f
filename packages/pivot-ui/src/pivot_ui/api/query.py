"""The parameters of a question, and answers that are bytes."""

from collections.abc import Mapping
from typing import NamedTuple

from pivot_ui.errors import BadQueryError

__all__ = ["MediaAnswer", "Query"]


class Query:
    """The parameters of one question, each given once."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        """Take the parameters by name."""
        self._parameters = parameters

    def text(self, name: str, default: str | None = None) -> str:
        """Return a parameter.

        Raises:
            BadQueryError: It is missing and has no default, or has a null character.
        """
        value = self._parameters.get(name, default)
        if value is None:
            raise BadQueryError(f"the parameter {name!r} is missing")
        if "\0" in value:
            raise BadQueryError(f"the parameter {name!r} has a null character")
        return value

    def number(self, name: str, default: int | None = None, least: int = 0, most: int = 1 << 53) -> int:
        """Return a parameter that is a whole number from ``least`` to ``most``.

        Raises:
            BadQueryError: It is missing and has no default, or is no such number.
        """
        text = self._parameters.get(name)
        if text is None and default is not None:
            return default
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) < len(str(1 << 64))):
            raise BadQueryError(f"the parameter {name!r} is not a whole number: {text!r}")
        if not least <= int(text) <= most:
            raise BadQueryError(f"the parameter {name!r} is not from {least} to {most}: {text}")
        return int(text)


class MediaAnswer(NamedTuple):
    """An answer that is no JSON.

    Attributes:
        data: The bytes.
        media: Their media type.
    """

    data: bytes
    media: str
