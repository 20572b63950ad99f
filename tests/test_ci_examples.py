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

from pivot_cli.app import cli

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from workflow_rules import InvalidError, check_action, check_call, check_workflow

ROOT = pathlib.Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / "examples/ci").glob("*.yml"))
ACTION = ROOT / "examples/ci/action/action.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"

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


ACTIONS = {"./.github/actions/pivot-verify": parsed(ACTION)}


@each_workflow
def test_a_workflow_is_one(file: pathlib.Path) -> None:
    check_workflow(parsed(file), ACTIONS)
    assert parsed(file)["permissions"] == {"contents": "read"}


def test_the_action_is_one() -> None:
    check_action(parsed(ACTION))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("pull_request:", "pull_requests:", "no event"),
        ("branches:", "branch:", "pull_request has no"),
        ("contents: read", "contents: all", "read, write or none"),
        ("contents: read", "content: read", "permissions has no"),
        ("runs-on: ubuntu-latest", "runs-on: ubuntu", "no runner"),
        ("timeout-minutes: 30", "timeout-minutes: 0", "has a limit"),
        ("    steps:\n", "    needs: [build]\n    steps:\n", "wait for each other"),
        ("    steps:\n", "    needs: verify-pipeline\n    steps:\n", "wait for each other"),
        ("secrets.AWS_ACCESS_KEY_ID }}", "secret.AWS_ACCESS_KEY_ID }}", "there is no 'secret'"),
        ("secrets.AWS_ACCESS_KEY_ID }}", "secrets.AWS_ACCESS_KEY_ID }", "braces are open"),
        ("secrets.AWS_ACCESS_KEY_ID }}", "secrets.AWS_ACCESS_KEY_ID && }}", "ends too early"),
        ("github.ref }}", "github.reff }}", "github has no"),
        ("github.ref }}", "secrets.REF }}", "there is no 'secrets'"),
        ("== github.repository", "= github.repository", "is no expression"),
        ("== github.repository", "== repository()", "no function"),
        ("actions/checkout@v4", "actions/checkout", "is not known"),
        ("persist-credentials: false", "persist-credential: false", "has no"),
        ("        with:\n          persist-credentials: false\n", "", "leaves no credentials"),
        ("python-version:", "python:", "has no"),
        (
            "        run: pivot pull\n",
            "        run: pivot pull\n        uses: actions/checkout@v4\n",
            "or runs a script",
        ),
        ("        run: pivot pull\n", "        run: pivot pull\n        shell: zsh\n", "no shell"),
        ("run: pivot pull\n", "run: pivot pull ${{ github.head_ref }}\n", "no part of a script"),
        ("run: pivot pull\n", "run: if pivot pull\n", "syntax error"),
        ("run: pivot pull\n", "run: pivot pull\n        if: steps.verify.outputs.code\n", "no step before"),
        ("run: pivot pull\n", "run: pivot pull\n        if: allways()\n", "no function"),
        ("        run: pivot pull\n", "        with: {a: b}\n        run: pivot pull\n", "takes no inputs"),
    ],
)
def test_invalid_workflows_are_found(old: str, new: str, problem: str) -> None:
    text = (ROOT / "examples/ci/verify.yml").read_text()
    assert old in text
    with pytest.raises(InvalidError, match=re.escape(problem)):
        check_workflow(yaml.load(text.replace(old, new, 1), Loader=yaml.BaseLoader), ACTIONS)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("      shell: bash\n", "", "has its shell"),
        ("inputs.stages }}", "inputs.stage }}", "no input"),
        ("inputs.stages }}", "secrets.stages }}", "there is no 'secrets'"),
        ("steps.verify.outputs.code", "steps.verified.outputs.code", "no step before"),
        ("steps.verify.outputs.code", "steps.verify.output.code", "a step has no"),
        ("required: false", "required: no", "required or not"),
        ("using: composite", "using: node20", "made of steps"),
    ],
)
def test_invalid_actions_are_found(old: str, new: str, problem: str) -> None:
    text = ACTION.read_text()
    assert old in text
    with pytest.raises(InvalidError, match=re.escape(problem)):
        check_action(yaml.load(text.replace(old, new, 1), Loader=yaml.BaseLoader))


def test_the_pages_call_the_action_as_it_is() -> None:
    calls = [
        step
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for block in re.findall(r"```yaml\n(- uses:.*?)```", page.read_text(), re.DOTALL)
        for step in yaml.load(block, Loader=yaml.BaseLoader)
    ]
    assert calls
    for step in calls:
        check_call(step, ACTIONS)
    with pytest.raises(InvalidError, match="has no"):
        check_call({**calls[0], "with": {"stage": "train"}}, ACTIONS)


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
    from moto.server import ThreadedMotoServer  # lazy

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
    assert "::warning::The answer requires an import" in clones.run(
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
