"""Images: their media type and size in pixels, by their first bytes."""

import re
import struct
from typing import Final

import attrs

from pivot_core.values import Value
from pivot_runtime.previews import sniff

MOST_BYTES: Final = 20 << 20
"""The bytes of the largest image that is shown."""

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers in a JPEG that are followed by the size."""
_PIXELS: Final = re.compile(rb"""\s(width|height)\s*=\s*["'](\d{1,6})(?:\.\d*)?(?:px)?["']""")


@attrs.frozen(eq=False, repr=False)
class ImagePreview(Value):
    """An image.

    Attributes:
        media: The media type.
        width: The width in pixels; None if it is unknown.
        height: The height in pixels; None if it is unknown.
    """

    media: str
    width: int | None
    height: int | None


def described(name: str, head: bytes) -> ImagePreview:
    """The description of an image by its name and its first bytes."""
    media = sniff.media_type(name, head)
    try:
        width, height = _SIZES[media](head)
    except (struct.error, IndexError, KeyError):
        return ImagePreview(media, None, None)
    return ImagePreview(media, width or None, height or None)


def _png(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", head, 16)
    return width, height


def _gif(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", head, 6)
    return width, height


def _jpeg(head: bytes) -> tuple[int, int]:
    at = 2
    while True:
        marker, kind, length = struct.unpack_from(">BBH", head, at)
        if marker != 0xFF:  # noqa: PLR2004  # every marker begins so
            raise IndexError(at)
        if kind in _FRAMES:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        at += 2 + length


def _webp(head: bytes) -> tuple[int, int]:
    form = head[12:16]
    if form == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def _svg(head: bytes) -> tuple[int, int]:
    start = head.index(b"<svg")
    found = dict(_PIXELS.findall(head[start : head.find(b">", start)]))
    return int(found[b"width"]), int(found[b"height"])


_SIZES: Final = {"image/png": _png, "image/gif": _gif, "image/jpeg": _jpeg, "image/webp": _webp, "image/svg+xml": _svg}
