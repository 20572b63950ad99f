"""Functions, classes and modules: the entry that each counts by, and its parts besides the code."""

import _abc  # type: ignore[import-not-found]  # has no stubs
import abc
import ast
import enum
import os
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.sources.source_file import SourceFile
from pivot_fingerprint.syntax.outline import Top, TopPlace
from pivot_fingerprint.syntax.parsed import literal_extras
from pivot_fingerprint.user_code import Predicate
from pivot_fingerprint.values.encoder import Parts
from pivot_fingerprint.walk.drafts import CodeTask, Draft, Drafts, EntrySpan, NamesTask, ValueTask

__pivot_module__ = "pivot_fingerprint"

_OPT_OUT = "__pivot_no_fingerprint__"
_DESCRIPTORS = (
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)


class OptOut(NamedTuple):
    """The mark on a function that opts out; a mark that a wrapper copied from another function does not count."""

    function: object
    code_deps: tuple[str, ...]


def no_fingerprint[F: Callable[..., object]](*, code_deps: Sequence[str] = ()) -> Callable[[F], F]:
    """Decorator: the function's body is not analysed.

    It counts by its name and by the bytes of the files in `code_deps`, which are relative to the
    directory of the file that defines the function. Use it where analysis cannot find anything useful.
    """
    if isinstance(code_deps, str):
        raise TypeError("code_deps is a sequence of file names, not one text")
    files = tuple(code_deps)

    def mark(function: F) -> F:
        setattr(function, _OPT_OUT, OptOut(function, files))
        return function

    return mark


def opt_out(function: object) -> OptOut | None:
    """The mark of this function itself, if it has one."""
    mark = getattr(function, "__dict__", {}).get(_OPT_OUT)
    return mark if isinstance(mark, OptOut) and mark.function is function else None


