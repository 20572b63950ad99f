"""The beginning of a text, and the first bytes of what is none."""

import codecs
from typing import BinaryIO, Final

import attrs

from pivot_core.values import Value
from pivot_runtime.previews import sniff

MOST_TEXT: Final = 1 << 18
"""The bytes of a text that are read."""
_FIRST: Final = 64


@attrs.frozen(eq=False, repr=False)
class TextPreview(Value):
    """The beginning of a text.

    Attributes:
        text: The text.
        cut: Whether there is more.
        encoding: Its encoding.
    """

    text: str
    cut: bool
    encoding: str


@attrs.frozen(eq=False, repr=False)
class BinaryPreview(Value):
    """A file without a form that people read.

    Attributes:
        head: Its first bytes.
    """

    head: bytes


def text_or_bytes(stream: BinaryIO) -> TextPreview | BinaryPreview:
    """The beginning of a file, as a text if it is one.

    Raises:
        OSError: It cannot be read.
    """
    data = stream.read(MOST_TEXT + 1)
    cut = len(data) > MOST_TEXT
    data = data[:MOST_TEXT]
    encoding = sniff.encoding_of(data)
    if encoding is None:
        return binary(data)
    text = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)("replace").decode(
        data, final=not cut
    )
    return TextPreview(text.encode("utf-8", "replace").decode(), cut, encoding)


def binary(head: bytes) -> BinaryPreview:
    """A file as its first bytes."""
    return BinaryPreview(head[:_FIRST])
