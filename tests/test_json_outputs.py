"""The JSON that commands print is as its schemas in the reference say."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).parent.parent
_SPEC = importlib.util.spec_from_file_location("json_outputs", ROOT / "website/json_outputs.py")
assert _SPEC is not None
assert _SPEC.loader is not None
json_outputs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(json_outputs)

BEFORE = """
git init --quiet && git config user.email a@example.org && git config user.name A
pivot init --quiet && pivot repro --quiet -p train.rounds=10
mkdir -p ../remote pictures && echo 1 > data.txt && echo 2 > pictures/a.txt
pivot remote add main "file://$(realpath ../remote)"
"""
EDITS = "git add . && git commit -qm A && sed -i 's/: max/: 2 * max/' helpers.py && echo 3 >> data.txt && rm model.json"
RUNS = "pivot repro --quiet -p train.rounds=20"

SCENARIO = (
    ("track", "track data.txt pictures"),
    EDITS,
    ("status", "status --explain --remote"),
    ("verify", "verify"),
    ("list", "list"),
    ("dag", "dag --format json"),
    ("fingerprint", "fingerprint"),
    ("diff", "diff data.txt"),
    ("clean", "clean --dry-run"),
    ("transfer", "push"),
    ("pull", "pull"),
    ("checkout", "checkout model.json"),
    ("freeze", "freeze report"),
    ("forget", "forget report --dry-run"),
    ("check-ignore", "check-ignore a.pyc x"),
    ("config-list", "config list"),
    ("remote-list", "remote list"),
    ("doctor", "doctor"),
    ("cache-status", "cache status"),
    ("cache-verify", "cache verify"),
    ("cache-gc", "cache gc --dry-run"),
    RUNS,
    ("show", "show"),
    ("history", "history"),
    ("metrics-show", "metrics show"),
    ("metrics-diff", "metrics diff --all"),
    ("params-show", "params show"),
    ("params-diff", "params diff --all"),
    ("results", "results"),
    ("status", "status --explain"),
    ("commit", "commit --force"),
)


def test_schemas_and_their_page_are_those_of_the_script() -> None:
    """If not: `nox -s reference` writes them again."""
    files = json_outputs.files()

    assert [path.name for path, text in files.items() if not path.exists() or path.read_text() != text] == []
    assert set((ROOT / "docs/reference/json-schemas").iterdir()) <= files.keys()


def test_commands_print_what_the_schemas_say(tmp_path: pathlib.Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(ROOT / "website/recordings/project", project, ignore=shutil.ignore_patterns("__pycache__"))
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    env = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8"}

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-c", script], cwd=project, env=env, stdout=subprocess.PIPE, text=True, timeout=120, check=False
        )
        return done.stdout

    run(BEFORE)
    seen = set()
    for step in SCENARIO:
        if isinstance(step, str):
            run(step)
            continue
        name, command = step
        printed = run(f"pivot {command}" + ("" if "--format" in command else " --json"))
        try:
            jsonschema.validate(json.loads(printed), json_outputs.OUTPUTS[name][1])
        except (ValueError, jsonschema.ValidationError) as error:
            pytest.fail(f"pivot {command}: {error}\n{printed}")
        seen.add(name)

    assert seen == json_outputs.OUTPUTS.keys()
