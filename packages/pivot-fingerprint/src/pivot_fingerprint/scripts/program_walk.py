"""The walk from a program to the code of the project that it reaches."""

import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pivot_fingerprint.manifest import Entry, Unresolved
from pivot_fingerprint.scripts.library_readers import READ, TEXTS, may_read_annotations
from pivot_fingerprint.scripts.lookups import MODULES, OWN_TEXT, SUBCLASSES
from pivot_fingerprint.scripts.module_facts import ModuleFacts, Part
from pivot_fingerprint.scripts.module_search import FoundModule, ModuleSearch
from pivot_fingerprint.scripts.reached_parts import (
    MAIN,
    LoadedModule,
    ReachedPart,
    digest_of,
    given,
    joined,
    opaque,
    order_of,
    without_code,
)
from pivot_fingerprint.scripts.script_files import ScriptFiles
from pivot_fingerprint.syntax.canonical import READING
from pivot_fingerprint.syntax.form import Ref
from pivot_fingerprint.syntax.scopes import Import

__pivot_module__ = "pivot_fingerprint"

_STARTED: Final = ("sitecustomize", "usercustomize")
"""Modules that Python imports by itself at its start."""

_OF_MODULES: Final = frozenset({"__doc__", "__file__", "__name__", "__package__", "__spec__", "__version__"})
"""Names that a module has without a statement that binds them."""


class Program(NamedTuple):
    """A Python program to follow.

    Attributes:
        file: Its script; None for a module or a text.
        module: The module that it runs (``python -m``).
        text: Its text (``python -c``).
        search_path: The directories that its interpreter searches for modules, in order, absolute.
        directory: Its working directory.
        via: The key of the entry that starts it.
        late_path: Directories that it searches after the standard library: those of editable installs.
    """

    search_path: tuple[str, ...]
    directory: str
    file: str | None = None
    module: str | None = None
    text: str | None = None
    via: str | None = None
    late_path: tuple[str, ...] = ()


