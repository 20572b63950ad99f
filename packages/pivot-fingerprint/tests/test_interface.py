"""Keys, places, roots, user code, additional values and functions that opt out."""

# ruff: noqa: E501 - projects as texts

import functools
import importlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

import pivot_fingerprint
from pivot_fingerprint import Entry, Manifest, fingerprint, no_fingerprint
from pivot_fingerprint.user_code import default_is_user_code

FACTORY = """
def make(n):
    def f(x):
        return x + n
    return f
pair = [make(1), make(2), lambda x: x, lambda x: -x]
def stage(x):
    return pair
"""


def test_keys_say_kind_module_and_name(take: Callable[..., Manifest]) -> None:
    manifest = take(
        "import pkg.models as m\nfrom pkg.models import LIMIT\ndef stage(x):\n    return m.Net, LIMIT, m.run, vars(m)\n"
        "# file: pkg/__init__.py\n# file: pkg/models.py\nLIMIT = 3\nclass Net:\n    pass\n\ndef run():\n    pass\n"
    )

    assert [(key, entry.file, entry.line) for key, entry in manifest.items()] == [
        ("class:pkg.models:Net", "pkg/models.py", 2),
        ("const:pkg.models:LIMIT", "pkg/models.py", 1),
        ("func:pipeline:stage", "pipeline.py", 3),
        ("func:pkg.models:run", "pkg/models.py", 5),
        ("module:pkg.models:*", "pkg/models.py", None),
    ]


def test_same_named_definitions_have_different_keys(take: Callable[..., Manifest]) -> None:
    manifest = take(
        "import functools\n@functools.singledispatch\ndef f(x):\n    return 0\n@f.register\ndef _(x: int):\n    return 1\n"
        "@f.register\ndef _(x: str):\n    return 2\ndef stage(x):\n    return f(x)\n"
    )

    assert [key for key in manifest if ":_" in key] == ["func:pipeline:_", "func:pipeline:_#2"]


def test_products_of_a_factory_are_distinguished(take: Callable[..., Manifest]) -> None:
    assert list(take(FACTORY)) == ["const:pipeline:pair", "func:pipeline:make", "func:pipeline:stage"]
    assert take(FACTORY).digest != take(FACTORY.replace("make(1), make(2)", "make(2), make(1)")).digest


