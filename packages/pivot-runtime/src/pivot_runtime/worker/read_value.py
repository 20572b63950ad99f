"""Reads outs with the loader of their stage, also in the process that has imported it, for another process."""

import pathlib
import pickle
from collections.abc import Sequence
from typing import Any, Final

from pivot_core.loaders import Reader
from pivot_core.stages.stage import Stage
from pivot_runtime.worker import failure
from pivot_runtime.worker.file_values import FileValues, files_in

_PROTOCOL: Final = 5


def read_value(loader: Reader[Any], file: pathlib.Path, *, directory: bool) -> Any:
    """Return the value of a file; that of a directory is a mapping from the relative paths of its files."""
    if not directory:
        return loader.load(file)
    return dict(FileValues(files_in(str(file)), lambda each: loader.load(pathlib.Path(each))))


def read_values(stage: Stage, key: str, files: Sequence[str], result: str, *, directory: bool) -> dict[str, Any] | None:
    """Read files with the loader of the out ``key``, and write the list of their values to the file ``result``.

    Returns:
        The report of an error of the loader or of a value that cannot be pickled; None if there was none.
    """
    try:
        loader: Any = stage.outs[key].loader
        values = [read_value(loader, pathlib.Path(file), directory=directory) for file in files]
        with open(result, "wb") as written:
            pickle.dump(values, written, protocol=_PROTOCOL)
    except BaseException as error:  # noqa: BLE001  # whatever the user's loader raises
        return failure.describe_failure(error)
    return None
