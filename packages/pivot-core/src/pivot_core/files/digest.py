"""Digests: 128 bits of xxh3 as 32 lowercase hex digits, over bytes or over canonical JSON."""

from collections.abc import Callable, Iterable
from json import JSONEncoder
from json.encoder import encode_basestring_ascii
from typing import Final

import xxhash

ALGORITHM: Final = "xxh3-128"
"""The name that every lock file carries."""

_HEX: Final = frozenset("0123456789abcdef")


def digest_bytes(data: bytes | bytearray | memoryview) -> str:
    """The digest of exactly these bytes."""
    return xxhash.xxh3_128_hexdigest(data)


def digest_lines(lines: Iterable[str]) -> str:
    """The digest of a sequence of texts; the boundaries between them count."""
    encoded = [line.encode() for line in lines]
    return digest_bytes(b"".join([b"%d:%b" % (len(line), line) for line in encoded]))


def digest_secret(text: str, salt: bytes) -> str:
    """Return the digest of a text that may be secret: whoever guesses it pays some 20 ms for each guess."""
    import hashlib  # lazy

    data = text.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(data, salt=salt, n=1 << 14, r=8, p=1, dklen=16).hex()


def is_digest(text: object) -> bool:
    """Whether a text could be a digest; every path from untrusted data is checked with it."""
    return isinstance(text, str) and len(text) == 32 and _HEX.issuperset(text)  # noqa: PLR2004


class _Encoder(JSONEncoder):
    """The original class, since the user's code may replace the module's attribute."""

    default, encode, iterencode = JSONEncoder.default, JSONEncoder.encode, JSONEncoder.iterencode


_encode_text: Final[Callable[[str], str]] = encode_basestring_ascii
"""The function that the encoder calls, for the many texts that are no part of another value."""
_encode = _Encoder(sort_keys=True, separators=(",", ":")).encode


def canonical_json(value: object) -> str:
    """The canonical JSON text of a plain value: sorted keys, ASCII, no spaces; NaN is written ``NaN``.

    Raises:
        TypeError: The value contains something without a JSON form.
    """
    return _encode_text(value) if type(value) is str else _encode(value)
