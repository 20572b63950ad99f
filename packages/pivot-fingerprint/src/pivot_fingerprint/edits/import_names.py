"""The names by which an import of some files may find and call code, an upper bound that is read from their texts."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Final

from pivot_fingerprint.edits.text_changes import Definition, Function, SourceText
from pivot_fingerprint.syntax.node_fields import children
from pivot_fingerprint.syntax.statement_acts import root_of

_WORD: Final = re.compile(r"[^\W\d]\w*")
_HARMLESS: Final = frozenset(
    {
        *("staticmethod", "classmethod", "property"),
        *("functools.cache", "functools.lru_cache", "functools.cached_property"),
        *("contextlib.contextmanager", "abc.abstractmethod", "typing.override"),
    }
)
"""Decorators that do not call the function when they get it."""
_DATACLASS: Final = "dataclasses.dataclass"
_PIPELINE: Final = "pivot.Pipeline"
_LOOKING_UP: Final = frozenset(
    {
        *("globals", "locals", "vars", "dir", "eval", "exec", "compile", "__import__", "import_module", "__dict__"),
        *("__subclasses__", "__globals__", "__code__", "__closure__", "_getframe", "currentframe", "f_globals"),
        *("modules", "getmembers", "getsource", "getsourcelines", "getsourcefile", "settrace", "setprofile"),
        *("attrgetter", "methodcaller", "resolve_name", "locate", "get_objects", "get_referrers", "run_module"),
        *(
            "run_path",
            "walk_packages",
            "iter_modules",
            "linecache",
            "tokenize",
            "monitoring",
            "find_spec",
            "exec_module",
        ),
    }
)
"""Names by which code finds other code than that which it names."""
_BY_NAME: Final = frozenset({"getattr", "hasattr", "setattr", "delattr", "import_string"})
_READING: Final = frozenset({"open", "read_text", "read_bytes", "readlines", "get_data"})
_LISTING: Final = frozenset({"__file__", "glob", "rglob", "iglob", "iterdir", "listdir", "scandir", "walk"})


class ImportNames:
    """The names that an import may use, found in the statements that it runs and in all code that these name.

    Attributes:
        used: The names.
        unclear: Why code may be found by other means; empty if that cannot be.
    """

    def __init__(self, files: Mapping[str, SourceText]) -> None:
        """Follow the names from the tops of all files; a path in ``files`` is that of a module of the user's."""
        self.used: set[str] = set()
        self.unclear = ""
        self._files = files
        self._stack: list[str] = []
        self._modules = {part for path in files for part in path.removesuffix(".py").split("/")}
        self._module_names: set[str] = set()
        self._definitions: dict[str, list[Definition]] = {}
        self._original: dict[str, set[str]] = {}
        self._seen: set[int] = set()
        self._reads = self._lists = False
        self._pipelines = {path: _pipelines(text) for path, text in files.items()}
        for text in files.values():
            self._index(text)
        for path, text in files.items():
            for statement in text.parsed.tree.body:
                self._run(path, statement)
        self._follow()
        if self._reads and self._lists:
            self.unclear = self.unclear or "the import may read the source as a text"

    def follows(self, top: Definition) -> bool:
        """Whether the import may run the code of a definition at the top of a file, or of one in it."""
        return id(top) in self._seen

    def _index(self, text: SourceText) -> None:
        for top in text.parsed.tops:
            names = {top.name}
            for each in ast.walk(top):
                if isinstance(each, Definition):
                    names.add(each.name)
            for name in names:
                self._definitions.setdefault(name, []).append(top)
            if top.name.startswith("__"):  # the import system calls `__getattr__`
                self._use(top.name)
        for each in ast.walk(text.parsed.tree):
            if isinstance(each, ast.alias):
                if each.asname:
                    self._original.setdefault(each.asname, set()).add(each.name.rpartition(".")[2])
                if self._modules.intersection(each.name.split(".")):
                    self._module_names.add(each.asname or each.name.partition(".")[0])

    def _use(self, name: str) -> None:
        if name not in self.used:
            self.used.add(name)
            self._stack.append(name)

    def _follow(self) -> None:
        """Take over the names in each definition that has a used name."""
        while self._stack:
            name = self._stack.pop()
            for original in self._original.get(name, ()):
                self._use(original)
            for top in self._definitions.get(name, ()):
                if id(top) not in self._seen:
                    self._seen.add(id(top))
                    self._note(top)

    # Statements that run

    def _run(self, path: str, statement: ast.AST) -> None:
        """Take over the names in a statement that runs, without the code of the functions that it defines."""
        if isinstance(statement, Function):
            self._define(path, statement)
            for head in filter(None, (statement.args, statement.returns, *statement.type_params)):
                self._note(head)
                self._note_texts(head)
        elif isinstance(statement, ast.ClassDef):
            self._define(path, statement)
            if statement.keywords or not all(map(_is_plain_base, statement.bases)):
                self._use(statement.name)  # its bases may call its functions at once
            for part in (*statement.bases, *statement.keywords, *statement.type_params):
                self._note(part)
            for inner in statement.body:
                self._run(path, inner)
        elif not isinstance(statement, ast.stmt | ast.ExceptHandler | ast.match_case):
            self._note(statement, path)
        elif not _is_main(statement):
            for each in children(statement):
                self._run(path, each)

    def _define(self, path: str, node: Definition) -> None:
        for each in node.decorator_list:
            harmless = self._is_harmless(path, each)
            if not harmless:
                self._use(node.name)
            self._note(each)

    def _is_harmless(self, path: str, decorator: ast.expr) -> bool:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if self._is_register(path, called):
            return True
        name = _full_name(self._files[path], called)
        return name in _HARMLESS or name == _DATACLASS

    def _is_register(self, path: str, called: ast.expr) -> bool:
        """Whether an expression is the method of a pipeline by which it takes a function."""
        if not (isinstance(called, ast.Attribute) and called.attr == "register" and isinstance(called.value, ast.Name)):
            return False
        name = called.value.id
        if name in self._pipelines[path]:
            return True
        target = _full_name(self._files[path], called.value)
        homes = [each for each in self._files if last_part(each) == target.rpartition(".")[0].rpartition(".")[2]]
        own = target.rpartition(".")[2]
        return "." in target and bool(homes) and all(own in self._pipelines[each] for each in homes)

    def _note(self, node: ast.AST, path: str | None = None) -> None:
        """Take over all names in a node."""
        stack: list[tuple[ast.AST, bool]] = [(node, False)]
        while stack:
            each, is_base = stack.pop()
            if isinstance(each, ast.Call) and path is not None and self._is_register(path, each.func):
                taken = each.args[:1] if each.args and isinstance(each.args[0], ast.Name) else []
                stack += [(one, False) for one in children(each) if one not in taken]
                continue
            self._note_one(each, is_base=is_base)
            stack += [(one, isinstance(each, ast.Attribute)) for one in children(each)]

    def _note_one(self, node: ast.AST, *, is_base: bool) -> None:
        """Take over the name of a node; ``is_base`` is whether an attribute is taken from it."""
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                self._name(node.id)
            if not is_base and node.id in self._module_names:
                self.unclear = self.unclear or f"the import passes `{node.id}` on, which may be a module"
        elif isinstance(node, ast.Attribute):
            self._name(node.attr)
        elif isinstance(node, ast.Constant):
            self._constant(node.value)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            for name in node.names:
                self._use(name)
        elif isinstance(node, ast.Call):
            self._call(node)

    def _note_texts(self, node: ast.AST) -> None:
        """Take over the names in annotations that are texts."""
        stack = [node]
        while stack:
            each = stack.pop()
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                for name in _WORD.findall(each.value):
                    self._use(name)
            stack += [] if isinstance(each, ast.Call) else children(each)  # paths of files are no types

    def _name(self, name: str) -> None:
        self._use(name)
        if name in _LOOKING_UP:
            self.unclear = self.unclear or f"the import uses `{name}`, which may find code by any name"
        self._reads = self._reads or name in _READING
        self._lists = self._lists or name in _LISTING

    def _call(self, node: ast.Call) -> None:
        name = root_of(node.func)[0] if isinstance(node.func, ast.Name) else ""
        by_text = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
        if name in _BY_NAME and not by_text:
            self.unclear = self.unclear or f"the import uses `{name}` with a computed name"
        elif name in _BY_NAME and isinstance(node.args[1], ast.Constant):
            self._use(str(node.args[1].value))

    def _constant(self, value: object) -> None:
        """A text may be the path of a module, and of a name in it."""
        if isinstance(value, str):
            self._lists = self._lists or value.endswith(".py")
            parts = value.replace(":", ".").split(".")
            if len(parts) > 1 and all(map(str.isidentifier, parts)):
                modules = self._modules.intersection(parts[:-1])
                if modules:
                    self._use(parts[-1])


