"""Pictures: `Figure` for plots of matplotlib, `Image` for images of Pillow."""

import io
import pathlib
import re
from typing import TYPE_CHECKING, Any

import attrs

from pivot_core.errors import LoaderError
from pivot_core.values import Value
from pivot_loaders.libraries import misfit, require

if TYPE_CHECKING:
    import PIL.Image

__pivot_module__ = "pivot.loaders"

_DRAWINGS = frozenset({"eps", "pdf", "pgf", "ps", "svg", "svgz"})
_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "svgz": {"Date": None, "Creator": None},
}
"""The parts of a file that differ from time to time, or with the version of matplotlib; None leaves them out."""
_POSTSCRIPT = re.compile(rb"(?m)^%%(?:CreationDate|Creator): .*\n")


@attrs.frozen(eq=False, repr=False)
class Figure(Value):
    """A figure of matplotlib, in the format that the path's suffix names: PNG, SVG, PDF and others. Needs matplotlib.

    The same plot gives the same file: it contains neither times nor versions. An axes and a grid of seaborn are saved
    as their figure. A figure is not loaded back: a stage that reads the file gets an image of Pillow.

    Attributes:
        dpi: Dots per inch; by default those of the figure.
        tight: Whether the margins are cut off.
    """

    dpi: float | None = None
    tight: bool = False

    def load(self, path: pathlib.Path) -> "PIL.Image.Image":
        """The picture, as an image of Pillow.

        Raises:
            LoaderError: The file is a drawing, such as SVG or PDF.
        """
        if _suffix(path) in _DRAWINGS:
            raise LoaderError(
                f"loaders.Figure() cannot load {str(path)!r}, which is a drawing",
                hint="use loaders.PathOnly(), or loaders.Text() for SVG",
            )
        return _read("Figure", path)

    def save(self, value: Any, path: pathlib.Path) -> None:
        """Write the figure.

        Raises:
            LoaderError: The value is neither a figure nor a part of one.
        """
        matplotlib = require("matplotlib", "Figure")
        base = require("matplotlib.figure", "Figure").FigureBase
        figure = value if isinstance(value, base) else getattr(value, "figure", None)
        if not isinstance(figure, base):
            raise misfit("Figure", "a figure of matplotlib", value)
        format_ = _suffix(path) or "png"
        buffer = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "pivot"}):
            figure.savefig(
                buffer,
                format=format_,
                dpi=self.dpi or "figure",
                bbox_inches="tight" if self.tight else None,
                metadata=_METADATA.get(format_),
            )
        path.write_bytes(_without_times(buffer.getvalue(), format_))


@attrs.frozen(eq=False, repr=False)
class Image(Value):
    """An image of Pillow, in the format that the path's suffix names: PNG, JPEG, WebP and others. Needs Pillow.

    PNG, BMP and TIFF come back pixel by pixel; JPEG does not.

    Attributes:
        quality: The quality of a format with losses, from 1 to 95 or 100; by default that of Pillow.
    """

    quality: int | None = None

    def load(self, path: pathlib.Path) -> "PIL.Image.Image":
        """The image, with all its pixels in memory."""
        return _read("Image", path)

    def save(self, value: "PIL.Image.Image", path: pathlib.Path) -> None:
        """Write the image.

        Raises:
            LoaderError: The value is not an image, the suffix names no format, or the format has no such colours.
        """
        pillow = require("PIL.Image", "Image", "Pillow")
        image: object = value
        if not isinstance(image, pillow.Image):
            raise misfit(
                "Image", "an image of Pillow", image, hint="return an image, as PIL.Image.fromarray(array) does"
            )
        options: dict[str, Any] = {} if self.quality is None else {"quality": self.quality}
        try:
            value.save(path, **options)
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's, not the image's
            path.unlink(missing_ok=True)
            raise LoaderError(
                f"loaders.Image() cannot keep an image of mode {value.mode} in {str(path)!r}: {error}",
                hint="name another suffix, such as .png, or call image.convert('RGB')",
            ) from error


def _read(loader: str, path: pathlib.Path) -> "PIL.Image.Image":
    pillow = require("PIL.Image", loader, "Pillow")
    with pillow.open(path) as image:
        image.load()
        return image.copy()  # type: ignore[no-any-return]


def _without_times(data: bytes, format_: str) -> bytes:
    """The file without the times and versions that matplotlib cannot leave out."""
    if format_ in ("ps", "eps"):
        return _POSTSCRIPT.sub(b"", data)
    if format_ == "svgz":
        return data[:4] + bytes(4) + data[8:]  # the time in the header of gzip
    return data


def _suffix(path: pathlib.Path) -> str:
    return path.suffix.removeprefix(".").lower()
