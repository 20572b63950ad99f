"""The observer in programs of any Python: what it records, and that the program does not notice."""

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest

from pivot_fingerprint.observation import ProgramRun
from pivot_runtime.programs.start_files import ProgramTracer, changed

STATE = r"""
import sys
modules = sorted(sys.modules)
import atexit, os, signal, site, subprocess, threading
print(modules, sys.path, sorted(sys.path_importer_cache), sys.meta_path, sys.argv)
print(sorted(os.environ.items()), len(os.environ))
print(type(os.environ).__qualname__, type(os.environ).__module__, sys.flags, sys.gettrace(), sys.dont_write_bytecode)
print(threading.active_count(), signal.getsignal(signal.SIGINT), atexit._ncallbacks())
print(sorted(os.listdir("/dev/fd")), __name__, __file__, sorted(globals()), os.getenv("A"), site.ENABLE_USER_SITE)
if hasattr(sys, "monitoring"):
    print([sys.monitoring.get_tool(each) for each in (0, 1, 2)])
try:
    import sitecustomize
except ImportError as error:
    print(repr(error), error.name, error.path)
else:
    print(sitecustomize.__file__, sitecustomize.__spec__)
def deep(n):
    return deep(n + 1)
try:
    deep(0)
except RecursionError as error:
    print(error)
class Last:
    def __del__(self):
        print("deleted")
last = Last()
words = [sys.executable, "-c", "import os, sys; print(sorted(os.environ), sys.path)"]
print(subprocess.check_output(words), subprocess.check_output(words, env={"A": "1"}))
sys.stdout.flush()
1 / 0
"""

PROGRAM = """
import os
import part
from part import second as other

def run():
    with open("data.txt") as file:
        file.read()
    open("made.txt", "w").close()
    open("part.py").read()
    os.environ.get("WISH")
    return part.first() + [other(each) for each in (1,)][0]

run()
"""

PICKLED = """
import pickle, part
pickle.loads(b'cpart\\nfirst\\n.')
pickle.loads(b'cunknown\\nlast\\n.')
"""

PART = """
def first():
    return 1

def second(x):
    return x

def never():
    return 2

at_import = second(3)
"""


def interpreters() -> list[pathlib.Path]:
    """The other versions of Python here, the oldest and the newest of each kind of observation."""
    found = sorted(pathlib.Path.home().glob(".pyenv/versions/*/bin/python3.[0-9]*[0-9]"))
    return [each for each in found if re.fullmatch(r"python3\.(6|8|11|12)", each.name)]


OTHERS = interpreters()


def run(python: str | pathlib.Path, root: pathlib.Path, program: str, **variables: str) -> list[tuple[str, str, int]]:
    """The output and the exit code of a program, alone and observed."""
    place = str(root / ".pivot/state.db/programs/p.s")
    tracer = ProgramTracer(str(root), str(root / ".pivot/spool"), ProgramRun(files=True, place=place))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))} | variables
    observed = tracer.bash("python", environ, str(root)).environ
    done = [
        subprocess.run([python, program], env=env, cwd=root, capture_output=True, text=True, check=False)
        for env in (environ, observed)
    ]
    tracer.close()
    return [(re.sub("0x[0-9a-f]+", "", each.stdout), each.stderr, each.returncode) for each in done]


