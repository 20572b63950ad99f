"""Statements at the top of a module that merely define names: they do nothing that other code could notice.

A definition or value counts where its name is used; any other statement counts as soon as its module is imported. If in
doubt, a statement does more than define.
"""

import ast
import builtins
from collections.abc import Sequence
from typing import Final

from pivot_fingerprint.syntax.parsed import Parsed, walk
from pivot_fingerprint.syntax.scopes import Import, imports
from pivot_fingerprint.syntax.statement_acts import root_of

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SUSPENDING = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)

_DECORATORS: Final = frozenset(
    {
        *("staticmethod", "classmethod", "property"),
        *("functools.cache", "functools.lru_cache", "functools.wraps", "functools.cached_property"),
        *("functools.total_ordering", "functools.singledispatch", "contextlib.contextmanager"),
        *("contextlib.asynccontextmanager", "dataclasses.dataclass", "enum.unique", "abc.abstractmethod"),
        *("typing.final", "typing.overload", "typing.override", "typing.runtime_checkable", "typing.no_type_check"),
        *("attr.s", "attr.define", "attr.frozen", "attrs.define", "attrs.frozen", "torch.no_grad", "numba.njit"),
        *("numba.jit", "torch.inference_mode", "numpy.vectorize"),
    }
)
"""Decorators that hand a definition to nobody else."""

_BASES: Final = frozenset(
    {
        *("abc.ABC", "enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag", "typing.NamedTuple"),
        *("typing.TypedDict", "typing.Protocol", "typing.Generic", "typing_extensions.TypedDict"),
        *("typing_extensions.Protocol", "collections.UserDict", "collections.UserList", "collections.OrderedDict"),
        *("collections.defaultdict", "threading.Thread", "json.JSONEncoder", "logging.Handler", "logging.Formatter"),
        *("torch.nn.Module", "torch.utils.data.Dataset", "torch.utils.data.IterableDataset", "torch.autograd.Function"),
        *("sklearn.base.BaseEstimator", "sklearn.base.TransformerMixin", "sklearn.base.ClassifierMixin"),
        *("sklearn.base.RegressorMixin", "pydantic.BaseModel", "argparse.Action", "argparse.ArgumentParser"),
    }
)
"""Classes that keep no list of their subclasses which other code goes through."""

_PURE: Final = frozenset(
    {
        *("abs", "bool", "bytearray", "bytes", "chr", "complex", "dict", "enumerate", "float", "frozenset", "int"),
        *("len", "list", "max", "min", "object", "ord", "pow", "range", "reversed", "round", "set", "slice", "sorted"),
        *("str", "sum", "tuple", "zip", "re.compile", "re.escape", "logging.getLogger", "pathlib.Path"),
        *("pathlib.PurePath", "pathlib.PurePosixPath", "pathlib.Path.cwd", "os.getenv", "os.environ.get"),
        *("os.path.join", "os.path.dirname", "os.path.abspath", "os.path.realpath", "os.path.basename"),
        *("os.path.normpath", "os.path.splitext", "os.path.expanduser", "os.getcwd", "typing.TypeVar"),
        *("typing.ParamSpec", "typing.NewType", "typing.NamedTuple", "typing.cast", "collections.namedtuple"),
        *("collections.defaultdict", "collections.OrderedDict", "collections.Counter", "collections.deque"),
        *("dataclasses.field", "datetime.timedelta", "datetime.date", "datetime.datetime", "datetime.timezone"),
        *("decimal.Decimal", "fractions.Fraction", "enum.auto", "operator.itemgetter", "operator.attrgetter"),
        *("functools.partial", "types.SimpleNamespace", "types.MappingProxyType", "string.Template", "math.log"),
        *("math.sqrt", "math.exp", "math.cos", "math.sin", "math.radians", "textwrap.dedent", "numpy.array"),
        *("numpy.arange", "numpy.linspace", "numpy.zeros", "numpy.ones", "numpy.log", "numpy.sqrt", "numpy.exp"),
        *("numpy.dtype", "numpy.float32", "numpy.float64", "numpy.int32", "numpy.int64", "threading.Lock"),
        *("threading.RLock", "attr.ib", "attrs.field", "pydantic.Field", "torch.device", "torch.tensor"),
    }
)
"""Functions whose calls only return a value."""

