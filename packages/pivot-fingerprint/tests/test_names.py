"""Names of a form are those that the compiler looks up as globals."""

import ast
import builtins
import json
import os
import pathlib
import symtable
import sysconfig
from typing import Any

import pytest

from pivot_fingerprint.syntax.canonical import canonical

STDLIB = pathlib.Path(sysconfig.get_path("stdlib"))
MODULES = (
    *("asyncio/base_events", "dataclasses", "enum", "functools", "json/decoder", "test/test_scope"),
    *(("argparse", "ast", "inspect", "logging/__init__", "pathlib/_local") if "TEST_CORPUS" in os.environ else ()),
    *(("statistics", "tarfile", "typing", "unittest/mock") if "TEST_CORPUS" in os.environ else ()),
)
"""The session `deep` tries all."""


class _Bare(ast.NodeTransformer):
    """Removes the parts that forms leave out: annotations, type parameters, and statements that do nothing."""

    def visit_FunctionDef(self, node: Any) -> Any:
        self.generic_visit(node)
        node.returns = None
        node.type_params = []
        for arg in ast.walk(node.args):
            if isinstance(arg, ast.arg):
                arg.annotation = None
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_AnnAssign(self, node: Any) -> Any:
        self.generic_visit(node)
        node.annotation = ast.Constant(0)
        return node


def globals_read(table: symtable.SymbolTable) -> set[str]:
    names = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (symbol.is_global() or (table.get_type() == "class" and not symbol.is_free()))
    }
    for child in table.get_children():
        names |= globals_read(child)
    return names


@pytest.mark.parametrize("module", MODULES)
def test_the_compiler_agrees(module: str) -> None:
    path = STDLIB / f"{module}.py"
    if not path.exists():
        pytest.skip(f"this Python has no {module}")
    tree = ast.fix_missing_locations(_Bare().visit(ast.parse(path.read_bytes())))
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        inner = ast.unparse(node)
        alone = ast.parse(inner).body[0]
        form = canonical([alone])
        table = symtable.symtable(inner, "x", "exec")
        expected = globals_read(table) - {"__class__", "__debug__", node.name}
        expected |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
        found = {ref.root: ref.weak for ref in form.refs if isinstance(ref.root, str)}
        surely = {name for name, weak in found.items() if not weak}

        assert {name for name in surely - expected if name != node.name} - set(dir(builtins)) == set(), node.name
        assert {name for name in expected - set(found) if not name.startswith("_")} - _own(alone) == set(), node.name


def _own(node: ast.AST) -> set[str]:
    """Names that forms treat differently: those that a class binds itself, mangled names, and imports."""
    names = set()
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            names.add(each.name)
        if isinstance(each, ast.alias):
            names.add((each.asname or each.name).partition(".")[0])
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load):
            names.add(each.id)
    return names


def test_forms_are_plain() -> None:
    form = canonical(ast.parse("def f(x): return json.loads(x)").body)

    assert [(ref.root, ref.attrs) for ref in form.refs] == [("json", ("loads",))]
    assert json.loads("1") == 1
