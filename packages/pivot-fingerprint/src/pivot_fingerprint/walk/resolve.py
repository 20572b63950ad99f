"""Resolution of names in code: to entries, to names of libraries, or to code that cannot be followed."""

import builtins
import sys
from types import FunctionType, ModuleType
from typing import TypeAliasType

from pivot_fingerprint.imports.slices import Slices
from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.sources.source_file import SourceFile
from pivot_fingerprint.syntax.canonical import READING, canonical
from pivot_fingerprint.syntax.form import Ref, Signature
from pivot_fingerprint.syntax.parsed import literal_binding
from pivot_fingerprint.syntax.scopes import Import
from pivot_fingerprint.values.encoder import Parts
from pivot_fingerprint.walk.code_objects import Describer
from pivot_fingerprint.walk.drafts import CodeTask, Draft, Drafts, EntrySpan, Findings, ValueTask
from pivot_fingerprint.walk.import_effects import ImportEffects, add_statements
from pivot_fingerprint.walk.libraries import READERS, is_third_party
from pivot_fingerprint.walk.library_state import LibraryState

_MISSING = object()
_DEFINED_BY_THE_SYSTEM = frozenset(
    {"__name__", "__file__", "__spec__", "__loader__", "__package__", "__builtins__", "__path__", "__cached__"}
)
_READERS = {name: kind for kind, names in READERS.items() for name in names}
type Token = str | Parts  # text, or an entry


