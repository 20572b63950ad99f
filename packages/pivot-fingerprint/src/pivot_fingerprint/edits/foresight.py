"""The effects of an edit on fingerprints, from the texts of files alone: certain ones, and those that are unknown."""

import ast
import builtins
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.edits.import_names import ImportNames, last_part
from pivot_fingerprint.edits.text_changes import Definition, Lines, SourceText, TextChange, text_changes
from pivot_fingerprint.manifest import Entry
from pivot_fingerprint.syntax.parsed import first_line

__pivot_module__ = "pivot_fingerprint"

_ALWAYS_IMPORTED: Final = frozenset(
    {"collections", "functools", "itertools", "json", "math", "operator", "os", "pathlib", "re", "sys", "typing"}
)
"""Modules whose first import by the user's code changes nothing."""
_READING_DOCS: Final = frozenset({"__doc__", "getdoc", "cleandoc", "help"})
_OPTING_OUT: Final = "no_fingerprint"
_LONGEST_NAME: Final = 200


class EditEffect(NamedTuple):
    """The effect of an edit on one fingerprint.

    `kind` is ``changed`` if it differs for certain, ``same`` if it does not, and ``unknown`` if that cannot be said
    without an import, for the `reason`. `names` are the changed names that its code contains, with their files.
    `entries` has the changed entries by key: their new places, and digests that no code has; None for one that is gone.
    """

    kind: Literal["changed", "same", "unknown"]
    reason: str = ""
    names: tuple[str, ...] = ()
    entries: Mapping[str, Entry | None] = {}


class _Change(NamedTuple):
    """A change of a name in a file."""

    file: str
    change: TextChange

    def __str__(self) -> str:
        return f"`{self.change.name}` in {self.file}"


class Foresight:
    """The effects of one edit, for many fingerprints.

    Attributes:
        unclear: Why an import may do something else after the edit; empty if it does the same, and only code that it
            does not run is another.
    """

    def __init__(self, texts: Mapping[str, SourceText], changes: tuple[_Change, ...], unclear: str) -> None:
        """Take over the findings of `foresee`."""
        self.unclear = unclear
        self._texts = texts
        self._changes = changes
        self._files = {each.file for each in changes}
        self._identifiers: dict[tuple[str, int, int], frozenset[str]] = {}

    def effect(self, entries: Mapping[str, Entry]) -> EditEffect:
        """The effect on a fingerprint with these entries, from an import before the edit."""
        changed: dict[str, Entry | None] = {}
        names: dict[str, None] = {}
        reasons = [self.unclear]
        for key, entry in entries.items():
            if entry.file in self._files and key.startswith("module:"):
                changed[key] = entry._replace(digest=_digest(key))
                names[f"anything in {entry.file}"] = None
            for each in self._changes:
                found = _relation(each, key, entry)
                if found:
                    names[str(each)] = None
                if found == "changed":
                    changed[key] = _edited(key, entry, each.change.new)
                elif found:
                    reasons.append(f"{key} may contain {each}")
        reasons += (f"its code has the name of {each}" for each in self._values_in(entries) if str(each) not in names)
        reason = next(filter(None, reasons), "")
        return EditEffect("unknown" if reason else "changed" if changed else "same", reason, tuple(names), changed)

    def _values_in(self, entries: Mapping[str, Entry]) -> Iterator[_Change]:
        """The changed values whose names are in the lines of some entries, although they may have no entry."""
        values = [
            each for each in self._changes if each.change.kind.startswith("const") and each.change.old is not None
        ]
        found = self._mentioned(entries.values()) if values else frozenset()
        yield from (each for each in values if each.change.name in found)

    def _mentioned(self, entries: Iterable[Entry]) -> frozenset[str]:
        """The names in the lines of some entries."""
        found: set[str] = set()
        for entry in entries:
            if entry.file in self._texts:
                place = (entry.file or "", entry.start or 0, entry.end or 0)
                if place not in self._identifiers:
                    tree = self._texts[place[0]].parsed.tree
                    held = [each for each in tree.body if not place[1] or _overlap(each, place[1], place[2])]
                    self._identifiers[place] = frozenset(name for each in held for name in _identifiers(each))
                found |= self._identifiers[place]
        return frozenset(found)


def foresee(sources: Mapping[str, bytes], edited: Mapping[str, bytes | None]) -> Foresight:
    """The effects of an edit of source files on fingerprints, without an import of it.

    Args:
        sources: The content of each file of the user's that an import and the fingerprints have read, by path.
        edited: The content of some of them after the edit; None for one that is deleted.
    """
    texts: dict[str, SourceText] = {}
    try:
        for path, content in sources.items():
            texts[path] = SourceText(content)
        return _foresee(texts, edited)
    except (SyntaxError, ValueError):
        return _unknown(f"{path} is not Python source")
    except (RecursionError, MemoryError):
        return _unknown("the source is nested too deep")


def _foresee(texts: Mapping[str, SourceText], edited: Mapping[str, bytes | None]) -> Foresight:
    changes: list[_Change] = []
    after = dict(texts)
    docs = ""
    for path, content in sorted(edited.items()):
        if content is None:
            return _unknown(f"{path} is deleted")
        try:
            after[path] = SourceText(content)
        except (SyntaxError, ValueError) as error:
            return _unknown(f"{path} would no longer be Python source: {error}")
        found = text_changes(texts[path], after[path])
        if found.unclear:
            return _unknown(f"in {path}, {found.unclear}")
        docs = docs or (path if found.docs else "")
        changes += (_Change(path, each) for each in found.changes)
    reason = _Judgement(texts, after).reason(changes, docs)
    return Foresight(texts, tuple(changes), reason)


