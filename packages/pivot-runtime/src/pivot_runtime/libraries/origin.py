"""The origin of a module: Python and Pivot, a library, or the user."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Final

_OWN: Final = frozenset({"pivot", "pivot_cache", "pivot_core", "pivot_fingerprint", "pivot_runtime"})


def is_python(name: str) -> bool:
    """Whether a module belongs to Python's library or to Pivot, by its name."""
    top = name.partition(".")[0]
    return top in sys.stdlib_module_names or top in _OWN or top == "__mp_main__"


def is_library(name: str, is_user_code: Callable[[str], bool]) -> bool:
    """Whether an imported module belongs to a library: neither to Python nor to the user."""
    module = sys.modules.get(name)
    if is_python(name) or not isinstance(module, ModuleType):
        return False
    spec = module.__dict__.get("__spec__")
    file = module.__dict__.get("__file__") or getattr(spec, "origin", None)
    return isinstance(file, str) and not is_user_code(file)
