"""Files are closed where they were opened, and not when the collector comes by."""

import ast
import pathlib
import sys
from collections.abc import Iterable, Iterator

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from parsed_modules import MODULES, NAMES, sources

OPENERS = {"scandir", "TemporaryFile", "NamedTemporaryFile", "TemporaryDirectory", "mmap", "urlopen", "fdopen"}
FILES = {"open", "Popen", "ThreadPoolExecutor", "ProcessPoolExecutor"}
ITERATED_TO_THE_END = {"pivot_runtime.comparing.row_files"}
"""Modules whose generators are iterated to the end or closed by whoever asks for them."""
CLOSED_ELSEWHERE = {
    ("pivot_runtime.git.calls", "Popen"),  # by who asked for it, in a context manager of its own, which also waits
    ("pivot_cli.embedding.command_process", "Popen"),  # by the thread that reads its output, which also waits
    ("pivot_remote_ssh.connection", "open"),  # files of a server, by who asked for them
    ("pivot_remote_ssh.object_body", "open"),  # likewise
    ("pivot_remote_ssh.uploads", "open"),  # likewise
    ("pivot_remote_ssh.existence", "scandir"),  # by `aclosing`
}


def opened(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """Name and line of each call that opens something outside of a ``with``."""
    blocks = [node for node in nodes if isinstance(node, ast.With | ast.AsyncWith)]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    inside = {id(call) for block in blocks for item in block.items for call in ast.walk(item.context_expr)} | {
        id(call)  # the `with` of a stack closes it
        for node in calls
        if isinstance(node.func, ast.Attribute) and node.func.attr == "enter_context"
        for argument in node.args
        for call in ast.walk(argument)
    }
    for node in calls:
        if id(node) in inside:
            continue
        match node.func:
            case ast.Name(id=name):
                pass
            case ast.Attribute(attr=name, value=ast.Name(id="os" | "webbrowser")) if name == "open":
                continue  # a descriptor, which no collector closes; a page in the user's browser
            case ast.Attribute(attr=name):
                pass
            case _:
                continue
        keeps = any(keyword.arg == "closefd" for keyword in node.keywords)
        if name in OPENERS or (name in FILES and not keeps and not _of_ours(node.func)):
            yield name, node.lineno


def _of_ours(func: ast.expr) -> bool:
    return isinstance(func, ast.Attribute) and isinstance(func.value, ast.Attribute) and func.value.attr == "_drafts"


def test_files_directories_and_processes_are_opened_by_a_with() -> None:
    found = {(NAMES[path], name): line for path in MODULES for name, line in opened(sources()[path].nodes)}

    assert {key: line for key, line in found.items() if key not in CLOSED_ELSEWHERE} == {}


def test_nothing_stays_open_while_a_generator_waits() -> None:
    """Who stops asking it leaves the closing to the collector."""
    found = [
        f"{path.name}:{block.lineno}"
        for path in MODULES
        if NAMES[path] not in ITERATED_TO_THE_END
        if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in sources()[path].nodes)
        for function in sources()[path].functions
        if not any("contextmanager" in ast.unparse(each) for each in function.decorator_list)
        for block in ast.walk(function)
        if isinstance(block, ast.With | ast.AsyncWith)
        and any(list(opened(list(ast.walk(item.context_expr)))) for item in block.items)
        and any(isinstance(node, ast.Yield | ast.YieldFrom) for each in block.body for node in ast.walk(each))
    ]

    assert found == []
