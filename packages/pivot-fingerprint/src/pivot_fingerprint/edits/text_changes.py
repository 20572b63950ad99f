"""The changes between two texts of a source file, as far as an import of them differs only in what is named here."""

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pivot_fingerprint.syntax.form import Form, scalar
from pivot_fingerprint.syntax.parsed import Parsed, TreeOutline, first_line

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
type _Key = tuple[str, str]
type _Placed = tuple["SourceText", ast.stmt]

_SCALARS = (str, bytes, int, float, complex, bool, type(None))


class Lines(NamedTuple):
    """The lines of a definition or an assignment: that of its name, the first and the last."""

    line: int
    first: int
    end: int


class TextChange(NamedTuple):
    """A name at the top of a file whose code differs; ``old`` or ``new`` is None where it is missing.

    Only its docstrings differ if both are None.

    `kind` is that of the key of its entry; ``import`` for a new import, of `member` if that is not empty.
    """

    kind: str
    name: str
    old: Lines | None
    new: Lines | None
    module: str = ""
    member: str = ""
    docs: bool = False


class TextChanges(NamedTuple):
    """All changes between two texts; if `unclear` is not empty, it says why an import may do something else."""

    changes: tuple[TextChange, ...] = ()
    docs: bool = False  # docstrings differ
    unclear: str = ""


class SourceText:
    """A text of a source file, with its syntax tree.

    Raises:
        SyntaxError: It is not Python.
    """

    def __init__(self, content: bytes) -> None:
        self.parsed = Parsed(content)
        self.outline = TreeOutline(self.parsed)
        self.bound_in_expressions = frozenset(_bound_in_expressions(self.parsed.tree))

    def form(self, node: Definition) -> Form:
        """The canonical form of a definition at the top."""
        return self.outline.top_form(self.parsed.tops.index(node))


def text_changes(old: SourceText, new: SourceText) -> TextChanges:
    """The changes from one text to another."""
    before, after = _by_key(old), _by_key(new)
    common = [key for key in before if key in after]
    if common != [key for key in after if key in before]:
        return TextChanges(unclear="the order of statements is another")
    docs = ast.get_docstring(old.parsed.tree) != ast.get_docstring(new.parsed.tree)
    compared = [
        *(_removed(key, each) for key, each in before.items() if key not in after),
        *(_added(key, each) for key, each in after.items() if key not in before),
        *(_compared(key, (old, before[key]), (new, after[key])) for key in common),
    ]
    unclear = next((each for each in compared if isinstance(each, str)), "")
    if unclear:
        return TextChanges(unclear=unclear)
    changes = [each for each in compared if isinstance(each, TextChange)]
    docs = docs or any(each.docs for each in changes)
    return TextChanges(tuple(each for each in changes if each.old or each.new), docs)


def _removed(key: _Key, statement: ast.stmt) -> TextChange | str:
    """The change without a statement; or why an import may do something else then, even if nothing uses its name."""
    is_plain = isinstance(statement, Function) and key[0] == "func" and not statement.decorator_list
    if is_plain or key[0].startswith("const"):
        return TextChange(*key, old=_lines(statement), new=None)
    return _unclear(statement, "is changed or removed")


def _added(key: _Key, statement: ast.stmt) -> TextChange | str:
    """The change by a statement that does nothing but bind a name; or why it may do more."""
    kind, name = key
    if kind == "import":
        module, member, bound = name.removesuffix(" again").split(" ")
        return TextChange(kind, bound, None, _lines(statement), module, member)
    if kind.startswith("const") or (kind == "func" and isinstance(statement, Function) and _is_plain(statement)):
        return TextChange(kind, name, None, _lines(statement))
    return _unclear(statement, "is changed or new")


def _compared(key: _Key, old: _Placed, new: _Placed) -> TextChange | str | None:
    """The change of a statement that is in both texts; why an import may do something else; or None."""
    one, two = old[1], new[1]
    if key[0].startswith("const") and _literal(one) != _literal(two):
        return TextChange(*key, old=_lines(one), new=_lines(two))
    if not isinstance(one, Definition) or not isinstance(two, Definition) or key[0] == "other":
        return None
    if _head(one) != _head(two):
        return _unclear(two, "is changed in more than the code that its calls run")
    ones, twos = old[0].form(one), new[0].form(two)
    if ones.digest != twos.digest:
        return TextChange(*key, old=_lines(one), new=_lines(two), docs=ones.docs != twos.docs)
    if _further(ones) != _further(twos):
        return _unclear(two, "is changed in annotations, which some libraries read")
    return TextChange(*key, old=None, new=None, docs=True) if ones.docs != twos.docs else None


