"""Functions, classes and modules as values: the entry each one counts by, and what it carries besides its code."""

import enum
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint._drafts import CodeTask, Drafts
from pivot_fingerprint._form import Form
from pivot_fingerprint._modules import Module, Modules
from pivot_fingerprint._optout import OptOut, opt_out
from pivot_fingerprint._scopes import Scope
from pivot_fingerprint._source import Place, SourceFile, read
from pivot_fingerprint._usercode import Predicate
from pivot_fingerprint._values import Parts

_DESCRIPTORS = (
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


class Describer:
    """Says what a function, class or module is; whatever has an entry of its own is queued for it."""

    def __init__(self, drafts: Drafts, modules: Modules, inline: Callable[[Module, Form], str]) -> None:
        self._drafts = drafts
        self._modules = modules
        self._inline = inline
        self._known: dict[int, tuple[object, Parts | None]] = {}
        self._owned: dict[type, bool] = {}

    def describe(self, value: object) -> Parts | None:
        """The parts of code (the tag alone, if it is an entry and nothing more); None for other values."""
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = (value, self._describe(value))
        return known[1]

    def owns(self, cls: type) -> bool:
        """Whether a class is the user's own."""
        answer = self._owned.get(cls)
        if answer is None:
            answer = self._owned[cls] = self._module_of(cls).is_user
        return answer

    def _describe(self, value: object) -> Parts | None:  # noqa: PLR0911 - one line per kind
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.ModuleType):
            module = self._modules.of(value)
            return Parts(self.whole(module) if module.is_user else f"lib {value.__name__}")
        if isinstance(value, types.BuiltinFunctionType):
            return self._builtin(value)
        if isinstance(value, _DESCRIPTORS):
            return Parts("descriptor", (value.__objclass__, value.__name__))
        if isinstance(value, types.MethodWrapperType):
            return Parts("method", (value.__self__, value.__name__))
        return None

    def whole(self, module: Module) -> str:
        """The entry of a module as a whole, where anything in it may be used."""
        place = (module.shown, None)
        draft, new = self._drafts.open(f"module:{module.name}:*", ("module", module.name, module.file), place)
        if new:
            source = module.source
            if source is not None:
                self._drafts.queue.append(CodeTask(draft, module, source.form(source.tree), lenient=True))
            elif module.file is not None:
                draft.lines.append("no source")
                self._drafts.report(f"the module `{module.name}` has no Python source")
        return draft.key

    # Functions

    def _function(self, function: types.FunctionType) -> Parts:
        module = self._modules.of_namespace(function.__globals__)
        mark = opt_out(function)
        if mark is not None:
            return Parts(self._opted_out(function, module, mark))
        code = function.__code__
        file = self._modules.file_of(code.co_filename, module)
        if file is None:
            if not module.is_user:
                return self._library(function)
        elif not self._modules.is_user_code(file):
            return self._library(function)
        source = read(file) if file is not None and file.endswith((".py", ".pyw")) else None
        found = source.locate(code) if source is not None else None
        if source is None or found is None:
            return self._sourceless(function, module)
        if source.path != module.file:
            module = self._at(module, source)
        return self._located(function, module, source, found)

    def _located(self, function: types.FunctionType, module: Module, source: SourceFile, place: Place) -> Parts:
        extras = _extras(function)
        if place.top is None:
            text = self._inline(module, source.form(place.node))
            return Parts(f"lambda {text}", extras)
        draft = self._drafts.code(module, source, place.top)
        if place.number:
            self._attach_class(draft.key, module, source, place)
            return Parts(f"{draft.key}/{place.number}", extras)
        if self._drafts.attach(draft, function, extras):
            return Parts(draft.key)
        return Parts(f"{draft.key} again", extras)

    def _attach_class(self, key: str, module: Module, source: SourceFile, place: Place) -> None:
        """A method alone still brings its class along, with the bases that it inherits from."""
        namespace, top = module.namespace, place.top
        cls = namespace.get(top.name) if namespace is not None and top is not None else None
        if isinstance(cls, type) and key.startswith("class:") and id(cls) not in self._known:
            found = source.locate_class(cls)
            if found is not None and found.node is top:
                self.describe(cls)

    def _library(self, function: types.FunctionType) -> Parts:
        """A library's function counts by name; what a user's code has put into it counts in full."""
        registry = function.__dict__.get("registry")
        if isinstance(registry, types.MappingProxyType) and "dispatch" in function.__dict__:
            return Parts("by type", (getattr(function, "__wrapped__", None), frozenset(registry.items())))
        name = f"lib {function.__globals__.get('__name__')}.{function.__code__.co_qualname}"
        cells = _cells(function)
        return Parts(name, cells, boundary="library" if cells else "")

    def _sourceless(self, function: types.FunctionType, module: Module) -> Parts:
        key = f"func:{module.name}:{function.__qualname__}"
        draft, new = self._drafts.open(key, ("sourceless", module.name, function.__qualname__), (module.shown, None))
        if new:
            draft.lines.append("no source")
            before, self._drafts.current = self._drafts.current, draft
            self._drafts.report(f"the source of `{function.__qualname__}` cannot be found")
            self._drafts.current = before
        return Parts(draft.key, _extras(function))

    def _opted_out(self, function: types.FunctionType, module: Module, mark: OptOut) -> str:
        key = f"func:{module.name}:{function.__qualname__}"
        place = (module.shown, function.__code__.co_firstlineno)
        draft, _ = self._drafts.open(key, ("opted out", id(function)), place)
        draft.lines.append(f"opted out {function.__qualname__}")
        directory = os.path.dirname(function.__code__.co_filename)
        before, self._drafts.current = self._drafts.current, draft
        for name in sorted(mark.code_deps):
            draft.lines.append(f"file {name} {self._file_digest(os.path.join(directory, name), name)}")
        self._drafts.current = before
        return draft.key

    def _file_digest(self, path: str, name: str) -> str:
        try:
            with open(path, "rb") as file:
                return xxh3_128_hexdigest(file.read())
        except OSError:
            self._drafts.report(f"the file {name!r} that its `code_deps` name cannot be read")
            return "missing"

    def _builtin(self, function: types.BuiltinFunctionType) -> Parts:
        owner = function.__self__
        if owner is not None and not isinstance(owner, types.ModuleType):
            return Parts("builtin method", (function.__name__, owner))
        home = sys.modules.get(function.__module__ or "")
        if home is not None and self._modules.of(home).is_user:
            self._drafts.report(f"`{function.__module__}.{function.__qualname__}` is compiled code")
        return Parts(f"lib {function.__module__ or 'builtins'}.{function.__qualname__}")

    # Classes

    def _class(self, cls: type) -> Parts:
        module = self._module_of(cls)
        if not module.is_user:
            return Parts(f"lib {cls.__module__}.{cls.__qualname__}")
        source = module.source
        place = source.locate_class(cls) if source is not None else None
        if source is None or place is None or place.top is None:
            return Parts(f"class {module.name}:{cls.__qualname__}", _members(cls, None, self._modules.is_user_code))
        draft = self._drafts.code(module, source, place.top)
        scope = Scope(None, is_class=True)
        scope.collect(place.node.body if isinstance(place.node.body, list) else ())
        members = _members(cls, scope, self._modules.is_user_code)
        if place.number:
            return Parts(f"{draft.key}/{place.number}", members)
        if self._drafts.attach(draft, cls, members):
            return Parts(draft.key)
        return Parts(f"{draft.key} again", members)

    def _module_of(self, cls: type) -> Module:
        """Asked of its methods first: two modules of one name may have been imported in turn."""
        for value in vars(cls).values():
            if isinstance(value, types.FunctionType) and value.__globals__.get("__name__") == cls.__module__:
                return self._modules.of_namespace(value.__globals__)
        home = sys.modules.get(cls.__module__)
        if isinstance(home, types.ModuleType):
            return self._modules.of(home)
        return Module(str(cls.__module__), None, "", None, is_user=False, shown=None)

    def _at(self, module: Module, source: SourceFile) -> Module:
        """Code whose globals belong to a module of another file."""
        shown = self._modules.show(source.path, module.name)
        return Module(module.name, source.path, module.package, module.namespace, is_user=module.is_user, shown=shown)


