"""Patterns of the user's ``.pivotignore``: scans leave out these files; declared deps and outs are never filtered."""

import pathlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pivot_cache.files.safe_read import read_regular
from pivot_runtime.errors import EngineError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


def ignored(file: pathlib.Path, more: tuple[str, ...] = ()) -> Callable[[str], bool]:
    """Return a predicate of ignored paths, which are relative to the root; a directory's ends with ``/``.

    ``more`` are patterns in addition to those of the file.

    Raises:
        EngineError: The file cannot be read, or one of its lines is not a pattern.
    """
    lines = [*_lines(file), *more]
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return lambda _: False
    return _parsed(file, lines).match_file


def rules(file: pathlib.Path) -> Callable[[str], tuple[int, str, bool] | None]:
    """Return a function that finds the pattern that decides about a path; paths are as in `ignored`.

    Its result is the line of the last pattern that matches, the pattern, and whether it ignores the path.

    Raises:
        EngineError: The file cannot be read, or one of its lines is not a pattern.
    """
    lines = {number: line for number, line in enumerate(_lines(file), 1) if line}
    spec, numbers = _parsed(file, lines.values()), list(lines)

    def find(path: str) -> tuple[int, str, bool] | None:
        found = spec.check_file(path)
        if found.index is None:
            return None
        number = numbers[found.index]
        return number, lines[number], bool(found.include)

    return find


def _lines(file: pathlib.Path) -> list[str]:
    try:
        return read_regular(file).decode().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or error
        raise EngineError(f"{file.name} cannot be read: {problem}", hint="repair or remove the file") from None


def _parsed(file: pathlib.Path, lines: Iterable[str]) -> "GitIgnoreSpec":
    import re  # lazy

    from pathspec import GitIgnoreSpec  # lazy

    try:
        return GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.PatternError) as error:
        raise EngineError(f"{file.name}: {error}", hint="one pattern on each line, as in a .gitignore") from None
