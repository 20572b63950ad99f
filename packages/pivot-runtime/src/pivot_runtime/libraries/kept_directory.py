"""The values of library modules that are the directory in which they were imported, such as `rich` keeps one."""

import pathlib
import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from pivot_runtime.freshness.load_trace import Fact
from pivot_runtime.freshness.stamps import VARIABLE, VARIABLES


class KeptValue(NamedTuple):
    """One such value.

    Attributes:
        namespace: The namespace of its module.
        name: Its name there.
        kind: Its type, which makes the value of another directory.
    """

    namespace: dict[str, Any]
    name: str
    kind: Callable[[str], Any]


class KeptDirectory:
    """All such values of some modules, of libraries or of Python.

    Attributes:
        values: The values that are the directory itself.
        is_movable: Whether modules that were imported in another directory would differ in these values alone.
    """

    def __init__(self, modules: Iterable[object], directory: str, is_installed: Callable[[str], bool]) -> None:
        """Look for them; a path below the directory that is part of a library does not count."""
        self.values: list[KeptValue] = []
        self.is_movable = True
        for namespace in [vars(module) for module in modules if isinstance(module, ModuleType)]:
            for name, value in list(namespace.items()):
                if not isinstance(value, str | pathlib.PurePath):
                    continue
                path = str(value)
                if path == directory:
                    self.values.append(KeptValue(namespace, name, type(value)))
                    self.is_movable = self.is_movable and type(value) in _KINDS
                elif path.startswith(f"{directory}/") and not is_installed(path) and path != sys.executable:
                    self.is_movable = False
        self._directory = directory

    def depends_on(self, facts: Iterable[Fact], environment: Mapping[str, str]) -> bool:
        """Whether a value may be that of an environment variable that was read, which is no other one elsewhere."""
        if not self.values:
            return False
        same = [name for name, value in environment.items() if value == self._directory]
        prefixes = tuple(fact.subject for fact in facts if fact.kind == VARIABLES)
        names = {fact.subject for fact in facts if fact.kind == VARIABLE}
        return any(name in names or name.startswith(prefixes) for name in same)


_KINDS = frozenset({str, type(pathlib.Path()), type(pathlib.PurePath())})