def _is_plain_base(base: ast.expr) -> bool:
    """Whether a base calls nothing when a class is derived from it."""
    return isinstance(base, ast.Name) and base.id in {"object", "Exception", "ValueError", "RuntimeError", "TypeError"}


def _is_main(statement: ast.AST) -> bool:
    """Whether a statement is ``if __name__ == "__main__"``, which an import never enters."""
    match statement:
        case ast.If(
            test=ast.Compare(
                left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]
            ),
            orelse=[],
        ):
            return True
    return False


def _pipelines(text: SourceText) -> set[str]:
    """The names that are bound once, to a new pipeline."""
    found: set[str] = set()
    for name, statements in text.parsed.bindings.items():
        only = statements[0] if len(statements) == 1 else None
        called = only.value if isinstance(only, ast.Assign) and isinstance(only.targets[0], ast.Name) else None
        if isinstance(called, ast.Call) and _full_name(text, called.func) == _PIPELINE:
            found.add(name)
    return found


def _full_name(text: SourceText, node: ast.expr) -> str:
    """The name of an expression through the only import of its root; a builtin by its own name; else empty."""
    attrs: list[str] = []
    while isinstance(node, ast.Attribute):
        attrs.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    bound = text.parsed.bindings.get(node.id, [])
    if not bound and not text.parsed.stars:
        return ".".join([node.id, *reversed(attrs)])
    if len(bound) != 1:
        return ""
    for alias in _aliases(bound[0]):
        if (alias[0]) == node.id:
            return ".".join([alias[1], *reversed(attrs)])
    return ""


def _aliases(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    if isinstance(statement, ast.ImportFrom):
        for each in statement.names:
            yield each.asname or each.name, f"{statement.module or ''}.{each.name}"
    elif isinstance(statement, ast.Import):
        for each in statement.names:
            yield (each.asname, each.name) if each.asname else (each.name.partition(".")[0],) * 2


def last_part(path: str) -> str:
    """The name of a module without its packages, by the path of its file."""
    return path.removesuffix("/__init__.py").removesuffix(".py").rpartition("/")[2]
