"""Syntax tree → canonical bytes and the names it rests on, in one walk; never positions, comments or spelling."""

import ast
from collections.abc import Callable, Iterable
from typing import Any

from xxhash import xxh3_128_digest

from pivot_fingerprint._form import Form, Issue, Ref, Signature, scalar
from pivot_fingerprint._names import Names
from pivot_fingerprint._scopes import COMPREHENSIONS, Scope, is_import_call, literal_import, parameters

# Contexts repeat what their place says; the others are positions, comments and `u""`.
_DROPPED = frozenset({"ctx", "type_comment", "kind", "type_ignores"})
_DYNAMIC = {
    "eval": "runs text as code with `eval`",
    "exec": "runs text as code with `exec`",
    "globals": "looks names up in `globals()`",
}
_BY_NAME = frozenset({"getattr", "hasattr", "setattr", "delattr"})
_READING = {"__doc__": "docs", "__annotations__": "signatures", "__annotate__": "signatures"}

type Item = str | ast.AST | Scope | None  # text as it stands, a node to expand, a scope to come back to


def canonical(nodes: Iterable[ast.AST]) -> Form:
    """The form of these statements or expressions, which stand at the top of a module."""
    writer = _Writer()
    writer.run(list(nodes))
    return writer.form()


def annotations(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.AnnAssign) -> Form:
    """The form of what a definition's annotations say; a name in them may be unbound."""
    if isinstance(node, ast.AnnAssign):
        return canonical([node.target, node.annotation])
    nodes: list[ast.AST] = []
    for arg in parameters(node.args):
        nodes += [ast.Constant(arg.arg), arg.annotation] if arg.annotation is not None else []
    return canonical(nodes if node.returns is None else [*nodes, node.returns])


def is_silent(node: ast.AST) -> bool:
    """Whether this statement does nothing: `pass`, a docstring or another lone constant, a bare annotation."""
    if type(node) is ast.Expr:
        return type(node.value) is ast.Constant
    if type(node) is ast.AnnAssign:
        return node.value is None
    return type(node) is ast.Pass


