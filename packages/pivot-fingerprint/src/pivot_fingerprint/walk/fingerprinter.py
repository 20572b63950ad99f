"""Fingerprints of functions; code and values that several functions share are analysed once."""

import gc
import os
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Self

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.disk import Disk, Listener
from pivot_fingerprint.errors import NotCallableError
from pivot_fingerprint.imports.unstable_values import UnstableValues, parts_of
from pivot_fingerprint.manifest import Manifest, Unresolved
from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.sources.memo import Memo
from pivot_fingerprint.sources.modules import Modules, PortablePaths
from pivot_fingerprint.sources.quiet_files import QuietFiles
from pivot_fingerprint.sources.source_file import Sources
from pivot_fingerprint.syntax.form import Form
from pivot_fingerprint.user_code import cached, default_is_user_code
from pivot_fingerprint.values.builtin_types import Instances, take_apart, take_builtin_apart
from pivot_fingerprint.values.encoder import Encoded, Encoder, Parts, UnencodableError
from pivot_fingerprint.walk.closure import gather
from pivot_fingerprint.walk.drafts import CodeTask, Draft, DraftFacts, Drafts, EntrySpan, Findings, NamesTask, ValueTask
from pivot_fingerprint.walk.kept_manifests import KeptManifests
from pivot_fingerprint.walk.kept_parts import KeptName, join_parts
from pivot_fingerprint.walk.libraries import Libraries
from pivot_fingerprint.walk.resolve import Resolver

__pivot_module__ = "pivot_fingerprint"

_WRAPPERS = 1000
_PARTS = 5000
"""The limit for the parts of all left-out values."""


