"""Digests: 128 bits of xxh3 as 32 lowercase hex digits, over bytes or over canonical JSON."""

from collections.abc import Iterable
from json import JSONEncoder
from typing import Final

import xxhash

ALGORITHM: Final = "xxh3-128"
"""The name that every lock file carries."""

_HEX: Final = frozenset("0123456789abcdef")


def digest_bytes(data: bytes | bytearray | memoryview) -> str:
    """The digest of exactly these bytes."""
    return xxhash.xxh3_128_hexdigest(data)


def digest_lines(lines: Iterable[str]) -> str:
    """The digest of a sequence of texts; where one ends and the next begins counts."""
    state = xxhash.xxh3_128()
    for line in lines:
        encoded = line.encode()
        state.update(b"%d:" % len(encoded))
        state.update(encoded)
    return state.hexdigest()


def is_digest(text: object) -> bool:
    """True for a text that could be a digest; guards every path built from untrusted data."""
    return isinstance(text, str) and len(text) == 32 and _HEX.issuperset(text)  # noqa: PLR2004


class _Encoder(JSONEncoder):
    """As it is now, whatever the user's code replaces while it is imported."""

    default, encode, iterencode = JSONEncoder.default, JSONEncoder.encode, JSONEncoder.iterencode


_encode = _Encoder(sort_keys=True, separators=(",", ":")).encode


def canonical_json(value: object) -> str:
    """The one JSON text of a plain value: sorted keys, ASCII, no spaces; NaN is written ``NaN``.

    Raises:
        TypeError: The value holds something that JSON has no form for.
    """
    return _encode(value)
