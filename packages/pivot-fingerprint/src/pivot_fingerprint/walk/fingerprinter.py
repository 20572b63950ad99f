"""Fingerprints of functions: the walk from each to everything that it depends on, with what several share done once."""

import gc
import os
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Self

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.disk import Disk, Listener
from pivot_fingerprint.errors import NotCallableError
from pivot_fingerprint.imports.unstable_values import UnstableValues, parts_of
from pivot_fingerprint.manifest import Manifest, Unresolved
from pivot_fingerprint.sources.memo import Memo
from pivot_fingerprint.sources.modules import Modules, PortablePaths
from pivot_fingerprint.sources.source_file import Sources
from pivot_fingerprint.syntax.form import Form
from pivot_fingerprint.user_code import cached, default_is_user_code
from pivot_fingerprint.values.builtin_types import take_apart, take_builtin_apart
from pivot_fingerprint.values.encoder import Encoded, Encoder, Parts, UnencodableError
from pivot_fingerprint.walk.closure import gather
from pivot_fingerprint.walk.drafts import CodeTask, Draft, DraftFacts, Drafts, EntrySpan, Findings, NamesTask, ValueTask
from pivot_fingerprint.walk.libraries import Libraries
from pivot_fingerprint.walk.resolve import Resolver

__pivot_module__ = "pivot_fingerprint"

_WRAPPERS = 1000
_PARTS = 5000
"""Of all values that are left out."""


class Fingerprinter:
    """Takes the fingerprints of many functions, and looks only once at what they share.

    Each manifest is the same as the one that `fingerprint` gives, whatever else has been asked for and
    in whatever order. Each function, class, constant and large value is looked at once in the life of a
    `Fingerprinter`: between two calls no module may be imported or reloaded, no file edited and no value
    changed. It keeps what it has seen alive. It belongs to one thread.

    The garbage collector pauses inside each call; as a context manager, a `Fingerprinter` lets it pause for
    the whole block, which is faster.

    Args:
        is_user_code: whether the file of this name is to be followed; others count by name.
            Default: every file outside the standard library and the installed packages.
        root: the directory to which `Entry.file` is relative; default: where the module came from.
        memo: where what each file's text gives is kept for later processes; without one nothing is kept.
        chance: whole numbers that are another one in each process, as `id` and `hash` give them, each with what it
            stands for: it counts by that. It may grow between two calls.
        listener: hears of all that is looked at on disk, so that a caller can tell whether the same would be found
            now. Without one nobody does.
    """

    def __init__(
        self,
        *,
        is_user_code: Callable[[str], bool] | None = None,
        root: str | os.PathLike[str] | None = None,
        memo: Memo | None = None,
        chance: Mapping[int, object] | None = None,
        listener: Listener | None = None,
    ) -> None:
        self._root = os.fspath(root) if root is not None else None
        self._modules = Modules(cached(is_user_code or default_is_user_code), self._root, Sources(memo, Disk(listener)))
        self._libraries = Libraries(self._modules)
        self._chance = chance if chance is not None else {}
        self._walks: dict[str | None, _Walk] = {}
        self._unstable_walk: _Walk | None = None
        self._paused = ExitStack()

    def __enter__(self) -> Self:
        self._paused.enter_context(_collector_paused())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: types.TracebackType | None
    ) -> None:
        self._paused.close()

    def fingerprint(self, func: Callable[..., object], values: Mapping[str, object] | None = None) -> Manifest:
        """Everything that a function depends on: code and values, each as an entry with a digest.

        Args:
            func: a function, method, class, partial or instance that can be called.
            values: further values that the function depends on; each is an entry under its own key.

        Raises:
            NotCallableError: `func` cannot be called.
        """
        if not callable(func):
            raise NotCallableError(func)
        with _collector_paused():
            return self._manifest(self._walk_of(func), func, values or {})

    def _walk_of(self, func: Callable[..., object]) -> "_Walk":
        inner = _innermost(func)
        base = self._root
        if base is None and isinstance(inner, types.FunctionType):
            base = self._modules.base_of(self._modules.of_namespace(inner.__globals__))
        walk = self._walks.get(base)
        if walk is None:
            walk = self._walks[base] = _Walk(self._modules, PortablePaths(base), self._chance)
        return walk

    def _manifest(self, walk: "_Walk", func: Callable[..., object], values: Mapping[str, object]) -> Manifest:
        roots = [walk.root_draft(func, _innermost(func))]
        roots += [walk.value_draft(key, values[key]) for key in sorted(values)]
        return gather(roots, walk, self._libraries.of)

    def unstable_values(
        self, func: Callable[..., object], values: Mapping[str, object] | None = None
    ) -> UnstableValues:
        """The digests of the values that a function depends on and that may differ at each import.

        The same as at another import means: if the value differs all the same, then by chance.

        Args:
            func: as for `fingerprint`, which has been asked for it.
            values: the same.

        Raises:
            NotCallableError: `func` cannot be called.
        """
        if not callable(func):
            raise NotCallableError(func)
        with _collector_paused():
            plain = self._walk_of(func)
            if self._unstable_walk is None or self._unstable_walk.of is not plain:
                self._unstable_walk = _Walk(self._modules, plain.places, self._chance, of=plain)
            manifest = self._manifest(self._unstable_walk, func, values or {})
            keys = sorted(manifest.keys() & self._unstable_walk.left_out.keys())
            digests: dict[str, str] = {}
            for key, entry in sorted(manifest.items()):  # several entries of one key are numbered
                base = key.partition("#")[0]
                digests[base] = f"{digests.get(base, '')} {entry.digest}"
            return UnstableValues(
                {key: self._unstable_walk.digest_of_left_out(key, digests) for key in keys},
                {key: self._unstable_walk.parts(key) for key in keys},
            )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without the garbage collector, which would go through all trees again and again; they hold few cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def fingerprint(
    func: Callable[..., object],
    *,
    is_user_code: Callable[[str], bool] | None = None,
    root: str | os.PathLike[str] | None = None,
    values: Mapping[str, object] | None = None,
) -> Manifest:
    """Everything that a function depends on: code and values, each as an entry with a digest.

    The same code and values give the same manifest in every process, on every machine and in every
    checkout. Nothing is imported and no user code is run, except what `pickle` would call to see the
    state of a library's object. For many functions a `Fingerprinter` does it faster.

    Args:
        func: a function, method, class, partial or instance that can be called.
        is_user_code: whether the file of this name is to be followed; others count by name.
            Default: every file outside the standard library and the installed packages.
        root: the directory to which `Entry.file` is relative; default: where the module came from.
        values: further values that the function depends on; each is an entry under its own key.

    Raises:
        NotCallableError: `func` cannot be called.
    """
    return Fingerprinter(is_user_code=is_user_code, root=root).fingerprint(func, values)


