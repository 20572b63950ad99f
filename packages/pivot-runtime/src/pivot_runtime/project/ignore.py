"""The patterns of the user's ``.pivotignore``, which scans leave out; never applied to what is declared."""

import pathlib
from collections.abc import Callable

from pivot_cache.files.safe_read import read_regular
from pivot_runtime.errors import EngineError


def ignored(file: pathlib.Path, more: tuple[str, ...] = ()) -> Callable[[str], bool]:
    """Whether a path relative to the root, a directory's with ``/`` at its end, is ignored.

    ``more`` are patterns beside those of the file.

    Raises:
        EngineError: The file cannot be read, or a line of it is no pattern.
    """
    try:
        lines = read_regular(file).decode().splitlines()
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or error
        raise EngineError(f"{file.name} cannot be read: {problem}", hint="repair or remove the file") from None
    lines += more
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return lambda _: False
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  # start-up time: only scans need it

    try:
        spec = GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise EngineError(f"{file.name}: {error}", hint="one pattern on each line, as in a .gitignore") from None
    return spec.match_file
