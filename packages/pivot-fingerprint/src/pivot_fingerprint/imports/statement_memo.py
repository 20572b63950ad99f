"""The statements at the top of a file and the effects of its definitions: with a memo, once for each content."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pivot_fingerprint.imports import statements as statements_of
from pivot_fingerprint.imports.statements import Body, Statement, Statements
from pivot_fingerprint.sources.memo import Memo, decoded, form_of, key_of, packed, plain, unpacked
from pivot_fingerprint.sources.source_file import SourceFile
from pivot_fingerprint.syntax.name_changes import NameChange
from pivot_fingerprint.syntax.scopes import Import


def statements(source: SourceFile) -> Statements:
    """The statements of a file."""
    memo = source.kept_by
    if memo is None:
        return Statements(*statements_of.look(source.parsed), partial(_body, source))
    imports, *every = _kept(source, memo, "statements", lambda: _lines(source))
    return Statements([_statement(raw) for raw in every], _imports(imports), _Bodies(source, memo))


class _Bodies:
    """The effects of all definitions of a file, computed at the first lookup."""

    def __init__(self, source: SourceFile, memo: Memo) -> None:
        self._source = source
        self._memo = memo
        self._known: list[Any] | None = None

    def __call__(self, number: int) -> Body:
        if self._known is None:
            self._known = _kept(self._source, self._memo, "bodies", self._lines)
        assigns, changes, aliases, writes = self._known[number]
        return Body(frozenset(assigns), _changes(changes), aliases, writes)

    def _lines(self) -> Iterable[object]:
        for top in self._source.tops:
            done = _body(self._source, top.number)
            yield [sorted(done.assigns), done.changes, done.aliases, done.writes]


def _body(source: SourceFile, number: int) -> Body:
    refs = source.form(source.tops[number]).refs
    return statements_of.body(
        source.parsed.tops[number], frozenset(ref.root for ref in refs if isinstance(ref.root, str))
    )


def _kept(source: SourceFile, memo: Memo, kind: str, make: Callable[[], Iterable[object]]) -> list[Any]:
    key = key_of(source.content, kind)
    lines = unpacked(memo.get(key), key)
    if lines is None:
        made = packed(make(), key)
        memo.put(key, made)
        lines = unpacked(made, key) or []
    return [decoded(line) for line in lines if line]


def _lines(source: SourceFile) -> Iterable[object]:
    every, imports = statements_of.look(source.parsed)
    yield imports
    for each in every:
        sets = {"binds": sorted(each.binds), "called": sorted(each.called)}
        yield each._asdict() | sets | {"form": plain(each.form)}


def _statement(raw: dict[str, Any]) -> Statement:
    raw["binds"], raw["called"] = frozenset(raw["binds"]), frozenset(raw["called"])
    raw["changes"], raw["alias"], raw["tried"] = _changes(raw["changes"]), tuple(raw["alias"]), _imports(raw["tried"])
    return Statement(**raw | {"form": form_of(raw["form"])})


def _changes(raw: Any) -> tuple[NameChange, ...]:
    return tuple([NameChange(tuple(chain), steps, passed) for chain, steps, passed in raw])


def _imports(raw: Any) -> tuple[Import, ...]:
    return tuple([Import(*each) for each in raw])