def lines(root: pathlib.Path, suffix: str) -> list[list[Any]]:
    files = sorted((root / ".pivot/spool").glob(f"*{suffix}"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.mark.parametrize("python", [sys.executable, *OTHERS], ids=str)
def test_a_program_is_as_without_it(python: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "state.py").write_text(STATE)
    alone, observed = run(python, tmp_path, "state.py")

    assert observed == alone
    assert alone[2] == 1
    assert "ZeroDivisionError" in alone[1]


def test_start_files_of_the_user_run(tmp_path: pathlib.Path) -> None:
    (tmp_path / "state.py").write_text(
        "import sitecustomize, sys; print(sitecustomize.ok, 'usercustomize' in sys.modules)"
    )
    (tmp_path / "own").mkdir()
    (tmp_path / "own/sitecustomize.py").write_text("ok = 1\nprint('start')\n")
    alone, observed = run(sys.executable, tmp_path, "state.py", PYTHONPATH=str(tmp_path / "own"))
    assert observed == alone
    assert alone[0].startswith("start\n1 ")

    (tmp_path / "own/sitecustomize.py").write_text("import nowhere\n")
    alone, observed = run(sys.executable, tmp_path, "state.py", PYTHONPATH=str(tmp_path / "own"))
    assert observed[2] == alone[2]
    assert observed[1].splitlines()[:3] == alone[1].splitlines()[:3]


@pytest.mark.parametrize("python", [sys.executable, *(each for each in OTHERS if "3.6" not in each.name)], ids=str)
def test_the_records_of_a_program(python: str, tmp_path: pathlib.Path) -> None:
    for name, text in (("program.py", PROGRAM), ("part.py", PART), ("data.txt", "")):
        (tmp_path / name).write_text(text)
    alone, observed = run(python, tmp_path, "program.py")

    assert observed == alone
    assert alone[2] == 0
    used = {(kind, text) for kind, text in lines(tmp_path, ".io") if kind != "s"}
    assert used == {("r", "data.txt"), ("w", "made.txt"), ("r", "part.py"), ("v", "WISH")}
    ran = {(row[0], row[1], row[2], row[4]) for row in lines(tmp_path, ".unsure")}
    if "3.8" in str(python) or "3.11" in str(python):
        assert ran == {("program.py", "program", "*", ""), ("part.py", "part", "*", "")}
    else:
        modules = {("program.py", "program", "<module>", ""), ("part.py", "part", "<module>", "")}
        functions = {
            ("program.py", "program", "run", ""),
            *(("part.py", "part", name, "") for name in ("first", "second")),
        }
        assert ran == modules | functions | {("part.py", "part", "second", "part")}
    read = [text.split("\0") for kind, text in lines(tmp_path, ".io") if kind == "s"]
    sources = {path: [state] for path, *state in read}
    assert set(sources) == {"program.py", "part.py"}
    if "3.8" in str(python):
        for name, text in (("program.py", PICKLED), ("unknown.py", "last = 1\n")):
            (tmp_path / name).write_text(text)
        run(python, tmp_path, "program.py")
        pickled = {tuple(row[:4]) for row in lines(tmp_path, ".unsure") if row[3] == 0}
        assert pickled == {("part.py", "part", "first", 0), ("unknown.py", "unknown", "last", 0)}
    (tmp_path / "part.py").write_text(PART + "\n")
    assert changed(str(tmp_path), sources, ["program.py", "part.py", "other.py"]) == ("part.py",)


def test_code_of_environments_and_declared_files_is_not_the_projects(
    tmp_path: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment, declared = tmp_path / "env", tmp_path / "made"
    for place in (environment / "tools", environment / "lib/site-packages", declared, tmp_path / "own"):
        place.mkdir(parents=True)
    (environment / "pyvenv.cfg").touch()
    places = {"a": environment / "tools", "b": environment / "lib/site-packages", "c": declared, "d": tmp_path / "own"}
    for name, place in places.items():
        (place / f"{name}.py").write_text("def f():\n    pass\nf()\n")
    outside = tmp_path_factory.mktemp("outside")
    for name in ("e", "f"):
        (outside / f"{name}.py").write_text("def f():\n    pass\nf()\n")
    (tmp_path / "x").write_text(
        f"import sys\nsys.path += {[*map(str, places.values()), str(outside)]}\nimport a, b, c, d, e\n"
        f"exec(compile('def f(): pass\\nf()', {str(outside / 'f.py')!r}, 'exec'))\n"
        "exec(compile('def f(): pass\\nf()', 'nowhere.py', 'exec'))\n"
    )
    run = ProgramRun((str(declared),), place=str(tmp_path / ".pivot/state.db/programs/p.s"))
    tracer = ProgramTracer(str(tmp_path), str(tmp_path / ".pivot/spool"), run)
    start = tracer.bash("python x", os.environ, str(tmp_path))
    subprocess.run([sys.executable, "x"], env=start.environ, cwd=tmp_path, check=True)

    assert {row[0] for row in lines(tmp_path, ".unsure")} == {
        "x",
        "own/d.py",
        os.path.relpath(outside / "e.py", tmp_path),
    }
    assert [kind for kind, _ in lines(tmp_path, ".io") if kind != "s"] == []
