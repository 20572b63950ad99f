"""Facts about the text of one module: what each of its names stands for, and what importing it does; as plain data."""

import ast
import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.scripts.defining import Defining, is_main
from pivot_fingerprint.scripts.lookups import Lookups, class_imports, global_imports, loading_refs, tried_imports
from pivot_fingerprint.scripts.path_changes import PathChange, path_changes
from pivot_fingerprint.scripts.statement_order import StatementOrder
from pivot_fingerprint.sources.memo import Memo, decode_line, memo_key, pack, unpack
from pivot_fingerprint.syntax.canonical import canonical, is_silent
from pivot_fingerprint.syntax.form import Form, Ref, merged
from pivot_fingerprint.syntax.parsed import Parsed, first_line, literal_binding, walk
from pivot_fingerprint.syntax.scopes import Import, imports, literal_import
from pivot_fingerprint.syntax.statement_acts import imported, is_type_checking

_KIND = "script 8"
"""Of these results in a memo: raise the number with every change of their content or format."""
_HEAD = 9  # statements among which imports from `__future__` are
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Part(NamedTuple):
    """A piece of a module's code, with everything that its digest and the walk need.

    Attributes:
        kind: ``func``, ``class``, ``const``, ``effects`` or ``module``.
        line: The line of its definition.
        start: Its first line.
        end: Its last line.
        digest: The digest of its canonical form.
        docs: The digest of its docstrings, which count if some code reads docstrings.
        signature: The digest of its annotations, which count if something may read them; empty without any.
        refs: The names that it uses: of the module, or of its own imports.
        annotated: The names that only its annotations use.
        issues: The lines in it that cannot be followed, and the reasons.
        reads: As in `Form`, also `SUBCLASSES` and `OWN_TEXT`.
        looks: `NAMES` if it may look up any name of its module by a text, `MODULES` if also those of other modules.
        tried: The imports whose failure it handles.
        later: The imports that follow it, if it may depend on their effects.
    """

    kind: str
    line: int
    start: int
    end: int
    digest: str
    docs: str
    signature: str
    refs: tuple[Ref, ...]
    annotated: tuple[Ref, ...]
    issues: tuple[tuple[int, str], ...]
    reads: tuple[str, ...]
    looks: str
    tried: tuple[Import, ...]
    later: tuple[Import, ...]


class ModuleFacts(NamedTuple):
    """The facts about one text.

    Attributes:
        names: The parts by the names that they define.
        effects: The statements that do more than define.
        main: The block that runs only if the module is the program.
        whole: All of it.
        reached: The names of definitions that are handed to other code when they are made.
        subclasses: The bases of classes that are so handed on if their bases are, which are imported.
        imports: The imports that importing it runs.
        main_imports: Those of the block ``main``.
        targets: The targets of each name that imports bind.
        stars: The modules of its star imports.
        exported: The names in its ``__all__``; None without one that is a literal.
        paths: Its changes of `sys.path`.
        docs: Its docstring.
        text: The digest of its bytes.
        late_imports: The imports that follow statements with effects, and the number of these.
        orders: The order of the statements that bind a name, where it has several.
        places: The numbers of the statements that bind each name; empty without star imports.
        star_places: Those of the star imports.
        bound: All names that it binds other than by star imports.
    """

    names: dict[str, Part]
    effects: Part | None
    main: Part | None
    whole: Part
    reached: tuple[str, ...]
    imports: tuple[Import, ...]
    main_imports: tuple[Import, ...]
    targets: dict[str, tuple[Import, ...]]
    stars: tuple[Import, ...]
    exported: tuple[str, ...] | None
    paths: tuple[PathChange, ...]
    docs: str
    text: str
    bound: frozenset[str]
    subclasses: dict[str, tuple[tuple[str, tuple[str, ...]], ...]]
    late_imports: tuple[tuple[Import, int], ...]
    orders: dict[str, str]
    places: dict[str, tuple[int, ...]]
    star_places: tuple[int, ...]

    def to_lines(self) -> Iterator[object]:
        """The facts as plain data, one item a line."""
        yield [list(self.reached), self.imports, self.main_imports, self.targets, self.stars, self.exported]
        yield [self.paths, self.docs, self.text, sorted(self.bound), self.subclasses]
        yield [self.late_imports, self.orders, self.places, self.star_places]
        yield [self.effects, self.main, self.whole]
        yield self.names

    @classmethod
    def from_lines(cls, lines: Sequence[bytes]) -> "ModuleFacts":
        """The facts from such lines."""
        reached, imports, main_imports, targets, stars, exported = decode_line(lines[0])
        paths, docs, text, bound, subclasses = decode_line(lines[1])
        late_imports, orders, places, star_places = decode_line(lines[2])
        effects, main, whole = decode_line(lines[3])
        return cls(
            {name: _part(raw) for name, raw in decode_line(lines[4]).items()},
            None if effects is None else _part(effects),
            None if main is None else _part(main),
            _part(whole),
            tuple(reached),
            tuple(Import(*raw) for raw in imports),
            tuple(Import(*raw) for raw in main_imports),
            {name: tuple(Import(*raw) for raw in several) for name, several in targets.items()},
            tuple(Import(*raw) for raw in stars),
            None if exported is None else tuple(exported),
            tuple(PathChange(*raw) for raw in paths),
            docs,
            text,
            frozenset(bound),
            {name: tuple((root, tuple(attrs)) for root, attrs in bases) for name, bases in subclasses.items()},
            tuple((Import(*raw), number) for raw, number in late_imports),
            orders,
            {name: tuple(several) for name, several in places.items()},
            tuple(star_places),
        )


