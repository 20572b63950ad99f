"""Code that a fingerprint cannot know in advance: seen when it runs, tracked from then on without importing it."""

import re
from collections.abc import Callable

import pytest
from harness import Project

PIPELINE = """\
import importlib
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("p")


@pipeline.register
def run(
    config: Annotated[dict, pivot.Dep("config.json", pivot.loaders.JSON())],
) -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    plugin = importlib.import_module("plugins." + config["plugin"])
    return plugin.run("x")
"""

UPPER = """\
SUFFIX = "!"


def unused():
    return 1


def helper(text):
    return text + SUFFIX


def run(text):
    # a comment
    return helper(text.upper())
"""


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    made = make(PIPELINE)
    made.write("plugins/upper.py", UPPER)
    made.write("plugins/lower.py", "def run(text):\n    return text.lower()\n")
    made.write("config.json", '{"plugin": "upper"}')
    made.pivot("repro")
    assert made.read("out.txt") == "X!"
    return made


@pytest.mark.parametrize(
    ("old", "new", "out"),
    [
        ("helper(text.upper())", "helper(text)", "x!"),
        ("text + SUFFIX", "SUFFIX + text", "!X"),
        ('SUFFIX = "!"', 'SUFFIX = "?"', "X?"),
    ],
)
def test_an_edit_of_a_plugin_runs_the_stage_again(project: Project, old: str, new: str, out: str) -> None:
    project.replace("plugins/upper.py", old, new)
    explained = project.pivot("status", "--diff").stdout
    assert "Status: WILL RUN" in explained
    assert re.search(rf"\n +-.*{re.escape(old)}\n +\+.*{re.escape(new)}\n", explained), explained
    project.pivot("repro")

    assert project.read("out.txt") == out
    assert project.states() == {"run": "cached"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("plugins/upper.py", "# a comment", "# another one"),
        ("plugins/upper.py", "return 1", "return 2"),
        ("plugins/lower.py", "text.lower()", "text"),
    ],
)
def test_edits_of_what_did_not_run_do_not(project: Project, file: str, old: str, new: str) -> None:
    project.replace(file, old, new)

    assert project.states() == {"run": "cached"}


def test_a_reverted_edit_of_a_plugin_is_restored(project: Project) -> None:
    project.replace("plugins/upper.py", "text + SUFFIX", "SUFFIX + text")
    project.pivot("repro")
    project.replace("plugins/upper.py", "SUFFIX + text", "text + SUFFIX")

    assert "1 restored" in project.pivot("repro").stdout
    assert project.read("out.txt") == "X!"


def test_a_plugin_that_is_gone_makes_the_stage_stale(project: Project) -> None:
    (project.root / "plugins/upper.py").unlink()

    assert project.states() == {"run": "stale"}


def test_observed_code_is_listed(project: Project) -> None:
    shown = project.pivot("fingerprint", "run").stdout
    assert "func:plugins.upper:helper" in shown
    assert "seen when it ran" in shown
    assert "Not tracked:" in shown
    (stage,) = project.json("fingerprint", "--json")["stages"]
    assert "func:plugins.upper:run" in {entry["key"] for entry in stage["observed"]}
    assert "seen when it ran" in project.pivot("status", "--why-not").stdout


LIBRARY = """\
from typing import Annotated

import pivot
import yaml


def run() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    return yaml.safe_load("x")


pipeline = pivot.Pipeline("p")
pipeline.register(run)
"""


def test_libraries_are_recorded_and_their_versions_count_by_policy(make: Callable[[str], Project]) -> None:
    project = make(LIBRARY)
    project.pivot("repro")
    recorded = project.lock("p.run")["libraries"]["PyYAML"]
    assert recorded["names"] == ["yaml.safe_load"]
    assert f"PyYAML {recorded['version']}  yaml.safe_load" in project.pivot("fingerprint").stdout

    project.replace(".pivot/stages/p.run.lock", recorded["version"], "5.9.1")
    assert project.states() == {"run": "cached"}
    for policy in ("major", "minor", "exact"):
        project.write(".pivot/config.yaml", f"fingerprint.library_versions: {policy}\n")
        explained = project.pivot("status", "--explain").stdout
        assert "Reason: Library version changed\n" in explained
        assert "    library:PyYAML\n      Old: 5" in explained
    off = project.pivot("status", "--quiet", env={"PIVOT_FINGERPRINT_LIBRARY_VERSIONS": "off"})
    assert off.returncode == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fingerprint.library_version: off", "did you mean fingerprint.library_versions?"),
        ("fingerprint.library_versions: often", "'often' is not one of off, major, minor, exact"),
        ("[", "this is not YAML"),
        ("- a", "it must contain keys and values"),
    ],
)
def test_a_wrong_configuration(make: Callable[[str], Project], text: str, told: str) -> None:
    project = make(LIBRARY)
    project.write(".pivot/config.yaml", text)
    done = project.pivot("status", code=2)

    assert told in done.stderr
    assert ".pivot/config.yaml" in done.stderr


