"""Source files as they are on disk: read once, parsed only if necessary, with the place of each function."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import cached_property
from types import CodeType
from typing import Any

from pivot_fingerprint.disk import Disk
from pivot_fingerprint.sources.memo import (
    Memo,
    decode_line,
    form_from_json,
    form_to_json,
    memo_key,
    pack,
    pack_outline,
    unpack,
    unpack_outline,
)
from pivot_fingerprint.sources.quiet_files import QuietFiles
from pivot_fingerprint.syntax.form import Form
from pivot_fingerprint.syntax.outline import Binding, Outline, Site, Top, TopPlace
from pivot_fingerprint.syntax.parsed import Parsed, TreeOutline, whole_form
from pivot_fingerprint.syntax.scopes import Import

_LAMBDA = "<lambda>"


class SourceFile:
    """A source file; its outline comes from a memo where possible, so that it is not parsed."""

    def __init__(self, path: str, content: bytes, kept: Outline | None = None) -> None:
        self.path = path
        self.content = content
        self.memo: Memo | None = None
        self._parsed: Parsed | None = None
        self.outline: Outline = kept if kept is not None else TreeOutline(self.parsed)
        self._forms: dict[Top, Form] = {}
        self._sites: dict[Top, list[Site]] = {}
        self._named: dict[str, list[Top]] | None = None
        self._lambdas: dict[int, list[TopPlace]] | None = None
        self._lambda_forms: dict[int, Form] = {}
        self._whole: Form | None = None

    @property
    def bindings(self) -> dict[str, list[Binding]]:
        """The statements at the top by the names that they bind."""
        return self.outline.bindings

    @property
    def stars(self) -> list[Import]:
        """The star imports."""
        return self.outline.stars

    @cached_property
    def tops(self) -> list[Top]:
        """The definitions at the top."""
        return [Top(number, site) for number, site in enumerate(self.outline.tops)]

    @cached_property
    def _sorted(self) -> list[Top]:
        return sorted(self.tops, key=lambda top: top.site.first)

    @cached_property
    def _starts(self) -> list[int]:
        return [top.site.first for top in self._sorted]

    @property
    def parsed(self) -> Parsed:
        """The syntax tree, parsed at the first use."""
        if self._parsed is None:
            self._parsed = Parsed(self.content)
        return self._parsed

    def form(self, place: Top | TopPlace) -> Form:
        """The canonical form of a definition, or of a lambda outside any definition, computed once."""
        if isinstance(place, TopPlace):
            known = self._lambda_forms.get(place.number)
            if known is None:
                known = self._lambda_forms[place.number] = self.outline.lambda_form(place.number)
            return known
        form = self._forms.get(place)
        if form is None:
            form = self._forms[place] = self.outline.top_form(place.number)
        return form

    @property
    def whole(self) -> Form:
        """The canonical form of the whole file."""
        if self._whole is None:
            if self.memo is None:
                self._whole = whole_form(self.parsed)
            else:
                (raw,) = self.memoised(self.memo, "whole", lambda: [form_to_json(whole_form(self.parsed))])
                self._whole = form_from_json(raw)
        return self._whole

    def memoised(self, memo: Memo, kind: str, make: Callable[[], Iterable[object]]) -> list[Any]:
        """Results of the file's text as plain data, from a memo, or made and put there."""
        key = memo_key(self.content, kind)
        lines = unpack(memo.get(key), key)
        if lines is None:
            made = pack(make(), key)
            memo.put(key, made)
            lines = unpack(made, key) or []
        return [decode_line(line) for line in lines if line]

    def named(self, name: str) -> list[Top]:
        """The definitions of this name at the top of the module."""
        if self._named is None:
            self._named = {}
            for top in self.tops:
                self._named.setdefault(top.site.name, []).append(top)
        return self._named.get(name, [])

    def enclosing(self, line: int) -> Top | None:
        """The definition at the top of the module that contains this line."""
        at = bisect_right(self._starts, line) - 1
        return self._sorted[at] if at >= 0 and line <= self._sorted[at].site.end else None

    def locate(self, code: CodeType) -> TopPlace | None:
        """The place of the function with this code."""
        line = code.co_firstlineno
        place = self._locate(line, code.co_name)
        if len(place) > 1:
            place = _enclosing(place, code)
        if not place and code.co_name != _LAMBDA:
            place = self._by_qualname(code.co_qualname)
        return place[0] if place else None

    def locate_class(self, cls: type) -> TopPlace | None:
        """The place of a class."""
        line = getattr(cls, "__firstlineno__", None)
        places = self._locate(line, cls.__name__) if isinstance(line, int) else []
        places = places or self._by_qualname(cls.__qualname__)
        places = [place for place in places if place.site.kind == "class"]
        return places[0] if places else None

    def _locate(self, line: int, name: str) -> list[TopPlace]:
        at = bisect_right(self._starts, line) - 1
        for top in self._sorted[at : at + 1] if at >= 0 else ():
            if top.site.first == line and top.site.name == name:  # nothing inside it can start there by that name
                return [TopPlace(top, 0, top.site)]
            if line <= top.site.end:
                return [
                    TopPlace(top, number, site)
                    for number, site in enumerate(self._inner(top))
                    if site.first == line and site.name == name
                ]
        return self._outer_lambdas().get(line, []) if name == _LAMBDA else []

    def _by_qualname(self, qualname: str) -> list[TopPlace]:
        """The only definition of this name, for lines that have moved since the import."""
        found = self.named(qualname)
        return [TopPlace(found[0], 0, found[0].site)] if len(found) == 1 else []

    def _inner(self, top: Top) -> list[Site]:
        """The definition itself and everything that is defined in it, in a fixed order."""
        sites = self._sites.get(top)
        if sites is None:
            sites = self._sites[top] = self.outline.sites(top.number)
        return sites

    def _outer_lambdas(self) -> dict[int, list[TopPlace]]:
        """The lambdas outside any definition, by line."""
        if self._lambdas is None:
            self._lambdas = {}
            for number, site in enumerate(self.outline.lambdas()):
                self._lambdas.setdefault(site.line, []).append(TopPlace(None, number, site))
        return self._lambdas


