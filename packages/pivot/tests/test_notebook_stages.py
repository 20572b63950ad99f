"""Stages that run notebooks: the code of the cells counts, and each run is like that of any other stage."""

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest
from harness import Project

from pivot_cache.layout import Layout

PIPELINE = """\
import pivot

pipeline = pivot.Pipeline("p")
report = pivot.notebook(
    "report.ipynb", deps=["data.json"], outs=["out.json"], params={"rate": 3}, executed="done.ipynb"
)
pipeline.register(report, name="report")
"""
MODULE = """\
SCALE = 2


def scaled(x):
    return SCALE * x


def unused(x):
    return x
"""


def code(source: str, *tags: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {"tags": list(tags)},
        "source": source,
        "outputs": [],
        "execution_count": 7,
    }


def write(project: Project, *cells: dict[str, Any]) -> None:
    spec = {"name": "a-kernel-of-another-machine", "language": "python"}
    content = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": spec}, "cells": list(cells)}
    project.write("report.ipynb", json.dumps(content, indent=1))


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    project = make(PIPELINE)
    project.write("lib.py", MODULE)
    project.write("data.json", "5")
    write(
        project,
        {"cell_type": "markdown", "metadata": {}, "source": "# Report"},
        code("rate = 1", "parameters"),
        code("import json\nimport lib"),
        code("value = lib.scaled(json.load(open('data.json'))) * rate  # all\nprint('the value is', value)\nvalue"),
        code("json.dump(value, open('out.json', 'w'))"),
    )
    return project


def test_a_notebook_is_a_stage(project: Project) -> None:
    done = project.pivot("repro", "--show-output")

    assert "the value is 30" in done.stdout + done.stderr
    assert "note:" not in done.stderr
    assert project.read("out.json") == "30"
    executed = project.read("done.ipynb")
    cells = json.loads(executed)["cells"]
    assert "".join(cells[2]["source"]) == "# Parameters\nrate = 3"
    assert cells[4]["outputs"][1]["data"] == {"text/plain": ["30"]}
    assert [cell["id"] for cell in cells][:3] == ["cell-1", "cell-2", "injected-parameters"]

    assert "version" not in json.loads(executed)["metadata"]["language_info"]  # nor any time: it is the same each time
    assert "timestamp" not in executed

    # Other content does not count: outputs, metadata, Markdown, comments, other functions.
    project.replace("report.ipynb", "# Report", "# Another report")
    project.replace("report.ipynb", "  # all", "")
    project.replace("lib.py", "    return x", "    return -x")
    assert project.states() == {"report": "cached"}

    # Nor does it matter whether Pivot can keep the code of the cells.
    place = Layout(project.root).notebooks_dir
    shutil.rmtree(place)
    place.touch()
    project.replace("report.ipynb", "import json\\nimport lib", "import json, lib")
    project.replace("report.ipynb", "import json, lib", "import json\\n\\nimport lib")
    assert project.states() == {"report": "cached"}
    place.unlink()

    # Cells count, and the project's code that they use.
    project.replace("lib.py", "SCALE = 2", "SCALE = 4")
    assert "const:SCALE" in project.pivot("status", "--explain").stdout
    project.replace("lib.py", "SCALE = 4", "SCALE = 2")
    project.replace("report.ipynb", "* rate", "* 0 / 0")
    assert "cell:3" in project.pivot("status", "--explain").stdout

    failed = project.pivot("repro", code=1).stderr
    assert "cell 3 failed: ZeroDivisionError: division by zero" in failed
    assert "----> 1 value = lib.scaled" in failed
    assert (project.read("out.json"), project.read("done.ipynb")) == ("30", executed)


def test_outputs_that_arrive_late_are_not_lost(project: Project) -> None:
    """On a busy machine, a kernel may send them long after the cell has ended."""
    late = (
        "import sys, time\n"
        "sys.stdout.flush_timeout = sys.stderr.flush_timeout = 0.0\n"
        "get_ipython().kernel.iopub_thread.schedule(lambda: time.sleep(4.5))\n"
        "'late'"
    )
    write(project, code(late), code("open('out.json', 'w').write('1')"))
    project.pivot("repro")

    (output,) = json.loads(project.read("done.ipynb"))["cells"][1]["outputs"]
    assert output["data"] == {"text/plain": ["'late'"]}


def test_a_pivot_yaml_declares_one_and_errors_name_the_way(project: Project) -> None:
    (project.root / "pipeline.py").unlink()
    project.write(
        "pivot.yaml",
        "pipeline: p\nstages:\n  report:\n    notebook: report.ipynb\n    deps: [data.json]\n    outs: [out.json]\n",
    )

    shown = project.pivot("fingerprint", "report").stdout
    assert "cell:1" in shown
    assert "func:lib:scaled" in shown
    project.write("report.ipynb", "no notebook")
    assert "stage 'report': report.ipynb is not a Jupyter notebook" in project.pivot("status", code=2).stderr
    (project.root / "report.ipynb").unlink()
    assert "its notebook 'report.ipynb' cannot be read: No such file" in project.pivot("status", code=2).stderr


def test_another_language_runs_in_its_kernel(make: Callable[[str], Project]) -> None:
    """Its cells count by their text, and have no parameters."""
    project = make(PIPELINE.replace(', params={"rate": 3}', "").replace('"data.json"', ""))
    write(project, code("open('out.json', 'w').write('1')  # so"))
    project.replace("report.ipynb", '"language": "python"', '"language": "Parrot"')
    failed = project.pivot("repro", code=1).stderr
    assert "its notebook needs the kernel 'a-kernel-of-another-machine', which is not installed" in failed
    assert "hint: 'jupyter kernelspec list' lists the kernels" in failed
    assert "Traceback" not in failed

    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Parrot", "language": "parrot"}
    project.write("jupyter/kernels/a-kernel-of-another-machine/kernel.json", json.dumps(spec))
    kernels = {"JUPYTER_PATH": str(project.root / "jupyter")}
    project.pivot("repro", env=kernels)
    assert project.read("out.json") == "1"
    project.replace("report.ipynb", "  # so", "")
    assert project.states() == {"report": "stale"}

    project.replace("pipeline.py", 'executed="done.ipynb"', 'executed="done.ipynb", params={"rate": 3}')
    refused = project.pivot("repro", code=1, env=kernels).stderr
    assert "stage 'report' failed: it has parameters, but its notebook is not in Python" in refused

    project.write("pipeline.py", "import sys\n\nsys.modules['nbclient'] = None\n" + project.read("pipeline.py"))
    project.replace("pipeline.py", ', params={"rate": 3}', "")
    missing = project.pivot("repro", code=1, env=kernels).stderr
    assert "a notebook stage needs nbclient" in missing
    assert "hint: install nbclient and ipykernel, which the extra pivot[notebooks] adds" in missing


def test_ctrl_c_ends_the_kernel(project: Project) -> None:
    os.mkfifo(project.root / "pipe")
    write(project, code("import os, time\nprint(os.getpid(), file=open('pipe', 'w'))\ntime.sleep(600)"))

    with project.start("repro") as command:
        kernel = int((project.root / "pipe").read_text())
        command.send_signal(signal.SIGINT)
        _, errors = command.communicate(timeout=60)

    assert command.returncode == 130, errors
    with contextlib.suppress(ProcessLookupError):
        os.kill(kernel, 0)
        pytest.fail("the kernel is still running")
