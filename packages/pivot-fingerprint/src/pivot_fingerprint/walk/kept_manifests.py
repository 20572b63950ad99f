"""Manifests of the last process, which count again where nothing has changed that their walks depended on."""

import builtins
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, cast

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.manifest import Entry, Library, Manifest
from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.sources.memo import Memo, decode_line, encode_line, unpack
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.syntax.form import Form, Ref
from pivot_fingerprint.syntax.outline import Top
from pivot_fingerprint.walk.drafts import CodeTask, Draft, DraftFacts, EntrySpan, Findings, ValueTask
from pivot_fingerprint.walk.kept_parts import KeptName, put
from pivot_fingerprint.walk.resolve import Resolver

_MISSING = object()
_NOTHING: frozenset[str] = frozenset()
_new = tuple.__new__  # of named tuples, without a call in Python for each
_DEEPEST = 40
"""The length of a chain of entries that is followed; the manifest of a longer one is not kept."""

type _RefKey = tuple[str, tuple[str, ...], bool]
"""A name that code uses, the attributes taken from it, and whether it may be unbound."""


class _Function(NamedTuple):
    """A function as its `def` made it: without defaults, closure and attributes, and still bound to its name."""

    module: str
    name: str


class _Definition(NamedTuple):
    """The `def` of a function at the top of a module, which binds its name there alone.

    Attributes:
        line: Its line.
        start: The line where it begins, decorators included.
        end: Its last line.
        digest: The digest of everything in it that counts, without the lines.
    """

    line: int
    start: int
    end: int
    digest: str


class _ModuleRecord(NamedTuple):
    """A module with everything in it that walks depended on.

    Attributes:
        file: Its absolute path.
        entry_file: The path in entries.
        digest: The digest of its content.
        functions: The functions that are in kept manifests, by name.
        own: The names in them that lead to functions of these names in the same module.
        refs: The targets of all other names: nothing (0), a function, or texts with the digests of values.
    """

    file: str
    entry_file: str | None
    digest: str
    functions: dict[str, _Definition]
    own: set[str]
    refs: dict[_RefKey, Any]