class Fingerprinter:
    """Fingerprints many functions, and analyses the code that they share only once.

    Each manifest is the same as that of `fingerprint`, regardless of other calls and their order. Each
    function, class, constant and large value is analysed once in the life of a `Fingerprinter`: between
    two calls no module may be imported or reloaded, no file edited and no value changed. It keeps
    references to the values. It belongs to one thread.

    The garbage collector pauses inside each call; as a context manager, a `Fingerprinter` pauses it for
    the whole block, which is faster.

    Args:
        is_user_code: Whether the file of this name is followed; others count by name.
            Default: every file outside the standard library and the installed packages.
        root: The directory to which `Entry.file` is relative; default: that from which the module was imported.
        memo: A store for the results of each file's text, for later processes; by default, there is none.
        chance: Integers that differ between processes, such as results of `id` and `hash`, each with the value that it
            counts as. It may grow between two calls.
        listener: Records all reads and look-ups on disk, so that a caller can check whether they would have the same
            results now.
        kept_as: The name under which the memo keeps the manifests, at the end of the context, for the next process.
            There, a function needs no walk if nothing has changed that its walk depended on.
        part: The name of the part of the functions that this process fingerprints, while other processes with the same
            modules do others; `join_kept` comes afterwards.
    """

    def __init__(  # noqa: PLR0913  # one parameter per option
        self,
        *,
        is_user_code: Callable[[str], bool] | None = None,
        root: str | os.PathLike[str] | None = None,
        memo: Memo | None = None,
        chance: Mapping[int, object] | None = None,
        listener: Listener | None = None,
        kept_as: str | None = None,
        part: str = "",
    ) -> None:
        self._memo, self._kept_as, self._part = memo, kept_as, part
        self._kept: KeptManifests | None = None
        self._root = os.fspath(root) if root is not None else None
        sources = Sources(memo, Disk(listener))
        self._modules = Modules(cached(is_user_code or default_is_user_code), self._root, sources)
        if memo is not None and kept_as is not None and root is not None:
            sources.quiet = QuietFiles(memo, f"{self._root}\0{kept_as}")
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
        if self._kept is not None and kind is None:
            self._kept.save()
        if self._modules.sources.quiet is not None and kind is None:
            self._modules.sources.quiet.save()

    def read_ahead(self, files: Iterable[str]) -> None:
        """Read the files of imported modules now, in this order, and put into the memo what their texts give.

        This changes no manifest. Several processes with one memo share the work if each begins with another file.

        Args:
            files: The absolute path of each file, as its module names it.
        """
        sources = self._modules.sources
        with _collector_paused():
            for file in files:
                if sources.imports_of_quiet(file) is None:
                    sources.read(file)

    @staticmethod
    def join_kept(memo: Memo, root: str | os.PathLike[str], kept_as: str, parts: Iterable[str]) -> None:
        """Keep the manifests of all parts together, for a process that does all or any part of them.

        Args:
            memo: The memo of the fingerprinters of the parts.
            root: Their root.
            kept_as: The name that they have in common.
            parts: The names of all parts.
        """
        join_parts(memo, f"{os.fspath(root)}\0{kept_as}", parts)

    def fingerprint(self, func: Callable[..., object], values: Mapping[str, object] | None = None) -> Manifest:
        """Everything that a function depends on: code and values, each as an entry with a digest.

        Args:
            func: A function, method, class, partial or callable instance.
            values: Additional values that the function depends on, each an entry under its own key.

        Raises:
            NotCallableError: `func` is not callable.
        """
        if not callable(func):
            raise NotCallableError(func)
        with _collector_paused():
            walk = self._walk_of(func)
            kept = self._kept_manifests(walk)
            given = walk.value_drafts(values or {})
            known = {key: walk.facts(draft) for key, draft in given.items()} if kept is not None else {}
            manifest = kept.find(func, known, self._libraries.of) if kept is not None else None
            if manifest is None:
                manifest, facts = gather(walk.roots(func, given), walk, self._libraries.of)
                if kept is not None:
                    kept.add(func, given, facts, manifest)
            return manifest

    def _kept_manifests(self, walk: "_Walk") -> KeptManifests | None:
        if self._memo is None or self._kept_as is None or self._root is None:
            return None
        if self._kept is None:
            self._kept = walk.kept_manifests(self._memo, KeptName(f"{self._root}\0{self._kept_as}", self._part))
        return self._kept

    def _walk_of(self, func: Callable[..., object]) -> "_Walk":
        inner = _innermost(func)
        base = self._root
        if base is None and isinstance(inner, types.FunctionType):
            base = self._modules.base_of(self._modules.of_namespace(inner.__globals__))
        walk = self._walks.get(base)
        if walk is None:
            walk = self._walks[base] = _Walk(self._modules, PortablePaths(base), self._chance)
        return walk

    def unstable_values(
        self, func: Callable[..., object], values: Mapping[str, object] | None = None
    ) -> UnstableValues:
        """The digests of the values that a function depends on and that may differ at each import.

        If a digest is the same as at another import, but the value differs, then it differs by chance.

        Args:
            func: The same as in an earlier call of `fingerprint`.
            values: The same.

        Raises:
            NotCallableError: `func` is not callable.
        """
        if not callable(func):
            raise NotCallableError(func)
        with _collector_paused():
            plain = self._walk_of(func)
            if self._unstable_walk is None or self._unstable_walk.of is not plain:
                self._unstable_walk = _Walk(self._modules, plain.places, self._chance, of=plain)
            roots = self._unstable_walk.roots(func, self._unstable_walk.value_drafts(values or {}))
            manifest, _ = gather(roots, self._unstable_walk, self._libraries.of)
            keys = sorted(manifest.keys() & self._unstable_walk.left_out.keys())
            digests: dict[str, str] = {}
            for key, entry in sorted(manifest.items()):  # several entries with one key are numbered
                base = key.partition("#")[0]
                digests[base] = f"{digests.get(base, '')} {entry.digest}"
            return UnstableValues(
                {key: self._unstable_walk.digest_of_left_out(key, digests) for key in keys},
                {key: self._unstable_walk.parts(key) for key in keys},
            )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the garbage collector, which would visit all trees again and again; they have few cycles."""
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
    state of a library's object. For many functions, a `Fingerprinter` is faster.

    Args:
        func: A function, method, class, partial or callable instance.
        is_user_code: Whether the file of this name is followed; others count by name.
            Default: every file outside the standard library and the installed packages.
        root: The directory to which `Entry.file` is relative; default: that from which the module was imported.
        values: Additional values that the function depends on, each an entry under its own key.

    Raises:
        NotCallableError: `func` is not callable.
    """
    return Fingerprinter(is_user_code=is_user_code, root=root).fingerprint(func, values)