class ProgramWalk:
    """The walk from one program."""

    def __init__(self, files: ScriptFiles, program: Program) -> None:
        self._files = files
        self._program = program
        self._search = ModuleSearch(files.disk, program.search_path, program.late_path, files.is_user_code)
        self._modules: dict[str, LoadedModule | None] = {}
        self._owners: dict[str, str] = {}
        self._parts: dict[str, ReachedPart] = {}
        self._pending: deque[tuple[LoadedModule, str, Sequence[Ref]]] = deque()
        self._used: set[tuple[str, str, tuple[str, ...]]] = set()
        self._reads: set[str] = set()
        self._libraries: set[str] = set()
        self._asking: dict[str, str | None] = {}
        self._firsts: dict[str, str | None] = {}
        self.unresolved: list[Unresolved] = []

    def run(self) -> dict[str, Entry]:
        """The entries for everything that the program reaches."""
        for name in _STARTED:
            self._load(name, self._program.via)
        main = self._main()
        if main is not None:
            self._modules[MAIN] = main
            self._execute(main, self._program.via)
        self._follow()
        if "signatures" in self._reads or may_read_annotations(self._libraries):
            self._reads.add("signatures")
            done: set[str] = set()
            while done != self._parts.keys():
                for key in [key for key in self._parts if key not in done]:
                    done.add(key)
                    self._pending.append((self._parts[key].module, key, self._parts[key].part.annotated))
                self._follow()
        self._count_texts(self._loaded())
        for key, (module, part, _, _) in self._parts.items():
            if not module.whole or part.kind == "module":
                for line, reason in part.issues:
                    self._open(module.shown or None, line, reason, key)
        found = {key: self._entry(key, each) for key, each in self._parts.items() if self._counts(each)}
        return found | dict(self._mere({each.module.base for each in self._parts.values() if self._counts(each)}))

    def _mere(self, bases: set[str | None]) -> Iterator[tuple[str, Entry]]:
        """Entries without code for modules from other directories, so that these are known to be searched."""
        for module in self._loaded():
            if module.shown and module.facts is not None and module.base not in bases:
                yield self._key("effects", module, ""), Entry(digest_of(()), module.shown, 1, via=self._program.via)

    def _follow(self) -> None:
        while self._pending:
            module, key, refs = self._pending.popleft()
            for ref in refs:
                self._ref(module, ref, key)
            if not self._pending:
                self._follow_unnamed(self._loaded())

    def _loaded(self) -> list[LoadedModule]:
        return [each for each in self._modules.values() if each is not None]

    def _follow_unnamed(self, modules: Sequence[LoadedModule]) -> None:
        """Follow the loaded modules and classes that code reaches without naming them."""
        for each in modules:
            above = self._modules.get(each.name.rpartition(".")[0])
            if MODULES in self._asking and not each.is_main:
                self._all(each, self._asking[MODULES])
            elif above is not None and above.is_value:
                self._value(each, self._key("module", above, "*"))
            if SUBCLASSES in self._asking and each.facts is not None:
                for name, part in each.facts.names.items():
                    if part.kind == "class":
                        self._name(each, name, (), self._asking[SUBCLASSES])

    def _count_texts(self, modules: Sequence[LoadedModule]) -> None:
        """Count the texts of modules that code reads."""
        for each in modules:
            if each.facts is not None and (TEXTS in self._asking or each.reads_itself):
                each.texts = True
                key = self._key("module", each, "*")
                if not each.whole:
                    each.whole = True
                    self._reach(key, each, each.facts.whole._replace(issues=()), self._asking.get(TEXTS))

    # Modules

    def _main(self) -> LoadedModule | None:
        """The module that runs as the program."""
        program = self._program
        if program.text is not None:
            return LoadedModule(FoundModule("-c", None), self._files.facts_of_text(program.text), "", is_main=True)
        found = None
        if program.file is not None:
            found = FoundModule(os.path.splitext(os.path.basename(program.file))[0], program.file)
        elif program.module is not None:
            found = self._search.find(program.module)
            if found is not None and found.places:
                self._load(program.module, program.via)
                found = self._search.find(f"{program.module}.{MAIN}")
            elif "." in program.module:
                self._load(program.module.rpartition(".")[0], program.via)
        if found is None or found.file is None:
            return None
        return self._made(found, is_main=True)

    def _made(self, found: FoundModule, *, is_main: bool) -> LoadedModule:
        facts = self._files.facts(found.file) if found.file is not None else None
        shown = self._files.shown(found.file, found.name) if found.file is not None else ""
        return LoadedModule(found, facts, shown, is_main=is_main)

    def _load(self, name: str, via: str | None) -> LoadedModule | None:
        """The module of this full name, which an import runs after the packages around it."""
        if name in self._modules:
            return self._modules[name]
        above = name.rpartition(".")[0]
        found = None if above and self._load(above, via) is None else self._search.find(name)
        if found is None:
            self._modules[name] = None
            return None
        module = self._modules[name] = self._made(found, is_main=False)
        if found.compiled is not None:
            shown = self._files.shown(found.compiled, name)
            self._open(shown, 1, f"the module `{name}` is compiled code", via)
        self._execute(module, via)
        return module

    def _execute(self, module: LoadedModule, via: str | None) -> None:
        """Follow what the import of a module runs."""
        facts = module.facts
        if facts is None:
            if module.found.file is not None:
                self._open(module.shown, 1, "it is not Python source", via)
                self._opaque(module, module.found.file, via)
            return
        main = facts.main if module.is_main else None
        parts = [each for each in (facts.effects, main) if each is not None]
        via_body = via
        if parts or module.is_main:
            via_body = self._key("effects", module, "")
            if via_body not in self._parts:  # a script may be imported as well
                self._reach(via_body, module, joined(facts, parts), via)
        self._change_path(module, facts, via_body)
        for part in parts:
            self._add(self._key("effects", module, ""), module, part, via)
        for target in (*facts.imports, *(facts.main_imports if module.is_main else ())):
            self._import(module, target, via_body)
        for star in facts.stars:
            self._star(module, star, via_body)
        for name in (*facts.reached, *(each for each in facts.subclasses if not self._is_mere(module, each))):
            self._name(module, name, (), via_body)

    def _opaque(self, module: LoadedModule, file: str, via: str | None) -> None:
        """Count a module by its bytes: another version of Python may understand them."""
        content = self._files.disk.read(file, keep=True)
        if content is not None and not module.whole:
            module.whole = True
            self._reach(self._key("module", module, "*"), module, opaque(content), via)

    def _is_mere(self, module: LoadedModule, name: str) -> bool:
        """Whether a class is only a value of its name: its bases know nothing of it."""
        facts = module.facts
        if facts is None or name in facts.reached or name not in facts.names or facts.names[name].kind != "class":
            return False
        for root, attrs in facts.subclasses.get(name, ()):
            (target, *others), taken = facts.targets[root], list(attrs)
            names = [target.name, *taken] if target.name is not None else taken
            home = self._load(module.absolute(target), None) if len(names) == 1 and not others else None
            if home is None or home is module or not self._is_mere(home, names[0]):
                return False
        return True

    def _change_path(self, module: LoadedModule, facts: ModuleFacts, via: str | None) -> None:
        for change in facts.paths:
            file = module.found.file
            if change.path is None or (change.beside and file is None):
                self._open(
                    module.shown or None, change.line, "changes `sys.path` in a way that its text does not say", via
                )
                continue
            base = os.path.dirname(file) if change.beside and file is not None else self._program.directory
            if self._search.add(os.path.normpath(os.path.join(base, change.path)), first=change.first):
                self._modules = {name: found for name, found in self._modules.items() if found is not None}

    def _import(self, module: LoadedModule, target: Import, via: str | None) -> LoadedModule | None:
        """Load what an import statement names, a module and perhaps one in it; returns the first."""
        home = self._load(module.absolute(target), via)
        if home is None:
            self._libraries |= {target.module.partition(".")[0], f"{target.module}:{target.name}"}
        elif target.name is not None and not home.gives(target.name):
            self._load(f"{home.found.name}.{target.name}", via)
        return home

    def _star(self, module: LoadedModule, star: Import, via: str | None) -> None:
        home = self._load(module.absolute(star), via)
        if home is not None and home.facts is not None:
            self._name(home, "__all__", (), via)
            for name in home.facts.exported or ():
                if not home.gives(name):
                    self._load(f"{home.found.name}.{name}", via)

    # Names

    def _ref(self, module: LoadedModule, ref: Ref, via: str) -> None:
        self._reads.update(READING[name] for name in ref.attrs if name in READING)
        if isinstance(ref.root, str):
            if ref.root == "__path__" and module.found.places:
                self._submodules(module, via)
            self._name(module, ref.root, ref.attrs, via)
            if ref.root == "help":
                self._read("help", via)
        elif ref.weak and not ref.attrs and not ref.line:  # an import of which nothing is used
            self._import(module, ref.root, via)
        else:
            self._target(module, ref.root, ref.attrs, via)

    def _target(self, module: LoadedModule, target: Import, attrs: tuple[str, ...], via: str | None) -> None:
        """Follow a use of what an import gives."""
        home = self._import(module, target, via)
        if home is not None:
            self._attribute(home, attrs if target.name is None else (target.name, *attrs), via)
            return
        if attrs:
            self._libraries.add(f"{target.module}:{attrs[0]}")
        self._read(target.module, via)
        for name in [target.name, *attrs[:1]]:
            self._read(f"{target.module}:{name}", via)

    def _read(self, name: str, via: str | None) -> None:
        """Note that code uses a function or module of the standard library."""
        for kind in READ.get(name, ()):
            self._reads.add(kind)
            self._asking.setdefault(kind, via)

    def _attribute(self, home: LoadedModule, attrs: tuple[str, ...], via: str | None) -> None:
        """Follow the use of a module, or of attributes that are taken from it."""
        if not attrs:
            self._value(home, via)
            return
        name = attrs[0]
        if name == "__path__":
            self._submodules(home, via)
            return
        known = self._name(home, name, attrs[1:], via)
        self._re_export(home, name, via)
        inner = None if home.gives(name) else self._load(f"{home.found.name}.{name}", via)
        if inner is not None:
            self._attribute(inner, attrs[1:], via)
        elif not known and name not in _OF_MODULES:
            self._all(home, via)  # defined in a way that the text does not say

    def _name(self, module: LoadedModule, name: str, attrs: tuple[str, ...], via: str | None) -> bool:
        """Follow a name of a module; returns whether the module has it."""
        facts, use = module.facts, (module.identity, name, attrs)
        if facts is None:
            return False
        if use in self._used:
            return True
        self._used.add(use)
        part = facts.names.get(name)
        if part is not None:
            self._add(self._key(part.kind, module, name), module, part, via)
        for target in facts.targets.get(name, ()):
            self._target(module, target, attrs, via)
        known = name in facts.bound
        every = facts.stars if not known or not name.startswith("__") else ()  # which may bind it again
        stars = [star for star in every if self._from_star(module, star, name, attrs, via)]
        others = [star for star in stars if not self._imports_the_same(module, star, name)]
        if order := order_of(facts, name, others):
            self._note(module, facts, name, order, via)
        if not known and not stars:
            self._used.discard(use)
        return known or bool(stars)

    def _re_export(self, home: LoadedModule, name: str, via: str | None) -> None:
        """Add the import by which a module has a name of a library that another module takes from it."""
        targets = home.facts.targets.get(name, ()) if home.facts is not None else ()
        if home.facts is not None and any(self._load(home.absolute(target), via) is None for target in targets):
            self._note(home, home.facts, name, " ".join(map(str, targets)), via)

    def _note(self, module: LoadedModule, facts: ModuleFacts, name: str, text: str, via: str | None) -> None:
        """Add a text to the entry of a name, or to one of its own if only imports bind the name."""
        part = facts.names.get(name) or without_code(facts)
        self._add(self._key(part.kind, module, name), module, part, via, text)

    def _from_star(
        self, module: LoadedModule, star: Import, name: str, attrs: tuple[str, ...], via: str | None
    ) -> bool:
        home = self._load(module.absolute(star), via)
        if home is None or not self._name(home, name, attrs, via):
            return False
        if not self._imports_the_same(module, star, name):
            self._re_export(home, name, via)
        return True

    def _imports_the_same(self, module: LoadedModule, star: Import, name: str) -> bool:
        """Whether a module and that of a star import have a name by the same import, such as `import os`."""
        own, theirs = (
            each.facts.targets.get(name, ())
            if each is not None and each.facts is not None and name not in each.facts.names
            else ()
            for each in (module, self._modules.get(module.absolute(star)))
        )
        return own == theirs != () and all(target.level == 0 for target in own)

    def _all(self, module: LoadedModule, via: str | None) -> None:
        """Follow everything in a module, for code that may use any of it."""
        if not module.whole and module.facts is not None:
            module.whole = True
            self._add(self._key("module", module, "*"), module, module.facts.whole, via)

    def _value(self, module: LoadedModule, via: str | None, *, by_text: bool = False) -> None:
        """Follow a module from which code takes any name, also what it imports from elsewhere."""
        self._all(module, via)
        if module.facts is None or (module.is_value and (module.by_text or not by_text)):
            return
        module.is_value, module.by_text = True, module.by_text or by_text
        targets = [target for several in module.facts.targets.values() for target in several]
        refs = [Ref(target, (), 1) for target in targets if self._hands_on(module, target, via)]
        self._pending.append((module, self._key("module", module, "*"), refs))
        for star in module.facts.stars:
            home = self._load(module.absolute(star), via)
            if home is not None:
                self._value(home, via)

    def _hands_on(self, module: LoadedModule, target: Import, via: str | None) -> bool:
        """Whether code takes from a module what this import gives it: a module from elsewhere only by a text."""
        home = self._load(module.absolute(target), via)
        if home is None or module.by_text or (target.name is not None and home.gives(target.name)):
            return home is not None
        name = home.found.name if target.name is None else f"{home.found.name}.{target.name}"
        return bool(module.found.places) and name.startswith(f"{module.found.name}.")

    def _may_give(self, home: LoadedModule, name: str) -> bool:
        """Whether a module may have a name, also that of a loaded module in it."""
        facts = home.facts
        known = facts is None or name in facts.bound or bool(facts.stars) or "__getattr__" in facts.bound
        return known or self._modules.get(f"{home.found.name}.{name}") is not None

    def _submodules(self, package: LoadedModule, via: str | None) -> None:
        """Follow all modules in a package, for code that lists them."""
        for name in self._search.submodules(package.found):
            inner = self._load(name, via)
            if inner is not None:
                self._all(inner, via)
                self._submodules(inner, via)

    # Parts and entries

    def _key(self, kind: str, module: LoadedModule, name: str) -> str:
        owner = self._owners.setdefault(module.name, module.shown)
        of = module.name if owner == module.shown else module.shown
        return f"{kind}:{of}:{name}" if name else f"{kind}:{of}"

    def _reach(self, key: str, module: LoadedModule, part: Part, via: str | None) -> ReachedPart:
        self._firsts.setdefault(module.identity, via)
        reached = self._parts[key] = ReachedPart(module, part, via, [])
        return reached

    def _add(self, key: str, module: LoadedModule, part: Part, via: str | None, text: str = "") -> None:
        """Add a part, with all that it uses, and a further text that it depends on."""
        reached = self._parts.get(key)
        if reached is None:
            reached = self._reach(key, module, part, via)
        texts = [*given(module, part), *([text] if text else [])]
        reached.given.extend(each for each in texts if each not in reached.given)
        self._reads |= set(part.reads)
        self._pending.append((module, key, part.refs))
        for kind in {MODULES, SUBCLASSES} & {part.looks, *part.reads}:
            self._asking.setdefault(kind, key)
        module.reads_itself |= OWN_TEXT in part.reads
        if part.looks:
            self._value(module, key, by_text=True)
        for target in part.tried:
            home = self._import(module, target, key)
            if home is not None and (target.name is None or self._may_give(home, target.name)):
                reached.given.append(f"has {target}")

    @staticmethod
    def _counts(each: ReachedPart) -> bool:
        """Whether a part has an entry: not a text, and not a part of a module that counts as a whole."""
        module, part = each.module, each.part
        return bool(module.shown) and (
            not module.whole or part.kind == "module" or (module.is_main and part.kind == "effects")
        )

    def _entry(self, key: str, each: ReachedPart) -> Entry:
        part = each.part
        texts = [part.digest, *sorted(each.given), *sorted(self._order_of_imports(each))]
        if "docs" in self._reads:
            texts.append(f"docs {part.docs}")
        if "signatures" in self._reads and part.signature:
            texts.append(f"annotations {part.signature}")
        if part.kind == "module" and each.module.texts and each.module.facts is not None:
            texts.append(f"text {each.module.facts.text}")
        digest = part.digest if len(texts) == 1 else digest_of(texts)
        start, end = (None, None) if part.kind == "module" else (part.start, part.end)
        return Entry(digest, each.module.shown, part.line, end, start, self._via(key))

    def _order_of_imports(self, each: ReachedPart) -> Iterator[str]:
        """The imports that may have effects, and that a part follows or precedes although it usually does not."""
        module, part = each.module, each.part
        for target in part.later:
            if self._modules.get(module.absolute(target)) is not None:
                yield f"before {target}"
        for target, number in module.facts.late_imports if part.kind == "effects" and module.facts is not None else ():
            home = self._modules.get(module.absolute(target))
            if home is not None or target.module.partition(".")[0] not in sys.stdlib_module_names:
                yield f"{target} after {number}"

    def _via(self, key: str) -> str | None:
        """The nearest entry that leads to this one; to a whole module, that which led to the first part of it."""
        reached = self._parts[key]
        via = self._firsts[reached.module.identity] if reached.part.kind == "module" else reached.via
        while via in self._parts and not self._counts(self._parts[via]):
            hidden = self._parts[via]
            of_whole = hidden.module.whole and hidden.module.shown
            via = self._key("module", hidden.module, "*") if of_whole else hidden.via
        return via

    def _open(self, file: str | None, line: int, reason: str, key: str | None) -> None:
        self.unresolved.append(Unresolved(file, line, reason, key or ""))
