"""The modules of the packages: all are read and parsed once for all tests of a process."""

import ast
import functools
import gc
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent
MODULES = sorted(ROOT.glob("packages/*/src/**/*.py"))
NAMES = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts[3:]).removesuffix(".__init__") for path in MODULES}

type AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """A module, its nodes, and its functions, also those in classes and in other functions."""

    text: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]
    functions: tuple[AnyFunction, ...]


@functools.cache
def sources() -> Mapping[pathlib.Path, Source]:
    """All modules; the garbage collector would look through a million nodes again and again."""
    found = {}
    gc.disable()
    for path in MODULES:
        text = path.read_text()
        nodes = tuple(ast.walk(tree := ast.parse(text)))
        functions = tuple(node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        found[path] = Source(text, tree, nodes, functions)
    gc.freeze()
    gc.enable()
    return found
