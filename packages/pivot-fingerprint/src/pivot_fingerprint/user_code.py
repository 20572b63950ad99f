"""User code: by default, every file outside the standard library and the installed packages."""

import functools
import os
import site
import sys
import sysconfig
from collections.abc import Callable

from pivot_fingerprint.disk import real_path

__pivot_module__ = "pivot_fingerprint"

_OWN = tuple(os.path.join(place, "") for place in sys.modules[__name__.partition(".")[0]].__path__)

type Predicate = Callable[[str], bool]


def default_is_user_code(filename: str) -> bool:
    """Whether a file belongs neither to the standard library nor to an installed distribution.

    Editable installs are elsewhere, and so count as user code. Symbolic links are resolved on both sides.
    """
    if not filename or filename.startswith("<"):
        return False
    path = real_path(filename)
    parts = path.split(os.sep)
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    roots = _library_roots()
    return not path.startswith(roots)


def cached(predicate: Predicate) -> Predicate:
    """The same predicate, called once per file; this package itself never counts as user code."""
    known: dict[str, bool] = {}

    def ask(filename: str) -> bool:
        answer = known.get(filename)
        if answer is None:
            answer = known[filename] = not filename.startswith(_OWN) and bool(predicate(filename))
        return answer

    return ask


@functools.cache
def _library_roots() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {sysconfig.get_paths().get(name) for name in names}
    found.add(os.path.dirname(os.__file__))
    found.add(getattr(sys, "_stdlib_dir", None))  # the home of frozen modules
    found.update((*site.getsitepackages(), site.getusersitepackages()))
    return tuple(sorted(os.path.join(real_path(path), "") for path in found if path))
