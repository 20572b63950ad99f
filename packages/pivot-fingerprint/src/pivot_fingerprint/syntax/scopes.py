"""Scopes: the names that each binds by Python's own rules, from the syntax tree."""

import ast
from collections.abc import Iterable
from typing import Any, NamedTuple

from pivot_fingerprint.syntax.node_fields import children, table

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Import(NamedTuple):
    """The target of an import: a module, or `name` in it."""

    level: int
    module: str
    name: str | None

    def __str__(self) -> str:
        return f"{'.' * self.level}{self.module}" + (f":{self.name}" if self.name else "")


class Scope:
    """A scope with the names that are bound in it, each with the targets of its imports."""

    __slots__ = ("declared", "dotted", "is_class", "names", "parent", "used")

    def __init__(self, parent: "Scope | None", *, is_class: bool = False) -> None:
        self.parent = parent
        self.is_class = is_class
        self.names: dict[str, list[Import]] = {}
        self.declared: set[str] = set()  # `global x`
        self.used: set[str] = set()
        self.dotted: dict[Import, tuple[str, ...]] = {}  # `import a.b`, which binds `a`, with its parts

    def bind(self, name: str, target: Import | None = None) -> None:
        """Record that `name` is bound here."""
        targets = self.names.setdefault(name, [])
        if target is not None and target not in targets:
            targets.append(target)

    def collect(self, body: Iterable[ast.AST], *, walrus: bool = True) -> None:
        """Bind everything that these statements or expressions bind in this scope itself.

        `walrus`: whether they may contain a `:=`, so that no expression can be skipped.
        """
        outer: set[str] = set()
        stack: list[Any] = list(body)
        binders, barren = _BINDERS, _BARREN if walrus else _BARREN_EXPRESSIONS
        while stack:
            node = stack.pop()
            kind = node.__class__
            if kind in barren:
                continue
            handler = binders.get(kind)
            if handler is not None:
                handler(self, node, stack, outer)
                continue
            for name, several in table(kind):
                if several:
                    stack += getattr(node, name)
                else:
                    stack.append(getattr(node, name))
        for name in outer:
            self.names.pop(name, None)


def imports(node: ast.Import | ast.ImportFrom) -> Iterable[tuple[str, Import]]:
    """Each name that an import statement binds, with its target; `*` stands for itself."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, Import(node.level, node.module or "", alias.name)
        elif alias.asname:
            yield alias.asname, Import(0, alias.name, None)
        else:
            top = alias.name.partition(".")[0]
            yield top, Import(0, top, None)


def literal_import(node: ast.AST) -> Import | None:
    """The module named by `importlib.import_module("literal")` or `__import__("literal")`."""
    if not isinstance(node, ast.Call) or not is_import_call(node.func) or not node.args:
        return None
    first, *more = [*node.args, *(keyword.value for keyword in node.keywords)]
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return None
    name = first.value.lstrip(".")
    level = len(first.value) - len(name)
    if isinstance(node.func, ast.Name) and node.func.id == "__import__":
        return None if more else Import(level, name.partition(".")[0], None)
    package = more[0] if more else None
    if isinstance(package, ast.Constant) and isinstance(package.value, str) and level:
        parts = package.value.split(".")
        return Import(0, ".".join([*parts[: len(parts) - level + 1], name]), None)
    is_own = isinstance(package, ast.Name) and package.id in {"__name__", "__package__"}
    return Import(level, name, None) if is_own or package is None or not level else None


def is_import_call(func: ast.expr) -> bool:
    """Whether an expression names a function that imports by name."""
    if isinstance(func, ast.Attribute):
        return func.attr == "import_module" and isinstance(func.value, ast.Name)
    return isinstance(func, ast.Name) and func.id in {"import_module", "__import__"}


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters of a function, in no particular order."""
    extra = [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


_BARREN = frozenset({type(None), ast.Constant, ast.Pass, ast.Break, ast.Continue})
_BARREN_EXPRESSIONS = _BARREN | {*ast.expr.__subclasses__()} - {ast.Name, ast.Tuple, ast.List, ast.Starred}


def _definition(scope: Scope, node: Any, stack: list[ast.AST], _outer: set[str]) -> None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        scope.bind(node.name)
        stack.extend(node.decorator_list)
        stack.extend(node.args.defaults)
        stack.extend(default for default in node.args.kw_defaults if default is not None)
    elif isinstance(node, ast.ClassDef):
        scope.bind(node.name)
        stack.extend(node.decorator_list)
        stack.extend(node.bases)
        stack.extend(keyword.value for keyword in node.keywords)
    else:  # a lambda
        stack.extend(node.args.defaults)
        stack.extend(default for default in node.args.kw_defaults if default is not None)


def _name(scope: Scope, node: Any, _stack: list[ast.AST], _outer: set[str]) -> None:
    if not isinstance(node.ctx, ast.Load):
        scope.bind(node.id)


def _import(scope: Scope, node: Any, _stack: list[ast.AST], _outer: set[str]) -> None:
    for name, target in imports(node):
        scope.bind(name, target)
    for alias in node.names if isinstance(node, ast.Import) else ():
        if not alias.asname and "." in alias.name:
            scope.dotted[Import(0, alias.name, None)] = tuple(alias.name.split("."))


def _assign(scope: Scope, node: Any, stack: list[ast.AST], _outer: set[str]) -> None:
    stack.append(node.value)
    target = literal_import(node.value)
    for each in node.targets:
        if isinstance(each, ast.Name):
            scope.bind(each.id, target)
        else:
            stack.append(each)


def _annotated(_scope: Scope, node: Any, stack: list[ast.AST], _outer: set[str]) -> None:
    stack.append(node.target)
    if node.value is not None:
        stack.append(node.value)


def _declared(scope: Scope, node: Any, _stack: list[ast.AST], outer: set[str]) -> None:
    if isinstance(node, ast.Global):
        scope.declared.update(node.names)
    outer.update(node.names)


def _named(scope: Scope, node: ast.AST, stack: list[ast.AST], _outer: set[str]) -> None:
    name = getattr(node, "name", None) or getattr(node, "rest", None)
    if isinstance(name, str):
        scope.bind(name)
    elif isinstance(name, ast.Name):  # `type X = ...`
        scope.bind(name.id)
        return
    stack.extend(children(node))


def _comprehension(_scope: Scope, node: ast.AST, stack: list[ast.AST], _outer: set[str]) -> None:
    for child in children(node):
        if isinstance(child, ast.comprehension):  # its targets belong to the comprehension's own scope
            stack.append(child.iter)
            stack.extend(child.ifs)
        else:
            stack.append(child)


_BINDERS = {
    ast.FunctionDef: _definition,
    ast.AsyncFunctionDef: _definition,
    ast.ClassDef: _definition,
    ast.Lambda: _definition,
    ast.Name: _name,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.Global: _declared,
    ast.Nonlocal: _declared,
    ast.ExceptHandler: _named,
    ast.MatchAs: _named,
    ast.MatchStar: _named,
    ast.MatchMapping: _named,
    ast.TypeAlias: _named,
    **dict.fromkeys(COMPREHENSIONS, _comprehension),
}