class Resolver:
    """Resolves the names of a form to tokens, and records the entries that they lead to."""

    def __init__(self, drafts: Drafts, modules: Modules) -> None:
        self._drafts = drafts
        self._modules = modules
        self.code = Describer(drafts, modules)
        self._module = Module("", None, "", None, is_user=True, entry_file=None)
        self._ref = Ref("", (), 0)
        self._found = Findings()
        self._known: dict[tuple[Module, str | Import, tuple[str, ...], bool], list[Token]] = {}
        self._issue_count = 0
        self._slices = Slices(modules)
        self.imports = ImportEffects(drafts, modules, self._slices)
        self.library_state = LibraryState(drafts, modules, self._slices, self._tokens)

    def bind(self, task: CodeTask, found: Findings) -> list[str]:
        """A line with the tokens of each name that a form uses; their targets are added to `found`."""
        before, self._found = self._found, found
        module, form = task.module, task.form
        found.reads |= form.reads
        for issue in form.issues:
            found.issues[module.entry_file, issue.line, f"this {issue.reason}"] = None
        lines = []
        for ref in form.refs:
            root, attrs = ref.root, ref.attrs
            if isinstance(root, Import):
                name = module.absolute(root)
                found.imports |= {name} if root.name is None else {name, f"{name}.{root.name}"}
            tokens = self._tokens(module, ref._replace(weak=True) if task.lenient else ref)
            names = self._note(tokens) if tokens else ()
            if names:
                lines.append(f"{'.'.join((str(root), *attrs)) if attrs else root} {' '.join(names)}")
            if attrs and not READING.keys().isdisjoint(attrs):
                self._note_reads(ref, tokens)
        if form.signatures:
            lines += self._read_by_libraries(module, form.signatures)
        self._found = before
        return lines

    def tokens(self, module: Module, ref: Ref, found: Findings) -> list[Token] | None:
        """The tokens of a name in a module; None if there is an issue with it."""
        before, self._found = self._found, found
        said = self._issue_count
        tokens = self._tokens(module, ref)
        self._found = before
        return tokens if self._issue_count == said else None

    def _note(self, tokens: list[Token]) -> list[str]:
        """The texts of tokens, sorted; their targets are recorded."""
        names = set()
        for token in tokens:
            name = token if isinstance(token, str) else self.note(token, self._found)
            names.add(name)
            if name.startswith("lib "):
                used = name[4:]
                self._found.libraries.add(used)
                if used in _READERS:
                    self._found.reads.add(_READERS[used])
        return sorted(names)

    def _note_reads(self, ref: Ref, tokens: list[Token]) -> None:
        """Record reads of docstrings and annotations: of one definition, if its name is known."""
        drafts = [token.entry.owner or token.entry for token in tokens if not isinstance(token, str)]
        drafts = [
            draft for draft in drafts if not draft.key.endswith(":__doc__")
        ]  # the docstring of a module is a value
        for at, name in enumerate(ref.attrs):
            if name in READING:
                of = f":{ref.attrs[at - 1] if at else ref.root}"
                known = [
                    draft for draft in drafts if draft.key.startswith(("func:", "class:")) and draft.key.endswith(of)
                ]
                for draft in known:
                    self._found.reads_of.setdefault(draft, set()).add(READING[name])
                if len(known) < len(drafts):
                    self._found.reads.add(READING[name])

    def note(self, parts: Parts, found: Findings) -> str:
        """The name of an entry, which is recorded as a target."""
        found.drafts[parts.entry] = None
        return f"{parts.entry.name}{parts.tag}"

    def effects(self, module: Module) -> Draft | None:
        """The entry for the effects of importing a module on libraries, if there are any."""
        return self.imports.on_libraries(module, self._written)

    def _written(self, module: Module, ref: Ref) -> list[str]:
        return [token if isinstance(token, str) else "" for token in self._tokens(module, ref)]

    def names(self, module: Module, found: Findings) -> list[str]:
        """A line for each name of a module that is used as a whole."""
        before, self._found = self._found, found
        lines = []
        for name in self._modules.names(module):
            tokens = self._note(self._tokens(module, Ref(name, (), 0, weak=True)))
            lines += [f"holds {name} {' '.join(tokens)}"]
        for home in self._modules.all_star_sources(module):  # the names of star imports
            tokens = self._note(self._tokens(home, Ref("__all__", (), 0, weak=True)))
            lines += [f"from {home.name} {' '.join(tokens)}"]
        self._found = before
        return lines

    def statement_lines(self, draft: Draft, found: Findings) -> list[str]:
        """Lines for the statements that determine the value of an entry's name."""
        owner = draft.owner or draft
        if owner.module is None or owner.home is None or not owner.module.is_user:
            return []
        statements = self._slices.of(owner.module, owner.home[1], defined=True)
        lines = []
        for statement in statements:
            lines.append(f"form {statement.form.digest.hex()}")
            lines += self.bind(CodeTask(owner.module, statement.form, lenient=True), found)
        return lines

    def _read_by_libraries(self, module: Module, signatures: tuple[Signature, ...]) -> list[str]:
        """Lines for the annotations of definitions with a library's decorator, which may read them."""
        lines = []
        for signature in signatures:
            if any(self._is_library(self._tokens(module, ref._replace(weak=True))) for ref in signature.decorators):
                form = signature.form
                lines.append(f"annotations {form.digest.hex()}")
                for ref in form.refs:
                    names = self._note(self._tokens(module, ref._replace(weak=True)))
                    lines += [f"annotation {'.'.join((str(ref.root), *ref.attrs))} {' '.join(names)}"] if names else []
        return lines

    def _is_library(self, tokens: list[Token]) -> bool:
        """Whether a decorator is an installed library's, or a method of a library's object."""
        for token in tokens:
            if isinstance(token, str):
                name = token.removeprefix("lib ") if token.startswith("lib ") else ""
            else:
                tasks = token.entry.tasks
                value = tasks[0].value if tasks and isinstance(tasks[0], ValueTask) else None
                name = "" if self.code.owns(type(value)) else type(value).__module__
            if is_third_party(name):
                return True
        return False

    def _tokens(self, module: Module, ref: Ref) -> list[Token]:
        """The tokens of a name, cached per module unless an issue was reported for its place."""
        key = (module, ref.root, ref.attrs, ref.weak)
        known = self._known.get(key)
        if known is not None:
            return known
        said = self._issue_count
        tokens = self._resolve(module, ref)
        if self._issue_count == said:
            self._known[key] = tokens
        return tokens

    def _resolve(self, module: Module, ref: Ref) -> list[Token]:
        before = (self._module, self._ref)
        self._module, self._ref = module, ref
        if isinstance(ref.root, Import):
            tokens = self._import(module, ref.root, ref.attrs, ())
        else:
            tokens = self._name(module, ref.root, ref.attrs, ())
        self._module, self._ref = before
        return tokens

    def _unresolved(self, reason: str) -> list[Token]:
        if not self._ref.weak:
            self._report(reason)
        return ["unresolved"]

    def _report(self, reason: str) -> None:
        self._issue_count += 1
        self._found.issues[self._module.entry_file, self._ref.line, reason] = None

    # By live namespaces

    def _name(self, module: Module, name: str, attrs: tuple[str, ...], trail: tuple[object, ...]) -> list[Token]:
        if module.namespace is None:
            return self._static(module, name, attrs, trail)
        value = module.namespace.get(name, _MISSING)
        if value is not _MISSING:
            return self._follow(module, name, value, attrs, trail)
        if hasattr(builtins, name):
            return []
        if self._ref.weak:
            return []
        if module.leaves_unbound(name):
            return ["unresolved"]
        return self._unresolved(f"the name `{name}` is not defined")

    def _follow(
        self, module: Module, name: str, value: object, attrs: tuple[str, ...], trail: tuple[object, ...]
    ) -> list[Token]:
        """Follow the attributes of a live value, as far as they are modules."""
        at = 0
        while isinstance(value, ModuleType):
            rest = attrs[at:]
            found = self._modules.of(value)
            if not rest or (found.is_user and rest[0] == "__dict__"):
                return (
                    [self.code.whole_module(found).parts]
                    if found.is_user
                    else [f"lib {found.public or value.__name__}"]
                )
            name, at = rest[0], at + 1
            child = vars(value).get(name, _MISSING)
            if child is _MISSING:
                child = sys.modules.get(f"{value.__name__}.{name}", _MISSING)
            if not found.is_user:
                if isinstance(child, ModuleType) or self._is_user_code(child):
                    module, value = found, child
                    continue
                return [f"lib {found.public or value.__name__}.{'.'.join(rest)}"]
            if child is _MISSING:
                return self._absent(found, value, name, attrs[at:], trail)
            module, value = found, child
        return self._value(module, name, value)

    def _absent(
        self, module: Module, live: ModuleType, name: str, rest: tuple[str, ...], trail: tuple[object, ...]
    ) -> list[Token]:
        """Resolve a missing attribute of a user's module: a submodule on disk, or the module's `__getattr__`."""
        child = self._modules.on_disk(f"{live.__name__}.{name}")
        if child is not None:
            return self._in_module(child, rest, trail)
        maker = vars(live).get("__getattr__")
        if isinstance(maker, FunctionType):
            self._unresolved(f"the module `{module.name}` makes its attribute `{name}` at run time")
            given = [(module, "__getattr__", maker), *self._modules.in_submodules(live, name)]
            return [token for each in given for token in self._value(*each)]
        return self._unresolved(f"the module `{module.name}` has no attribute `{name}`")

    def _is_user_code(self, value: object) -> bool:
        """Whether a value in a library's module is a function or class of the user, which counts in full."""
        if isinstance(value, FunctionType):
            return self._modules.is_user_code(value.__code__.co_filename)
        return isinstance(value, type) and self.code.owns(value)

    def _value(self, module: Module, name: str, value: object) -> list[Token]:
        """The tokens of the value of a global."""
        if name in _DEFINED_BY_THE_SYSTEM:
            return list(self._modules.predefined(module, name))
        # A lambda is in the entry of its name; describing it here would recurse as deep as lambdas nest.
        is_lambda = isinstance(value, FunctionType) and value.__code__.co_name == "<lambda>"
        parts = None if is_lambda else self.code.describe(value)
        if parts is not None and parts.entry is not None and not parts.children:
            return [parts]
        module, name = self._origin(module, name, value)
        if parts is not None and parts.issue:
            self._report(parts.issue)
        if not module.is_user:
            return [f"lib {module.public or module.name}.{name}"]
        if parts is not None and not parts.children and parts.tag.startswith("lib "):
            return [parts.tag]
        draft, new = self._constant(module, name)
        if new:
            draft.tasks.append(ValueTask("value", value))
            if isinstance(value, TypeAliasType) and module.source is not None and name in module.source.bindings:
                # Its value is computed at the first use, which would run user code: its text counts instead.
                statements = module.source.parsed.bindings[name]
                draft.tasks.append(CodeTask(module, canonical(statements), lenient=True))
        return [draft.parts]

    def _constant(self, module: Module, name: str) -> tuple[Draft, bool]:
        """The entry of a value that is bound to a name of a module, and whether it is new."""
        bindings = module.source.bindings.get(name) if module.source is not None else None
        span = EntrySpan(module.entry_file)
        if bindings:
            line, end = bindings[-1][:2]
            span = EntrySpan(module.entry_file, line, line, end)
        identity = ("const", id_of(module.namespace), module.name, module.file, name)
        draft, new = self._drafts.open(f"const:{module.name}:{name}", identity, span)
        draft.module, draft.home = module, (module.name, name)
        return draft, new

    def _origin(self, module: Module, name: str, value: object) -> tuple[Module, str]:
        """The module and name where a value was created, back along `from x import y`."""
        seen = set()
        while module.source is not None and (module.name, name) not in seen:
            seen.add((module.name, name))
            bindings = module.source.bindings.get(name)
            step = None
            if bindings:
                targets = [target for binding in bindings if binding.is_from for target in binding.imports]
            else:
                targets = [star._replace(name=name) for star in module.source.stars]
            for target in targets:
                live = sys.modules.get(module.absolute(target))
                if live is not None and target.name and vars(live).get(target.name, _MISSING) is value:
                    step = (self._modules.of(live), target.name)
            if step is None:
                break
            module, name = step
            if not module.is_user:
                break
        return module, name

    # By source alone, for modules that are not imported

    def _import(self, module: Module, target: Import, attrs: tuple[str, ...], trail: tuple[object, ...]) -> list[Token]:
        name = module.absolute(target)
        rest = attrs if target.name is None else (target.name, *attrs)
        live = sys.modules.get(name)
        if isinstance(live, ModuleType):
            return self._follow(self._modules.of(live), name, live, rest, trail)
        found = self._modules.on_disk(name)
        if found is None:
            if not target.level and self._modules.is_optional(module, name):
                return ["unresolved"]
            return self._unresolved(f"the module `{name}` cannot be found")
        return self._in_module(found, rest, trail)

    def _in_module(self, module: Module, attrs: tuple[str, ...], trail: tuple[object, ...]) -> list[Token]:
        if not module.is_user:
            return [f"lib {'.'.join((module.name, *attrs))}"]
        source = module.source
        if not attrs or attrs[0] == "__dict__" or (source is None and module.file is not None):
            return [self.code.whole_module(module).parts]
        if source is not None and attrs[0] in source.bindings and (module.name, attrs[0]) not in trail:
            return self._static(module, attrs[0], attrs[1:], trail)
        child = self._modules.named(f"{module.name}.{attrs[0]}")
        if child is not None and not self._modules.star_sources(module, attrs[0]):
            return self._in_module(child, attrs[1:], trail)
        return self._static(module, attrs[0], attrs[1:], trail)

    def _static(  # noqa: PLR0911 - each return is a way to bind a name
        self, module: Module, name: str, attrs: tuple[str, ...], trail: tuple[object, ...]
    ) -> list[Token]:
        """The tokens of every statement at the top of a module that may bind a name."""
        source = module.source
        step = (module.name, name)
        if step in trail:
            return []
        trail = (*trail, step)
        homes = self._modules.star_sources(module, name)
        if source is not None and (homes or name in source.bindings):
            tokens = self._statements(module, source, name, attrs, trail)
            for home in homes:
                tokens += self._in_module(home, (name, *attrs), trail)
                if self._modules.exported(home) is None and (len(homes) > 1 or name in source.bindings):
                    tokens += self._tokens(home, Ref("__all__", (), 0, weak=True))
            return tokens
        if name in _DEFINED_BY_THE_SYSTEM:
            return list(self._modules.predefined(module, name))
        if hasattr(builtins, name):
            return self._value(module, name, module.docs) if name == "__doc__" else []
        state = self._state(module, name) if source is not None else None
        if state is not None:
            return [state.parts]
        if source is not None and "__getattr__" in source.bindings:
            self._unresolved(f"the module `{module.name}` makes its attribute `{name}` at run time")
            return self._statements(module, source, "__getattr__", (), trail)
        if self._ref.weak:
            return []
        return self._unresolved(f"the module `{module.name}` has no attribute `{name}`")

    def _statements(
        self,
        module: Module,
        source: SourceFile,
        name: str,
        attrs: tuple[str, ...],
        trail: tuple[object, ...],
    ) -> list[Token]:
        tokens: list[Token] = []
        for binding in source.bindings.get(name, ()):
            if binding.top is not None:
                tokens.append(self.code.definition(module, source, source.tops[binding.top]).parts)
            for target in binding.imports:
                tokens += self._import(module, target, attrs, trail)
        state = self._state(module, name)
        return tokens if state is None else [*tokens, state.parts]

    def _state(self, module: Module, name: str) -> Draft | None:
        """The entry of the statements that determine a name, besides its definitions and imports."""
        statements = self._slices.of(module, name)
        if self._modules.star_sources(module, name):
            statements = [*self._slices.conditional_stars(module), *statements]
        if not statements:
            return None
        draft, new = self._constant(module, name)
        if new:
            source = module.source
            bound = source.parsed.bindings.get(name, ()) if source is not None else ()
            plain = literal_binding(bound) if len(statements) == 1 and not statements[0].guarded else None
            if plain is not None:  # the same as after an import of the module
                draft.tasks.append(ValueTask("value", plain[0]))
            else:
                add_statements(draft, module, statements, self._modules)
        return draft
