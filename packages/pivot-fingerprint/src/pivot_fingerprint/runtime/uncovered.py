"""Code that ran but is not in a manifest, with the classes and constants that it uses."""

import ast
import builtins
import os
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pivot_fingerprint.disk import INIT, real_path
from pivot_fingerprint.imports.computed_imports import TakenNames, may_look_up_modules, taken_names
from pivot_fingerprint.manifest import Entry
from pivot_fingerprint.runtime.observed import MODULE, SOURCE, WHOLE, Ran
from pivot_fingerprint.sources import source_digest
from pivot_fingerprint.sources.memo import Memo
from pivot_fingerprint.sources.modules import Module, import_base
from pivot_fingerprint.sources.source_file import SourceFile, Sources
from pivot_fingerprint.syntax.canonical import canonical
from pivot_fingerprint.syntax.form import Form
from pivot_fingerprint.syntax.outline import Top
from pivot_fingerprint.syntax.parsed import walk
from pivot_fingerprint.syntax.scopes import Import, literal_import

__pivot_module__ = "pivot_fingerprint"

EFFECTS = "<effects>"
_KINDS = frozenset({"func", "class", "const", "module"})
_OF_SCRIPTS = frozenset({"effects", "module"})
"""The kinds that stand for the body of a module in the manifests of scripts."""


class ObservedEntry(NamedTuple):
    """A piece of code that ran: its key, its place, and its digest (None: its source is not available)."""

    key: str
    file: str
    line: int
    digest: str | None


class _KnownNames:
    """The entries of a manifest for one module."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.values: set[str] = set()
        self.lines: set[tuple[str, int | None]] = set()
        self.starts: set[tuple[str, int | None]] = set()
        self.whole = False

    def covers(self, name: str) -> bool:
        return self.whole or name in self.names


class _ModuleFile(NamedTuple):
    """A module and its file, relative to the root."""

    module: str
    file: str

    def absolute(self, target: Import) -> str:
        """The full name of a module that is imported here."""
        is_package = os.path.basename(self.file) == f"{INIT}.py"
        package = self.module if is_package else self.module.rpartition(".")[0]
        return Module(self.module, self.file, package, None, is_user=True, entry_file=None).absolute(target)


class _Lookup(NamedTuple):
    """The state of a name's look-up: functions count only if `deep`, where a value was made by them."""

    deep: bool
    trail: frozenset[tuple[_ModuleFile, str]] = frozenset()