_METHODS: Final = frozenset(
    {
        *("absolute", "as_posix", "capitalize", "copy", "decode", "encode", "endswith", "expanduser", "format", "get"),
        *("items", "join", "joinpath", "keys", "lower", "lstrip", "relative_to", "removeprefix", "removesuffix"),
        *("replace", "resolve", "rstrip", "split", "splitlines", "startswith", "strip", "title", "union", "upper"),
        *("values", "with_name", "with_stem", "with_suffix", "intersection", "difference", "total_seconds"),
    }
)
"""Methods of texts, paths and tables that only return a value."""


_OF_OTHERS: Final = frozenset({"__init_subclass__", "__set_name__", "__class_getitem__", "__mro_entries__"})
"""Methods of a class that run when another class is made."""
_OF_MODULES: Final = frozenset({"__file__", "__name__", "__doc__", "__package__", "__spec__", "__path__", "__module__"})


def is_main(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__"`."""
    test = node.test if isinstance(node, ast.If) and not node.orelse else None
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], ast.Eq):
        return False
    sides = [test.left, *test.comparators]
    return any(isinstance(each, ast.Name) and each.id == "__name__" for each in sides) and any(
        isinstance(each, ast.Constant) and each.value == "__main__" for each in sides
    )


class Defining:
    """Tells which statements of one module merely define."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._names: dict[str, str] = {}
        self._classes: dict[str, bool] = {}
        self._members: set[str] = set()

    def definition(self, node: ast.stmt) -> bool:
        """Whether a function or class is only a value of its name, which counts where that is used."""
        if isinstance(node, _FUNCTIONS):
            args = node.args
            defaults = [*args.defaults, *(each for each in args.kw_defaults if each is not None)]
            return self._decorated(node.decorator_list) and all(map(self._pure, defaults))
        if not isinstance(node, ast.ClassDef) or (node.keywords and not self._plain_keywords(node.keywords)):
            return False
        return self._plain_class(node) and all(map(self._base, _bases(node)))

    def imported_bases(self, node: ast.stmt) -> list[tuple[str, tuple[str, ...]]]:
        """The bases of a class, by imported names, that alone decide whether it is only a value of its name."""
        if not isinstance(node, ast.ClassDef) or node.keywords or not self._plain_class(node):
            return []
        found = [root_of(base) for base in _bases(node) if not self._base(base)]
        return found if all(self._is_import(root) for root, _ in found) else []

    def _plain_class(self, node: ast.ClassDef) -> bool:
        """Whether a class is only a value of its name, if its bases and metaclass permit that."""
        self._members |= _bound_in(node)
        return self._decorated(node.decorator_list) and all(self._member(each) for each in node.body)

    def _is_import(self, name: str) -> bool:
        bound = self._parsed.bindings.get(name, ())
        return bool(bound) and all(isinstance(each, ast.Import | ast.ImportFrom) for each in bound)

    def value(self, node: ast.stmt) -> list[str] | None:
        """The names to which a statement merely gives values; None for any other statement."""
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        elif isinstance(node, ast.TypeAlias):
            return [node.name.id]
        else:
            return None
        names = [each for target in targets for each in _names(target)]
        return [each.id for each in names if each is not None] if None not in names and self._pure(value) else None

    def _member(self, node: ast.stmt) -> bool:
        """Whether a statement in a class only makes a member."""
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            own = not isinstance(node, _FUNCTIONS) or node.name not in _OF_OTHERS
            return own and self.definition(node)
        silent = isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        return silent or (isinstance(node, ast.AnnAssign) and node.value is None) or self.value(node) is not None

    def _plain_keywords(self, keywords: Sequence[ast.keyword]) -> bool:
        return all(each.arg == "metaclass" and self._called(each.value) == "abc.ABCMeta" for each in keywords)

    def _decorated(self, decorators: Sequence[ast.expr]) -> bool:
        for each in decorators:
            called = each.func if isinstance(each, ast.Call) else each
            accessor = (
                isinstance(called, ast.Attribute)
                and called.attr in {"setter", "getter", "deleter"}
                and isinstance(called.value, ast.Name)
                and called.value.id in self._members
            )
            given = [*each.args, *(at.value for at in each.keywords)] if isinstance(each, ast.Call) else []
            if not (accessor or self._called(called) in _DECORATORS) or not all(map(self._pure, given)):
                return False
        return True

    def _base(self, node: ast.expr) -> bool:
        name = self._called(node)
        if name in _BASES:
            return True
        if not isinstance(node, ast.Name):
            return False
        if name == node.id and node.id not in self._parsed.bindings:
            return isinstance(getattr(builtins, node.id, None), type)
        if node.id not in self._classes:
            self._classes[node.id] = False  # the answer for a class that is its own base
            bound = self._parsed.bindings.get(node.id, [])
            self._classes[node.id] = all(isinstance(at, ast.ClassDef) and self.definition(at) for at in bound)
        return bool(self._parsed.bindings.get(node.id)) and self._classes[node.id]

    def _pure(self, node: ast.expr) -> bool:
        """Whether the evaluation of an expression only gives a value, and does not fail for lack of a name."""
        calls = []
        known = {each.arg for each in walk(node) if isinstance(each, ast.arg)}
        for each in walk(node):
            if isinstance(each, _SUSPENDING):
                return False
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                known.add(each.id)
            if isinstance(each, ast.Call):
                calls.append(each)
        names = {each.id for each in walk(node) if isinstance(each, ast.Name)}
        return all(map(self._is_bound, names - known)) and all(self._pure_call(each) for each in calls)

    def _is_bound(self, name: str) -> bool:
        known = name in self._parsed.bindings or name in self._members or bool(self._parsed.stars)
        return known or hasattr(builtins, name) or name in _OF_MODULES

    def _pure_call(self, node: ast.Call) -> bool:
        if self._called(node.func) in _PURE:
            return all(map(self._key, node.keywords))
        func = node.func
        if not isinstance(func, ast.Attribute) or func.attr not in _METHODS:
            return False
        root: ast.expr = func
        while isinstance(root, ast.Attribute | ast.Subscript | ast.Call | ast.BinOp):
            root = root.func if isinstance(root, ast.Call) else root.left if isinstance(root, ast.BinOp) else root.value
            if isinstance(root, ast.Attribute) and self._called(root) in _PURE:
                return True
        return isinstance(root, ast.Constant | ast.JoinedStr) or self._called(root) in _PURE or self._is_value(root)

    def _key(self, keyword: ast.keyword) -> bool:
        """Whether an argument is not a function that the call runs, other than one written there or a builtin."""
        named = self._called(keyword.value).partition(".")[0]
        return keyword.arg != "key" or isinstance(keyword.value, ast.Lambda) or hasattr(builtins, named)

    def _is_value(self, node: ast.expr) -> bool:
        """Whether a name always has a value that a statement of this module merely gives to it."""
        bound = self._parsed.bindings.get(node.id, []) if isinstance(node, ast.Name) else []
        return bool(bound) and all(self.value(each) is not None for each in bound)

    def _called(self, node: ast.expr) -> str:
        """The full name of what an expression names, by the imports of the module; of a builtin, its own."""
        attrs: list[str] = []
        while isinstance(node, ast.Attribute):
            attrs.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        root = self._names.get(node.id)
        if root is None:
            root = self._names[node.id] = self._root(node.id)
        return ".".join([root, *reversed(attrs)]) if root else ""

    def _root(self, name: str) -> str:
        bound = self._parsed.bindings.get(name)
        if not bound:
            return name if not self._parsed.stars else ""
        found = {_full(target) for each in bound for bound_as, target in _imports(each) if bound_as == name}
        only = all(isinstance(each, ast.Import | ast.ImportFrom) for each in bound)
        return found.pop() if only and len(found) == 1 else ""


def _bases(node: ast.ClassDef) -> list[ast.expr]:
    return [each.value if isinstance(each, ast.Subscript) else each for each in node.bases]


def _bound_in(node: ast.ClassDef) -> set[str]:
    """The names that the body of a class binds, which its other statements may use."""
    found = {each.id for each in walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    definitions = {each.name for each in walk(node) if isinstance(each, (*_FUNCTIONS, ast.ClassDef))}
    return found | definitions | {each.name for each in node.type_params}  # type: ignore[attr-defined]


def _imports(node: ast.stmt) -> Sequence[tuple[str, Import]]:
    return list(imports(node)) if isinstance(node, ast.Import | ast.ImportFrom) else []


def _full(target: Import) -> str:
    if target.level:
        return ""
    return f"{target.module}.{target.name}" if target.name else target.module


def _names(target: ast.expr) -> list[ast.Name | None]:
    """The names in the target of an assignment; None for anything else in it."""
    if isinstance(target, ast.Tuple | ast.List):
        return [name for each in target.elts for name in _names(each)]
    return [target if isinstance(target, ast.Name) else None]