def facts_of(content: bytes, memo: Memo | None) -> ModuleFacts | None:
    """The facts about a text, from a memo if it has them; None if it is not Python."""
    key = memo_key(content, _KIND) if memo is not None else b""
    lines = unpack(memo.get(key), key) if memo is not None else None
    if lines is not None:
        return ModuleFacts.from_lines(lines)
    try:
        facts = _facts(Parsed(content), content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if memo is not None:
        memo.put(key, pack(facts.to_lines(), key))
    return facts


def _facts(parsed: Parsed, content: bytes) -> ModuleFacts:
    defining, lookups = Defining(parsed), Lookups(parsed.tree, content)
    body = [node for node in parsed.tree.body if not is_silent(node) and not _for_type_checkers(node)]
    main = [node for node in body if is_main(node)]
    values: dict[str, list[ast.stmt]] = {}
    effects: list[ast.stmt] = []
    for node in body:
        given = defining.value(node)
        for name in given or ():
            values.setdefault(name, []).append(node)
        if given is None and node not in main and not isinstance(node, (*_DEFINITIONS, ast.Import, ast.ImportFrom)):
            effects.append(node)
    order = StatementOrder(parsed, effects)
    names = {name: _part_of(parsed, lookups, "const", nodes, order=order) for name, nodes in values.items()}
    tops: dict[str, list[ast.stmt]] = {}
    for top in parsed.tops:
        tops.setdefault(top.name, []).append(top)
    for name, several in tops.items():
        kind = "class" if isinstance(several[-1], ast.ClassDef) else "func"
        names[name] = _part_of(parsed, lookups, kind, [*values.get(name, ()), *several], order=order)
    handed_on = {top.name for top in parsed.tops if not defining.definition(top)}
    alone = [several[0] for several in tops.values() if len(several) == 1]
    based = {top.name: defining.imported_bases(top) for top in alone if isinstance(top, ast.ClassDef)}
    subclasses = {name: tuple(bases) for name, bases in based.items() if bases}
    added = list(global_imports(parsed.tree)) if lookups.may_bind else []
    exported = literal_binding(parsed.bindings.get("__all__", ()))
    handed = exported[0] if exported is not None else None
    return ModuleFacts(
        names=names,
        effects=_part_of(parsed, lookups, "effects", effects, order=order) if effects else None,
        main=_part_of(parsed, lookups, "effects", main, order=order, is_main=True) if main else None,
        whole=_part_of(parsed, lookups, "module", _with_sorted_imports(body), order=order),
        reached=tuple(sorted(handed_on - subclasses.keys())),
        imports=_imports(parsed.tree, [node for node in body if node not in main]),
        main_imports=_imports(ast.Module(body=[each for node in main for each in _block(node)]), main),
        targets=_targets(parsed, added),
        stars=tuple(Import(star.level, star.module or "", None) for star in parsed.stars),
        exported=tuple(map(str, handed)) if isinstance(handed, list | tuple) else None,
        paths=tuple(path_changes(parsed.tree)),
        docs=ast.get_docstring(parsed.tree, clean=False) or "",
        text=xxh3_128_hexdigest(content),
        bound=(frozenset(parsed.bindings) | {name for name, _ in added}) - {"*"},
        subclasses=subclasses,
        late_imports=tuple(order.late_imports()),
        orders=order.orders,
        places=order.places,
        star_places=order.stars,
    )


def _for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and is_type_checking(node.test) and not node.orelse


def _block(node: ast.stmt) -> list[ast.stmt]:
    return node.body if isinstance(node, ast.If) else []


def _part_of(
    parsed: Parsed,
    lookups: Lookups,
    kind: str,
    nodes: Sequence[ast.stmt],
    *,
    order: StatementOrder,
    is_main: bool = False,
) -> Part:
    """The part of some statements; effects are without the definitions in their blocks, which count by themselves."""
    bare = kind == "effects"
    shown = [_without_definitions(node) for node in nodes] if bare else nodes
    form = canonical(shown, walrus=parsed.walrus)
    docs = ast.get_docstring(parsed.tree, clean=False) or "" if kind == "module" else ""
    annotations = [each.form for each in form.signatures]
    last = nodes[-1] if nodes else None
    return Part(
        kind,
        line=last.lineno if last is not None and not bare else nodes[0].lineno if nodes else 1,
        start=min((_first(node) for node in nodes), default=1),
        end=max((node.end_lineno or node.lineno for node in nodes), default=1),
        digest=_digest_of(form.digest, list(order.texts(kind, nodes, is_main=is_main))),
        docs=xxh3_128_hexdigest(form.docs + docs.encode("utf-8", "surrogatepass")),
        signature=_digest(annotations, parsed.tree),
        refs=merged([*form.refs, *class_imports(nodes), *(loading_refs(nodes) if lookups.may_bind else ())]),
        annotated=tuple(ref for each in annotations for ref in each.refs),
        issues=tuple(dict.fromkeys((issue.line, issue.reason) for issue in form.issues)),
        reads=tuple(sorted({*form.reads, *lookups.reads(nodes)})),
        looks=max(map(lookups.looks, nodes), key=len, default=""),
        tried=tuple(dict.fromkeys(tried_imports(nodes))),
        later=tuple(dict.fromkeys(each for node in nodes for each in order.later_imports(node))),
    )


def _with_sorted_imports(body: Iterable[ast.stmt]) -> list[ast.stmt]:
    """Statements with imports that follow each other in an order of their own, one for each name.

    Neither their order makes a difference, nor how many of them are in one statement.
    """
    found: list[ast.stmt] = []
    group: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            group |= {ast.dump(each): each for each in _single_imports(node)}
        else:
            found += [*(each for _, each in sorted(group.items())), node]
            group = {}
    return [*found, *(each for _, each in sorted(group.items()))]


def _single_imports(node: ast.Import | ast.ImportFrom) -> Iterator[ast.stmt]:
    for alias in node.names:
        single = (
            ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
        )
        yield ast.copy_location(single, node)


def _digest_of(digest: bytes, texts: Sequence[str]) -> str:
    return (
        xxh3_128_hexdigest("\0".join([digest.hex(), *texts]).encode("utf-8", "surrogatepass"))
        if texts
        else digest.hex()
    )


def _digest(annotations: Sequence[Form], tree: ast.Module) -> str:
    """The digest of annotations, which are texts after an import from `__future__`."""
    postponed = any(each.module == "__future__" for each in tree.body[:_HEAD] if isinstance(each, ast.ImportFrom))
    digests = [b"texts"] * postponed + [form.digest for form in annotations]
    return xxh3_128_hexdigest(b"".join(digests)) if annotations else ""


def _first(node: ast.stmt) -> int:
    return first_line(node) if isinstance(node, _DEFINITIONS) else node.lineno


def _without_definitions(node: ast.stmt) -> ast.stmt:
    """A compound statement without the bodies of definitions in its blocks."""
    if not any(isinstance(each, _DEFINITIONS) for each in walk(node)):
        return node
    bare: ast.stmt = _Bare().visit(copy.deepcopy(node))
    return bare


class _Bare(ast.NodeTransformer):
    def _named(self, node: Any) -> ast.AST:
        return ast.copy_location(ast.Expr(ast.Constant(f"def {node.name}")), node)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _named  # noqa: N815 - names of nodes


def _imports(tree: ast.Module, nodes: Iterable[ast.stmt]) -> tuple[Import, ...]:
    """Everything that these statements import when they run, also by literal names in calls."""
    found = dict.fromkeys(imported(tree))
    for node in nodes:
        if not isinstance(node, _DEFINITIONS):
            found |= dict.fromkeys(each for each in map(literal_import, walk(node)) if each is not None)
    return tuple(found)


def _targets(parsed: Parsed, added: Iterable[tuple[str, Import]]) -> dict[str, tuple[Import, ...]]:
    found: dict[str, dict[Import, None]] = {}
    for name, statements in parsed.bindings.items():
        for node in statements:
            given = imports(node) if isinstance(node, ast.Import | ast.ImportFrom) and name != "*" else ()
            found.setdefault(name, {}).update({target: None for bound, target in given if bound == name})
    for name, target in added:
        found.setdefault(name, {})[target] = None
    return {name: tuple(targets) for name, targets in found.items() if targets}


def _part(raw: Any) -> Part:
    kind, line, start, end, digest, docs, signature, refs, annotated, issues, reads, looks, tried, later = raw
    return Part(
        kind,
        line,
        start,
        end,
        digest,
        docs,
        signature,
        _refs(refs),
        _refs(annotated),
        tuple((at, reason) for at, reason in issues),
        tuple(reads),
        looks,
        tuple(Import(*each) for each in tried),
        tuple(Import(*each) for each in later),
    )


def _refs(raw: Any) -> tuple[Ref, ...]:
    return tuple(
        Ref(root if isinstance(root, str) else Import(*root), tuple(attrs), line, weak)
        for root, attrs, line, weak in raw
    )