class UncoveredCode:
    """Comparison of the code that ran with a manifest; everything else is read from the files below the root."""

    def __init__(self, ran: Sequence[Ran], manifest: Mapping[str, Entry], root: str, memo: Memo | None = None) -> None:
        self._root = real_path(root)
        self._sources = Sources(memo)
        self._ran = ran = _with_known_modules(ran, manifest)
        self._known: defaultdict[str, _KnownNames] = defaultdict(_KnownNames)
        self._files: dict[str, str | None] = {}
        self._entries: dict[str, ObservedEntry] = {}
        self._seen: set[tuple[str, bool]] = set()
        self._pending: deque[tuple[_ModuleFile, Form, bool]] = deque()
        self._all_taken: TakenNames | None = None
        self._late = {one.file for one in ran if one.qualname in (MODULE, WHOLE)}
        for key, entry in manifest.items():
            self._add_known(key, entry)
        self._searched = self._searched_by_script(manifest)
        for one in ran:
            self._files.setdefault(one.module, one.file)
        places = {_ModuleFile(module, file) for module, file in self._files.items() if file is not None}
        bases = {import_base(os.path.join(self._root, place.file), place.module) for place in places}
        self._bases = sorted(base for base in bases if base is not None)

    def _searched_by_script(self, manifest: Mapping[str, Entry]) -> set[str | None] | None:
        """The directories in which a script's modules were found from source; None without a script."""
        if not any(key.startswith("effects:") and key.count(":") == 1 for key in manifest):
            return None
        return {self._base(module, file) for module, file in self._files.items() if file is not None}

    def _base(self, module: str, file: str) -> str | None:
        return import_base(os.path.join(self._root, file), module)

    def _add_known(self, key: str, entry: Entry) -> None:
        kind, _, rest = key.partition(":")
        module, _, name = rest.partition(":")
        name = name.partition("#")[0]
        if kind in _OF_SCRIPTS and not name:
            self._known[module].whole |= kind == "module"
            if entry.file is not None:
                self._files.setdefault(module, entry.file)
        if kind not in _KINDS or not name:
            return
        known = self._known[module]
        known.whole = known.whole or kind == "module"
        known.names.add(name)
        known.lines.add((name, entry.line))
        if kind == "func":
            known.starts.add((name, entry.start))
        if kind == "const":
            known.values.add(name)
        if entry.file is not None:
            self._files.setdefault(module, entry.file)

    def entries(self) -> tuple[ObservedEntry, ...]:
        """The entries of all uncovered code, sorted by key."""
        modules = self._modules()
        for one in self._ran:
            self._code(one, modules)
        while self._pending:
            place, form, deep = self._pending.popleft()
            for ref in form.refs:
                if isinstance(ref.root, Import):
                    self._import(place, ref.root, ref.attrs, _Lookup(deep))
                else:
                    self._name(place, ref.root, ref.attrs, _Lookup(deep))
        for key in list(self._entries):
            kind, _, rest = key.partition(":")
            if kind == "const" and f"module:{rest.partition(':')[0]}" in self._entries:
                del self._entries[key]  # a part of its module's body
        return tuple(self._entries[key] for key in sorted(self._entries))

    def _code(self, one: Ran, modules: set[str]) -> None:
        """Add a module or a function, unless it is in the manifest or in one of these modules."""
        place = _ModuleFile(one.module, one.file)
        late = one.module not in modules
        if one.qualname == SOURCE or (one.qualname == WHOLE and late):
            if not self._known[place.module].whole:
                self._add("module", place, WHOLE, 1, deep=True)
        elif one.qualname == MODULE and late:
            self._late_module(place)
        elif one.qualname not in (MODULE, WHOLE) and one.importing not in modules:
            self._function(place, one)  # calls during the import of a known module never count

    # Modules

    def _modules(self) -> set[str]:
        """The modules in the manifest, the packages around them, and the modules that all these import by name."""
        ran = {one.module: one.file for one in self._ran if one.qualname in (MODULE, WHOLE)}
        found: set[str] = set()
        todo = list(self._known)
        while todo:
            name = todo.pop()
            if not name or name in found or self._is_elsewhere(name, ran.get(name)):
                continue
            found.add(name)
            todo.append(name.rpartition(".")[0])
            file = ran.get(name) or (self._files.get(name) if name in self._known else None)
            source = self._source(file) if file and not found.issuperset(ran) else None
            if source is not None and file:
                todo += _imported(source.parsed.tree, _ModuleFile(name, file))
        return found

    def _is_elsewhere(self, module: str, file: str | None) -> bool:
        """Whether a script imports a module by name, but from a directory that its text does not say."""
        return self._searched is not None and file is not None and self._base(module, file) not in self._searched

    def _late_module(self, place: _ModuleFile) -> None:
        """Add a module that was imported at run time: in full, unless the names taken from such modules are known."""
        source, taken = self._source(place.file), self._taken()
        known = source is not None and taken.imports and taken.bounded and taken.names <= source.bindings.keys()
        if source is None or not known or self._known[place.module].whole:
            self._module_body(place)
        else:
            self._effects(place, source)
            for name in sorted(taken.names):
                self._re_export(place, source, name)
                self._name(place, name, (), _Lookup(deep=True))

    def _effects(self, place: _ModuleFile, source: SourceFile) -> None:
        self._add("effects", place, EFFECTS, 1, deep=False)
        self._pending.append((place, canonical(source_digest.effects(source.parsed)), False))

    def _taken(self) -> TakenNames:
        """The names that all known or executed code takes from modules with computed names."""
        if self._all_taken is None:
            self._all_taken = TakenNames()
            for file, names in self._known_names().items():
                source = self._source(file)
                if source is None or source.stars:
                    bounded = source is not None and file not in self._late
                    self._all_taken |= TakenNames(bounded=bounded)
                if source is not None and may_look_up_modules(source.content):
                    body = source.parsed.tree.body
                    nodes = [node for node in body if MODULE in names or not names.isdisjoint(_defined(node))]
                    self._all_taken |= taken_names(nodes)
        return self._all_taken

    def _known_names(self) -> dict[str, set[str]]:
        """By file, the names that are in the manifest or whose code has run; `<module>` for the module's body."""
        found: dict[str, set[str]] = {}
        for module, known in self._known.items():
            file = self._files.get(module)
            if file is not None:
                found.setdefault(file, set()).update(known.names, [MODULE] if known.whole else [])
        for one in self._ran:
            found.setdefault(one.file, set()).add(one.qualname.partition(".")[0])
        return found

    def _module_body(self, place: _ModuleFile) -> None:
        """Add the body of a module, with everything that its statements, other than definitions, use."""
        source = self._source(place.file)
        if not self._known[place.module].whole and self._add("module", place, MODULE, 1, deep=False) and source:
            self._pending.append((place, canonical(source_digest.loose_statements(source.parsed)), False))

    # Functions

    def _function(self, place: _ModuleFile, one: Ran) -> None:
        known = self._known[place.module]
        if (one.qualname, one.line) in known.starts:  # ordinary code, whose file need not be read
            return
        source = self._source(place.file)
        name = one.qualname.partition(".")[0]
        if known.whole or (name != one.qualname and one.qualname in known.names):
            return
        top = _top(source, name, one.line) if source is not None else None
        if source is not None and top is not None:
            site = top.site
            several = len(source.named(site.name)) > 1
            covered = (site.name, site.line) in known.lines if several else site.name in known.names
            if not covered:
                self._definition(place, source, top, deep=not one.line)
        elif source is not None and name.startswith("<"):
            self._anonymous(place, source, one.line)
        elif name not in known.names:
            self._add("func", place, name, one.line, deep=False)

    def _definition(self, place: _ModuleFile, source: SourceFile, top: Top, *, deep: bool) -> None:
        site = top.site
        deep = deep or site.kind == "class"
        if self._add(site.kind, place, site.name, site.line, deep=deep):
            self._pending.append((place, canonical(source_digest.statements(source.parsed, site.name)), deep))

    def _anonymous(self, place: _ModuleFile, source: SourceFile, line: int) -> None:
        """Add a lambda outside any definition, as a part of the value that its statement makes or changes."""
        for statement in source.parsed.tree.body:
            if not statement.lineno <= line <= (statement.end_lineno or line):
                continue
            made, changed = source_digest.bound_and_changed(statement)
            if any(self._is_value(place, source, name) for name in made | changed):
                return
            for name in sorted(made & source.bindings.keys()):
                self._constant(place, source, name)
                return
            if not source_digest.only_binds(statement):
                self._effects(place, source)
                return
        self._module_body(place)

    # Values

    def _is_value(self, place: _ModuleFile, source: SourceFile, name: str) -> bool:
        """Whether the manifest has the value of this name, of this module or imported."""
        if name in self._known[place.module].values:
            return True
        targets = [target for binding in source.bindings.get(name, ()) for target in binding.imports]
        modules = [place.absolute(target._replace(name=None)) for target in targets]
        return any(target.name in self._known[home].values for target, home in zip(targets, modules, strict=True))

    def _constant(self, place: _ModuleFile, source: SourceFile, name: str) -> None:
        statements = source_digest.statements(source.parsed, name)
        if self._add("const", place, name, statements[-1].lineno, deep=True):
            self._pending.append((place, canonical(statements), True))

    def _import(self, place: _ModuleFile, target: Import, attrs: tuple[str, ...], step: _Lookup) -> None:
        rest = attrs if target.name is None else (target.name, *attrs)
        self._attribute(place.absolute(target._replace(name=None)), rest, step)

    def _attribute(self, module: str, attrs: tuple[str, ...], step: _Lookup) -> None:
        place = self._find(module)
        child = f"{module}.{attrs[0]}" if attrs else ""
        source = self._source(place.file) if place is not None else None
        if place is not None and not attrs:
            self._module_body(place)
        elif place is not None and source is not None and (attrs[0] in source.bindings or not self._find(child)):
            self._re_export(place, source, attrs[0])
            self._name(place, attrs[0], attrs[1:], step)
        elif attrs and (place is not None or self._is_namespace(module)):
            self._attribute(child, attrs[1:], step)

    def _re_export(self, place: _ModuleFile, source: SourceFile, name: str) -> None:
        """Add the import by which this module has a name that another module takes from it."""
        bindings = source.bindings.get(name, ())
        star = not bindings and bool(source.stars) and not hasattr(builtins, name)
        if not self._known[place.module].covers(name) and (star or any(binding.imports for binding in bindings)):
            self._add("const", place, name, bindings[-1].line if bindings else 1, deep=False)

    def _name(self, place: _ModuleFile, name: str, attrs: tuple[str, ...], step: _Lookup) -> None:
        source = self._source(place.file)
        if source is None or (place, name) in step.trail or self._known[place.module].covers(name):
            return
        step = step._replace(trail=step.trail | {(place, name)})
        for binding in source.bindings.get(name, ()):
            if binding.top is not None:
                top = source.tops[binding.top]
                if step.deep or top.site.kind == "class":
                    self._definition(place, source, top, deep=step.deep)
            elif binding.is_value:
                self._constant(place, source, name)
            for target in binding.imports:
                self._import(place, target, attrs, step)
        for star in source.stars if name not in source.bindings else ():
            self._import(place, star._replace(name=name), attrs, step)

    # Files and entries

    def _find(self, module: str) -> _ModuleFile | None:
        """A module of the project: in the manifest, executed, or next to one of these."""
        if module not in self._files:
            found = self._sources.disk.module_file(module, self._bases)
            self._files[module] = os.path.relpath(found, self._root).replace(os.sep, "/") if found else None
        file = self._files[module]
        return _ModuleFile(module, file) if file is not None else None

    def _is_namespace(self, module: str) -> bool:
        return self._sources.disk.is_package(module, self._bases)

    def _source(self, file: str) -> SourceFile | None:
        return self._sources.read(os.path.join(self._root, file))

    def _add(self, kind: str, place: _ModuleFile, name: str, line: int, *, deep: bool) -> bool:
        """Add an entry; returns whether its names still have to be looked up."""
        key = f"{kind}:{place.module}" if name in (MODULE, EFFECTS) else f"{kind}:{place.module}:{name}"
        source = self._source(place.file)
        if key not in self._entries:
            digest = source_digest.digest(source.parsed, name) if source is not None else None
            self._entries[key] = ObservedEntry(key, place.file, line, digest)
        new = (key, deep) not in self._seen
        self._seen.add((key, deep))
        return new


