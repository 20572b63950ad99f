"""The workflows, the action and the hook that are shipped for CI: their structure, and what their scripts do."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml

from pivot_cli.group import cli

ROOT = pathlib.Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / "examples/ci").glob("*.yml"))
ACTION = ROOT / "examples/ci/action/action.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"

SECRETS = re.compile(r"\$\{\{ (secrets\.[A-Z_]+|github\.ref|inputs\.[a-z-]+|steps\.[a-z]+\.outputs\.[a-z]+) \}\}")
USES = re.compile(r"[\w-]+/[\w-]+@v\d+")

each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def parsed(file: pathlib.Path) -> Any:
    """A YAML file with all scalars as texts: `on` stays `on`."""
    return yaml.load(file.read_text(), Loader=yaml.BaseLoader)  # it makes nothing but texts


def steps(file: pathlib.Path) -> list[dict[str, Any]]:
    data = parsed(file)
    if file == ACTION:
        return list(data["runs"]["steps"])
    return [step for job in data["jobs"].values() for step in job["steps"]]


def script(file: pathlib.Path, name: str) -> str:
    (found,) = [step["run"] for step in steps(file) if step.get("name") == name]
    return str(found)


@each_workflow
def test_a_workflow_is_one(file: pathlib.Path) -> None:
    data = parsed(file)
    assert data.keys() <= {"name", "on", "permissions", "concurrency", "jobs"}
    assert {"name", "on", "jobs"} <= data.keys()
    assert data["on"] in ({"pull_request": {"branches": ["main"]}}, {"push": {"branches": ["main"]}})
    assert data["permissions"] == {"contents": "read"}
    for job in data["jobs"].values():
        assert job.keys() <= {"if", "runs-on", "timeout-minutes", "env", "steps"}
        assert job["runs-on"] == "ubuntu-latest"
        assert int(job["timeout-minutes"]) > 0


@pytest.mark.parametrize("file", [*WORKFLOWS, ACTION], ids=lambda file: file.stem)
def test_steps_are_well_formed_and_take_nothing_into_a_script(file: pathlib.Path) -> None:
    for step in steps(file):
        assert step.keys() <= {"name", "id", "uses", "with", "run", "env", "shell", "working-directory"}
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert USES.fullmatch(step["uses"])
            assert not step["uses"].startswith("actions/checkout") or step["with"]["persist-credentials"] == "false"
        else:
            assert "${{" not in step["run"]
            subprocess.run(["bash", "-n", "-c", step["run"]], check=True)
    expressions = re.findall(r"\$\{\{[^}]*\}\}", file.read_text())
    assert [each for each in expressions if not SECRETS.fullmatch(each)] == []


def test_strangers_get_no_secrets_and_are_not_imported() -> None:
    text = (ROOT / "examples/ci/strangers.yml").read_text()
    assert "secrets." not in text
    assert "uv sync" not in text
    assert "--static" in text
    for file in WORKFLOWS:
        assert "pull_request_target" not in parsed(file)["on"]


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each command line of Pivot in a script."""
    for line in text.splitlines():
        if line.strip().startswith("pivot "):
            words = shlex.split(line.strip())
            stop = next((at for at, word in enumerate(words) if word in ("||", "--")), len(words))
            yield [word for word in words[1:stop] if not word.startswith("$")]


@pytest.mark.parametrize("file", [*WORKFLOWS, ACTION, HOOKS], ids=lambda file: file.stem)
def test_pivot_knows_every_command_and_option(file: pathlib.Path) -> None:
    texts = [each["entry"] for each in parsed(file)] if file == HOOKS else [step.get("run", "") for step in steps(file)]
    found = [each for text in texts for each in commands(text)]
    assert found
    for arguments in found:
        context: click.Context = cli.make_context("pivot", list(arguments))
        command, rest = context.command, arguments
        while isinstance(command, click.Group):
            _, inner, rest = command.resolve_command(context, rest)
            assert inner is not None
            command = inner
        command.make_context(command.name, list(rest), parent=context)