class KeptManifests:
    """The manifests under one name in a memo.

    A manifest is kept if its walk met nothing but functions as their `def` made them, names of libraries, and values
    that contain no code of the user. It counts again if all these functions are the same, each name in them leads to
    the same function or library, and each value, encoded again, has the same digest.
    """

    def __init__(
        self, memo: Memo, name: KeptName, modules: Modules, resolver: Resolver, facts: Callable[[Draft], DraftFacts]
    ) -> None:
        """Read the manifests under a name."""
        self._memo = memo
        self._facts = facts
        self._key, self._saved_as = name.keys(("", name.part))
        self._modules = modules
        self._resolver = resolver
        head, *lines = unpack(memo.get(self._key), self._key) or [encode_line([[], []])]
        homes, stages = decode_line(head)
        self._modules_before: dict[str, bytes] = dict(zip(homes, lines, strict=False))
        self._stages_before: dict[str, bytes] = dict(zip(stages, lines[len(homes) :], strict=True))
        self._before: dict[str, _ModuleRecord] = {}
        self._holding: dict[str, bool] = {}
        self._same_content: dict[str, bool] = {}
        self._edited: dict[str, dict[str, _Definition | None]] = {}
        self._spans: dict[str, EntrySpan] = {}
        self._tops: dict[Module, dict[str, Top | None]] = {}
        self._functions: dict[int, tuple[FunctionType, _Function | None]] = {}
        self._homes: dict[int, tuple[Module | None, Mapping[str, _Definition]]] = {}
        self._records: dict[str, _ModuleRecord] = {}
        self._stages: dict[str, bytes] = {}
        self._used: set[str] = set()
        self._simple: dict[Draft, bool] = {}
        self._depth = 0

    def find(
        self,
        func: Callable[..., object],
        values: Mapping[str, DraftFacts],
        libraries: Callable[[Iterable[str]], Mapping[str, Library]],
    ) -> Manifest | None:
        """The kept manifest of a function with these values, if it is still valid."""
        function = self._function(func)
        place = _place(function, values) if function is not None else ""
        line = self._stages_before.get(place)
        if line is None:
            return None
        homes, names, entries = decode_line(line)
        if not all(map(self._holds, homes)) or any(map(_leads_further, values.values())):
            return None
        if not self._edited.keys().isdisjoint(homes):
            moved = [self._moved(*entry) for entry in entries]
            entries = [entry for entry in moved if entry is not None]
            if len(entries) < len(moved):
                return None
            line = encode_line([homes, names, entries])
        self._stages[place] = line
        self._used.update(homes)
        for home in homes:
            if home not in self._records:
                self._keep_module(self._modules.of(sys.modules[home]))
        return Manifest({key: _new(Entry, entry) for key, *entry in entries}, (), libraries(names))

    def _moved(self, key: str, digest: str, file: str | None, *rest: Any) -> list[Any] | None:
        """The same entry with its present lines; None if its function was edited."""
        kind, _, place = key.partition(":")
        home, _, name = place.rpartition(":")
        if home not in self._edited:
            return [key, digest, file, *rest]
        span: EntrySpan | _Definition | None = self._spans.get(key)
        if kind == "func":
            span = self._edited[home][name]
            if span is not None and span.digest != self._before[home].functions[name].digest:
                span = None
        return None if span is None else [key, digest, file, span.line, span.end, span.start, rest[-1]]

    def add(
        self,
        func: Callable[..., object],
        values: Mapping[str, Draft],
        facts: Mapping[Draft, DraftFacts],
        manifest: Manifest,
    ) -> None:
        """Keep a manifest for the next process if its walk, with these facts, was simple enough to be checked there."""
        function, own = self._function(func), frozenset(values.values())
        entries = [draft for draft in facts if draft.owner is None]
        if function is None or len({draft.key for draft in entries}) < len(entries):
            return  # the names of some entries depend on all others
        if not all(self._is_simple(draft, each) for draft, each in facts.items() if draft not in own):
            return
        if any(_leads_further(facts[draft]) for draft in own):
            return
        homes = {draft.module.name: draft.module for draft in facts if draft.module is not None}
        for module in homes.values():
            self._keep_module(module)
        self._used.update(homes)
        content = [
            sorted(homes),
            sorted({name for each in facts.values() for name in each.found.libraries}),
            [[key, *entry] for key, entry in manifest.items()],
        ]
        self._stages[_place(function, {key: facts[draft] for key, draft in values.items()})] = encode_line(content)

    def save(self) -> None:
        """Put the manifests of this process into the memo."""
        modules = {name: self._line_of(name) for name in self._records if name in self._used}
        if self._saved_as != self._key or self._stages != self._stages_before or modules != self._modules_before:
            put(self._memo, self._saved_as, modules, self._stages)

    def _line_of(self, name: str) -> bytes:
        """The record of a module as a line."""
        record = self._records[name]
        if record is self._before.get(name):
            return self._modules_before[name]
        return encode_line([*record[:4], sorted(record.own), [[*key, led] for key, led in record.refs.items()]])

    # Walks of this process

    def _is_simple(self, draft: Draft, facts: DraftFacts) -> bool:
        """Whether an entry is a function, or a value, that can be checked later; notes what its names lead to."""
        known = self._simple.get(draft)
        if known is None:
            known = self._simple[draft] = False  # the answer for code that leads back to itself
            if self._depth < _DEEPEST:
                self._depth += 1
                known = self._simple[draft] = self._examine(draft, facts)
                self._depth -= 1
        return known

    def _examine(self, draft: Draft, facts: DraftFacts) -> bool:
        if draft.also or draft.fixed or draft.issues:
            return False
        if draft.owner is not None:  # a function with defaults
            return draft.base == draft.owner.key and not _leads_further(facts)
        module, task = draft.module, draft.tasks[0] if len(draft.tasks) == 1 else None
        if module is None or self._live(module.name) is not module or self._resolver.library_state.acts_with(module):
            return False
        if isinstance(task, ValueTask):
            return not _leads_further(facts)
        if not isinstance(task, CodeTask) or not draft.key.startswith("func:") or draft.home is None:
            return False
        definition = self._definition(module, draft.home[1])
        return definition is not None and self._notes(module, definition, draft.home[1], task, facts.found)

    def _notes(self, module: Module, definition: _Definition, name: str, task: CodeTask, found: Findings) -> bool:
        """Note a function and the targets of all names in it; whether they can be checked later."""
        if task.lenient or found.imports or found.issues or found.reads or found.reads_of:
            return False
        decorators = [ref._replace(weak=True) for each in task.form.signatures for ref in each.decorators]
        refs = (*task.form.refs, *decorators)
        self._keep_module(module)
        if self._records[module.name].functions.get(name) != definition:
            self._own_record(module).functions[name] = definition
        return all(self._note(module, ref) for ref in refs)

    def _note(self, module: Module, ref: Ref) -> bool:
        """Note the targets of a name in a module; whether they can be checked later."""
        key = (cast("str", ref.root), ref.attrs, ref.weak)  # code with imports is not simple
        record = self._records[module.name]
        if key not in record.refs and (key[1] or key[0] not in record.own):
            led = self._led(module, key)
            if led is None:
                return False
            if not key[1] and led == (module.name, key[0]):
                self._own_record(module).own.add(key[0])
            else:
                self._own_record(module).refs[key] = led
        return True

    def _led(self, module: Module, key: _RefKey) -> Any:
        """The targets of a name as plain data; None if they cannot be checked later."""
        function = self._named_function(module, key)
        tokens = self._resolver.tokens(module, Ref(key[0], key[1], 0, key[2]), Findings())
        if function is not None:
            keys = [_key_of(token) for token in tokens or ()]
            return function if keys == [f"func:{function.module}:{function.name}"] else None
        if not tokens and _is_builtin(module, key[0]):
            return 0
        drafts = [token.entry for token in tokens or () if not isinstance(token, str)]
        drafts += [draft.owner for draft in drafts if draft.owner is not None]
        return self._texts(tokens) if all(self._is_simple(draft, self._facts(draft)) for draft in drafts) else None

    def _texts(self, tokens: Sequence[Any] | None) -> list[list[Any]] | None:
        """Names of libraries, and the places of values and functions with the digests of the values; else None."""
        if tokens is None:
            return None
        texts: list[list[Any]] = []
        for token in tokens:
            if isinstance(token, str):
                texts.append([token])
                continue
            draft = token.entry
            facts = self._facts(draft)
            is_value = draft.owner is not None or draft.key.startswith("const:")
            if token is not draft.parts or not is_value or _leads_further(facts):
                return None
            home = (draft.owner or draft).module
            texts.append([draft.key, draft.base, home.name, facts.digest(_NOTHING)])
            self._spans[draft.key] = draft.span
        return texts

    def _keep_module(self, module: Module) -> None:
        """Note a module, with what is known of it from before if that still holds."""
        name = module.name
        if name in self._records:
            return
        record = _ModuleRecord(module.file or "", module.entry_file, self._content_digest(module), {}, set(), {})
        if self._holds(name):
            before = self._before[name]
            if name not in self._edited:
                record = before
            else:
                record.functions.update({name: each for name, each in self._edited[name].items() if each is not None})
                record.own.update(before.own)
                record.refs.update(before.refs)
        self._records[name] = record

    def _own_record(self, module: Module) -> _ModuleRecord:
        """The record of a module, which may be changed."""
        record = self._records[module.name]
        if record is self._before.get(module.name):
            record = record._replace(functions={**record.functions}, own={*record.own}, refs={**record.refs})
            self._records[module.name] = record
        return record

    def _content_digest(self, module: Module) -> str:
        return xxh3_128_hexdigest(self._modules.sources.disk.read(module.file or "", keep=True) or b"")

    # Comparison with the last process

    def _holds(self, name: str) -> bool:
        """Whether everything that walks depended on in a module is as before."""
        known = self._holding.get(name)
        if known is None:
            self._holding[name] = False  # the answer for a value that depends on its own module
            known = self._holding[name] = self._check(name)
        return known

    def _check(self, name: str) -> bool:
        record, module = self._record_before(name), self._live(name)
        if record is None or module is None or (module.file, module.entry_file) != (record.file, record.entry_file):
            return False
        if not self._is_same(module):
            self._edited[name] = {function: self._definition(module, function) for function in record.functions}
        if self._resolver.library_state.acts_with(module) or self._resolver.effects(module) is not None:
            return False
        unchanged = self._unchanged(module, record) if self._is_same(module) else frozenset()
        changed = [(name, (), False) for name in record.own - unchanged]
        return all(self._named_function(module, key) == (name, key[0]) for key in changed) and all(
            self._is_as_before(module, key, led) for key, led in record.refs.items()
        )

    @staticmethod
    def _unchanged(module: Module, record: _ModuleRecord) -> frozenset[str]:
        """The functions of a module with the same content that are as their `def` made them, as `_as_defined` says."""
        namespace = module.namespace or {}
        return frozenset(
            [
                name
                for name, definition in record.functions.items()
                if type(function := namespace.get(name)) is FunctionType
                and (code := function.__code__).co_firstlineno == definition.start
                and code.co_name == name
                and code.co_filename == record.file
                and function.__globals__ is namespace
                and not (function.__defaults__ or function.__kwdefaults__ or function.__closure__ or function.__dict__)
            ]
        )

    def _record_before(self, name: str) -> _ModuleRecord | None:
        """The record of a module in the last process."""
        if name not in self._before and name in self._modules_before:
            file, entry_file, digest, functions, own, refs = decode_line(self._modules_before[name])
            self._before[name] = _ModuleRecord(
                file,
                entry_file,
                digest,
                {name: _new(_Definition, each) for name, each in functions.items()},
                {*own},
                {
                    (root, tuple(attrs), weak): _new(_Function, led) if led and led[0].__class__ is str else led
                    for root, attrs, weak, led in refs
                },
            )
        return self._before.get(name)

    def _is_as_before(self, module: Module, key: _RefKey, led: Any) -> bool:
        if led.__class__ is _Function:
            return self._named_function(module, key) == led
        if led == 0:
            return _is_builtin(module, key[0])
        tokens = self._resolver.tokens(module, Ref(key[0], key[1], 0, key[2]), Findings())
        return bool(self._texts(tokens) == led)

    # Functions

    def _named_function(self, module: Module, key: _RefKey) -> _Function | None:
        """The function that a name leads to through modules of the user."""
        value = (module.namespace or {}).get(key[0], _MISSING)
        for name in key[1]:
            if type(value) is not ModuleType:
                break
            if name == "__dict__" or not self._modules.of(value).is_user:
                return None
            value = vars(value).get(name, _MISSING)
        return self._function(value)

    def _function(self, value: object) -> _Function | None:
        if type(value) is not FunctionType:
            return None
        known = self._functions.get(id_of(value))
        if known is None:
            known = self._functions[id_of(value)] = (value, self._as_defined(value))
        return known[1]

    def _as_defined(self, function: FunctionType) -> _Function | None:
        """The place of a function that is as its `def` made it; None for any other."""
        code, namespace = function.__code__, function.__globals__
        if function.__defaults__ or function.__kwdefaults__ or function.__closure__ or function.__dict__:
            return None
        name = code.co_name
        module, definitions = self._homes.get(id_of(namespace)) or self._home(namespace)
        if module is None or module.file != code.co_filename or namespace.get(name) is not function:
            return None
        start = definitions[name].start if name in definitions else self._start(module, name)
        return _Function(module.name, name) if code.co_firstlineno == start else None

    def _home(self, namespace: dict[str, Any]) -> tuple[Module | None, Mapping[str, _Definition]]:
        """The imported module with these globals, and the definitions in it that are known from before."""
        module = self._live(str(namespace.get("__name__")))
        if module is not None and module.namespace is not namespace:
            module = None
        definitions: Mapping[str, _Definition] = {}
        if module is not None and self._is_same(module):
            definitions = self._before[module.name].functions
        self._homes[id_of(namespace)] = module, definitions
        return module, definitions

    def _is_same(self, module: Module) -> bool:
        """Whether a module has the same content as when its manifests were kept."""
        same = self._same_content.get(module.name)
        if same is None:
            before = self._record_before(module.name)
            same = before is not None and before.digest == self._content_digest(module)
            self._same_content[module.name] = same
        return same

    def _start(self, module: Module, name: str) -> int | None:
        """The line where the only `def` of a name in a module begins."""
        top = self._site(module, name)
        return top.site.first if top is not None else None

    def _site(self, module: Module, name: str) -> Top | None:
        """The only definition of a name at the top of a module, if it is a function."""
        tops = self._tops.get(module)
        if tops is None:
            tops = self._tops[module] = {}
            for top in module.source.tops if module.source is not None else ():
                tops[top.site.name] = None if top.site.name in tops or top.site.kind != "func" else top
        return tops.get(name)

    def _definition(self, module: Module, name: str) -> _Definition | None:
        """The only definition of a function at the top of a module."""
        top = self._site(module, name)
        if top is None or module.source is None:
            return None
        return _Definition(top.site.line, top.site.first, top.site.end, _form_digest(module.source.form(top)))

    def _live(self, name: str) -> Module | None:
        """An imported module of the user with a source file."""
        live = sys.modules.get(name)
        module = self._modules.of(live) if type(live) is ModuleType else None
        if module is None or module.name != name or not module.is_user:
            return None
        return module if module.file is not None and module.file.endswith(".py") else None


