"""Edge cases: files that move, break or vanish, odd objects, odd modules."""

# ruff: noqa: E501 - projects as texts

import dataclasses
import importlib
import os
import sys
import threading
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from pivot_fingerprint import Manifest, fingerprint
from pivot_fingerprint.sources.source_file import Sources

type Take = Callable[..., Manifest]
type Write = Callable[[str], Path]


def load(path: Path, name: str = "pipeline", compiled_as: str | None = None, **more: object) -> Any:
    """The `stage` of a file, run under any name and any recorded file name."""
    namespace: dict[str, Any] = {"__name__": name, "__file__": str(path), **more}
    exec(compile(path.read_text(), compiled_as or str(path), "exec"), namespace)
    return namespace["stage"]


SIMPLE = "def stage(x):\n    return helper(x)\ndef helper(x):\n    return 1\n"


def test_main_is_named_by_its_file_or_its_module(write: Write) -> None:
    path = write(SIMPLE) / "pipeline.py"

    assert "func:pipeline:stage" in fingerprint(load(path, "__main__", __spec__=None))
    assert "func:tool:stage" in fingerprint(load(path, "__main__", __spec__=ModuleSpec("tool.__main__", None)))


def test_code_that_was_compiled_elsewhere(write: Write) -> None:
    path = write(SIMPLE) / "pipeline.py"

    assert fingerprint(load(path, compiled_as="/build/elsewhere/pipeline.py")) == fingerprint(load(path))


def test_a_method_of_a_class_that_calls_itself_another_modules(take: Take) -> None:
    project = "class A:\n    def go(self):\n        return 1\nA.__module__ = 'json'\ngo = A().go\ndef stage():\n    return go()\n"

    assert "class:pipeline:A" in take(project)


def test_code_reached_by_a_link(write: Write) -> None:
    path = write(SIMPLE) / "pipeline.py"
    link = path.parent / "link"
    link.symlink_to(path.parent)

    assert fingerprint(load(path, compiled_as=str(link / "pipeline.py"))) == fingerprint(load(path))


def test_code_run_in_the_namespace_of_another_file(write: Write) -> None:
    root = write("other = 1\n# file: part.py\n" + SIMPLE)
    stage = load(root / "part.py", __file__=str(root / "pipeline.py"))
    manifest = fingerprint(stage, root=root)

    assert manifest["func:pipeline:stage"].file == "part.py"
    assert "func:pipeline:helper" in manifest


def test_lines_that_moved_since_the_import(write: Write) -> None:
    path = write(SIMPLE) / "pipeline.py"
    stage = load(path)
    before = fingerprint(stage)
    path.write_text("# one\n# two\n# three\n# four\n# five\n# six\n" + SIMPLE)

    assert fingerprint(stage).digest == before.digest


def test_a_file_that_was_only_touched(write: Write) -> None:
    path = write(SIMPLE) / "pipeline.py"
    stage = load(path)
    before = fingerprint(stage)
    os.utime(path, (1, 1))

    assert fingerprint(stage) == before


@pytest.mark.parametrize("text", ["def stage(:\n", "x = 1\n", "\0"])
def test_source_that_no_longer_fits_is_named(text: str, write: Write) -> None:
    path = write("def stage(x):\n    return 1\n") / "pipeline.py"
    stage = load(path)
    path.write_text(text)

    assert [edge.reason for edge in fingerprint(stage).unresolved] == ["the source of `stage` cannot be found"]


def test_source_that_is_a_directory_is_named(write: Write) -> None:
    path = write("def stage(x):\n    return 1\n") / "pipeline.py"
    stage = load(path)
    path.unlink()
    path.mkdir()

    assert len(fingerprint(stage).unresolved) == 1


def test_a_lambda_that_is_gone_is_named(write: Write) -> None:
    path = write("\n\nstage = lambda x: 1\n") / "pipeline.py"
    path.write_text("stage = lambda x: 1\n")
    stage = load(path)
    path.write_text("\n\n\nstage = 1\n")

    assert len(fingerprint(stage).unresolved) == 1


def test_a_class_made_twice_counts_by_the_members_of_each(write: Write) -> None:
    path = write("class stage:\n    limit = 1\n") / "pipeline.py"
    one, two = load(path), load(path)

    def digest(second: int) -> str:
        two.limit = second
        return fingerprint(len, values={"v": [one, two]}, is_user_code=lambda file: file == str(path)).digest

    home = types.ModuleType("pipeline")
    home.__file__ = str(path)
    sys.modules["pipeline"] = home
    try:
        assert digest(1) != digest(2)
    finally:
        del sys.modules["pipeline"]


def test_a_class_of_no_module_counts_by_its_name() -> None:
    lost = type("Lost", (), {"__module__": "a_module_that_is_gone"})

    assert list(fingerprint(lost)) == ["call:a_module_that_is_gone:Lost"]