class _Writer:
    """An explicit stack instead of recursion: code may nest deeper than the interpreter's limit."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.stack: list[Item] = []
        self.names = Names()
        self.issues: list[Issue] = []
        self.docs: list[str] = []
        self.reads: set[str] = set()
        self.signatures: list[Signature] = []
        self.assigned: set[int] = set()

    def form(self) -> Form:
        text = "".join(self.out).encode("utf-8", "surrogatepass")
        docs = "\0".join(self.docs).encode("utf-8", "surrogatepass")
        return Form(
            xxh3_128_digest(text),
            xxh3_128_digest(docs),
            self.names.refs(),
            tuple(self.issues),
            frozenset(self.reads),
            tuple(self.signatures),
        )

    def run(self, nodes: list[ast.AST]) -> None:
        self.stack.extend(reversed(nodes))
        while self.stack:
            item = self.stack.pop()
            if isinstance(item, str):
                self.out.append(item)
            elif isinstance(item, ast.AST):
                handler = _HANDLERS.get(type(item))
                if handler is None:
                    self.generic(item)
                else:
                    handler(self, item)
            else:
                self.leave(item)

    def push(self, *items: Any) -> None:
        """Expand these next, in this order: text as it stands, nodes, lists of nodes, a scope to enter."""
        flat: list[Item] = []
        for item in items:
            if isinstance(item, list):
                flat.append("[")
                flat.extend("-" if each is None else each for each in item if not is_silent(each))
                flat.append("]")
            else:
                flat.append(item)
        self.stack.extend(reversed(flat))

    def generic(self, node: ast.AST, skip: str = "") -> None:
        items: list[Any] = [f"({type(node).__name__}"]
        for name in sorted(node._fields):
            value = getattr(node, name, None)
            if value is None or name in _DROPPED or name == skip:
                continue
            if isinstance(value, ast.AST):
                items += [f" {name}=", value]
            elif not isinstance(value, list):
                if value not in (0, -1):  # the defaults of level, is_async, conversion, simple
                    items.append(f" {name}={scalar(value)}")
            elif value and isinstance(value[0], str):
                items.append(f" {name}={','.join(value)}")
            elif any(each is None or not is_silent(each) for each in value):
                items += [f" {name}=", value]
        self.push(*items, ")")

    # Scopes

    def enter(self, scope: Scope, *items: object) -> None:
        """Expand items inside a new scope, then come back to this one."""
        self.stack.append(self.names.scope)
        self.names.scope = scope
        self.push(*items)

    def leave(self, outer: Scope | None) -> None:
        if self.names.scope is not None:
            self.names.close(self.names.scope)
        self.names.scope = outer

    def read(self, attrs: tuple[str, ...]) -> None:
        """Note attributes that hold what else does not count."""
        for name in attrs:
            if name in _READING:
                self.reads.add(_READING[name])

    # Nodes with rules of their own

    def name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.names.use(node.id, (), node.lineno)
        self.out.append(f"(Name {node.id})")

    def attribute(self, node: ast.Attribute) -> None:
        root, attrs = _chain(node)
        self.read(attrs)
        if isinstance(root, ast.Name):
            if root.id == "sys" and attrs[:1] == ("modules",):
                self.issues.append(Issue(node.lineno, "looks modules up in `sys.modules`"))
            self.names.use(root.id, attrs, node.lineno)
        else:
            target = literal_import(root)
            if target is not None:
                self.assigned.add(id(root))
                self.names.note(Ref(target, attrs, node.lineno))
        self.out.append(f"(Attribute .{'.'.join(attrs)} ")
        if isinstance(root, ast.Name):
            self.out.append(f"(Name {root.id}))")
        else:
            self.push(root, ")")

    def call(self, node: ast.Call) -> None:
        func = node.func
        if isinstance(func, ast.Name) and not self.names.is_local(func.id):
            if func.id in _DYNAMIC:
                self.issues.append(Issue(node.lineno, _DYNAMIC[func.id]))
            elif func.id in _BY_NAME and len(node.args) > 1 and self.by_name(node, func.id):
                return
        if is_import_call(func):
            target = literal_import(node)
            if target is None:
                self.issues.append(Issue(node.lineno, "imports a module whose name is computed"))
            elif id(node) not in self.assigned:
                self.names.note(Ref(target, (), node.lineno))
        self.generic(node)

    def by_name(self, node: ast.Call, func: str) -> bool:
        """`getattr(x, "literal")` rests on `x.literal` alone."""
        subject, name = node.args[0], node.args[1]
        root, attrs = _chain(subject)
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            if not (isinstance(root, ast.Name) and root.id in {"self", "cls"}):  # the whole class counts anyway
                self.issues.append(Issue(node.lineno, f"takes an attribute whose name is computed (`{func}`)"))
            return False
        self.read((name.value,))
        if not isinstance(root, ast.Name):
            return False
        self.names.use(root.id, (*attrs, name.value), node.lineno)
        self.names.use(func, (), node.lineno)
        text = f"(by name {func} {'.'.join((root.id, *attrs))} {scalar(name.value)} "
        self.push(text, node.args[2:], node.keywords, ")")
        return True

    def constant(self, node: ast.Constant) -> None:
        self.out.append(scalar(node.value))

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        args = node.args
        every = parameters(args)
        scope = Scope(self.names.scope)
        for arg in every:
            scope.bind(arg.arg)
        body: list[ast.stmt] | ast.expr
        if isinstance(node, ast.Lambda):
            body, decorators, title = node.body, [], "(Lambda"
            scope.collect([node.body])
        else:
            body, decorators, title = node.body, node.decorator_list, f"({type(node).__name__} {node.name}"
            self.docs.append(ast.get_docstring(node, clean=False) or "")
            for parameter in node.type_params:
                scope.bind(parameter.name)  # type: ignore[attr-defined]
            scope.collect(node.body)
            if node.returns is not None or any(arg.annotation is not None for arg in every):
                self.signatures.append(Signature(node, self.decorators(decorators)))
            if any(_last_name(each) == "no_fingerprint" for each in decorators):
                body = []
        shape = ";".join(
            f"{kind}:{','.join(arg.arg for arg in group)}"
            for kind, group in (
                ("pos", args.posonlyargs),
                ("any", args.args),
                ("var", [args.vararg] if args.vararg else []),
                ("kwo", args.kwonlyargs),
                ("kwv", [args.kwarg] if args.kwarg else []),
            )
            if group
        )
        # Annotations go: in functions they carry no behaviour, unless something reads them (`Form.signatures`).
        self.push(title, f" {shape} ", args.defaults, args.kw_defaults, decorators, _Body(scope, body), ")")

    def decorators(self, nodes: list[ast.expr]) -> tuple[Ref, ...]:
        """What the decorators' names mean where they stand."""
        refs = []
        for node in nodes:
            root, attrs = _chain(node.func if isinstance(node, ast.Call) else node)
            if isinstance(root, ast.Name):
                refs += [Ref(target, attrs, node.lineno) for target in self.names.meanings(root.id)]
        return tuple(refs)

    def body(self, node: "_Body") -> None:
        self.enter(node.scope, *node.content)

    def assign(self, node: ast.Assign) -> None:
        """`m = importlib.import_module("x")` makes `m` an import: only what is taken from it counts."""
        if self.names.scope is not None and any(isinstance(target, ast.Name) for target in node.targets):
            self.assigned.add(id(node.value))
        self.generic(node)

    def class_(self, node: ast.ClassDef) -> None:
        self.docs.append(ast.get_docstring(node, clean=False) or "")
        outer = Scope(self.names.scope)
        for parameter in node.type_params:
            outer.bind(parameter.name)  # type: ignore[attr-defined]
        scope = Scope(outer, is_class=True)
        scope.collect(node.body)
        # Annotations define fields wherever something can read them: a base, a metaclass or a decorator.
        fields = bool(node.bases or node.keywords or node.decorator_list)
        body: list[ast.AST] = []
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and fields:
                body.append(_Field(statement))
            else:
                if isinstance(statement, ast.AnnAssign):
                    self.signatures.append(Signature(statement))
                body.append(statement)
        inside = _Body(outer, node.type_params, node.bases, node.keywords, _Body(scope, body))
        self.push(f"(ClassDef {node.name} ", node.decorator_list, inside, ")")

    def field(self, node: "_Field") -> None:
        self.generic(node.statement)

    def annotated(self, node: ast.AnnAssign) -> None:
        """An annotation that nothing reads: the assignment alone (without a value there is none, see `is_silent`)."""
        self.push("(Assign targets=", [node.target], " value=", node.value, ")")

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        scope = Scope(self.names.scope)
        rest: list[object] = []
        for number, each in enumerate(node.generators):
            scope.collect([each.target])
            rest += [" async" if each.is_async else "", each.target, each.iter if number else "", each.ifs]
        if isinstance(node, ast.DictComp):
            rest += [node.key, node.value]
        else:
            rest.append(node.elt)
        # The first iterable is evaluated outside.
        title = f"({type(node).__name__} "
        self.push(title, node.generators[0].iter, _Body(scope, *rest), ")")

    def joined(self, node: ast.JoinedStr) -> None:
        items: list[object] = []
        text = ""
        for value in node.values:
            if isinstance(value, ast.Constant):
                text += str(value.value)
                continue
            if text:
                items.append(scalar(text))
            text = ""
            items.append(value)
        self.push("(JoinedStr ", *items, scalar(text) if text else "", ")")

    def singleton(self, node: ast.MatchSingleton) -> None:
        self.out.append(f"(MatchSingleton {scalar(node.value)})")


class _Body(ast.AST):
    """Something to be expanded in a scope of its own."""

    _fields = ()

    def __init__(self, scope: Scope, *content: object) -> None:
        super().__init__()
        self.scope = scope
        self.content = content


class _Field(ast.AST):
    """An annotated name in a class whose annotations count."""

    _fields = ()

    def __init__(self, statement: ast.AnnAssign) -> None:
        super().__init__()
        self.statement = statement


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


_HANDLERS: dict[type[ast.AST], Callable[[_Writer, Any], None]] = {
    ast.Name: _Writer.name,
    ast.Attribute: _Writer.attribute,
    ast.Call: _Writer.call,
    ast.Constant: _Writer.constant,
    ast.FunctionDef: _Writer.function,
    ast.AsyncFunctionDef: _Writer.function,
    ast.Lambda: _Writer.function,
    ast.ClassDef: _Writer.class_,
    ast.Assign: _Writer.assign,
    ast.AnnAssign: _Writer.annotated,
    ast.JoinedStr: _Writer.joined,
    ast.MatchSingleton: _Writer.singleton,
    _Body: _Writer.body,
    _Field: _Writer.field,
    **dict.fromkeys(COMPREHENSIONS, _Writer.comprehension),
}
