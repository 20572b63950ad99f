"""Python programs of shell stages: their code and files are observed, whatever starts them."""

import sys
from collections.abc import Callable

import pytest
from harness import Project

PYTHON = sys.executable

TRAIN = """\
import importlib
import os
import sys

import helpers


def main():
    sys.path.append(os.getcwd())
    name = open("conf.txt").read().strip()
    plugin = importlib.import_module("plugins." + name)
    open("log.txt", "w").write(os.environ.get("MODE", ""))
    print(plugin.run(helpers.double(1)))


if __name__ == "__main__":
    main()
"""

HELPERS = """\
def double(x):
    return 2 * x


def unused():
    return 1
"""

PLUGIN = """\
import os

FACTOR = 3


def run(x):
    # a comment
    return other(x) * FACTOR


def other(x):
    return x


def never():
    return 0
"""


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    made = make("")
    (made.root / "pipeline.py").unlink()
    made.write("src/train.py", TRAIN)
    made.write("src/helpers.py", HELPERS)
    made.write("plugins/triple.py", PLUGIN)
    made.write("conf.txt", "triple\n")
    made.write(
        "pivot.yaml", f"pipeline: p\nstages:\n  train:\n    cmd: {PYTHON} src/train.py > out.txt\n    outs: [out.txt]\n"
    )
    return made


def test_the_code_that_a_program_chose_counts_from_then_on(project: Project) -> None:
    done = project.pivot("repro")
    assert project.read("out.txt") == "6\n"
    assert 'reads conf.txt\n    add: deps: ["conf.txt"]\n' in done.stderr
    assert 'writes log.txt\n    add: outs: ["log.txt"]\n' in done.stderr
    assert "plugins" not in done.stderr
    lock = project.lock("p.train")
    assert {key for key in lock["observed"] if ":plugins" in key} == {
        *("effects:plugins.triple", "const:plugins.triple:FACTOR"),
        *("func:plugins.triple:run", "func:plugins.triple:other"),
    }
    assert "Environment read, but not declared:\n    MODE\n" in project.pivot("status", "--explain").stdout
    assert not list(project.root.glob("*/__pycache__"))

    for file, old, new in (
        ("plugins/triple.py", "# a comment", "# another"),
        ("plugins/triple.py", "return 0", "return 1"),
        ("src/helpers.py", "return 1", "return 2"),
    ):
        project.replace(file, old, new)
        assert project.states() == {"train": "cached"}, new
    project.replace("plugins/triple.py", "    return x\n", "    return x + 1\n")
    explained = project.pivot("status", "--explain").stdout
    assert "func:other\n" in explained
    assert "File: plugins/triple.py:11" in explained
    project.pivot("repro")
    assert project.read("out.txt") == "9\n"
    project.replace("plugins/triple.py", "FACTOR = 3", "FACTOR = 4")
    assert project.states() == {"train": "stale"}
    project.pivot("repro")
    assert project.states() == {"train": "cached"}
    (project.root / "plugins/triple.py").unlink()
    assert project.states() == {"train": "stale"}


STARTS = {
    "module": f"{PYTHON} -m tool",
    "path": f"PYTHONPATH=lib {PYTHON} lib/use.py",
    "wrapper": f"./wrap.sh {PYTHON} -u use.py",
    "text": f'{PYTHON} -c "import tool; tool.work()"',
    "document": f"{PYTHON} - <<END\nimport tool\ntool.work()\nEND",
    "nested": f"{PYTHON} outer.py",
    "executed": f"{PYTHON} executes.py",
    "failing": f"{PYTHON} fails.py || true",
    "killed": f"{PYTHON} killed.py || true",
    "pool": f"{PYTHON} pool.py",
    "tests": f"PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {PYTHON} -m pytest -c /dev/null -p no:cacheprovider test_tool.py::test",
    "isolated": f"""{PYTHON} -E -c "__import__('to' + 'ol').work()\"""",
}


def test_whatever_starts_a_program_it_is_observed(project: Project) -> None:
    work = "def work():\n    return 1\n"
    project.write("tool.py", f"{work}\n\nif __name__ == '__main__':\n    work()\n")
    project.write("lib/tool.py", work)
    for name in ("use.py", "lib/use.py"):
        project.write(name, "import tool\ntool.work()\n")
    project.write("wrap.sh", '#!/bin/sh\nexec "$@"\n').chmod(0o755)
    project.write(
        "outer.py",
        "import os, subprocess, sys\n"
        "assert 'PYTHONPATH' not in os.environ and not any('.pivot' in each for each in sys.path)\n"
        "subprocess.run(f'{sys.executable} use.py', shell=True, check=True)\n",
    )
    project.write("executes.py", "exec(open('tool.py').read())\nwork()\n")
    project.write("fails.py", "import tool\ntool.work()\nraise SystemExit(3)\n")
    project.write("killed.py", "import os, tool\ntool.work()\nos.kill(os.getpid(), 9)\n")
    project.write(
        "pool.py",
        "import multiprocessing, tool\n\n\nif __name__ == '__main__':\n"
        "    process = multiprocessing.get_context('spawn').Process(target=tool.work)\n"
        "    process.start()\n    process.join()\n",
    )
    project.write("test_tool.py", "import tool\n\n\ndef test():\n    assert tool.work()\n")
    stages = "".join(f"  {name}:\n    cmd: |\n      {cmd.replace('\n', '\n      ')}\n" for name, cmd in STARTS.items())
    project.write("pivot.yaml", f"pipeline: p\nstages:\n{stages}")
    done = project.pivot("repro")
    assert "test_tool.py" not in done.stderr  # it is code

    tracked = {**dict.fromkeys(STARTS, "func:tool:work"), "executed": "module:tool:*", "isolated": ""}
    for name, key in tracked.items():
        lock = project.lock(f"p.{name}")
        assert (key in {**lock["observed"], **lock["code"]}) == bool(key), name
    assert project.lock("p.path")["code"]["func:tool:work"]["file"] == "lib/tool.py"
    assert (
        "a Python program was started: what ran in it was not observed"
        in project.pivot("status", "--explain", "isolated").stdout
    )
    project.replace("tool.py", "return 1", "return 2")
    project.replace("lib/tool.py", "return 1", "return 2")
    assert project.states() == {**dict.fromkeys(STARTS, "stale"), "isolated": "cached"}


def test_a_failed_run_counts_for_nothing_and_an_edit_meanwhile_too(project: Project) -> None:
    project.pivot("repro")
    project.write("plugins/wrong.py", "def run(x):\n    raise ValueError(x)\n")
    project.write("conf.txt", "wrong\n")
    project.pivot("repro", "--force", code=1)
    project.write("plugins/wrong.py", "")
    assert project.states() == {"train": "cached"}

    project.write("plugins/self.py", "def run(x):\n    open(__file__, 'a').write('# edited')\n    return x\n")
    project.write("conf.txt", "self\n")
    done = project.pivot("repro", "--force", code=1)
    assert "plugins/self.py" in done.stdout + done.stderr
    assert "plugins.self" not in str(project.lock("p.train")["observed"])