def test_files_are_relative_to_the_root(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = write("x = 1\n# file: src/unique_name_a/work.py\ndef stage(x):\n    return x\n")
    monkeypatch.syspath_prepend(str(root / "src"))
    stage = importlib.import_module("unique_name_a.work").stage

    assert fingerprint(stage)["func:unique_name_a.work:stage"].file == "unique_name_a/work.py"
    assert fingerprint(stage, root=root)["func:unique_name_a.work:stage"].file == "src/unique_name_a/work.py"
    assert fingerprint(stage, root=root).digest == fingerprint(stage).digest


def test_main_is_named_by_its_file(write: Callable[[str], Path]) -> None:
    root = write(
        "import json\nfrom pivot_fingerprint import fingerprint\ndef stage(x):\n    return x\n"
        "if __name__ == '__main__':\n    print(list(fingerprint(stage)))\n"
    )
    done = subprocess.run([sys.executable, root / "pipeline.py"], capture_output=True, text=True, check=True, cwd=root)

    assert done.stdout.strip() == "['func:pipeline:stage']"


def test_values_are_entries_under_their_own_keys(take: Callable[..., Manifest]) -> None:
    def option(value: object) -> Entry:
        manifest: Manifest = take("def stage(x):\n    return x\n", values={"loader:raw": value})
        return manifest["loader:raw"]

    class JSON:
        def __init__(self, indent: int) -> None:
            self.indent = indent

    assert option(JSON(2)).digest == option(JSON(2)).digest
    assert option(JSON(2)).digest != option(JSON(3)).digest
    assert option({"a": 1}).digest != option({"a": 2}).digest


def test_a_value_brings_its_users_class_along(take: Callable[..., Manifest]) -> None:
    manifest = take("class Loader:\n    pass\nclass stage:\n    pass\nlast = Loader()\n", values={"v": 1})
    assert list(manifest) == ["class:pipeline:stage", "v"]


def test_a_value_of_a_library_counts_by_name_and_state() -> None:
    def value(each: object) -> str:
        return fingerprint(len, values={"v": each})["v"].digest

    assert value(functools.partial(int, base=2)) == value(functools.partial(int, base=2))
    assert value(functools.partial(int, base=2)) != value(functools.partial(int, base=3))


def test_a_builtin_counts_by_name() -> None:
    assert list(fingerprint(len)) == ["call:builtins:len"]
    assert fingerprint(len).digest != fingerprint(max).digest


def test_the_predicate_decides_what_is_followed(take: Callable[..., Manifest]) -> None:
    project = "from utils import f\ndef stage(x):\n    return f(x)\n# file: utils.py\ndef f(x):\n    return 1\n"

    assert list(take(project)) == ["func:pipeline:stage", "func:utils:f"]
    followed = take(project, is_user_code=lambda file: not file.endswith("utils.py"))
    assert list(followed) == ["func:pipeline:stage"]


OPTED_OUT = """
from pivot_fingerprint import no_fingerprint
@no_fingerprint(code_deps=["query.sql"])
def query(x):
    return eval("1")
def stage(x):
    return query(x)
# file: query.sql
select 1
"""


def test_a_function_that_opts_out_counts_by_its_name_and_files(take: Callable[..., Manifest]) -> None:
    base = take(OPTED_OUT)

    assert list(base) == ["func:pipeline:query", "func:pipeline:stage"]
    assert base.unresolved == ()
    assert take(OPTED_OUT.replace('eval("1")', 'eval("2")')).digest == base.digest
    assert take(OPTED_OUT.replace("select 1", "select 2")).digest != base.digest
    assert take(OPTED_OUT.replace("query(x)", "other(x)")).digest != base.digest


def test_a_file_that_is_missing_is_named(take: Callable[..., Manifest]) -> None:
    edges = take(OPTED_OUT.replace("# file: query.sql\nselect 1\n", "")).unresolved

    assert [edge.key for edge in edges] == ["func:pipeline:query"]
    assert "'query.sql'" in edges[0].reason


def test_a_wrapper_around_a_function_that_opts_out_does_not(take: Callable[..., Manifest]) -> None:
    project = (
        "import functools\nfrom pivot_fingerprint import no_fingerprint\ndef deco(f):\n    @functools.wraps(f)\n"
        "    def inner(*a):\n        return f(*a)\n    return inner\n@deco\n@no_fingerprint()\ndef stage(x):\n    return 1\n"
    )

    assert take(project).digest == take(project.replace("return 1", "return 2")).digest
    assert take(project).digest != take(project.replace("return f(*a)", "return [f(*a)]")).digest


def test_code_deps_must_not_be_a_string() -> None:
    with pytest.raises(TypeError):
        no_fingerprint(code_deps="query.sql")


def test_user_code(tmp_path: Path) -> None:
    assert default_is_user_code(str(tmp_path / "project" / "pipeline.py"))
    assert not default_is_user_code(os.__file__)
    assert not default_is_user_code(pytest.__file__)
    assert not default_is_user_code(str(tmp_path / "venv/lib/python3.13/site-packages/ns/pkg.py"))
    assert not default_is_user_code("<string>")
    assert not default_is_user_code("")


def test_the_standard_library_is_known_behind_symlinks(tmp_path: Path) -> None:
    link = tmp_path / "opt" / "python"
    link.parent.mkdir()
    link.symlink_to(sysconfig.get_path("stdlib"))

    assert not default_is_user_code(str(link / "json" / "__init__.py"))


def test_nothing_heavy_is_imported() -> None:
    """Tools that import the package must start quickly."""
    script = "import sys; old = set(sys.modules); import pivot_fingerprint; print(*sorted(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)

    assert {"inspect", "dataclasses", "numpy", "pandas", "pathlib", "tokenize"} & set(done.stdout.split()) == set()


def test_deleted_source_is_named(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = write("x = 1\n# file: unique_name_b.py\ndef stage(x):\n    return x\n")
    monkeypatch.syspath_prepend(str(root))
    stage = importlib.import_module("unique_name_b").stage
    Path(root / "unique_name_b.py").unlink()
    manifest = fingerprint(stage)

    assert list(manifest) == ["func:unique_name_b:stage"]
    assert [edge.reason for edge in manifest.unresolved] == ["the source of `stage` cannot be found"]


def test_a_function_made_by_exec_is_named(take: Callable[..., Manifest]) -> None:
    manifest = take("space = {'__name__': __name__}\nexec('def stage(x): return x', globals())\n")

    assert [edge.reason for edge in manifest.unresolved] == ["the source of `stage` cannot be found"]


def test_compiled_code_of_the_user_is_named(take: Callable[..., Manifest]) -> None:
    """Stands for an extension module in the project's directory."""
    math = pytest.importorskip("math", reason="always there")
    if not getattr(math, "__file__", None):
        pytest.skip("this Python has its math built in")
    project = "from math import floor\nT = [floor]\ndef stage(x):\n    return T, floor(x)\n"
    mine = {math.__file__}
    reasons = {
        edge.reason for edge in take(project, is_user_code=lambda file: file in mine or "pipeline" in file).unresolved
    }

    assert "`math.floor` is compiled code" in reasons


def test_a_library_function_around_a_users_counts_by_both(take: Callable[..., Manifest]) -> None:
    manifest = take(
        "import contextlib\n@contextlib.contextmanager\ndef cm():\n    yield\ndef stage(x):\n    return cm\n"
    )

    assert list(manifest) == ["const:pipeline:cm", "func:pipeline:cm", "func:pipeline:stage"]
    assert manifest.unresolved == ()


def test_two_modules_of_one_name_are_distinguished(write: Callable[[str], Path]) -> None:
    root = write(
        "x = 1\n# file: a/same_name.py\ndef f():\n    return 1\n# file: b/same_name.py\ndef f():\n    return 2\n"
    )
    found = []
    for folder in "ab":
        sys.path.insert(0, str(root / folder))
        importlib.invalidate_caches()
        found.append(importlib.import_module("same_name").f)
        del sys.modules["same_name"], sys.path[0]
    keys = fingerprint(len, root=root, values={"v": found})

    assert [(key, entry.file) for key, entry in keys.items()][1:] == [
        ("func:same_name:f", "a/same_name.py"),
        ("func:same_name:f#2", "b/same_name.py"),
        ("v", None),
    ]


@pytest.mark.parametrize("name", [name for name in pivot_fingerprint.__all__ if name != "SCHEMA"])
def test_public_names_count_by_the_name_of_the_package(name: str) -> None:
    value = getattr(pivot_fingerprint, name)

    assert vars(importlib.import_module(value.__module__))["__pivot_module__"] == "pivot_fingerprint"
    assert value.__qualname__ == name