def unresolved(
    func: Callable[..., object],
    *,
    is_user_code: Callable[[str], bool] | None = None,
    root: str | os.PathLike[str] | None = None,
    values: Mapping[str, object] | None = None,
) -> tuple[Unresolved, ...]:
    """Code that cannot be followed: `fingerprint(...).unresolved`."""
    return fingerprint(func, is_user_code=is_user_code, root=root, values=values).unresolved


class _Walk:
    """Resolves drafts; the results do not depend on the order of the calls.

    With another walk ``of``, values that are determined by statements are left out: the statements count instead.
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
        self._instances = Instances()
        self._inlined: dict[int, tuple[str, Findings]] = {}
        self._afresh = False

    def roots(self, func: Callable[..., object], values: Mapping[str, Draft]) -> list[Draft]:
        """The drafts where the walk from a function and some values begins."""
        return [self._root_draft(func, _innermost(func)), *values.values()]

    def kept_manifests(self, memo: Memo, name: KeptName) -> KeptManifests:
        """The manifests under a name in a memo, to be compared with this walk."""
        return KeptManifests(memo, name, self._modules, self._resolver, self.facts)

    def _root_draft(self, func: Callable[..., object], inner: object) -> Draft:
        """The draft where the walk begins: a plain function or class is its own entry, other callables are in one."""
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
        """The digest of everything that a left-out value depends on, from the ``digests`` of entries by key."""
        reached = {self.left_out[key][0]}
        waiting = list(reached)
        while waiting:
            found = self.facts(waiting.pop()).found.drafts
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
        """The digests of the parts of a left-out value."""
        if key not in self._parts:
            room = sum(map(len, self._parts.values())) < _PARTS
            self._parts[key] = parts_of(self.left_out[key][1], self.encoded) if room else {}
        return self._parts[key]

    def value_drafts(self, values: Mapping[str, object]) -> dict[str, Draft]:
        """The drafts of additional values, each under its own key."""
        drafts = {key: Draft(key, EntrySpan()) for key in sorted(values)}
        for key, draft in drafts.items():
            draft.tasks.append(ValueTask("value", values[key]))
        return drafts

    def facts(self, draft: Draft) -> DraftFacts:
        """The content of a draft and its targets, computed once."""
        if draft.facts is None:
            draft.facts = self._compute_facts(draft)
        return draft.facts

    def effects_of_imports(self, facts: Mapping[Draft, DraftFacts]) -> list[tuple[Draft, Draft]]:
        """The effects of imports on reached names, each entry after the one that brings it along."""
        return self._resolver.imports.on_others(facts) + self._resolver.library_state.entries(facts)

    def facts_with_current_names(self, draft: Draft) -> DraftFacts:
        """The same with the current names of drafts."""
        self._afresh = True
        try:
            return self._compute_facts(draft)
        finally:
            self._afresh = False

    def _compute_facts(self, draft: Draft) -> DraftFacts:
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
        """Add everything that the parts of a value lead to."""
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
        """The text and findings of a lambda outside any definition, which has no entry but is a part of others."""
        known = self._inlined.get(id_of(parts)) if not self._afresh else None
        if known is None:
            found = Findings()
            text = ";".join([parts.code.form.digest.hex(), *self._resolver.bind(parts.code, found)])
            known = (text, found)
            if not self._afresh:
                self._inlined[id_of(parts)] = known
        return known

    def _take_apart(self, value: object) -> Parts:
        try:
            parts = take_builtin_apart(value) or self._instances.take_apart(value) or self._code.describe(value)
            return self._take_any_apart(value) if parts is None else parts
        except UnencodableError:
            raise
        except Exception as error:  # any error of an object's own methods
            kind = type(value)
            name = f"{kind.__module__}.{kind.__qualname__}"
            raise UnencodableError(f"a value of type {name} cannot be looked at: {type(error).__name__}") from error

    def _take_any_apart(self, value: object) -> Parts:
        owned = self._code.owns(type(value))
        with self._modules.sources.disk.called():
            parts = take_apart(value, owned=owned)
        self._instances.add(type(value), parts)
        return parts


def _innermost(func: object) -> object:
    """The function or class behind wrappers, partials and methods, by which the entry gets its name and place."""
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
