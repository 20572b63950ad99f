"""The way out: a function that counts by its name and by the files it names, not by its body."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

__pivot_module__ = "pivot_fingerprint"

_ATTRIBUTE = "__pivot_no_fingerprint__"


class OptOut(NamedTuple):
    """The mark on a function; wrappers that copy attributes carry another function's mark, which does not count."""

    function: object
    code_deps: tuple[str, ...]


def no_fingerprint[F: Callable[..., object]](*, code_deps: Sequence[str] = ()) -> Callable[[F], F]:
    """Decorator: the function's body is not analysed.

    It counts by its name and by the bytes of the files in `code_deps`, which are relative to the
    directory of the file that defines the function. Use it where analysis can say nothing useful.
    """
    if isinstance(code_deps, str):
        raise TypeError("code_deps is a sequence of file names, not one text")
    files = tuple(code_deps)

    def mark(function: F) -> F:
        setattr(function, _ATTRIBUTE, OptOut(function, files))
        return function

    return mark


def opt_out(function: object) -> OptOut | None:
    """The mark of this very function, if it has one."""
    mark = getattr(function, "__dict__", {}).get(_ATTRIBUTE)
    return mark if isinstance(mark, OptOut) and mark.function is function else None