def test_a_class_made_without_a_statement(take: Take) -> None:
    project = (
        "import dataclasses\nA = dataclasses.make_dataclass('A', [('x', int, 1)])\ndef stage(x):\n    return A()\n"
    )

    assert take(project).digest != take(project.replace("int, 1", "int, 2")).digest


def test_slots_that_are_not_set(take: Take) -> None:
    project = "class A:\n    __slots__ = ('a', '__b', '__dict__')\na = A()\na.c = 1\ndef stage(x):\n    return a\n"

    assert take(project).digest != take(project.replace("a.c = 1", "a.a = 1")).digest
    assert take(project).unresolved == ()


def test_the_value_of_a_cached_property_is_not_state(take: Take) -> None:
    project = (
        "import functools\nclass A:\n    @functools.cached_property\n    def p(self):\n        return 1\n"
        "a = A()\ndef stage(x):\n    return a\n"
    )

    assert take(project)["const:pipeline:a"] == take(project.replace("a = A()", "a = A(); a.p"))["const:pipeline:a"]


def test_an_empty_cell(take: Take) -> None:
    project = "def make():\n    def f():\n        return later\n    return f\n    later = 1\nstage = make()\n"

    assert take(project).unresolved == ()


def library(value: object) -> Manifest:
    """The manifest of a value whose class is a library's."""
    return fingerprint(len, is_user_code=lambda _file: False, values={"v": value})


@dataclasses.dataclass
class Options:
    indent: object


def test_a_librarys_dataclass_counts_field_by_field() -> None:
    assert library(Options(1)).digest == library(Options(1)).digest
    assert library(Options(1)).digest != library(Options(2)).digest
    assert library(Options(threading.Lock())).digest == library(Options([threading.Lock()])).digest


@pytest.mark.parametrize("reduced", [3, (len,)])
def test_an_object_that_cannot_be_rebuilt_is_named(reduced: object) -> None:
    class Odd:
        def __reduce_ex__(self, protocol: object) -> Any:
            return reduced

    assert "has no canonical form" in library(Odd()).unresolved[0].reason


def test_a_users_object_inside_a_librarys_still_counts(take: Take) -> None:
    project = (
        "import types, threading\nclass A:\n    def __init__(self):\n        self.n = 1\n"
        "        self.lock = threading.Lock()\nspace = types.SimpleNamespace(a=A())\ndef stage(x):\n    return space\n"
    )

    assert take(project).digest != take(project.replace("self.n = 1", "self.n = 2")).digest
    assert len(take(project).unresolved) == 1


def test_wrappers_that_wrap_themselves_end() -> None:
    class Wrapper:
        def __call__(self) -> None: ...

    wrapper: Any = Wrapper()
    wrapper.__wrapped__ = wrapper

    assert any(key.startswith("call:") for key in fingerprint(wrapper))


def test_docstrings_count_where_a_library_reads_them(take: Take) -> None:
    project = 'import inspect\ndef f():\n    """One."""\ndef stage(x):\n    return inspect.getdoc(f)\n'

    assert take(project).digest != take(project.replace("One", "Two")).digest


LATER = {
    "modules that import a name from each other": "from b import f\n# file: b.py\nfrom lazy import f\n",
    "a module's own name": "f = __name__\n",
    "a builtin": "f = len\n",
    "a star import of an imported module": "from seen import *\n",
    "a star import of a missing name": "from nowhere_at_all import *\nfrom seen import *\n",
    "a type alias": "type f = int\n",
    "an import of the library": "import xml.dom.pulldom as f\n",
    "a walrus": "print(f := 1) if 0 else (f := 2)\nf = f\n",
}


@pytest.mark.parametrize("title", LATER)
def test_a_module_imported_later(title: str, take: Take) -> None:
    project = f"import seen\ndef stage(x):\n    import lazy\n    return lazy.f\n# file: seen.py\nf = 1\n# file: lazy.py\n{LATER[title]}"

    assert take(project).unresolved == ()


def test_a_builtin_module_imported_later(take: Take) -> None:
    names = sorted(set(sys.builtin_module_names) - set(sys.modules))
    if not names:
        pytest.skip("all builtin modules are imported")

    assert take(f"def stage(x):\n    import {names[0]}\n    return {names[0]}.f\n").unresolved == ()


def test_impossible_names_of_modules(take: Take) -> None:
    project = (
        "import importlib\ndef stage(x):\n    return importlib.import_module('a\\0b').f, __import__('os.path').sep\n"
    )

    assert take(project).unresolved == ()


def test_chains_through_libraries(take: Take) -> None:
    project = "import os, json\ndef mine():\n    return 1\njson.mine = mine\ndef stage(x):\n    return os.path.join(x), json.mine()\n"
    try:
        assert list(take(project)) == ["effects:pipeline:*", "func:pipeline:mine", "func:pipeline:stage"]
    finally:
        del importlib.import_module("json").mine