def unresolved(
    func: Callable[..., object],
    *,
    is_user_code: Callable[[str], bool] | None = None,
    root: str | os.PathLike[str] | None = None,
    values: Mapping[str, object] | None = None,
) -> tuple[Unresolved, ...]:
    """Limits of following from here: `fingerprint(...).unresolved`."""
    return fingerprint(func, is_user_code=is_user_code, root=root, values=values).unresolved


class _Walk:
    """Looks at drafts; what it finds does not depend on the order in which it is asked.

    With another walk ``of``, it leaves values out that have statements to count by.
    """

    def __init__(
        self, modules: Modules, places: PortablePaths, chance: Mapping[int, object], of: "_Walk | None" = None
    ) -> None:
        self.places = places
        self.of = of
        self.left_out: dict[str, tuple[Draft, object]] = {}
        self._parts: dict[str, dict[str, str]] = {}
        self._modules = modules
        self._drafts = Drafts()
        self._resolver = Resolver(self._drafts, modules)
        self._code = self._resolver.code
        self._encoder = Encoder(self._take_apart, places.portable, self._title, chance)
        self._inlined: dict[int, tuple[str, Findings]] = {}
        self._afresh = False

    def root_draft(self, func: Callable[..., object], inner: object) -> Draft:
        """Where the walk begins: a plain function or class is its own entry, others have one that holds them."""
        parts = self._code.describe(func)
        if parts is not None and parts.entry is not None and not parts.children and not parts.tag:
            entry: Draft = parts.entry
            return entry
        span = EntrySpan()
        if isinstance(inner, types.FunctionType):
            module = self._modules.of_namespace(inner.__globals__)
            span = self._code.span(inner, EntrySpan(module.entry_file, inner.__code__.co_firstlineno))
        name = getattr(func, "__qualname__", None) or getattr(inner, "__qualname__", "callable")
        home = getattr(func, "__module__", None) or getattr(inner, "__module__", None) or "builtins"
        draft = Draft(f"call:{home}:{name}", span)
        draft.tasks.append(ValueTask("value", func))
        return draft

    def digest_of_left_out(self, key: str, digests: Mapping[str, str]) -> str:
        """A digest of all that a value which was left out depends on, of which ``digests`` has what each entry says."""
        reached = {self.left_out[key][0]}
        waiting = list(reached)
        while waiting:
            found = self.look(waiting.pop()).found.drafts
            fresh = {each for draft in found for each in (draft, draft.owner or draft)} - reached
            reached |= fresh
            waiting += fresh
        keys = {(draft.owner or draft).key for draft in reached}
        lines = "".join(f"{each} {digests.get(each)}\n" for each in sorted(keys))
        return xxh3_128_hexdigest(lines.encode("utf-8", "surrogatepass"))

    def encoded(self, value: object) -> str:
        """The digest of a value."""
        return self._encoder.encode(value).token if self.of is None else self.of.encoded(value)

    def parts(self, key: str) -> dict[str, str]:
        """The digests of the parts of a value that was left out."""
        if key not in self._parts:
            room = sum(map(len, self._parts.values())) < _PARTS
            self._parts[key] = parts_of(self.left_out[key][1], self.encoded) if room else {}
        return self._parts[key]

    def value_draft(self, key: str, value: object) -> Draft:
        """A further value under its own key."""
        draft = Draft(key, EntrySpan())
        draft.tasks.append(ValueTask("value", value))
        return draft

    def look(self, draft: Draft) -> DraftFacts:
        """The content of a draft and its targets, found out once."""
        if draft.look is None:
            draft.look = self._look(draft)
        return draft.look

    def effects_of_imports(self, looks: Mapping[Draft, DraftFacts]) -> list[tuple[Draft, Draft]]:
        """The effects of imports on what is reached: each entry with the one that brings it along."""
        return self._resolver.imports.on_others(looks) + self._resolver.library_state.entries(looks)

    def look_up_renamed(self, draft: Draft) -> DraftFacts:
        """The same with the names that drafts have now."""
        self._afresh = True
        try:
            return self._look(draft)
        finally:
            self._afresh = False

    def _look(self, draft: Draft) -> DraftFacts:
        found = Findings()
        place = (draft.span.file, draft.span.line)
        lines = list(draft.fixed)
        forms: list[Form] = []
        for issue in draft.issues:
            found.issues[*place, issue] = None
        for task in draft.tasks:
            if isinstance(task, CodeTask):
                lines.append(f"form {task.form.digest.hex()}")
                lines += self._resolver.bind(task, found)
                forms.append(task.form)
            elif isinstance(task, NamesTask):
                lines += self._resolver.names(task.module, found)
            elif self.of is not None and (made := self._resolver.statement_lines(draft, found)):
                lines += made
                self.left_out.setdefault((draft.owner or draft).key, (draft, task.value))
            else:
                encoded = self._encoder.encode(task.value, afresh=self._afresh)
                lines.append(f"{task.label} {encoded.token}")
                self._follow(encoded, found, place)
                if any(parts.lost for parts in encoded.notes):
                    lines += self._resolver.statement_lines(draft, found)
        for other in draft.also:
            found.drafts[other] = None
        effects = self._resolver.effects(draft.module) if draft.module is not None else None
        if effects is not None:
            found.drafts[effects] = None
        return DraftFacts(lines, forms, found)

    def _follow(self, encoded: Encoded, found: Findings, place: tuple[str | None, int | None]) -> None:
        """Where the parts of a value lead."""
        for parts in encoded.notes:
            if parts.entry is not None:
                found.drafts[parts.entry] = None
            if parts.code is not None:
                found.add(self._inline(parts)[1])
            if parts.issue:
                found.issues[*place, parts.issue] = None
            if parts.tag.startswith("lib "):
                found.libraries.add(parts.tag[4:])

    def _title(self, parts: Parts) -> str:
        if parts.entry is not None:
            return f"{parts.entry.name}{parts.tag}"
        return f"{parts.tag}{self._inline(parts)[0]}"

    def _inline(self, parts: Parts) -> tuple[str, Findings]:
        """A lambda outside any definition has no entry: its form and names are in what refers to it."""
        known = self._inlined.get(id(parts)) if not self._afresh else None
        if known is None:
            found = Findings()
            text = ";".join([parts.code.form.digest.hex(), *self._resolver.bind(parts.code, found)])
            known = (text, found)
            if not self._afresh:
                self._inlined[id(parts)] = known
        return known

    def _take_apart(self, value: object) -> Parts:
        try:
            parts = take_builtin_apart(value) or self._code.describe(value)
            if parts is not None:
                return parts
            owned = self._code.owns(type(value))
            with self._modules.sources.disk.called():
                return take_apart(value, owned=owned)
        except UnencodableError:
            raise
        except Exception as error:  # whatever a user's or a library's object does when it is looked at
            kind = type(value)
            name = f"{kind.__module__}.{kind.__qualname__}"
            raise UnencodableError(f"a value of type {name} cannot be looked at: {type(error).__name__}") from error


def _innermost(func: object) -> object:
    """The function or class behind wrappers, partials and methods: it gives the entry its name and place."""
    for _ in range(_WRAPPERS):
        if isinstance(func, types.FunctionType | type):
            return func
        if isinstance(func, partial):
            func = func.func
        elif isinstance(func, types.MethodType):
            func = func.__func__
        else:
            func = getattr(func, "__dict__", {}).get("__wrapped__") or type(func)
    return type(func)
