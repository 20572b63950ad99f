"""The changes that some code may make when it runs, and the names that it binds other than by assignment."""

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pivot_fingerprint.syntax.node_fields import children

ANY = "*"
DEEPEST = 9  # deeper than any object is looked into

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAMESPACES = frozenset({"globals", "locals", "vars"})
MAKERS = frozenset(
    {"Counter", "OrderedDict", "bytearray", "defaultdict", "deque", "dict", "list", "set", "sorted", "tuple"}
)
# Calls of these change nothing that is given to them.
_PURE = MAKERS | {
    "abs", "all", "any", "ascii", "bin", "bool", "bytes", "callable", "chr", "complex", "divmod", "enumerate", "float",
    "format", "frozenset", "getattr", "hasattr", "hash", "hex", "id", "int", "isinstance", "issubclass", "len", "max",
    "min", "object", "oct", "ord", "pow", "print", "range", "repr", "reversed", "round", "str", "sum", "super", "type",
    "zip",
}  # fmt: skip
# Methods that change the object that they are called on, and nothing that it holds.
_FILLING = frozenset(
    {
        "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "remove",
        "reverse", "setdefault", "sort", "update", "__setitem__", "__delitem__",
    }
)  # fmt: skip
# Methods that change nothing.
_READING = frozenset(
    {
        "copy", "count", "encode", "endswith", "format", "get", "index", "items", "join", "keys", "lower", "lstrip",
        "replace", "rstrip", "split", "splitlines", "startswith", "strip", "title", "union", "upper", "values",
    }
)  # fmt: skip


class NameChange(NamedTuple):
    """Something that is changed: a chain of names, and how many steps lead from there to what is assigned or filled."""

    chain: tuple[str, ...]
    steps: int = 0
    passed: bool = False  # given to a call, which may change it or not

    @property
    def depth(self) -> int:
        """How deep below the object at the root: 1 is the object itself."""
        return len(self.chain) - 1 + self.steps


