"""Arrays of numpy: `Npy` for one, `Npz` for several by name."""

import pathlib
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pivot_core.errors import LoaderError
from pivot_core.values import Value
from pivot_loaders.libraries import misfit, require

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__pivot_module__ = "pivot.loaders"

_SUFFIX = ".npy"


@attrs.frozen(eq=False, repr=False)
class Npy(Value):
    """One array of numpy (``.npy``). Needs numpy; arrays of objects are refused."""

    def load(self, path: pathlib.Path) -> "npt.NDArray[Any]":
        """The array."""
        loaded: npt.NDArray[Any] = require("numpy", "Npy").load(path, allow_pickle=False)
        return loaded

    def save(self, value: "npt.ArrayLike", path: pathlib.Path) -> None:
        """Write the array; numbers and lists of numbers are arrays as well.

        Raises:
            LoaderError: The value is no array, or one of objects.
        """
        numpy = require("numpy", "Npy")
        array = _array(numpy, "Npy", value)
        with path.open("wb") as file:
            numpy.lib.format.write_array(file, array, allow_pickle=False)


@attrs.frozen(eq=False, repr=False)
class Npz(Value):
    """Several arrays of numpy by name (``.npz``). Needs numpy; arrays of objects are refused.

    Attributes:
        compress: Whether the file is compressed.
    """

    compress: bool = False

    def load(self, path: pathlib.Path) -> "dict[str, npt.NDArray[Any]]":
        """All arrays by name, in the order in which they were written."""
        with require("numpy", "Npz").load(path, allow_pickle=False) as found:
            return dict(found.items())

    def save(self, value: "Mapping[str, npt.ArrayLike]", path: pathlib.Path) -> None:
        """Write the arrays; equal arrays give equal files.

        Raises:
            LoaderError: The value is not a mapping, or one of its values is no array, or an array of objects.
        """
        numpy = require("numpy", "Npz")
        given: object = value
        if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
            raise misfit("Npz", "a mapping from names to arrays", given)
        arrays = {name: _array(numpy, "Npz", each, name) for name, each in given.items()}
        kind = zipfile.ZIP_DEFLATED if self.compress else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in arrays.items():
                info = zipfile.ZipInfo(name + _SUFFIX)  # numpy's own `savez` writes the current time
                info.compress_type = kind
                with archive.open(info, "w", force_zip64=True) as file:
                    numpy.lib.format.write_array(file, array, allow_pickle=False)


def _array(numpy: Any, loader: str, value: object, name: str | None = None) -> "np.ndarray[Any, Any]":
    try:
        array: np.ndarray[Any, Any] = numpy.asanyarray(value)
    except ValueError:  # rows of different lengths
        array = numpy.empty(0, object)
    if array.dtype.hasobject:
        which = "the value" if name is None else repr(name)
        raise LoaderError(
            f"loaders.{loader}() saves arrays of numbers and texts, but {which} is "
            f"{'an array of objects' if isinstance(value, numpy.ndarray) else 'of type ' + type(value).__name__}",
            hint="convert it to an array of numbers or texts, or use loaders.Pickle()",
        )
    return array
