"""The Python programs of commands: which code they reach, and where their interpreters search for it."""

import os
import pathlib
import sys
from collections.abc import Mapping

import pytest

from pivot_runtime.programs.program_code import ProgramCode, ProgramFinder


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    files = {
        "a.py": "import lib\nlib.f()\n",
        "lib.py": "def f():\n    pass\n",
        "src/inner.py": "def g():\n    pass\n",
        "sub/b.py": "import inner\ninner.g()\n",
        "more/inner.py": "def h():\n    pass\n",
        "tool/__main__.py": "print()\n",
        "script": "#!/usr/bin/env python3\nimport lib\nprint(lib.f())\n",
        "shell.sh": "#!/bin/sh\n",
        "pyproject.toml": (
            "[project.scripts]\nshow = 'lib:f'\nbad = 'lib'\n[tool.poetry.scripts]\nold = 'lib : f'\nx = 3\n"
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def found(
    root: pathlib.Path, text: str, base: str = "", environment: Mapping[str, str] | None = None, **given: list[str]
) -> ProgramCode:
    declared, written = given.get("declared", []), given.get("written", [])
    finder = ProgramFinder(str(root), environment or {})
    return finder.code_of([text], base, declared=declared, written=written, via="command")


def keys(*given: object, **more: object) -> str:
    code = found(*given, **more)  # type: ignore[arg-type]
    return " ".join(key for key in code.manifest if key != "programs")


def test_programs_of_each_kind(root: pathlib.Path) -> None:
    assert keys(root, "python a.py; python a.py") == "effects:a func:lib:f"
    assert keys(root, "python a.py", "sub") == ""
    assert keys(root, "cd sub && python ../a.py") == "effects:a func:lib:f"
    assert keys(root, "python tool; python -m json.tool") == "effects:__main__"
    assert keys(root, "./script; ./shell.sh; ./absent; ./tool/none.py") == "effects:script func:lib:f"
    assert keys(root, "show; old; bad; none") == "func:lib:f"
    assert keys(root, "cd sub && uv run show") == "func:lib:f"
    assert keys(root, "python -c 'import lib; lib.f()'") == "func:lib:f"
    assert keys(root, f"python /etc/hosts; python ../x.py; {sys.executable} -V; cat a.py") == ""
    assert found(root, "python a.py && wc -c ../a.py", "").scripts == ("a.py",)
    assert found(root, "cd sub; python ../a.py b.py; cat ../a.py; python b.py").scripts == ()
    code = found(root, "python a.py && python $X && cd $Y && python b.py && python -c x")
    assert code.scripts == ("a.py",)
    assert code.main == {"a.py": "effects:a"}
    assert [reason.split("'")[1] for reason in code.open] == ["$X", "b.py", "x"]
    assert code.sources.keys() == {str(root / name) for name in ("a.py", "lib.py")}


TASKS = """
[tool.pdm.scripts]
_.env_file = ".env"
train = {cmd = "python b.py", working_dir = "sub"}
all = {composite = ["train", "call"]}
call = {call = "lib:f()"}
loop = {shell = "cat x; pdm run loop; loop"}

[tool.poe.tasks.deep]
cmd = "python inner_user.py"
env = {PYTHONPATH = "../more"}
cwd = "sub"

[tool.hatch.envs.dev.scripts]
train = "python {root}/a.py"
"""


def test_tasks_of_the_project_count_with_their_declarations(root: pathlib.Path) -> None:
    (root / "pyproject.toml").write_text(TASKS)
    (root / "sub/inner_user.py").write_text("import inner\ninner.g()\n")
    assert keys(root, "pdm run train") == "effects:b func:inner:g task:train"
    assert keys(root, "cd sub && uv run poe deep", "") == "effects:inner_user module:inner:* task:deep"
    assert keys(root, "pdm run all") == "effects:b func:inner:g func:lib:f task:all task:call task:train"
    assert keys(root, "hatch run dev:train; hatch run none; cd $X; pdm run train") == "effects:a func:lib:f task:train"
    code = found(root, "pdm run loop; cd sub && make")
    assert code.others == ("make", "cat")
    assert code.entered == {"sub"}
    entry = code.manifest["task:loop"]
    assert (entry.file, entry.line, entry.via) == ("pyproject.toml", 7, "command")
    before = entry.digest
    (root / "pixi.toml").write_text('[tasks]\nrun = "python a.py"\n')
    (root / "pyproject.toml").write_text(TASKS.replace("cat x", "cat y"))
    assert found(root, "pdm run loop").manifest["task:loop"].digest != before
    assert found(root, "pixi run run").manifest["task:run"].file == "pixi.toml"
    (root / "env/bin").mkdir(parents=True)
    (root / "env/pyvenv.cfg").touch()
    (root / "env/bin/poe").write_text("#!/usr/bin/python3\n")
    (root / "env/bin/poe2").write_text("#!/usr/bin/python3\n")
    assert found(root, "env/bin/poe deep; env/bin/poe2 deep").others == ("env/bin/poe2",)
    assert found(root, "python -m json.tool; python -m tool; python a.py").others == ("python -m json.tool",)


def test_where_modules_are_searched_for(root: pathlib.Path) -> None:
    own, other = "effects:b func:inner:g", "effects:b module:inner:*"
    assert keys(root, "python sub/b.py") == own  # in the `src` of the project
    assert keys(root, "PYTHONPATH=$PWD/more python sub/b.py") == other
    assert keys(root, "PYTHONPATH=$HOME:src:$PYTHONPATH python sub/b.py") == own
    assert keys(root, "python sub/b.py", environment={"PYTHONPATH": f"{root}/more"}) == other
    assert keys(root, "python -E sub/b.py", environment={"PYTHONPATH": f"{root}/more"}) == own
    assert keys(root, "python -P a.py") == "effects:a func:lib:f"  # not beside it, but in the project


def test_editable_installs_of_the_interpreter(root: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "extra").mkdir()
    (other / "extra" / "__init__.py").write_text("print()\n")
    (other / "mapped.py").write_text("print()\n")
    (root / "c.py").write_text("import extra, mapped\n")
    site = root / ".venv/lib/python3.13/site-packages"
    site.mkdir(parents=True)
    (root / ".venv/pyvenv.cfg").touch()
    (root / ".venv/bin").mkdir()
    (root / ".venv/bin/python").symlink_to(sys.executable)
    (site / "_extra.pth").write_text(f"# a comment\nimport sys\n\n{other}\n")
    (site / "__editable___broken_finder.py").write_text("MAPPING = {'a': b}\n")

    followed, none = "effects:c effects:extra effects:mapped", "effects:c"
    assert keys(root, ".venv/bin/python c.py") == followed
    assert keys(root, "uv run c.py") == followed
    assert keys(root, "source .venv/bin/activate && python c.py") == followed
    path = {"PATH": f":{root}/none:{root}/.venv/bin"}
    assert keys(root, "python c.py", environment=path) == followed
    assert keys(root, "pipenv run python c.py", "sub", environment=path) == ""
    assert keys(root, "python c.py") == none
    assert keys(root, "none/bin/python c.py") == none
    (root / ".venv/pyvenv.cfg").unlink()
    assert keys(root, "uv run c.py", environment={"VIRTUAL_ENV": f"{root}/.venv"}) == followed
    (site / "_extra.pth").unlink()
    (site / "__editable___mapped_finder.py").write_text(f"MAPPING: dict = {{'mapped': '{other}/mapped.py'}}\n")
    assert keys(root, ".venv/bin/python c.py") == followed


def test_files_that_are_deps_count_by_their_bytes(root: pathlib.Path) -> None:
    code = found(root, "python a.py", declared=["a.py"])
    assert list(code.manifest) == ["func:lib:f", "programs"]
    assert code.sources.keys() == {str(root / "lib.py")}
    assert code.manifest["func:lib:f"].via == "command"
    assert keys(root, "python a.py", declared=["a.py"], written=["a.py"]) == ""
    assert keys(root, "python a.py", declared=["lib.py"], written=["lib.py"]) == "effects:a"


def test_files_that_cannot_be_read(root: pathlib.Path) -> None:
    (root / "a.py").unlink()
    (root / "a.py").mkdir()
    os.mkfifo(root / "fifo.py")
    (root / "pyproject.toml").write_text("damaged")
    assert keys(root, "python a.py; python fifo.py; show") == ""
    (root / "pyproject.toml").write_text("tool = 3\nproject = {scripts = 4}")
    assert keys(root, "show") == ""