class ChangeCollector:
    """The effects of some code, gathered expression by expression."""

    def __init__(self, own: Iterable[str], *, inside: bool = False) -> None:
        self._own = own  # names that are not the builtins that they may look like
        self._inside = inside  # whether the bodies of functions run as well
        self.binds: set[str] = set()
        self.all: dict[NameChange, None] = {}
        self.called: set[str] = set()
        self.other: set[str] = set()
        self.results = False  # whether it changes what a call gives
        self.runs = False  # whether it runs code of which nothing is known here

    def collect(self, nodes: Iterable[ast.AST]) -> None:
        """Take up what these statements or expressions do."""
        callees: set[int] = set()
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if isinstance(node, _FUNCTIONS):
                self._decorated(node)
                stack += children(node) if self._inside else _evaluated(node)
                continue
            if isinstance(node, ast.Call):
                callees.add(id(node.func))
                self._call(node)
            elif isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load):
                    (self.called if id(node) in callees else self.other).add(node.id)
            else:
                self._collect_node(node)
            stack += children(node)

    def _collect_node(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            self._assigned(node)
        elif isinstance(node, ast.AugAssign):
            self.change(node.target, 1)  # in place: what is there changes as well
        elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.Compare | ast.Subscript):
            self.runs = True  # of classes that say what operators do
        elif isinstance(node, ast.withitem):
            self._passed([node.context_expr])
        elif isinstance(node, ast.ClassDef):
            self._decorated(node)
            self._passed([*node.bases, *(keyword.value for keyword in node.keywords)])
        elif isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call | ast.Constant | ast.Yield):
            self._passed([node.value])

    def change(self, node: ast.expr, steps: int, *, passed: bool = False) -> None:
        """Note that what an expression stands for is changed."""
        chain, more, root = _chain(node)
        if chain[:1] == (ANY,):  # the module itself
            self.binds.add(chain[1] if len(chain) > 1 else ANY)
        elif chain:
            self.all[NameChange(chain, min(steps + more, DEEPEST), passed)] = None
        if root is not None and not passed:
            self.results = self.results or isinstance(root, ast.Call)
            self._passed([root])

    def _assigned(self, node: ast.Attribute | ast.Subscript) -> None:
        if isinstance(node, ast.Subscript) and _is_namespace(node.value):
            self.binds.add(_text(node.slice))
        else:
            self.change(node, 0)

    def _passed(self, nodes: Iterable[ast.AST]) -> None:
        """Code of which nothing is known gets to see all that is named in here."""
        given = list(nodes)
        self.runs = self.runs or bool(given)
        for node in given:
            for each in _mentioned(node):
                self.change(each, DEEPEST, passed=True)

    def _call(self, node: ast.Call) -> None:
        func = node.func
        name = func.id if isinstance(func, ast.Name) and func.id not in self._own else ""
        method = func.attr if isinstance(func, ast.Attribute) else ""
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        if name in {"setattr", "delattr"} and len(arguments) > 1:
            self.change(ast.Attribute(arguments[0], _text(arguments[1]), ast.Store()), 0)
        elif name == "exec":
            self.binds.add(ANY)
        elif name in _PURE or method in _READING or _is_namespace(node):
            pass
        elif isinstance(func, ast.Attribute) and method in _FILLING:
            if _is_namespace(func.value):
                self.binds.add(ANY)
            self.change(func.value, 1)
            self.runs = True  # a class of yours may have a method of this name
        else:
            self.runs = True
            if isinstance(func, ast.Attribute):
                self.change(func.value, DEEPEST)
            self._passed(arguments)

    def _decorated(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """A decorator gets to see what it decorates."""
        for decorator in node.decorator_list:
            self.runs = True
            func = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(func, ast.Attribute):
                self.change(func.value, DEEPEST)
            self.all[NameChange((node.name,), DEEPEST, passed=True)] = None


def _evaluated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.AST]:
    """The code that runs where a function is defined."""
    return [*node.decorator_list, *node.args.defaults, *(each for each in node.args.kw_defaults if each is not None)]


def _chain(node: ast.AST) -> tuple[tuple[str, ...], int, ast.AST | None]:
    """`a.b[0].c` → `a`, `b`, and 2 steps; or what is at the root, if it is no name."""
    path: list[str | None] = []
    root: tuple[str, ...] = ()
    rest = None
    while True:
        if isinstance(node, ast.Attribute):
            path += [node.attr] if node.attr != "__dict__" else []
            node = node.value
        elif isinstance(node, ast.Subscript):
            if _is_namespace(node.value):
                root = (_text(node.slice),)
                break
            if _is_module_itself(node):
                root = (ANY,)
                break
            path.append(None)
            node = node.value
        elif isinstance(node, ast.Call) and _called(node) == "vars" and node.args:
            node = node.args[0]
        else:
            root = (node.id,) if isinstance(node, ast.Name) else ()
            rest = None if isinstance(node, ast.Name) else node
            break
    path.reverse()
    names = [each for each in path[: path.index(None) if None in path else None] if each is not None]
    return ((*root, *names) if root else (), len(path) - len(names), rest)


def _mentioned(node: ast.AST) -> Iterator[ast.expr]:
    """The names in an expression, each with the attributes taken from it."""
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, ast.Name) or (isinstance(each, ast.Attribute) and _chain(each)[0]):
            yield each
        else:
            stack += children(each)


def _called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _is_namespace(node: ast.AST) -> bool:
    """Whether this is `globals()` or the like."""
    return isinstance(node, ast.Call) and not node.args and _called(node) in _NAMESPACES


def _is_module_itself(node: ast.Subscript) -> bool:
    """Whether this is `sys.modules[__name__]`."""
    value, name = node.value, node.slice
    is_table = isinstance(value, ast.Attribute) and value.attr == "modules"
    return is_table and isinstance(name, ast.Name) and name.id == "__name__"


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ANY