def _unknown(reason: str) -> Foresight:
    return Foresight({}, (), reason)


class _Judgement:
    """Decides whether an import does the same after an edit, except for code that it does not run."""

    def __init__(self, before: Mapping[str, SourceText], after: Mapping[str, SourceText]) -> None:
        self._before = before
        self._after = after
        self._words = {path: frozenset(_identifiers(text.parsed.tree)) for path, text in before.items()}
        self._words_after = {path: frozenset(_identifiers(text.parsed.tree)) for path, text in after.items()}
        self._names = ImportNames(before)

    def reason(self, changes: Iterable[_Change], docs: str) -> str:
        """Why it may do something else; empty if it does the same."""
        every = frozenset[str]().union(*self._words.values())
        if _OPTING_OUT in every:
            return f"`{_OPTING_OUT}` leaves some code out of fingerprints, and lets other files count"
        if docs and not _READING_DOCS.isdisjoint(every):
            return f"{docs} has other docstrings, and some code reads docstrings"
        reasons = (self._reason(each) for each in changes)
        return next(filter(None, reasons), "") or (self._names.unclear if changes else "")

    def _reason(self, each: _Change) -> str:
        change = each.change
        is_new, is_gone = change.old is None, change.new is None
        if (is_new or is_gone) and any(text.parsed.stars for text in self._before.values()):
            return f"{each} is new or gone, and `import *` takes over all names"
        if change.kind == "import":
            return self._of_import(each)
        if is_new and (self._is_used(change.name, self._words) or hasattr(builtins, change.name)):
            return f"{each} is new, and other code has this name already"
        if is_gone and self._is_used(change.name, self._words_after):
            return f"{each} is gone, and other code still has this name"
        return "" if is_new else self._of_known(each)

    def _is_used(self, name: str, words: Mapping[str, frozenset[str]]) -> bool:
        return any(name in each for each in words.values())

    def _of_known(self, each: _Change) -> str:
        """Why the import may use a name that it has already."""
        name = each.change.name
        tops = [top for top in self._before[each.file].parsed.tops if top.name == name]
        if name in self._names.used or any(map(self._names.follows, tops)):
            return f"{each} may be used by the import itself"
        return ""

    def _of_import(self, each: _Change) -> str:
        """Why a new import may do more than bind a name to what is there already."""
        change = each.change
        modules = {last_part(path) for path in self._before}
        trees = (text.parsed.tree for path, text in self._before.items() if path != each.file)
        others = (_outside_names(tree, modules) for tree in trees)
        if change.name in self._words[each.file] or any(change.name in names for names in others):
            return f"{each} is a new import, and other code has this name already"
        if change.module in _ALWAYS_IMPORTED and not any(change.module in path for path in self._before):
            return ""
        homes = [path for path in self._after if last_part(path) == change.module.rpartition(".")[2]]
        is_known = any(
            isinstance(one, ast.ImportFrom) and f"{'.' * one.level}{one.module or ''}" == change.module
            for one in self._before[each.file].parsed.tree.body
        )
        bound = self._after[homes[0]].parsed.bindings if len(homes) == 1 else {}
        if is_known and change.member in bound:
            return ""
        return f"{each} is a new import, which may run other code"


def _relation(each: _Change, key: str, entry: Entry) -> Literal["changed", "unknown", ""]:
    """How a change concerns an entry."""
    change, old = each.change, each.change.old
    if entry.file != each.file or old is None or entry.line is None or key.startswith("module:"):
        return ""
    kind, _, name = key.partition(":")
    is_name = change.kind.startswith(kind) and name.partition(":")[2] == change.name
    if is_name and (entry.line, entry.start, entry.end) == (old.line, old.first, old.end):
        return "changed"
    first, last = entry.start or entry.line, entry.end or entry.line
    return "unknown" if first <= old.end and old.first <= last else ""


def _edited(key: str, entry: Entry, new: Lines | None) -> Entry | None:
    """An entry after the edit, with a digest that no code has."""
    if new is None:
        return None
    return entry._replace(digest=_digest(key), line=new.line, start=new.first, end=new.end)


def _digest(key: str) -> str:
    return xxh3_128_hexdigest(f"edited {key}".encode("utf-8", "surrogatepass"))


def _identifiers(node: ast.AST) -> Iterator[str]:
    """All names in some code, also those in texts."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.arg):
            yield each.arg
        elif isinstance(each, Definition):
            yield each.name
        elif isinstance(each, ast.Global | ast.Nonlocal):
            yield from each.names
        elif isinstance(each, ast.MatchAs | ast.MatchStar | ast.ExceptHandler):
            yield each.name or ""
        elif isinstance(each, ast.alias):
            yield each.asname or each.name.partition(".")[0]
    yield from _outside_names(node)


def _outside_names(node: ast.AST, modules: Iterable[str] | None = None) -> set[str]:
    """The names by which some code may find a name of another file, one of these ``modules`` if they are given."""
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute):
            found.add(each.attr)
        elif isinstance(each, ast.ImportFrom):
            found.update(alias.name for alias in each.names)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str) and len(each.value) < _LONGEST_NAME:
            *path, name = each.value.replace(":", ".").split(".")
            if modules is None or not path or not set(path).isdisjoint(modules):
                found.update((*path, name))
    return found


def _overlap(node: ast.stmt, first: int, last: int) -> bool:
    start = first_line(node) if isinstance(node, Definition) else node.lineno
    return start <= last and first <= (node.end_lineno or node.lineno)