def _cells(function: types.FunctionType) -> list[object]:
    names = function.__code__.co_freevars
    return [item for pair in zip(names, function.__closure__ or (), strict=True) for item in pair]


def _extras(function: types.FunctionType) -> list[object]:
    """What a function object carries besides its code."""
    extras: list[object] = []
    if function.__defaults__:
        extras += ["defaults", function.__defaults__]
    if function.__kwdefaults__:
        extras += ["keyword defaults", dict(sorted(function.__kwdefaults__.items()))]
    if function.__closure__:
        extras += ["cells", *_cells(function)]
    if function.__dict__:
        extras += ["attributes", dict(sorted(function.__dict__.items()))]
    return extras


def _members(cls: type, body: Scope | None, is_user_code: Predicate) -> list[object]:
    """What a class is made of as it is now: bases, metaclass and members, also those assigned later."""
    parts: list[object] = [cls.__bases__, type(cls)]
    members: dict[str, Any] = getattr(cls, "__members__", {}) if isinstance(cls, enum.EnumMeta) else {}
    for name, member in members.items():
        parts += [name, member._value_]
    for name, value in sorted(vars(cls).items()):
        if name in members or isinstance(value, types.GetSetDescriptorType | types.MemberDescriptorType):
            continue
        if name.startswith("_abc_") or (isinstance(cls, enum.EnumMeta) and name.startswith("_")):
            continue
        own = isinstance(value, types.FunctionType) and is_user_code(value.__code__.co_filename)
        dunder = name.startswith("__") and name.endswith("__")
        if dunder and not own and (body is None or name not in body.names):
            continue  # made by the interpreter or by a class decorator
        if name not in {"__doc__", "__module__", "__qualname__"}:
            parts += [name, value]
    fields = vars(cls).get("__dataclass_fields__")
    if body is None and isinstance(fields, dict):
        parts += [(name, field.default, field.default_factory) for name, field in sorted(fields.items())]
    return parts
