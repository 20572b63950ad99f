"""The modules that code is in: imported ones as they are now, others found on disk without importing them."""

import ast
import os
import re
import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType

from pivot_fingerprint.disk import INIT, real_file, real_path
from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.sources.source_file import SourceFile, Sources
from pivot_fingerprint.syntax.parsed import literal_binding
from pivot_fingerprint.syntax.scopes import Import
from pivot_fingerprint.user_code import Predicate


class Module:
    """One module: its name, its file, and its namespace if it has been imported."""

    __slots__ = ("_quiet", "_source", "_sources", "entry_file", "file", "is_user", "name", "namespace", "package")

    def __init__(  # noqa: PLR0913 - a record
        self,
        name: str,
        file: str | None,
        package: str,
        namespace: Mapping[str, object] | None,
        *,
        is_user: bool,
        entry_file: str | None,
        sources: Sources | None = None,
    ) -> None:
        self.name = name
        self.file = file
        self.package = package
        self.namespace = namespace
        self.is_user = is_user
        self.entry_file = entry_file  # the path in entries, never absolute
        self._sources = sources
        self._source: list[SourceFile | None] = []
        self._quiet: list[list[Import] | None] = []

    @property
    def source(self) -> SourceFile | None:
        """The source file of the module, if there is one."""
        if not self._source:
            self._source.append(self._of_file(Sources.read))
        return self._source[0]

    def _of_file[Result](self, get: Callable[[Sources, str], Result | None]) -> Result | None:
        """The result for the module's file, if it is a source file."""
        if self._sources is None or self.file is None or not self.file.endswith((".py", ".pyw")):
            return None
        return get(self._sources, self.file)

    @property
    def imports_if_quiet(self) -> list[Import] | None:
        """Everything that the module imports, if it is known that the statements at its top act on nothing."""
        if not self._quiet:
            self._quiet.append(self._of_file(Sources.imports_of_quiet))
        return self._quiet[0]

    @property
    def public(self) -> str | None:
        """The name by which a library's module counts instead of its own: its `__pivot_module__`.

        So its content can move to another module and counts as before.
        """
        said = self.namespace.get("__pivot_module__") if self.namespace is not None else None
        return said if isinstance(said, str) else None

    @property
    def docs(self) -> str | None:
        """The docstring in the module's source."""
        return None if self.source is None else ast.get_docstring(self.source.parsed.tree, clean=False)

    def at(self, source: SourceFile, entry_file: str | None) -> "Module":
        """The module of code in another file whose globals belong to this module."""
        return Module(
            self.name,
            source.path,
            self.package,
            self.namespace,
            is_user=self.is_user,
            entry_file=entry_file,
            sources=self._sources,
        )

    def binds(self, name: str) -> bool:
        """Whether a name may be bound in this module other than by a star import."""
        if self.namespace is not None:
            return name in self.namespace
        return self.source is not None and name in self.source.bindings

    def leaves_unbound(self, name: str) -> bool:
        """Whether a name without a value is only bound at the top of the module, where it was skipped or deleted.

        Examples are imports for type checkers, and statements under conditions that are false here.
        """
        source = self.source
        if source is None or name not in source.bindings:
            return False
        return re.search(rb"\bglobal\b[^\n]*\b%b\b" % re.escape(name).encode(), source.content) is None

    def absolute(self, target: Import) -> str:
        """The full name of the module that an import statement of this module names."""
        if not target.level:
            return target.module
        parts = self.package.split(".")
        parts = parts[: len(parts) - target.level + 1]
        return ".".join([*parts, target.module] if target.module else parts)