def test_the_guide_shows_the_files_as_they_are() -> None:
    page = (ROOT / "docs/guides/ci.md").read_text()
    for file in WORKFLOWS:
        assert f'```yaml title=".github/workflows/{file.name}"\n{file.read_text()}```\n' in page, file.name


def test_the_hook() -> None:
    (hook,) = parsed(HOOKS)
    assert hook["id"] == "pivot-verify"
    assert hook["language"] == "system"
    assert (hook["pass_filenames"], hook["always_run"]) == ("false", "true")
    assert set(hook["stages"]) <= {"pre-commit", "pre-push", "manual"}


@pytest.fixture
def environment(tmp_path: pathlib.Path) -> Iterator[dict[str, str]]:
    """A runner's, with a bucket on a server in a thread."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - takes a second

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/my-bucket", method="PUT")):
        pass
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("PIVOT_", "GIT_", "COV_", "GITHUB_"))
    }
    yield kept | {
        "PATH": os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]),
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    server.stop()


class Clones:
    """A developer's directory, and what git would give others of it."""

    def __init__(self, directory: pathlib.Path, env: dict[str, str]) -> None:
        self.directory = directory
        self.env = env
        ignored = shutil.ignore_patterns("cache", "state.db", "stages", "clean.json", "summary.json", "__pycache__")
        self.developer = shutil.copytree(ROOT / "examples/quickstart", directory / "developer", ignore=ignored)

    def clone(self, name: str) -> pathlib.Path:
        ignored = shutil.ignore_patterns("cache", "state.db", "clean.json", "summary.json", "config.yaml")
        return shutil.copytree(self.developer, self.directory / name, ignore=ignored)

    def run(self, text: str, where: pathlib.Path, *, code: int = 0, **env: str) -> str:
        """As the runner does it."""
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
        done = subprocess.run(
            command, cwd=where, env=self.env | env, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == code, f"{text}\nexited {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


def test_the_workflows_do_what_they_are_for(environment: dict[str, str], tmp_path: pathlib.Path) -> None:
    verify, push, strangers = (ROOT / f"examples/ci/{name}.yml" for name in ("verify", "push", "strangers"))
    clones = Clones(tmp_path, environment)
    clones.run("pivot repro\n" + script(push, "Configure remotes"), clones.developer)
    clones.run("pivot push --remote proposed", clones.developer)

    early = clones.clone("early")
    clones.run(script(verify, "Configure remote"), early)
    told = clones.run(script(verify, "Verify pipeline"), early, code=1)
    assert told.count("::error ") == 2
    assert "Missing files: " in told

    stranger = clones.clone("stranger")
    assert "::warning::Only an import can tell" in clones.run(
        script(strangers, "Verify without importing anything"), stranger
    )
    (stranger / "data.json").write_text('{"records": []}')
    assert "Input data changed" in clones.run(script(strangers, "Verify without importing anything"), stranger, code=1)

    main = clones.clone("main")
    for name in ("Configure remotes", "Fetch what the merged branches have pushed"):
        clones.run(script(push, name), main)
    assert "2 transferred" in clones.run(script(push, "Push it to where everybody pulls from"), main)

    late = clones.clone("late")
    clones.run(script(verify, "Configure remote"), late)
    assert "all passed" in clones.run(script(verify, "Verify pipeline"), late)
    clones.run(script(ACTION, "Verify"), late, STAGES="preprocess  summarize", ALLOW_MISSING="true", STATIC="false")
    clones.run(script(ACTION, "Verify"), late, STAGES="", ALLOW_MISSING="false", STATIC="true", code=3)
    assert (tmp_path / "output").read_text() == "code=0\ncode=3\n"
    assert "| preprocess | ✅ passed |" in (tmp_path / "summary.md").read_text()
    clones.run(script(verify, "Pull cached outputs"), late)
    assert clones.run(script(verify, "Check tracked files"), late) == ""
