"""Changes that code may make to the values of names when it runs, and names that it binds without assignment."""

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.syntax.node_fields import children

ANY = "*"
DEEPEST = 9  # the greatest depth in an object that is distinguished

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAMESPACES = frozenset({"globals", "locals", "vars"})
MAKERS = frozenset(
    {"Counter", "OrderedDict", "bytearray", "defaultdict", "deque", "dict", "list", "set", "sorted", "tuple"}
)
# Calls of these do not change their arguments.
_PURE = MAKERS | {
    "abs", "all", "any", "ascii", "bin", "bool", "bytes", "callable", "chr", "complex", "divmod", "enumerate", "float",
    "format", "frozenset", "getattr", "hasattr", "hash", "hex", "id", "int", "isinstance", "issubclass", "len", "max",
    "min", "object", "oct", "ord", "pow", "print", "range", "repr", "reversed", "round", "str", "sum", "super", "type",
    "zip",
}  # fmt: skip
# Methods that change their object, but not its content.
_FILLING = frozenset(
    {
        "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "remove",
        "reverse", "setdefault", "sort", "update", "__setitem__", "__delitem__",
    }
)  # fmt: skip
# Methods without effects.
_READING = frozenset(
    {
        "copy", "count", "encode", "endswith", "format", "get", "index", "items", "join", "keys", "lower", "lstrip",
        "replace", "rstrip", "split", "splitlines", "startswith", "strip", "title", "union", "upper", "values",
    }
)  # fmt: skip


class NameChange(NamedTuple):
    """A changed object: a chain of names, and the number of steps from its end to the assigned or filled part."""

    chain: tuple[str, ...]
    steps: int = 0
    passed: bool = False  # passed to a call, which may change it

    @property
    def depth(self) -> int:
        """The depth below the root name: 1 is its object itself."""
        return len(self.chain) - 1 + self.steps


class ChangeCollector:
    """Collector of the effects of code, expression by expression."""

    def __init__(self, own: Iterable[str], *, inside: bool = False) -> None:
        self._own = own  # names of the module, which hide builtins
        self._inside = inside  # whether the bodies of functions count as well
        self.binds: set[str] = set()
        self.all: dict[NameChange, None] = {}
        self.called: set[str] = set()
        self.other: set[str] = set()
        self.results = False  # whether it changes the result of a call
        self.runs = False  # whether it may run unknown code

    def collect(self, nodes: Iterable[ast.AST]) -> None:
        """Collect the effects of these statements or expressions."""
        callees: set[int] = set()
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if isinstance(node, _FUNCTIONS):
                self._decorated(node)
                stack += children(node) if self._inside else _evaluated(node)
                continue
            if isinstance(node, ast.Call):
                callees.add(id_of(node.func))
                self._call(node)
            elif isinstance(node, ast.Name):
                if isinstance(node.ctx, ast.Load):
                    (self.called if id_of(node) in callees else self.other).add(node.id)
            else:
                self._collect_node(node)
            stack += children(node)

    def _collect_node(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            self._assigned(node)
        elif isinstance(node, ast.AugAssign):
            self.change(node.target, 1)  # in place: the object changes as well
        elif isinstance(node, ast.BinOp | ast.UnaryOp | ast.Compare | ast.Subscript):
            self.runs = True  # of classes that define operators
        elif isinstance(node, ast.withitem):
            self._passed([node.context_expr])
        elif isinstance(node, ast.ClassDef):
            self._decorated(node)
            self._passed([*node.bases, *(keyword.value for keyword in node.keywords)])
        elif isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call | ast.Constant | ast.Yield):
            self._passed([node.value])

    def change(self, node: ast.expr, steps: int, *, passed: bool = False) -> None:
        """Record a change of the value of an expression."""
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
        """Record that everything named in these nodes is passed to unknown code."""
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
            self.runs = True  # a user's class may have a method of this name
        else:
            self.runs = True
            if isinstance(func, ast.Attribute):
                self.change(func.value, DEEPEST)
            self._passed(arguments)

    def _decorated(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        """Record that a definition is passed to its decorators."""
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
    """`a.b[0].c` → `a`, `b`, and 2 steps; and the root expression if it is no name."""
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