def test_the_edited_lines_and_the_way_to_them(make: Callable[[str], Project]) -> None:
    project = make(
        LIBRARY.replace('yaml.safe_load("x")', "outer()").replace(
            "def run(", "def inner():\n    return 'x'\n\n\ndef outer():\n    return inner()\n\n\ndef run("
        )
    )
    project.pivot("repro")
    project.replace("pipeline.py", "return 'x'", "return 'y'")

    assert project.pivot("status", "--diff").stdout.endswith(
        "      File: pipeline.py:7\n"
        "      Via: run -> outer -> inner\n"
        "      Diff:\n"
        "        --- last run\n"
        "        +++ now\n"
        "        @@ -1,2 +1,2 @@\n"
        "         def inner():\n"
        "        -    return 'x'\n"
        "        +    return 'y'\n"
    )
    (change,) = project.json("status", "--json", "--explain")["stages"][0]["code_changes"]
    assert change["via"] == ["func:pipeline:run", "func:pipeline:outer", "func:pipeline:inner"]
    assert "-    return 'x'\n+    return 'y'\n" in change["diff"]


NODES = """\
class Node:
    def __init__(self, name, kids=()):
        self.name, self.kids = name, kids
        self.key, self.known = id(self), hash((name, len(kids)))
        self.by = {id(kid): kid for kid in kids}


ROOT = Node("root", (Node("leaf"),))
"""

NAMED = """\
from typing import Annotated

import pivot
from nodes import ROOT


def named() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    return ROOT.name


pipeline = pivot.Pipeline("p")
pipeline.register(named)
"""


def test_identities_and_hashes_count_by_what_they_are_taken_of(make: Callable[[str], Project]) -> None:
    project = make(NAMED)
    project.write("nodes.py", NODES)
    project.pivot("repro")

    assert "cached" in project.pivot("status", "--no-snapshot").stdout
    project.replace("nodes.py", "len(kids)", "kids[:0]")
    assert "stale" in project.pivot("status").stdout


STARTED = """\
import os, subprocess, sys
from typing import Annotated

import pivot


def total() -> Annotated[str, pivot.Out("out.txt", pivot.loaders.Text())]:
    os.environ = dict(os.environ)
    subprocess.run([sys.executable, "-I", "-c", ""], check=True)
    return subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=True).stdout


pipeline = pivot.Pipeline("p")
pipeline.register(total)
"""


def test_programs_that_a_stage_starts_are_observed(make: Callable[[str], Project]) -> None:
    project = make(STARTED)
    project.write("script.py", "import tool\nprint(tool.f())\n")
    project.write("tool.py", "def f():\n    return 1\n")
    project.pivot("repro")

    assert "  Not tracked:\n    seen when it ran: a Python program was" in project.pivot("status", "--explain").stdout
    project.replace("tool.py", "return 1", "return 2")
    project.pivot("repro")
    assert project.read("out.txt") == "2\n"


def test_a_value_that_differs_at_each_import_is_reported_and_does_not_count(make: Callable[[str], Project]) -> None:
    project = make(NAMED)
    nodes = NODES.replace("id(self)", "uuid.uuid4().hex").replace("hash((name, len(kids)))", "os.getpid()")
    project.write("nodes.py", "import os, uuid\nimport other\n" + nodes)
    project.write("other.py", "def unrelated():\n    return 1\n")
    project.pivot("repro")
    project.replace("other.py", "return 1", "return 2")  # nobody has looked since the first import

    explained = project.pivot("status", "--explain").stdout
    assert "Status: CACHED" in explained
    assert "`nodes.ROOT.by`, `nodes.ROOT.key`, `nodes.ROOT.known` are other values at each import: " in explained
    assert "1 stage cached" in project.pivot("repro").stdout + project.pivot("repro").stderr
    project.replace("nodes.py", '"root"', '"top"')
    assert "Code dependency changed: const:ROOT\n" in project.pivot("repro").stderr
    assert project.read("out.txt") == "top"