class Describer:
    """Describes functions, classes and modules, and opens drafts for their entries."""

    def __init__(self, drafts: Drafts, modules: Modules) -> None:
        self._drafts = drafts
        self._modules = modules
        self._known: dict[int, tuple[object, Parts | None]] = {}
        self._owned: dict[type, bool] = {}

    def describe(self, value: object) -> Parts | None:
        """The parts of a function, class or module; None for other values."""
        known = self._known.get(id_of(value))
        if known is None:
            known = self._known[id_of(value)] = (value, self._describe(value))
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
            return (
                self.whole_module(module).parts if module.is_user else Parts(f"lib {module.public or value.__name__}")
            )
        if isinstance(value, types.BuiltinFunctionType):
            return self._builtin(value)
        if isinstance(value, _DESCRIPTORS):
            return Parts("descriptor", (value.__objclass__, value.__name__))
        if isinstance(value, types.MethodWrapperType):
            return Parts("method", (value.__self__, value.__name__))
        return None

    def whole_module(self, module: Module) -> Draft:
        """The entry of a whole module, anything in which may be used."""
        identity = ("module", id_of(module.namespace), module.name, module.file)
        draft, new = self._drafts.open(f"module:{module.name}:*", identity, EntrySpan(module.entry_file))
        if new:
            source, draft.home = module.source, (module.name, "*")
            if source is not None:
                draft.tasks += [CodeTask(module, source.whole, lenient=True), NamesTask(module)]
            elif module.file is not None:
                draft.fixed.append("no source")
                draft.issues.append(f"the module `{module.name}` has no Python source")
        return draft

    def definition(self, module: Module, source: SourceFile, top: Top) -> Draft:
        """The entry of a definition at the top of a module."""
        draft, new = self._drafts.code(module, source, top)
        if new and module.namespace is None:
            node = source.parsed.tops[top.number] if top.site.defaults else None
            extras = [] if node is None or isinstance(node, ast.ClassDef) else literal_extras(node)
            if extras:
                draft.tasks.append(ValueTask("live", extras))
        elif new and top.site.kind == "class":
            # A method alone also brings its class along, with the bases that the class inherits from.
            cls = module.namespace.get(top.site.name) if module.namespace is not None else None
            place = source.locate_class(cls) if isinstance(cls, type) else None
            parts = self.describe(cls) if place is not None and place.site is top.site else None
            if parts is not None and parts.entry is not None:  # it may claim to belong to another module
                draft.also.append(parts.entry)
        return draft

    # Functions

    def _function(self, function: types.FunctionType) -> Parts:
        module = self._modules.of_namespace(function.__globals__)
        mark = opt_out(function)
        if mark is not None:
            return self._opted_out(function, module, mark).parts
        code = function.__code__
        file = self._modules.file_of(code.co_filename, module)
        if file is None:
            if not module.is_user:
                made = self._modules.made(function.__globals__)
                return self._library(function) if made is None else self._sourceless(function, made)
        elif not self._modules.is_user_code(file):
            return self._library(function)
        source = self._modules.sources.read(file) if file is not None and file.endswith((".py", ".pyw")) else None
        found = source.locate(code) if source is not None else None
        if source is None or found is None:
            return self._sourceless(function, module)
        if source.path != module.file:
            module = self._at(module, source)
        return self._located(function, module, source, found)

    def _located(self, function: types.FunctionType, module: Module, source: SourceFile, place: TopPlace) -> Parts:
        extras = _extras(function)
        if place.top is None:
            return Parts("lambda ", extras, code=CodeTask(module, source.form(place)))
        draft = self.definition(module, source, place.top)
        if place.number:
            return Parts(f"/{place.number}", extras, entry=draft)
        return self._live(draft, module, place.top.site.name, function, extras)

    def _live(
        self, draft: Draft, module: Module, name: str, value: types.FunctionType | type, parts: list[object]
    ) -> Parts:
        """The parts of a live object of a definition, named `again` if its module has another object."""
        own = module.namespace.get(name) if module.namespace is not None else None
        if own is value:
            return self._drafts.live(draft, value, parts, base=draft.key).parts if parts else draft.parts
        base = f"{draft.key} again" if _same_definition(own, value) else draft.key
        return self._drafts.live(draft, value, parts, base=base).parts

    def _library(self, function: types.FunctionType) -> Parts:
        """A library's function, which counts by name; the user's objects in its closure or registry count in full."""
        registry = function.__dict__.get("registry")
        if isinstance(registry, types.MappingProxyType) and "dispatch" in function.__dict__:
            return Parts("by type", (getattr(function, "__wrapped__", None), frozenset(registry.items())))
        home = self._modules.of_namespace(function.__globals__).public or function.__globals__.get("__name__")
        name = f"lib {home}.{function.__code__.co_qualname}"
        cells = _cells(function)
        return Parts(name, cells, boundary="library" if cells else "")

    def _sourceless(self, function: types.FunctionType, module: Module) -> Parts:
        from pivot_fingerprint.syntax.bytecode import bytecode_form  # lazy

        name, form = function.__qualname__, bytecode_form(function.__code__)
        identity = ("sourceless", id_of(module.namespace), module.name, module.file, name, form.digest)
        draft, new = self._drafts.open(f"func:{module.name}:{name}", identity, EntrySpan(module.entry_file))
        if new:
            draft.fixed.append("no source")
            draft.tasks.append(CodeTask(module, form))
            if module.file is not None:
                draft.issues.append(f"the source of `{name}` cannot be found")
        return Parts("", _extras(function), entry=draft)

    def _opted_out(self, function: types.FunctionType, module: Module, mark: OptOut) -> Draft:
        name, code = function.__qualname__, function.__code__
        span = EntrySpan(module.entry_file, code.co_firstlineno)
        identity = ("opted out", module.name, code.co_filename, name, span.line, mark.code_deps)
        draft, new = self._drafts.open(f"func:{module.name}:{name}", identity, span)
        if new:
            draft.span = self.span(function, span)
            draft.fixed.append(f"opted out {name}")
            directory = os.path.dirname(code.co_filename)
            for each in sorted(mark.code_deps):
                content = self._modules.sources.disk.read(os.path.join(directory, each))
                draft.fixed.append(f"file {each} {'missing' if content is None else xxh3_128_hexdigest(content)}")
                if content is None:
                    draft.issues.append(f"the file {each!r} that its `code_deps` name cannot be read")
        return draft

    def span(self, function: types.FunctionType, span: EntrySpan) -> EntrySpan:
        """The same place, with the lines of the function's source if it is available."""
        module = self._modules.of_namespace(function.__globals__)
        file = self._modules.file_of(function.__code__.co_filename, module)
        source = self._modules.sources.read(file) if file is not None else None
        found = source.locate(function.__code__) if source is not None else None
        return span if found is None else span._replace(start=found.site.first, end=found.site.end)

    def _builtin(self, function: types.BuiltinFunctionType) -> Parts:
        owner = function.__self__
        if owner is not None and not isinstance(owner, types.ModuleType):
            return Parts("builtin method", (function.__name__, owner))
        home = sys.modules.get(function.__module__ or "")
        own = home is not None and self._modules.of(home).is_user
        name = f"{function.__module__ or 'builtins'}.{function.__qualname__}"
        return Parts(f"lib {name}", issue=f"`{name}` is compiled code" if own else "")

    # Classes

    def _class(self, cls: type) -> Parts:
        module = self._module_of(cls)
        if not module.is_user:
            return Parts(f"lib {module.public or cls.__module__}.{cls.__qualname__}")
        source = module.source
        place = source.locate_class(cls) if source is not None else None
        if source is None or place is None or place.top is None:
            return Parts(f"class {module.name}:{cls.__qualname__}", _members(cls, None, self._modules.is_user_code))
        draft = self.definition(module, source, place.top)
        members = _members(cls, place.site.dunders, self._modules.is_user_code)
        if place.number:
            return Parts(f"/{place.number}", members, entry=draft)
        return self._live(draft, module, place.top.site.name, cls, members)

    def _module_of(self, cls: type) -> Module:
        """The module of a class, from its methods if possible: two modules of one name may exist in turn."""
        for value in vars(cls).values():
            if isinstance(value, types.FunctionType) and value.__globals__.get("__name__") == cls.__module__:
                return self._modules.of_namespace(value.__globals__)
        found = self._modules.named(str(cls.__module__))  # it may have replaced itself in `sys.modules`
        if found is not None:
            return found
        return Module(str(cls.__module__), None, "", None, is_user=False, entry_file=None)

    def _at(self, module: Module, source: SourceFile) -> Module:
        """The module for code in a file other than that of its globals."""
        return module.at(source, self._modules.entry_file_of(source.path, module.name))


