"""Shell stages that run Python, through the executable: which edits run them, and what the user reads about it."""

import json
import os
import sys

import pytest
from harness import Project

from pivot_core.files.digest import digest_bytes

DECLARED = """\
pipeline: models
stages:
  train:
    cmd: python src/train.py ${params.rate}
    outs: [model.txt]
    params: {rate: 2}
  report:
    cmd: cd src && PYTHONPATH=../lib $PYTHON -m tools.report > ../report.txt
    outs: [report.txt]
  text:
    cmd: |
      python - <<'END' > text.txt
      import sys
      sys.path.append("src")
      import helpers
      print(helpers.spare())
      END
    outs: [text.txt]
  console:
    cmd: ./uv run --no-sync show > console.txt
    outs: [console.txt]
  task:
    cmd: ./pdm run count
    outs: [task.txt]
  other:
    cmd: cat src/unrelated.py > other.txt
    outs: [other.txt]
"""
FILES = {
    "src/train.py": '''\
"""Trains."""
import sys

from helpers import normalize


def main():
    try:
        import fast as slow
    except ImportError:
        import slow
    open("model.txt", "w").write(str(normalize(int(sys.argv[1])) + slow.STEP))


if __name__ == "__main__":
    main()
''',
    "src/helpers.py": "RATE = 3\n\n\ndef normalize(x):\n    return x * RATE\n\n\ndef spare():\n    return 7\n",
    "src/slow.py": "STEP = 1\n",
    "src/unrelated.py": "X = 1\n",
    "src/tools/__init__.py": "",
    "src/tools/report.py": "import shared\nprint(shared.title())\n",
    "lib/shared.py": "def title():\n    return 'Report'\n",
    "pyproject.toml": "[project]\nname = 'shown'\n\n[project.scripts]\nshow = 'shown.cli:app.main'\n"
    "[tool.pdm.scripts]\ncount = 'python src/count.py > task.txt'\n",
    "src/count.py": "print(1)\n",
    "src/shown/cli.py": "class app:\n    @staticmethod\n    def main():\n        print('shown')\n",
    # Stands for PDM, which runs what the project declares.
    "pdm": f"#!/bin/sh\n{sys.executable} src/count.py > task.txt\n",
    # Stands for uv, which runs what the project declares.
    "uv": f"#!/bin/sh\nPYTHONPATH=src exec {sys.executable} -c 'from shown.cli import app; app.main()'\n",
}


@pytest.fixture
def programs(empty: Project) -> Project:
    empty.pivot("init")
    for name, text in FILES.items():
        empty.write(name, text)
    for name in ("uv", "pdm"):
        os.chmod(empty.root / name, 0o755)
    empty.write("pivot.yaml", DECLARED.replace("$PYTHON", sys.executable))
    empty.pivot("repro")
    return empty


def stale(project: Project) -> list[str]:
    return [name for name, state in project.states().items() if state != "cached"]


def downgrade(project: Project, address: str, script: str = "") -> None:
    """Write a lock as it was when scripts counted by their bytes, and their modules not at all."""
    lock = project.lock(address)
    lock["code"] = {"command": lock["code"]["command"]}
    if script:
        digest = digest_bytes(project.read(script).encode())
        lock["code"][f"file:{script}"] = {"digest": digest, "file": script, "line": 1}
    project.write(f".pivot/stages/{address}.lock", json.dumps(lock))


