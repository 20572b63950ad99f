"""Manifests of the last process, which count again where nothing has changed that their walks depended on."""

import builtins
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, cast

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.manifest import Entry, Library, Manifest
from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.sources.memo import Memo, decode_line, encode_line, memo_key, seal, unpack
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.syntax.form import Ref
from pivot_fingerprint.walk.drafts import CodeTask, Draft, DraftFacts, Findings, ValueTask
from pivot_fingerprint.walk.resolve import Resolver

_MISSING = object()
_NOTHING: frozenset[str] = frozenset()

type _RefKey = tuple[str, tuple[str, ...], bool]
"""A name that code uses, the attributes taken from it, and whether it may be unbound."""


class _Function(NamedTuple):
    """A function as its `def` made it: without defaults, closure and attributes, and still bound to its name."""

    module: str
    name: str
    line: int


class _ModuleRecord(NamedTuple):
    """A module with everything in it that walks depended on.

    Attributes:
        file: Its absolute path.
        entry_file: The path in entries.
        digest: The digest of its content.
        refs: What each name in its functions led to: nothing, a function, or texts with the digests of values.
    """

    file: str
    entry_file: str | None
    digest: str
    refs: dict[_RefKey, Any]


class KeptManifests:
    """The manifests under one name in a memo.

    A manifest is kept if its walk met nothing but functions as their `def` made them, names of libraries, and values
    that contain no code of the user. It counts again if the files of all these functions have the same content, each
    name in these leads to the same function or library, and each value, encoded again, has the same digest.
    """

    def __init__(
        self, memo: Memo, name: str, modules: Modules, resolver: Resolver, facts: Callable[[Draft], DraftFacts]
    ) -> None:
        """Read what is kept under a name."""
        self._memo = memo
        self._facts = facts
        self._key = memo_key(name.encode("utf-8", "surrogateescape"), "manifests")
        self._modules = modules
        self._resolver = resolver
        head, *lines = unpack(memo.get(self._key), self._key) or [encode_line([[], []])]
        known, stages = decode_line(head)
        self._before = {
            module: _ModuleRecord(
                file, entry_file, digest, {(root, tuple(attrs), weak): led for root, attrs, weak, led in refs}
            )
            for module, file, entry_file, digest, refs in known
        }
        self._stages_before = dict(zip(stages, lines, strict=True))
        self._holding: dict[str, bool] = {}
        self._functions: dict[int, tuple[FunctionType, _Function | None]] = {}
        self._records: dict[str, _ModuleRecord] = {}
        self._stages: dict[str, bytes] = {}
        self._simple: dict[Draft, bool] = {}

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
        self._stages[place] = line
        for home in homes:
            self._keep_module(self._modules.of(sys.modules[home]))
        return Manifest({key: Entry(*entry) for key, *entry in entries}, (), libraries(names))

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
        content = [
            sorted(homes),
            sorted({name for each in facts.values() for name in each.found.libraries}),
            [[key, *entry] for key, entry in manifest.items()],
        ]
        self._stages[_place(function, {key: facts[draft] for key, draft in values.items()})] = encode_line(content)

    def save(self) -> None:
        """Put the manifests of this process into the memo."""
        if self._stages == self._stages_before and self._records == self._before:
            return
        used = {home for line in self._stages.values() for home in decode_line(line)[0]}
        head = [
            [
                [name, *record[:3], [[*key, led] for key, led in record.refs.items()]]
                for name, record in self._records.items()
                if name in used
            ],
            list(self._stages),
        ]
        self._memo.put(self._key, seal([encode_line(head), *self._stages.values()], self._key))

    # What a walk met

    def _is_simple(self, draft: Draft, facts: DraftFacts) -> bool:
        """Whether an entry is a function, or a value, that can be checked later; notes what its names lead to."""
        known = self._simple.get(draft)
        if known is None:
            known = self._simple[draft] = self._examine(draft, facts)
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
        return isinstance(task, CodeTask) and draft.key.startswith("func:") and self._notes(module, task, facts.found)

    def _notes(self, module: Module, task: CodeTask, found: Findings) -> bool:
        """Note what all names in a function lead to; whether that can be checked later."""
        if task.lenient or found.imports or found.issues or found.reads or found.reads_of:
            return False
        decorators = [ref._replace(weak=True) for each in task.form.signatures for ref in each.decorators]
        refs = (*task.form.refs, *decorators)
        self._keep_module(module)
        return all(self._note(module, ref) for ref in refs)

    def _note(self, module: Module, ref: Ref) -> bool:
        """Note what a name in a module leads to; whether that can be checked later."""
        key = (cast("str", ref.root), ref.attrs, ref.weak)  # code with imports is not simple
        refs = self._records[module.name].refs
        if key not in refs:
            led = self._led(module, key)
            if led is None:
                return False
            refs[key] = led
        return True

    def _led(self, module: Module, key: _RefKey) -> Any:
        """What a name leads to, as plain data; None if that cannot be checked later."""
        function = self._named_function(module, key)
        tokens = self._resolver.tokens(module, Ref(key[0], key[1], 0, key[2]), Findings())
        if function is not None:
            entry: Any = tokens[0].entry if tokens and not isinstance(tokens[0], str) else None
            if entry is None or tokens is None or len(tokens) > 1 or tokens[0] is not entry.parts:
                return None
            place = (f"func:{function.module}:{function.name}", function.line)
            return list(function) if (entry.key, entry.span.start) == place else None
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
            texts.append([draft.key, draft.base, home.name, draft.span.start, facts.digest(_NOTHING)])
        return texts

    def _keep_module(self, module: Module) -> None:
        """Note a module, with what is known of it from before if that still holds."""
        if module.name not in self._records:
            file = module.file or ""
            digest = xxh3_128_hexdigest(self._modules.sources.disk.read(file, keep=True) or b"")
            refs = dict(self._before[module.name].refs) if self._holds(module.name) else {}
            self._records[module.name] = _ModuleRecord(file, module.entry_file, digest, refs)

    # Whether it is still so

    def _holds(self, name: str) -> bool:
        """Whether everything that walks depended on in a module is as before."""
        known = self._holding.get(name)
        if known is None:
            self._holding[name] = False  # the answer for a value that depends on its own module
            known = self._holding[name] = self._check(name)
        return known

    def _check(self, name: str) -> bool:
        record, module = self._before.get(name), self._live(name)
        if record is None or module is None or (module.file, module.entry_file) != (record.file, record.entry_file):
            return False
        content = self._modules.sources.disk.read(record.file, keep=True)
        if content is None or xxh3_128_hexdigest(content) != record.digest:
            return False
        if self._resolver.library_state.acts_with(module) or self._resolver.effects(module) is not None:
            return False
        return all(self._is_as_before(module, key, led) for key, led in record.refs.items())

    def _is_as_before(self, module: Module, key: _RefKey, led: Any) -> bool:
        if led == 0:
            return _is_builtin(module, key[0])
        if led and isinstance(led[0], str):
            return self._named_function(module, key) == tuple(led)
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
        module = self._live(str(namespace.get("__name__")))
        if module is None or module.namespace is not namespace or module.file != code.co_filename:
            return None
        same = namespace.get(code.co_name) is function and code.co_name != "<lambda>"
        return _Function(module.name, code.co_name, code.co_firstlineno) if same else None

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
    return f"{function.module}:{function.name}:{function.line}{digests}"


def _leads_further(facts: DraftFacts) -> bool:
    """Whether a value has code in it, or cannot be followed."""
    found = facts.found
    return bool(found.drafts or found.imports or found.issues or found.reads or found.reads_of)


def _is_builtin(module: Module, name: str) -> bool:
    return name not in (module.namespace or {}) and hasattr(builtins, name)