def _bound_in_expressions(tree: ast.Module) -> Iterator[str]:
    """The names that are bound by other code than statements whose only purpose that is."""
    for each in ast.walk(tree):
        if isinstance(each, ast.NamedExpr):
            yield each.target.id
        elif isinstance(each, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            yield each.name or ""
        elif isinstance(each, ast.MatchMapping):
            yield each.rest or ""


def _unclear(statement: ast.stmt, what: str) -> str:
    if isinstance(statement, Definition):
        return f"`{statement.name}` in line {statement.lineno} {what}"
    return f"line {statement.lineno} {what}, and an import runs it"


def _by_key(text: SourceText) -> dict[_Key, ast.stmt]:
    """The statements at the top by what they bind; others by their content, numbered if there are equal ones."""
    found: dict[_Key, ast.stmt] = {}
    for statement in text.parsed.tree.body:
        if _is_silent(statement):
            continue
        for kind, name in _keys(text, statement):
            while (kind, name) in found:
                name += " again"  # noqa: PLW2901
            found[kind, name] = statement
    return found


def _is_silent(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _keys(text: SourceText, statement: ast.stmt) -> Iterator[_Key]:
    if isinstance(statement, ast.ImportFrom):
        module = f"{'.' * statement.level}{statement.module or ''}"
        yield from (("import", f"{module} {each.name} {each.asname or each.name}") for each in statement.names)
        return
    if isinstance(statement, ast.Import):
        for each in statement.names:
            yield "import", f"{each.name}  {each.asname or each.name.partition('.')[0]}"
        return
    if isinstance(statement, ast.ClassDef):
        kind, name = "class", statement.name
    elif isinstance(statement, Function):
        kind, name = "func", statement.name
    elif (target := _target(statement)) is not None and _literal(statement) is not None:
        kind, name = f"const{_annotation(statement)}", target
    else:
        kind, name = "other", ""
    alone = len(text.parsed.bindings.get(name, ())) == 1 and not text.parsed.stars  # these may bind it again
    is_special = name in text.bound_in_expressions or (name.startswith("__") and name.endswith("__"))
    yield (kind, name) if alone and not is_special else ("other", ast.dump(statement))


def _target(statement: ast.stmt) -> str | None:
    """The only name that an assignment binds."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def _literal(statement: ast.stmt) -> str | None:
    """The number or text that an assignment binds, as text; None for other values."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub) and isinstance(value.operand, ast.Constant):
        number = value.operand.value
        return scalar(-number) if isinstance(number, int | float) and not isinstance(number, bool) else None
    return scalar(value.value) if isinstance(value, ast.Constant) and isinstance(value.value, _SCALARS) else None


def _annotation(statement: ast.stmt) -> str:
    return ast.dump(statement.annotation) if isinstance(statement, ast.AnnAssign) else ""


def _is_plain(node: Function) -> bool:
    """Whether a definition evaluates nothing but its own name."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    annotated = [node.returns, *(each.annotation for each in every if each is not None)]
    defaults = [*arguments.defaults, *arguments.kw_defaults]
    return (
        not node.decorator_list
        and not node.type_params
        and all(each is None or isinstance(each, ast.Constant) for each in defaults)
        and all(map(_is_builtin, annotated))
    )


def _is_builtin(annotation: ast.expr | None) -> bool:
    """Whether an annotation names types without modules only, such as ``list[int] | None``."""
    names = {"int", "str", "float", "bool", "bytes", "complex", "list", "dict", "tuple", "set", "frozenset", "object"}
    if annotation is None:
        return True
    shapes = (ast.Name, ast.Constant, ast.Subscript, ast.Tuple, ast.BinOp, ast.BitOr, ast.Load)
    return all(
        isinstance(each, shapes) and (not isinstance(each, ast.Name) or each.id in names)
        for each in ast.walk(annotation)
    )


def _head(node: Definition) -> list[str]:
    """Everything of a definition that is evaluated before its functions are called."""
    shared = [type(node).__name__, *map(ast.dump, node.decorator_list), *map(ast.dump, node.type_params)]
    if isinstance(node, ast.ClassDef):
        return [*shared, *map(ast.dump, node.bases), *map(ast.dump, node.keywords), *_members(node.body)]
    return [*shared, ast.dump(node.args), "" if node.returns is None else ast.dump(node.returns)]


def _members(body: Sequence[ast.stmt]) -> Iterator[str]:
    for each in body:
        if isinstance(each, Definition):
            yield each.name
            yield from _head(each)
        elif not _is_silent(each):
            yield ast.dump(each)


def _further(form: Form) -> tuple[object, ...]:
    """The parts of a form besides its text, without places."""
    refs = frozenset((ref.root, ref.attrs, ref.weak) for ref in form.refs)
    return refs, form.reads, tuple(each.form.digest for each in form.signatures), [each.reason for each in form.issues]


def _lines(statement: ast.stmt) -> Lines:
    first = first_line(statement) if isinstance(statement, Definition) else statement.lineno
    return Lines(statement.lineno, first, statement.end_lineno or statement.lineno)
