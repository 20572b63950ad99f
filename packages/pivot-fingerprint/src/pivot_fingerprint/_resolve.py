"""What a name in some code stands for now: an entry, a library's name, or something that cannot be followed."""

import builtins
import sys
from types import FunctionType, ModuleType

from pivot_fingerprint._canonical import canonical
from pivot_fingerprint._code import Describer
from pivot_fingerprint._drafts import CodeTask, Drafts, ValueTask
from pivot_fingerprint._form import Form, Ref
from pivot_fingerprint._modules import Module, Modules
from pivot_fingerprint._scopes import Import, imports
from pivot_fingerprint._source import SourceFile

_MISSING = object()
_DEFINED_BY_THE_SYSTEM = frozenset(
    {"__name__", "__file__", "__spec__", "__loader__", "__package__", "__builtins__", "__path__", "__cached__"}
)
_READERS_OF_DOCS = frozenset({"lib inspect.getdoc", "lib pydoc.getdoc", "lib inspect.cleandoc"})


class Resolver:
    """Turns the names of a form into tokens; whatever they stand for is queued on the way."""

    def __init__(self, drafts: Drafts, modules: Modules) -> None:
        self._drafts = drafts
        self._modules = modules
        self.code = Describer(drafts, modules, self.inline)
        self._module = Module("", None, "", None, is_user=True, shown=None)
        self._ref = Ref("", (), 0)

    def bind(self, module: Module, form: Form, *, lenient: bool = False) -> list[str]:
        """One line per name that the form uses: what it stands for."""
        lines = []
        if form.reads_docs:
            self._drafts.reads_docs = True
        for issue in form.issues:
            self._drafts.report(f"this {issue.reason}", module, issue.line)
        for ref in form.refs:
            before = (self._module, self._ref)
            self._module, self._ref = module, ref._replace(weak=True) if lenient else ref
            tokens = sorted(set(self._resolve()))
            self._module, self._ref = before
            if tokens:
                lines.append(f"{'.'.join((str(ref.root), *ref.attrs))} {' '.join(tokens)}")
            if not _READERS_OF_DOCS.isdisjoint(tokens):
                self._drafts.reads_docs = True
        return lines

    def inline(self, module: Module, form: Form) -> str:
        """A lambda outside any definition has no entry: its form and names stand in what refers to it."""
        return ";".join([form.digest.hex(), *self.bind(module, form)])

    def _resolve(self) -> list[str]:
        ref, module = self._ref, self._module
        if isinstance(ref.root, Import):
            return self._import(module, ref.root, ref.attrs, ())
        return self._name(module, ref.root, ref.attrs, ())

    def _lost(self, reason: str) -> list[str]:
        if not self._ref.weak:
            self._drafts.report(reason, self._module, self._ref.line)
        return ["unresolved"]

    # By live namespaces

    def _name(self, module: Module, name: str, attrs: tuple[str, ...], trail: tuple[object, ...]) -> list[str]:
        if module.namespace is None:
            return self._static(module, name, attrs, trail)
        value = module.namespace.get(name, _MISSING)
        if value is not _MISSING:
            return self._follow(module, name, value, attrs, trail)
        if hasattr(builtins, name):
            return []
        if self._ref.weak:
            return []
        return self._lost(f"the name `{name}` is not defined")

    def _follow(
        self, module: Module, name: str, value: object, attrs: tuple[str, ...], trail: tuple[object, ...]
    ) -> list[str]:
        """From a live value along its attributes, as far as they are modules."""
        at = 0
        while isinstance(value, ModuleType):
            rest = attrs[at:]
            found = self._modules.of(value)
            if not rest:
                return [self.code.whole(found)] if found.is_user else [f"lib {value.__name__}"]
            name, at = rest[0], at + 1
            child = vars(value).get(name, _MISSING)
            if child is _MISSING:
                child = sys.modules.get(f"{value.__name__}.{name}", _MISSING)
            if not found.is_user:
                if isinstance(child, ModuleType) or self._is_user_code(child):
                    module, value = found, child
                    continue
                return [f"lib {value.__name__}.{'.'.join(rest)}"]
            if child is _MISSING:
                return self._absent(found, value, name, attrs[at:], trail)
            module, value = found, child
        return self._value(module, name, value)

    def _absent(
        self, module: Module, live: ModuleType, name: str, rest: tuple[str, ...], trail: tuple[object, ...]
    ) -> list[str]:
        """A user's module that lacks the attribute: a submodule to come, or a module's `__getattr__`."""
        child = self._modules.on_disk(f"{live.__name__}.{name}")
        if child is not None:
            return self._in_module(child, rest, trail)
        maker = vars(live).get("__getattr__")
        if isinstance(maker, FunctionType):
            self._lost(f"the module `{module.name}` makes its attribute `{name}` at run time")
            return self._value(module, "__getattr__", maker)
        return self._lost(f"the module `{module.name}` has no attribute `{name}`")

    def _is_user_code(self, value: object) -> bool:
        """A user's function put into a library's module counts in full."""
        if isinstance(value, FunctionType):
            return self._modules.is_user_code(value.__code__.co_filename)
        return isinstance(value, type) and self.code.owns(value)

    def _value(self, module: Module, name: str, value: object) -> list[str]:
        """The entry that a global counts by."""
        if name in _DEFINED_BY_THE_SYSTEM:
            return [f"{name} {module.name}"]
        # A lambda stands in the entry of its name; to look into it here would nest as deep as lambdas do.
        is_lambda = isinstance(value, FunctionType) and value.__code__.co_name == "<lambda>"
        parts = None if is_lambda else self.code.describe(value)
        if parts is not None and not parts.children and not parts.tag.startswith("lib "):
            return [parts.tag]
        module, name = self._origin(module, name, value)
        if not module.is_user:
            return [f"lib {module.name}.{name}"]
        if parts is not None and not parts.children and parts.tag.startswith("lib "):
            return [parts.tag]
        line = None
        if module.source is not None and name in module.source.bindings:
            line = module.source.bindings[name][-1].lineno
        key = f"const:{module.name}:{name}"
        draft, new = self._drafts.open(key, ("const", module.name, module.file, name), (module.shown, line))
        if new:
            self._drafts.queue.append(ValueTask(draft, "value", value))
        return [draft.key]

    def _origin(self, module: Module, name: str, value: object) -> tuple[Module, str]:
        """Back along `from x import y` to the module in which the value was made."""
        seen = set()
        while module.source is not None and (module.name, name) not in seen:
            seen.add((module.name, name))
            statements = module.source.bindings.get(name)
            step = None
            if statements:
                targets = [
                    target
                    for statement in statements
                    if hasattr(statement, "module")
                    for bound, target in imports(statement)  # type: ignore[arg-type]
                    if bound == name
                ]
            else:
                targets = [Import(star.level, star.module or "", name) for star in module.source.stars]
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

    def _import(self, module: Module, target: Import, attrs: tuple[str, ...], trail: tuple[object, ...]) -> list[str]:
        name = module.absolute(target)
        rest = attrs if target.name is None else (target.name, *attrs)
        live = sys.modules.get(name)
        if isinstance(live, ModuleType):
            return self._follow(self._modules.of(live), name, live, rest, trail)
        found = self._modules.on_disk(name)
        if found is None:
            return self._lost(f"the module `{name}` cannot be found")
        return self._in_module(found, rest, trail)

    def _in_module(self, module: Module, attrs: tuple[str, ...], trail: tuple[object, ...]) -> list[str]:
        if not module.is_user:
            return [f"lib {'.'.join((module.name, *attrs))}"]
        source = module.source
        if not attrs or (source is None and module.file is not None):
            return [self.code.whole(module)]
        if source is not None and attrs[0] in source.bindings:
            return self._static(module, attrs[0], attrs[1:], trail)
        child = self._modules.named(f"{module.name}.{attrs[0]}")
        if child is not None:
            return self._in_module(child, attrs[1:], trail)
        return self._static(module, attrs[0], attrs[1:], trail)

    def _static(self, module: Module, name: str, attrs: tuple[str, ...], trail: tuple[object, ...]) -> list[str]:
        """Every statement at the top of the module that may bind the name."""
        source = module.source
        step = (module.name, name)
        if step in trail:
            return []
        trail = (*trail, step)
        if source is not None and name in source.bindings:
            return self._statements(module, source, name, attrs, trail)
        for star in source.stars if source is not None else ():
            found = self._modules.named(module.absolute(Import(star.level, star.module or "", None)))
            if found is not None and _binds(found, name):
                return self._in_module(found, (name, *attrs), trail)
        if name in _DEFINED_BY_THE_SYSTEM:
            return [f"{name} {module.name}"]
        if hasattr(builtins, name) or self._ref.weak:
            return []
        return self._lost(f"the module `{module.name}` has no attribute `{name}`")

    def _statements(
        self,
        module: Module,
        source: SourceFile,
        name: str,
        attrs: tuple[str, ...],
        trail: tuple[object, ...],
    ) -> list[str]:
        tokens: list[str] = []
        others = []
        for statement in source.bindings[name]:
            if statement in source.tops:
                tokens.append(self._drafts.code(module, source, statement).key)
            elif hasattr(statement, "names") and not hasattr(statement, "value"):
                for bound, target in imports(statement):  # type: ignore[arg-type]
                    if bound == name:
                        tokens += self._import(module, target, attrs, trail)
            else:
                others.append(statement)
        if others:
            key = f"const:{module.name}:{name}"
            place = (module.shown, others[-1].lineno)
            draft, new = self._drafts.open(key, ("const", module.name, module.file, name), place)
            if new:
                self._drafts.queue.append(CodeTask(draft, module, canonical(others)))
            tokens.append(draft.key)
        return tokens


def _binds(module: Module, name: str) -> bool:
    if module.namespace is not None:
        return name in module.namespace
    return module.source is not None and (name in module.source.bindings or bool(module.source.stars))