def test_a_module_without_source_as_a_value(take: Take) -> None:
    math = importlib.import_module("math")
    file = getattr(math, "__file__", None)
    if file is None:
        pytest.skip("this Python has its math built in")
    project = "import math\nT = [math]\ndef stage(x):\n    return T\n"
    manifest = take(project, is_user_code=lambda name: name == file or "pipeline" in name)

    assert [edge.reason for edge in manifest.unresolved] == ["the module `math` has no Python source"]


def test_local_type_aliases_and_imports_seen_twice(take: Take) -> None:
    project = "import os\ndef stage(x):\n    type A = int\n    import os\n    def f():\n        return os.sep\n    return A, f, os.sep\n"

    assert take(project).unresolved == ()


NAMED_NOTHING = {
    "an import in a class body": "class A:\n    import os\n    sep = os.sep\ndef stage(x):\n    return A\n",
    "a module as a value, twice": "import utils\nT = [utils]\nU = (utils,)\ndef stage(x):\n    return T, U, utils\n# file: utils.py\n",
    "a namespace package as a value": "import ns.leaf\nT = [ns]\ndef stage(x):\n    return T\n# file: ns/leaf.py\n",
    "a class that says its name": "class A:\n    __module__ = 'pipeline'\n    __qualname__ = 'A'\ndef stage(x):\n    return A\n",
    "two imports of one name": "try:\n    from os import sep as s\nexcept ImportError:\n    from os import curdir as s\n"
    "def stage(x):\n    return s\n",
    "a method of a class that was replaced": "class A:\n    def f(self):\n        return 1\nT = [A.f]\nclass A:\n    pass\n"
    "def stage(x):\n    return T\n",
    "an import that may fail and is not used": "def stage(x):\n    try:\n        import nowhere_at_all\n    except ImportError:\n"
    "        pass\n",
    "an import by several names": "def stage(x):\n    import lazy\n    return lazy.f\n# file: lazy.py\nfrom os import curdir, sep as f\n",
    "an optional attribute of a module imported later": "import utils\ndef stage(x):\n    return utils\n# file: utils.py\n"
    "try:\n    f = undefined\nexcept NameError:\n    pass\n",
}


@pytest.mark.parametrize("title", NAMED_NOTHING)
def test_nothing_is_unresolved(title: str, take: Take) -> None:
    assert take(NAMED_NOTHING[title]).unresolved == ()


def test_a_time_zone() -> None:
    zoneinfo = importlib.import_module("zoneinfo")
    path = next((Path(root, "UTC") for root in zoneinfo.TZPATH if Path(root, "UTC").exists()), None)
    if path is None:
        pytest.skip("this machine has no time zones")

    assert library(zoneinfo.ZoneInfo("UTC")).digest == library(zoneinfo.ZoneInfo.no_cache("UTC")).digest


def test_a_directory_or_missing_file_has_no_source(tmp_path: Path) -> None:
    assert Sources().read(str(tmp_path / "missing.py")) is None
    assert Sources().read("a\0b.py") is None


def test_a_finder_that_raises(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    def hook(_path: str) -> Any:
        raise ValueError

    monkeypatch.setattr(sys, "path_hooks", [hook])
    monkeypatch.setattr(sys, "path_importer_cache", {})

    def stage() -> object:
        import nowhere_at_all  # type: ignore[import-not-found]  # lazy

        return nowhere_at_all.f

    manifest = fingerprint(stage, is_user_code=lambda file: file == __file__)

    assert [edge.reason for edge in manifest.unresolved if "nowhere" in edge.reason] == []


def test_functions_that_are_made_in_a_library(take: Take) -> None:
    namespace: dict[str, Any] = {"__name__": "a_library"}
    exec("def made(): pass", namespace)

    assert library(namespace["made"]).unresolved == ()


def test_functions_without_source_share_an_entry(write: Write) -> None:
    path = write("stage = []\nfor n in 1, 2:\n    exec('def f(): return n')\n    stage.append(f)\n") / "pipeline.py"
    made = load(path, "__main__")

    keys = list(fingerprint(len, values={"v": made}))
    assert keys == ["call:builtins:len", "const:pipeline:n", "func:pipeline:f", "v"]


def test_main_without_a_file() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def stage(): pass", namespace)

    assert fingerprint(namespace["stage"], is_user_code=lambda _file: True).unresolved == ()


MADE_OF_TEXT = """
from types import FunctionType
space = {"K": 2}
exec("def f():\\n    return K\\ndef g():\\n    return K", space)
f, g = space["f"], space["g"]
def stage(x):
    return f(), g()
"""


def test_generated_functions_of_one_place_share_its_names(take: Callable[..., Manifest]) -> None:
    digests = {take(MADE_OF_TEXT.replace("2", number)).digest for number in "234"}
    assert len(digests) == 3


def test_a_function_generated_in_a_library_is_the_librarys(take: Callable[..., Manifest]) -> None:
    project = 'import json\nexec("def f():\\n    return 2", vars(json))\nf = vars(json).pop("f")\n'
    manifest = take(f"{project}def stage(x):\n    return f()\n")

    assert manifest.digest == take(f"{project.replace('2', '3')}def stage(x):\n    return f()\n").digest
