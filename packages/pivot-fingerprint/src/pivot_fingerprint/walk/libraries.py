"""Libraries: the installed distribution and version behind a qualified name."""

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pivot_fingerprint.disk import INIT, distribution, distributions, name_and_version, real_path, top_level_names
from pivot_fingerprint.manifest import Library
from pivot_fingerprint.sources.modules import Modules

if TYPE_CHECKING:
    from importlib.metadata import Distribution

# Pivot itself is not a library of the code.
_OWN = frozenset(
    {
        *("pivot", "pivot_cache", "pivot_cli", "pivot_core", "pivot_dask", "pivot_fingerprint", "pivot_loaders"),
        *("pivot_mcp", "pivot_remote_obstore", "pivot_remote_s3", "pivot_remote_ssh", "pivot_runtime", "pivot_ui"),
    }
)
_UNKNOWN = "unknown"
READERS = {
    "docs": frozenset({"inspect.getdoc", "pydoc.getdoc", "inspect.cleandoc"}),
    "signatures": frozenset(
        {
            "annotationlib.get_annotations",
            "beartype.beartype",
            "inspect.get_annotations",
            "inspect.signature",
            "pydantic.validate_call",
            "typeguard.typechecked",
            "typing.get_type_hints",
        }
    ),
}
"""Library functions that read docstrings and signatures."""


def is_third_party(name: str) -> bool:
    """Whether a qualified name belongs neither to the standard library nor to Pivot."""
    top = name.partition(".")[0]
    return bool(top) and top not in sys.stdlib_module_names and top not in _OWN


class Libraries:
    """The distributions behind qualified names, each looked up once."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._known: dict[str, tuple[str, str]] = {}
        self._by_top: dict[str, list[Distribution]] = {}
        self._index: Mapping[str, list[Distribution]] | None = None

    def of(self, names: Iterable[str]) -> dict[str, Library]:
        """The libraries with these names, by distribution."""
        found: dict[tuple[str, str], set[str]] = {}
        for name in names:
            if is_third_party(name):
                found.setdefault(self._distribution(name), set()).add(name)
        return {title: Library(version, tuple(sorted(used))) for (title, version), used in found.items()}

    def _distribution(self, name: str) -> tuple[str, str]:
        """The name and version of the distribution that a qualified name comes from."""
        top = name.partition(".")[0]
        several = self._candidates(top)
        module = self._module(name) if len(several) > 1 else top  # several distributions share a namespace
        known = self._known.get(module)
        if known is None:
            chosen = several[:1] if len(several) == 1 else [each for each in several if self._holds(each, module)]
            if chosen:
                known = name_and_version(chosen[0])
            else:
                version = vars(sys.modules[top]).get("__version__") if top in sys.modules else None
                known = (top, version if isinstance(version, str) else _UNKNOWN)
            self._known[module] = known
        return known

    def _candidates(self, top: str) -> "list[Distribution]":
        """The distributions that install something under a top-level name."""
        known = self._by_top.get(top)
        if known is None:
            named = distribution(top)
            if named is not None and top in top_level_names(named) and not self._is_namespace(top):
                known = [named]
            else:
                if self._index is None:
                    self._index = distributions()
                names = {name_and_version(each)[0] for each in self._index.get(top, ())}
                found = [distribution(name) for name in sorted(names)]
                known = [each for each in found if each is not None]
            self._by_top[top] = known
        return known

    def _is_namespace(self, top: str) -> bool:
        module = self._modules.named(top)
        return module is not None and module.file is None

    def _module(self, name: str) -> str:
        """The longest prefix of a qualified name that is a module with a file."""
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            prefix = ".".join(parts[:length])
            module = self._modules.named(prefix)
            if module is not None and module.file is not None:
                return prefix
        return parts[0]

    def _holds(self, distribution: "Distribution", name: str) -> bool:
        """Whether a distribution installed the file of a module."""
        module = self._modules.named(name)
        if module is None or module.file is None:
            return False
        file = real_path(module.file)
        stem = name.rpartition(".")[2]
        return any(
            real_path(str(distribution.locate_file(path))) == file
            for path in distribution.files or ()
            if path.stem.startswith(stem) or path.stem == INIT
        )
