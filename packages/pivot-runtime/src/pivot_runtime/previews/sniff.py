"""The kind of a file, by its name and its first bytes; pure."""

from typing import Final

from pivot_runtime.comparing import row_files, series

HEAD: Final = 1 << 16
"""The first bytes of a file that are looked at."""

_DOCUMENTS: Final = (".json", ".yaml", ".yml", ".toml", ".ipynb", ".geojson")
_PICKLES: Final = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt")
_ARROW: Final = (".arrow", ".feather")
_CONTROLS: Final = frozenset(range(32)) - frozenset(b"\t\n\r\f\x0b\x1b\x08")
_PARQUET_MAGIC: Final = b"PAR1"
_ARROW_MAGIC: Final = b"ARROW1"


def kind_of(name: str, head: bytes) -> str:
    """``image``, ``table``, ``document``, ``text`` or ``binary``; only images and columns are known by their bytes."""
    suffix = series.suffix(name)
    if media_type(name, head):
        return "image"
    if suffix in _PICKLES:
        return "binary"
    if columnar(name, head) or suffix in row_files.SEPARATORS or suffix in row_files.LINES:
        return "table"
    if encoding_of(head) is None:
        return "binary"
    return "document" if suffix in _DOCUMENTS else "text"


def columnar(name: str, head: bytes) -> str:
    """``parquet`` or ``arrow``, if a file is one of them; else ``""``."""
    suffix = series.suffix(name)
    if suffix in row_files.PARQUET or head.startswith(_PARQUET_MAGIC):
        return "parquet"
    return "arrow" if suffix in _ARROW or head.startswith(_ARROW_MAGIC) else ""


def media_type(name: str, head: bytes) -> str:
    """The media type of an image that browsers show; ``""`` for all else, whatever the name says."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if series.suffix(name) == ".svg" and encoding_of(head) == "utf-8" and b"<svg" in head:
        return "image/svg+xml"
    return ""


def encoding_of(head: bytes) -> str | None:
    """The encoding of a text by its first bytes; None if it is no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in head or len(_CONTROLS.intersection(head)) > 0:
        return None
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3 or error.reason != "unexpected end of data":
            return "latin-1"
    return "utf-8"
