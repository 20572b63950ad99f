"""Patterns of the user's ``.pivotignore``: scans leave out these files; declared deps and outs are never filtered."""

import pathlib
from collections.abc import Callable

from pivot_cache.files.safe_read import read_regular
from pivot_runtime.errors import EngineError


def ignored(file: pathlib.Path, more: tuple[str, ...] = ()) -> Callable[[str], bool]:
    """Return a predicate of ignored paths, which are relative to the root; a directory's ends with ``/``.

    ``more`` are patterns in addition to those of the file.

    Raises:
        EngineError: The file cannot be read, or one of its lines is not a pattern.
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
    from pathspec import GitIgnoreSpec  # lazy

    try:
        spec = GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise EngineError(f"{file.name}: {error}", hint="one pattern on each line, as in a .gitignore") from None
    return spec.match_file
