"""Canonical form of syntax trees: a digest and the used names, without positions, comments and spelling."""

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.syntax.form import Form, Issue, Piece, Ref, Signature, joined, scalar
from pivot_fingerprint.syntax.names import Names
from pivot_fingerprint.syntax.node_fields import (
    NODE,
    NODES,
    OPERATOR,
    OPERATOR_TEXTS,
    OPERATORS,
    STATEMENTS,
    TEXTS,
    plan,
)
from pivot_fingerprint.syntax.scopes import COMPREHENSIONS, Scope, is_import_call, literal_import, parameters

_DYNAMIC = {
    "eval": "runs text as code with `eval`",
    "exec": "runs text as code with `exec`",
    "globals": "looks names up in `globals()`",
}
_MAYBE_SILENT = frozenset({ast.Expr, ast.AnnAssign, ast.Pass})
_BY_NAME = frozenset({"getattr", "hasattr", "setattr", "delattr"})
_LOAD = ast.Load
_SPECIAL = _DYNAMIC.keys() | _BY_NAME | {"import_module", "__import__"}
_DISPLAY = {"Plot": frozenset({"kind", "x", "y", "group", "title", "x_label", "y_label"})}
"""By name of an annotation, the keywords that only say how a value is displayed."""
READING = {"__doc__": "docs", "__annotations__": "signatures", "__annotate__": "signatures"}


def canonical(nodes: "_Pending", *, walrus: bool = True) -> Form:
    """The form of statements or expressions at the top of a module.

    `walrus`: whether they may contain a `:=`; otherwise it is faster.
    """
    return joined([piece(nodes, walrus=walrus)])


def piece(nodes: "_Pending", *, walrus: bool = True) -> Piece:
    """The form of statements or expressions as a piece that can be joined with others."""
    writer = _Writer(walrus=walrus)
    writer.run(nodes)
    return writer.piece()


def annotations(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.AnnAssign) -> Form:
    """The form of the annotations of a definition; names in them may be unbound."""
    if isinstance(node, ast.AnnAssign):
        return canonical([node.target, node.annotation])
    nodes: list[ast.AST | str] = []
    for arg in parameters(node.args):
        nodes += [scalar(arg.arg), arg.annotation] if arg.annotation is not None else []
    return canonical(nodes if node.returns is None else [*nodes, node.returns])


def _without_display(node: ast.AnnAssign) -> ast.AnnAssign:
    """A field of a `TypedDict` without the keywords that do not count unless something reads the annotation.

    The same node is returned if it has none.
    """
    match node.annotation:
        case ast.Subscript(value, ast.Tuple(elements), context):
            kept = [_call_without_display(each) for each in elements]
            if all(new is old for new, old in zip(kept, elements, strict=True)):
                return node
            shown = ast.Subscript(value, ast.Tuple(kept, context), context)
            return ast.AnnAssign(node.target, shown, node.value, node.simple)
    return node


def _call_without_display(node: ast.expr) -> ast.expr:
    dropped = _DISPLAY.get(_last_name(node) or "") if isinstance(node, ast.Call) else None
    if not isinstance(node, ast.Call) or dropped is None or not any(each.arg in dropped for each in node.keywords):
        return node
    kept = [each for each in node.keywords if each.arg not in dropped]
    return ast.copy_location(ast.Call(node.func, node.args, kept), node)


def is_silent(node: ast.AST) -> bool:
    """Whether this statement does nothing: `pass`, a docstring or another lone constant, a bare annotation."""
    if type(node) is ast.Expr:
        return type(node.value) is ast.Constant
    if type(node) is ast.AnnAssign:
        return node.value is None
    return type(node) is ast.Pass


type _Pending = Iterable[ast.AST | str]
"""The nodes that belong behind the text so far, and text between them."""