class Modules:
    """The modules of a walk, imported or found on disk."""

    def __init__(self, is_user_code: Predicate, root: str | None, sources: Sources) -> None:
        self.is_user_code = is_user_code
        self.sources = sources
        self._root = real_path(root) if root is not None else None
        self._by_namespace: dict[int, Module] = {}
        self._made: dict[int, Module] = {}
        self._static: dict[str, Module | None] = {}
        self._files: dict[tuple[str, str | None], str | None] = {}
        self._directories: dict[str, str] = {}

    def of(self, module: ModuleType) -> Module:
        """The module of an imported module object."""
        return self.of_namespace(vars(module))

    def in_submodules(self, package: ModuleType, name: str) -> list[tuple[Module, str, object]]:
        """The possible values of a name in a lazy package: those in its imported submodules."""
        inside = [part for full, part in sorted(sys.modules.items()) if full.startswith(f"{package.__name__}.")]
        having = [part for part in inside if type(part) is ModuleType and name in vars(part)]
        return [(self.of(part), name, vars(part)[name]) for part in having]

    def of_namespace(self, namespace: dict[str, object]) -> Module:
        """The module with these globals."""
        known = self._by_namespace.get(id_of(namespace))
        if known is None:
            known = self._by_namespace[id_of(namespace)] = self._live(namespace)
        return known

    def made(self, namespace: dict[str, object]) -> Module | None:
        """A placeholder module for globals that belong to no module: those of code generated from text."""
        name = namespace.get("__name__")
        home = sys.modules.get(name) if isinstance(name, str) else None
        if home is not None and vars(home) is namespace:
            return None
        known = self._made.get(id_of(namespace))
        if known is None:
            known = self._made[id_of(namespace)] = Module("", None, "", namespace, is_user=True, entry_file=None)
        return known

    def named(self, name: str) -> Module | None:
        """The module with this full name, imported or found on disk."""
        live = sys.modules.get(name)
        return self.of(live) if isinstance(live, ModuleType) else self.on_disk(name)

    def source_of(self, name: str) -> SourceFile | None:
        """The source of the module with this full name, if both exist."""
        module = self.named(name)
        return module.source if module is not None else None

    def on_disk(self, name: str) -> Module | None:
        """A module that is not imported, found without importing it or its packages."""
        if name not in self._static:
            spec = self._spec(name)
            module = None
            if spec is not None:
                file = spec.origin if spec.has_location else None
                places = list(spec.submodule_search_locations or ())
                package = name if places else name.rpartition(".")[0]
                user = self.is_user_code(file or (os.path.join(places[0], f"{INIT}.py") if places else ""))
                module = Module(
                    name,
                    file,
                    package,
                    None,
                    is_user=user,
                    entry_file=self.entry_file_of(file, name),
                    sources=self.sources,
                )
            self._static[name] = module
        return self._static[name]

    def predefined(self, module: Module, name: str) -> list[str]:
        """The tokens of a name that every module has; those of `__path__` include the modules in the package."""
        inside = self._inside(module) if name == "__path__" and module.is_user else []
        return [f"{name} {module.name}", *([f"inside {' '.join(inside)}"] if inside else [])]

    def _inside(self, package: Module) -> list[str]:
        """The names of all modules in a package and its subpackages."""
        found, stack = [], [(place, "") for place in self._places(package)]
        while stack:
            place, prefix = stack.pop()
            names = self.sources.disk.modules_in([place])
            found += [prefix + name for name in names]
            stack += [(os.path.join(place, name), f"{prefix}{name}.") for name in names if name != INIT]
        return sorted(found)

    @staticmethod
    def _places(package: Module) -> list[str]:
        if package.namespace is not None:
            return [str(place) for place in package.namespace.get("__path__", ())]  # type: ignore[attr-defined]
        return [os.path.dirname(package.file)] if package.file is not None and package.package == package.name else []

    def is_optional(self, module: Module, name: str) -> bool:
        """Whether a missing module is an optional dependency, so that the code that uses it does not run.

        Code that changes `sys.path` may still find it.
        """
        top = self.named(name.partition(".")[0])
        moves = module.source is not None and b"sys.path" in module.source.content
        return not moves and (top is None or not top.is_user)

    def star_sources(self, module: Module, name: str) -> list[Module]:
        """The modules from which a module may get a name by a star import."""
        stars = module.source.stars if module.source is not None else ()
        found = [self.named(module.absolute(star)) for star in stars]
        own = module.binds(name)
        return [home for home in found if home is not None and (home.is_user or not own) and self._provides(home, name)]

    def _provides(self, home: Module, name: str) -> bool:
        if home.namespace is not None or not home.is_user:  # only one file is read of a library that is not imported
            return home.binds(name) or (home.namespace is None and home.source is not None and bool(home.source.stars))
        names = self.exported(home)
        if name.startswith("_") if names is None else name not in names:
            return False
        return home.binds(name) or any(each.binds(name) for each in self.all_star_sources(home))

    def exported(self, home: Module) -> frozenset[str] | None:
        """The names in a module's `__all__`, if it is a literal."""
        source = home.source
        bound = source.parsed.bindings["__all__"] if source is not None and "__all__" in source.bindings else ()
        literal = literal_binding(bound)
        names = literal[0] if literal is not None else None
        return frozenset(map(str, names)) if isinstance(names, list | tuple) else None

    def all_star_sources(self, module: Module) -> list[Module]:
        """The user's modules that a module may get names from by star imports, directly or not."""
        found: dict[Module, None] = {module: None}
        for at in (stack := [module]):
            for star in at.source.stars if at.source is not None else ():
                home = self.named(at.absolute(star))
                if home is not None and home.is_user and home not in found:
                    found[home] = None
                    stack.append(home)
        return list(found)[1:]

    def names(self, module: Module) -> list[str]:
        """The names at the top of a module, without those that every module has."""
        source = module.source
        bindings = source.bindings if source is not None else {}
        own = {name for name in bindings if name != "*" and not all(each.top is not None for each in bindings[name])}
        homes = self.all_star_sources(module)
        stars = {name for home in homes if home.source is not None for name in home.source.bindings}
        if module.namespace is None:  # its own statements are in its source
            own = {name for name in own if any(each.imports for each in bindings[name])}
            names = own | {name for name in stars if not name.startswith("_")} - {"*"}
        else:  # a package gets its submodules whenever they are imported
            values = module.namespace
            names = {
                name for name in values if name in own or name in stars or not isinstance(values[name], ModuleType)
            }
            names -= bindings.keys() - own
        return sorted(name for name in names if name in own or not (name.startswith("__") and name.endswith("__")))

    def file_of(self, filename: str, module: Module) -> str | None:
        """The file that a code object names, spelled as in its module; None if it does not exist.

        Code that was compiled elsewhere, such as in a moved `.pyc`, belongs to the file of its module.
        """
        key = (filename, module.file)
        if key not in self._files:
            file: str | None = os.path.abspath(filename)
            if filename.startswith("<"):
                file = None
            elif module.file is not None and file != module.file:
                moved = not self.sources.disk.exists(filename)
                if moved or real_path(filename) == real_path(module.file):
                    file = module.file
            elif not self.sources.disk.exists(filename):
                file = None
            self._files[key] = file
        return self._files[key]

    def entry_file_of(self, file: str | None, module: str) -> str | None:
        """The path of a file in entries: relative to the root, or else to the directory from which it was imported."""
        if not file:
            return None
        if self._root is not None:
            real, inside = real_file(file, self._directories), os.path.join(self._root, "")
            if real.startswith(inside) and not real.startswith(os.pardir, len(inside)):
                return real[len(inside) :].replace(os.sep, "/")
        base = import_base(file, module)
        return os.path.relpath(file, base).replace(os.sep, "/") if base else os.path.basename(file)

    def base_of(self, module: Module) -> str | None:
        """The directory from which a module was imported."""
        if not module.file:
            return None
        return import_base(module.file, module.name) or os.path.dirname(module.file)

    def _live(self, namespace: dict[str, object]) -> Module:
        name = str(namespace.get("__name__") or "")
        file = namespace.get("__file__")
        path = os.path.abspath(file) if isinstance(file, str) else None
        spec = namespace.get("__spec__")
        if name == "__main__":
            if isinstance(spec, ModuleSpec):
                name = spec.name.removesuffix(".__main__")
            elif path:
                name = os.path.splitext(os.path.basename(path))[0]
        package = namespace.get("__package__")
        if not isinstance(package, str):
            package = name if "__path__" in namespace else name.rpartition(".")[0]
        user = self.is_user_code(path) if path else self._is_user_namespace(namespace)
        return Module(
            name,
            path,
            package,
            namespace,
            is_user=user,
            entry_file=self.entry_file_of(path, name),
            sources=self.sources,
        )

    def _is_user_namespace(self, namespace: Mapping[str, object]) -> bool:
        """Whether a namespace is the user's, judged by its directories: a namespace package has no file."""
        path = namespace.get("__path__")
        places = [str(place) for place in path] if path is not None and hasattr(path, "__iter__") else []
        return any(self.is_user_code(os.path.join(place, f"{INIT}.py")) for place in places)

    def _spec(self, name: str) -> ModuleSpec | None:
        parent, _, _tail = name.rpartition(".")
        path: list[str] | None = None
        if parent:
            live = sys.modules.get(parent)
            if live is not None:
                path = list(vars(live).get("__path__", ()))  # not getattr: it may run a `__getattr__`
            else:
                spec = self._spec(parent)
                path = list(spec.submodule_search_locations or ()) if spec is not None else []
            if not path:
                return None
        return self.sources.disk.find(name, path)


class PortablePaths:
    """Paths in texts, spelled the same in every checkout."""

    def __init__(self, base: str | None) -> None:
        bases = {os.path.abspath(base), real_path(base)} if base is not None else set()
        self._bases = tuple(sorted(bases - {os.sep}))

    def portable(self, text: str) -> str | None:
        """A path below the base, spelled without the base; None for any other text."""
        if not text.startswith("/"):
            return None
        for base in self._bases:
            if text == base or text.startswith(base + "/"):
                return f"place:{text[len(base) :]}"
        return None


def import_base(file: str, module: str) -> str | None:
    """The directory on `sys.path` from which a module was imported, judged by its name and file."""
    parts = module.split(".")
    stem = os.path.splitext(file)[0].split(os.sep)
    if stem[-1] == INIT and parts[-1] != INIT:
        stem.pop()
    if stem[-len(parts) :] != parts:
        return None
    return os.sep.join(stem[: -len(parts)]) or os.sep