def test_an_edit_runs_the_stages_whose_programs_reach_it(programs: Project) -> None:
    assert [programs.read(f"{name}.txt") for name in ("model", "report", "text", "console")] == [
        *("7", "Report\n", "7\n", "shown\n"),
    ]
    assert stale(programs) == []
    programs.replace("src/train.py", '"""Trains."""', "# Says nothing.")
    programs.replace("src/helpers.py", "def spare", "\n# A comment.\ndef spare")
    programs.replace("src/slow.py", "STEP = 1", "STEP = 1  # here\nUNUSED = 1")
    assert stale(programs) == []
    for name, old, new, expected in [
        ("src/helpers.py", "x * RATE", "x + RATE", "train"),
        ("src/helpers.py", "return 7", "return 8", "text"),
        ("src/slow.py", "STEP = 1", "STEP = 2", "train"),
        ("src/tools/__init__.py", "", "print('now')\n", "report"),
        ("lib/shared.py", "'Report'", "'Text'", "report"),
        ("src/shown/cli.py", "'shown'", "'told'", "console"),
        ("src/count.py", "1", "2", "task"),
        ("pyproject.toml", "'python src/count.py", "'python -u src/count.py", "task"),
        ("src/unrelated.py", "X = 1", "X = 1  # bytes", "other"),
    ]:
        before = programs.read(name)
        programs.write(name, before.replace(old, new, 1) if old else new)
        assert stale(programs) == [expected], name
        programs.write(name, before)
    programs.write("src/fast.py", "STEP = 5\n")  # until now, there was no such module
    assert stale(programs) == ["train"]
    assert "train" in programs.pivot("repro").stderr
    assert programs.read("model.txt") == "11"

    programs.replace("src/helpers.py", "x * RATE", "x - RATE")
    told = programs.pivot("status", "--diff", "train").stdout
    assert "func:normalize" in told
    assert "File: src/helpers.py:4" in told
    assert "Via: command -> train -> main -> normalize" in told
    assert "-    return x * RATE" in told
    shown = programs.pivot("fingerprint", "train").stdout
    assert "const:helpers:RATE" in shown
    assert "src/fast.py:1" in shown
    programs.write(
        "pivot.yaml", programs.read("pivot.yaml").replace("python src/train.py", "python $SCRIPT src/train.py")
    )
    assert "the Python program '$SCRIPT'" in programs.pivot("status", "--explain", "train").stdout

    # An upgrade from a version that did not follow programs runs nothing.
    programs.replace("pivot.yaml", "python $SCRIPT src/train.py", "python src/train.py")
    programs.pivot("repro")
    downgrade(programs, "models.train", "src/train.py")
    downgrade(programs, "models.report")
    downgrade(programs, "models.task", "pdm")
    assert stale(programs) == []
    programs.pivot("repro", "--no-commit")
    assert "file:src/train.py" in programs.lock("models.train")["code"]  # these record nothing
    assert "6 stages cached" in programs.pivot("repro").stdout
    assert "func:helpers:normalize" in programs.lock("models.train")["code"]
    assert "file:src/train.py" not in programs.lock("models.train")["code"]
    programs.replace("src/helpers.py", "x - RATE", "x + RATE")
    assert stale(programs) == ["train"]

    downgrade(programs, "models.train", "src/train.py")
    programs.replace("src/helpers.py", "x + RATE", "x * RATE")
    programs.replace("src/train.py", "slow.STEP", "slow.STEP + 0")
    stage = programs.json("status", "--explain", "--json", "train")["stages"][0]
    assert [change["key"] for change in stage["code_changes"]] == ["effects:train"]


def test_a_new_module_counts_for_a_program_that_lists_its_package(empty: Project) -> None:
    """The kept answer, the load and the static check agree on it."""
    empty.pivot("init")
    empty.write("pivot.yaml", "pipeline: plugins\nstages:\n  show:\n    cmd: python x.py > o.txt\n    outs: [o.txt]\n")
    empty.write(
        "x.py",
        "import pkgutil\n\nimport plugins\n\nfor each in pkgutil.iter_modules(plugins.__path__):\n    print(each)\n",
    )
    empty.write("plugins/__init__.py", "")
    empty.write("plugins/a.py", "")
    empty.pivot("repro")
    empty.pivot("repro")
    assert "all cached" in empty.pivot("status").stdout

    empty.write("plugins/b.py", "Y = 1\n")

    assert "module:plugins.b" in empty.pivot("status").stdout
    assert "module:plugins.b" in empty.pivot("verify", "--static", code=1).stdout