class Sources:
    """Reader of source files, with a memo or without."""

    def __init__(self, memo: Memo | None = None, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        self.quiet: QuietFiles | None = None
        self._memo = memo
        self._known: dict[str, SourceFile | None] = {}

    def read(self, path: str) -> SourceFile | None:
        """The file as it was on disk at the first call, or None if it is not Python source."""
        if path not in self._known:
            self._known[path] = self._read(path)
        return self._known[path]

    def imports_of_quiet(self, path: str) -> list[Import] | None:
        """Everything that a file imports, if it is known that nothing else happens at its top."""
        content = self.disk.read(path, keep=True) if self.quiet is not None else None
        return None if content is None or self.quiet is None else self.quiet.imports(content)

    def _read(self, path: str) -> SourceFile | None:
        content = self.disk.read(path, keep=True)
        if content is None:
            return None
        known = _FILES.get(path)
        source = known[1] if known is not None and known[0] is content else _load(path, content, self._memo)
        if source is not None and self._memo is not None and source.memo is not self._memo:
            source = _packed(source, self._memo)
        if source is not None and self.quiet is not None:
            self.quiet.add(content, source.outline)
        _FILES[path] = (content, source)
        return source


_FILES: dict[str, tuple[bytes, SourceFile | None]] = {}
"""The source files by path, each with its content: all fingerprints of a process share them."""


def _load(path: str, content: bytes, memo: Memo | None) -> SourceFile | None:
    if memo is not None:
        key = memo_key(content)
        kept = unpack_outline(memo.get(key), key)
        if kept is not None:
            source = SourceFile(path, content, kept)
            source.memo = memo
            return source
    try:
        return SourceFile(path, content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _packed(source: SourceFile, memo: Memo) -> SourceFile:
    """The same file with its outline from the bytes that are put into the memo: a tree takes a lot of memory."""
    key = memo_key(source.content)
    outline = source.outline if isinstance(source.outline, TreeOutline) else TreeOutline(source.parsed)
    packed = pack_outline(outline, key)
    memo.put(key, packed)
    source = SourceFile(source.path, source.content, unpack_outline(packed, key))
    source.memo = memo
    return source


def _enclosing(places: list[TopPlace], code: CodeType) -> list[TopPlace]:
    """Several on one line: the smallest whose body holds all positions of the code."""
    spots = [
        (line, column, end, end_column)
        for line, end, column, end_column in code.co_positions()
        if line is not None and end is not None and column is not None and end_column is not None
        if (column, end_column) != (0, 0)
    ]
    fitting = []
    for place in places:
        start, stop = place.site.body[:2], place.site.body[2:]
        if spots and all(start <= spot[:2] and spot[2:] <= stop for spot in spots):
            fitting.append(((stop[0] - start[0], stop[1] - start[1]), place))
    fitting.sort(key=lambda pair: pair[0])
    return [pair[1] for pair in fitting]