def _with_known_modules(ran: Sequence[Ran], manifest: Mapping[str, Entry]) -> Sequence[Ran]:
    """The same code with one name for each module, since programs of one stage may have modules of the same name.

    A module whose file is in the manifest has its name there. If another file has the name that a module has for its
    program, the module's name is its path.
    """
    known: dict[str, set[str]] = {}
    for key, entry in manifest.items():
        kind, _, rest = key.partition(":")
        if entry.file is not None and kind in _KINDS | _OF_SCRIPTS:
            known.setdefault(entry.file, set()).add(rest.partition(":")[0])
    files = {module: file for file, modules in known.items() for module in modules}
    found = []
    for one in ran:
        modules = known.get(one.file)
        if modules is not None:
            module = one.module if one.module in modules else min(modules)
        else:
            module = one.module if files.setdefault(one.module, one.file) == one.file else one.file
        found.append(one if module == one.module else one._replace(module=module))
    return found


def _defined(node: ast.stmt) -> set[str]:
    """The name that a definition binds; `<module>` for any other statement."""
    return {node.name} if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else {MODULE}


def _top(source: SourceFile, name: str, line: int) -> Top | None:
    """The definition at the top of the module that contains a function; lines may have moved since it ran."""
    here = source.enclosing(line)
    if here is not None and here.site.name == name:
        return here
    return next(iter(source.named(name)), here)


def _imported(tree: ast.Module, place: _ModuleFile) -> Iterator[str]:
    """Every module that code in this module imports by name."""
    for node in walk(tree):
        target = literal_import(node)
        if target is not None:
            yield place.absolute(target)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = place.absolute(Import(node.level, node.module or "", None))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