def _place(function: _Function, values: Mapping[str, DraftFacts]) -> str:
    """The name under which the manifest of a function with these values is kept."""
    digests = "".join(f" {key} {each.digest(_NOTHING)}" for key, each in values.items())
    return f"{function.module}:{function.name}{digests}"


def _form_digest(form: Form) -> str:
    """The digest of everything in a function that counts, besides its docstring, without lines."""
    read = [each for each in form.signatures if each.decorators]  # by decorators of libraries
    forms = [form, *(each.form for each in read)]
    uses = [*(each.refs for each in forms), *(each.decorators for each in read)]
    refs = [(str(ref.root), ref.attrs, ref.weak) for several in uses for ref in several]
    text = repr([[each.digest for each in forms], refs, len(form.issues), sorted(form.reads)])
    return xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))


def _leads_further(facts: DraftFacts) -> bool:
    """Whether a value has code in it, or cannot be followed."""
    found = facts.found
    return bool(found.drafts or found.imports or found.issues or found.reads or found.reads_of)


def _key_of(token: Any) -> str:
    """The key of the entry that a token stands for; empty for any other token."""
    return token.entry.key if not isinstance(token, str) and token is token.entry.parts else ""


def _is_builtin(module: Module, name: str) -> bool:
    return name not in (module.namespace or {}) and hasattr(builtins, name)