def _same_definition(one: object, two: types.FunctionType | type) -> bool:
    """Whether both seem to be made from the same definition."""
    if isinstance(one, types.FunctionType) and isinstance(two, types.FunctionType):
        codes = (one.__code__, two.__code__)
        return len({(code.co_filename, code.co_firstlineno, code.co_name) for code in codes}) == 1
    return isinstance(one, type) and isinstance(two, type) and one.__qualname__ == two.__qualname__


def _cells(function: types.FunctionType) -> list[object]:
    names = function.__code__.co_freevars
    return [item for pair in zip(names, function.__closure__ or (), strict=True) for item in pair]


def _extras(function: types.FunctionType) -> list[object]:
    """The parts of a function besides its code."""
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


def _members(cls: type, body: Sequence[str] | None, is_user_code: Predicate) -> list[object]:
    """The current parts of a class: bases, metaclass and members, also those assigned later."""
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
        if dunder and not own and (body is None or name not in body):
            continue  # set by the interpreter or by a class decorator
        if name not in {"__doc__", "__module__", "__qualname__"}:
            parts += [name, value]
    if isinstance(cls, abc.ABCMeta):
        registered = {reference() for reference in _abc._get_dump(cls)[0]} - {None}  # noqa: SLF001 - there is no public access
        parts += ["registered", frozenset(registered)] if registered else []
    fields = vars(cls).get("__dataclass_fields__")
    if body is None and isinstance(fields, dict):
        parts += [(name, field.default, field.default_factory) for name, field in sorted(fields.items())]
    return parts
