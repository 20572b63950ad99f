"""Memo of the statements at the top of a file and of the effects of its definitions."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from pivot_fingerprint.imports.statements import BodyEffects, Statement, Statements, body_effects, read_statements
from pivot_fingerprint.sources.memo import Memo, form_from_json, form_to_json
from pivot_fingerprint.sources.source_file import SourceFile
from pivot_fingerprint.syntax.name_changes import NameChange
from pivot_fingerprint.syntax.scopes import Import


def statements_of(source: SourceFile) -> Statements:
    """The statements at the top of a file, from its memo if there is one."""
    memo = source.memo
    if memo is None:
        return Statements(*read_statements(source.parsed), partial(_body, source))
    imports, *every = source.memoised(memo, "statements", lambda: _lines(source))
    return Statements([_statement(raw) for raw in every], _imports(imports), _Bodies(source, memo))


class _Bodies:
    """The effects of all definitions of a file, computed at the first lookup."""

    def __init__(self, source: SourceFile, memo: Memo) -> None:
        self._source = source
        self._memo = memo
        self._known: list[Any] | None = None

    def __call__(self, number: int) -> BodyEffects:
        if self._known is None:
            self._known = self._source.memoised(self._memo, "bodies", self._lines)
        assigns, changes, aliases, writes = self._known[number]
        return BodyEffects(frozenset(assigns), _changes(changes), aliases, writes)

    def _lines(self) -> Iterable[object]:
        for top in self._source.tops:
            done = _body(self._source, top.number)
            yield [sorted(done.assigns), done.changes, done.aliases, done.writes]


def _body(source: SourceFile, number: int) -> BodyEffects:
    refs = source.form(source.tops[number]).refs
    return body_effects(source.parsed.tops[number], frozenset(ref.root for ref in refs if isinstance(ref.root, str)))


def _lines(source: SourceFile) -> Iterable[object]:
    every, imports = read_statements(source.parsed)
    yield imports
    for each in every:
        sets = {"binds": sorted(each.binds), "called": sorted(each.called)}
        yield each._asdict() | sets | {"form": form_to_json(each.form)}


def _statement(raw: dict[str, Any]) -> Statement:
    raw["binds"], raw["called"] = frozenset(raw["binds"]), frozenset(raw["called"])
    raw["changes"], raw["alias"], raw["tried"] = _changes(raw["changes"]), tuple(raw["alias"]), _imports(raw["tried"])
    return Statement(**raw | {"form": form_from_json(raw["form"])})


def _changes(raw: Any) -> tuple[NameChange, ...]:
    return tuple([NameChange(tuple(chain), steps, passed) for chain, steps, passed in raw])


def _imports(raw: Any) -> tuple[Import, ...]:
    return tuple([Import(*each) for each in raw])