class _Writer:
    """Writer of the text in order; a handler writes what precedes the first child that it leaves to others.

    The rest is on an explicit stack, since code may nest deeper than the interpreter's limit.
    """

    def __init__(self, *, walrus: bool) -> None:
        self.walrus = walrus
        self.out: list[str] = []
        self.names = Names()
        self.issues: list[Issue] = []
        self.docs: list[str] = []
        self.reads: set[str] = set()
        self.signatures: list[Signature] = []
        self.assigned: set[int] = set()

    def piece(self) -> Piece:
        return Piece(
            "".join(self.out),
            tuple(self.docs),
            self.names.refs(),
            tuple(self.issues),
            frozenset(self.reads),
            tuple(self.signatures),
        )

    def run(self, nodes: _Pending) -> None:
        stack: list[Iterator[ast.AST | str]] = [iter(nodes)]
        handlers, generic, write = _HANDLERS, self.generic, self.out.append
        while stack:
            for node in stack[-1]:
                kind = node.__class__
                if kind is str:
                    write(node)  # type: ignore[arg-type]
                    continue
                handler = handlers.get(kind)
                inside = generic(node) if handler is None else handler(self, node)  # type: ignore[arg-type]
                if inside is not None:
                    stack.append(iter(inside))
                    break
            else:
                stack.pop()

    def generic(self, node: ast.AST) -> _Pending | None:
        """Write a node by the fields of its class."""
        title, table = plan(node.__class__)
        put = self.out.append
        put(title)
        values = node.__dict__  # faster than an attribute at a time
        rest: list[Any] = []
        for name, prefix, kind in table:
            value = values.get(name)
            if value is None:
                continue
            if kind == NODE:
                put(prefix)
                leaf = _LEAVES.get(value.__class__)
                if leaf is not None and not rest:
                    leaf(self, value)
                else:
                    put = rest.append
                    put(value)
            elif kind in (NODES, STATEMENTS):
                if value and (kind == NODES or not all(map(is_silent, value))):
                    put(prefix)
                    self.several(value, rest)
                    put = (rest or self.out).append
            else:
                put(_plain_text(prefix, kind, value))
        put(")")
        return rest or None

    def several(self, nodes: Iterable[Any], rest: list[Any]) -> None:
        """Write nodes without statements that do nothing; all from the first one with children on go to ``rest``."""
        for node in nodes:
            kind = node.__class__
            leaf = _LEAVES.get(kind)
            if leaf is not None and not rest:
                leaf(self, node)
            elif kind not in _MAYBE_SILENT or not is_silent(node):
                rest.append("-" if node is None else node)
        (rest or self.out).append("]")

    def many(self, nodes: Sequence[ast.AST | None]) -> Sequence[ast.AST | str]:
        """A list of nodes, without statements that do nothing."""
        if not nodes:
            return ("[]",)
        counted = ["-" if node is None else node for node in nodes if node is None or not is_silent(node)]
        return ("[", *counted, "]")

    def read(self, root: ast.AST, attrs: tuple[str, ...]) -> None:
        """Record reads of docstrings and annotations of unknown objects; these do not count otherwise."""
        for name in attrs:
            if name in READING and not (isinstance(root, ast.Name) and self.names.meanings(root.id)):
                self.reads.add(READING[name])

    # Nodes with special rules

    def name(self, node: ast.Name) -> None:
        name = node.id
        if node.ctx.__class__ is _LOAD:
            self.names.use(name, (), node.lineno)
        self.out.append(f"(Name {name})")

    def constant(self, node: ast.Constant) -> None:
        self.out.append(scalar(node.value))

    def singleton(self, node: ast.MatchSingleton) -> None:
        self.out.append(f"(MatchSingleton {scalar(node.value)})")

    def attribute(self, node: ast.Attribute) -> _Pending | None:
        root, attrs = _chain(node)
        self.read(root, attrs)
        if "__subclasses__" in attrs:
            self.issues.append(Issue(node.lineno, "asks a class for its subclasses"))
        if isinstance(root, ast.Name):
            if root.id == "sys" and attrs[:1] == ("modules",):
                self.issues.append(Issue(node.lineno, "looks modules up in `sys.modules`"))
            self.names.use(root.id, attrs, node.lineno)
            self.out.append(f"(Attribute .{'.'.join(attrs)} (Name {root.id}))")
            return None
        target = literal_import(root)
        if target is not None:
            self.assigned.add(id_of(root))
            self.names.add(Ref(target, attrs, node.lineno))
        self.out.append(f"(Attribute .{'.'.join(attrs)} ")
        return (root, ")")

    def call(self, node: ast.Call) -> _Pending | None:
        func = node.func
        name = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
        return self.special_call(node) if name in _SPECIAL else self.generic(node)

    def special_call(self, node: ast.Call) -> _Pending | None:
        """A call by whose name the code may depend on more than it says."""
        func = node.func
        if isinstance(func, ast.Name) and (func.id in _DYNAMIC or func.id in _BY_NAME):
            if self.names.is_local(func.id):
                pass
            elif func.id in _DYNAMIC:
                self.issues.append(Issue(node.lineno, _DYNAMIC[func.id]))
            elif len(node.args) > 1:
                literal = self.by_name(node, func.id)
                if literal is not None:
                    return literal
        if is_import_call(func):
            target = literal_import(node)
            if target is None:
                self.issues.append(Issue(node.lineno, "imports a module whose name is computed"))
            elif id_of(node) not in self.assigned:
                self.names.add(Ref(target, (), node.lineno))
        return self.generic(node)

    def by_name(self, node: ast.Call, func: str) -> _Pending | None:
        """`getattr(x, "literal")` depends on `x.literal` alone."""
        subject, name = node.args[0], node.args[1]
        root, attrs = _chain(subject)
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            if not (isinstance(root, ast.Name) and root.id in {"self", "cls"}):  # the whole class counts in any case
                self.issues.append(Issue(node.lineno, f"takes an attribute whose name is computed (`{func}`)"))
            return None
        self.read(root, (name.value,))
        if not isinstance(root, ast.Name):
            return None
        self.names.use(root.id, (*attrs, name.value), node.lineno)
        self.names.use(func, (), node.lineno)
        self.out.append(f"(by name {func} {'.'.join((root.id, *attrs))} {scalar(name.value)} ")
        return (*self.many(node.args[2:]), *self.many(node.keywords), ")")

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Iterator[ast.AST | str]:
        args = node.args
        every = parameters(args)
        scope = Scope(self.names.scope)
        for arg in every:
            scope.bind(arg.arg)
        body: list[ast.stmt] | ast.expr
        if isinstance(node, ast.Lambda):
            body, decorators, title = node.body, [], "(Lambda"
            scope.collect([node.body], walrus=self.walrus)
        else:
            body, decorators, title = node.body, node.decorator_list, f"({type(node).__name__} {node.name}"
            self.docs.append(_docstring(node))
            for parameter in node.type_params:
                scope.bind(parameter.name)  # type: ignore[attr-defined]
            scope.collect(node.body, walrus=self.walrus)
            if node.returns is not None or any(arg.annotation is not None for arg in every):
                self.signatures.append(Signature(partial(annotations, node), self.decorators(decorators)))
            if decorators and any(_last_name(each) == "no_fingerprint" for each in decorators):
                body = []
        # Annotations of functions are left out: they have no effect unless something reads them (`Form.signatures`).
        self.out.append(f"{title} {_shape(args)} ")
        yield from self.many(args.defaults)
        yield from self.many(args.kw_defaults)
        yield from self.many(decorators)
        outer = self.names.enter(scope)
        if isinstance(body, list):
            yield from self.many(body)
        else:
            yield body
        self.names.leave(outer)
        self.out.append(")")

    def decorators(self, nodes: list[ast.expr]) -> tuple[Ref, ...]:
        """The references of the decorators' names."""
        refs = []
        for node in nodes:
            root, attrs = _chain(node.func if isinstance(node, ast.Call) else node)
            if isinstance(root, ast.Name):
                refs += [Ref(target, attrs, node.lineno) for target in self.names.meanings(root.id)]
        return tuple(refs)

    def assign(self, node: ast.Assign) -> _Pending | None:
        """`m = importlib.import_module("x")` makes `m` an import: only the names that are taken from it count."""
        called = node.value.__class__ is ast.Call and self.names.scope is not None
        if called and any(isinstance(target, ast.Name) for target in node.targets):
            self.assigned.add(id_of(node.value))
        return self.generic(node)

    def class_(self, node: ast.ClassDef) -> Iterator[ast.AST | str]:
        self.docs.append(_docstring(node))
        outside = Scope(self.names.scope)
        for parameter in node.type_params:
            outside.bind(parameter.name)  # type: ignore[attr-defined]
        scope = Scope(outside, is_class=True)
        scope.collect(node.body, walrus=self.walrus)
        # Annotations define fields if a base, a metaclass or a decorator can read them.
        fields = bool(node.bases or node.keywords or node.decorator_list)
        if not fields:
            bare = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            self.signatures += [Signature(partial(annotations, each)) for each in bare]
        self.out.append(f"(ClassDef {node.name} ")
        yield from self.many(node.decorator_list)
        before = self.names.enter(outside)
        yield from self.many(node.type_params)
        yield from self.many(node.bases)
        yield from self.many(node.keywords)
        self.names.enter(scope)
        self.out.append("[")
        typed = any(_last_name(base) == "TypedDict" for base in node.bases)
        for statement in node.body:
            if fields and isinstance(statement, ast.AnnAssign):
                if typed and (plain := _without_display(statement)) is not statement:
                    self.signatures.append(Signature(partial(annotations, statement)))
                    statement = plain  # noqa: PLW2901
                yield from self.generic(statement) or ()
            elif not is_silent(statement):
                yield statement
        self.out.append("]")
        self.names.leave(outside)
        self.names.leave(before)
        self.out.append(")")

    def annotated(self, node: ast.AnnAssign) -> _Pending:
        """An annotated assignment without the annotation (without a value, it is no assignment: see `is_silent`)."""
        return ("(Assign targets=[", node.target, "] value=", *([node.value] if node.value else []), ")")

    def comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> Iterator[ast.AST | str]:
        scope = Scope(self.names.scope)
        for each in node.generators:
            scope.collect([each.target])
        self.out.append(f"({type(node).__name__} ")
        yield node.generators[0].iter  # the first iterable is evaluated in the outer scope
        outer = self.names.enter(scope)
        for number, each in enumerate(node.generators):
            if each.is_async:
                self.out.append(" async")
            yield each.target
            if number:
                yield each.iter
            yield from self.many(each.ifs)
        yield from (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
        self.names.leave(outer)
        self.out.append(")")

    def joined(self, node: ast.JoinedStr) -> Iterator[ast.AST | str]:
        self.out.append("(JoinedStr ")
        text = ""
        for value in node.values:
            if isinstance(value, ast.Constant):
                text += str(value.value)
                continue
            if text:
                self.out.append(scalar(text))
            text = ""
            yield value
        self.out.append(f"{scalar(text)})" if text else ")")


def _plain_text(prefix: str, kind: int, value: Any) -> str:
    """The text of a field without nodes; empty if it has its default."""
    if kind == OPERATOR:
        return prefix + OPERATOR_TEXTS[value.__class__]
    if kind == OPERATORS:
        return f"{prefix}{''.join([OPERATOR_TEXTS[each.__class__] for each in value])}]"
    if kind == TEXTS:
        return prefix + ",".join(value) if value else ""
    # the defaults of `level`, `is_async`, `conversion` and `simple`
    return f"{prefix}{scalar(value)}" if value not in (0, -1) else ""


def _shape(args: ast.arguments) -> str:
    """The names of the parameters, by kind."""
    if not (args.posonlyargs or args.vararg or args.kwonlyargs or args.kwarg):
        return f"any:{','.join([arg.arg for arg in args.args])}" if args.args else ""
    return ";".join(
        f"{kind}:{','.join(arg.arg for arg in group)}"
        for kind, group in (
            ("pos", args.posonlyargs),
            ("any", args.args),
            ("var", [args.vararg] if args.vararg else ()),
            ("kwo", args.kwonlyargs),
            ("kwv", [args.kwarg] if args.kwarg else ()),
        )
        if group
    )


def _docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    return ast.get_docstring(node, clean=False) or ""


def _chain(node: ast.AST) -> tuple[ast.AST, tuple[str, ...]]:
    """`a.b.c` → the expression `a`, and the attributes `b`, `c`."""
    attrs = []
    while isinstance(node, ast.Attribute):
        attrs.append(node.attr)
        node = node.value
    return node, tuple(reversed(attrs))


def _last_name(decorator: ast.expr) -> str:
    """`@a.b(...)` → `b`."""
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    root, attrs = _chain(node)
    return attrs[-1] if attrs else root.id if isinstance(root, ast.Name) else ""


_LEAVES: dict[type[ast.AST | None], Callable[[_Writer, Any], None]] = {
    ast.Name: _Writer.name,
    ast.Constant: _Writer.constant,
    ast.MatchSingleton: _Writer.singleton,
}
_HANDLERS: dict[type[Any], Callable[[_Writer, Any], _Pending | None]] = {
    **_LEAVES,
    ast.Attribute: _Writer.attribute,
    ast.Call: _Writer.call,
    ast.FunctionDef: _Writer.function,
    ast.AsyncFunctionDef: _Writer.function,
    ast.Lambda: _Writer.function,
    ast.ClassDef: _Writer.class_,
    ast.Assign: _Writer.assign,
    ast.AnnAssign: _Writer.annotated,
    ast.JoinedStr: _Writer.joined,
    **dict.fromkeys(COMPREHENSIONS, _Writer.comprehension),
}
