"""The packages pivot-cli and pivot-remote-s3 work without the package `pivot` that pipelines import."""

import os
import pathlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

BLOCK = """\
import sys


class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pivot":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Missing())
"""

DECLARED = """\
pipeline: shell
stages:
  upper:
    cmd: tr a-z A-Z < ${deps.text} > ${outs.loud}
    deps: {text: words.txt}
    outs: {loud: loud.txt}
"""


class Machine:
    """A project on a machine that has not installed the facade."""

    def __init__(self, directory: pathlib.Path, env: dict[str, str]) -> None:
        blocked = directory / "blocked"
        blocked.mkdir()
        (blocked / "sitecustomize.py").write_text(BLOCK)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIVOT_", "COV_"))}
        self.env = {**kept, **env, "PYTHONPATH": str(blocked), "XDG_CONFIG_HOME": str(directory)}
        self.root = directory / "project"
        self.root.mkdir()

    def write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    def pivot(self, *arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-P", "-m", "pivot_cli", *arguments]
        done = subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, check=False)
        told = done.stdout + done.stderr
        assert done.returncode == code, f"{arguments} exited {done.returncode}\n{told}"
        return told


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    machine = Machine(tmp_path, {})
    machine.pivot("init")
    machine.write("pivot.yaml", DECLARED)
    machine.write("words.txt", "words\n")
    return machine


def test_the_block_blocks(machine: Machine) -> None:
    done = subprocess.run([sys.executable, "-c", "import pivot"], env=machine.env, capture_output=True, check=False)
    assert b"No module named 'pivot'" in done.stderr


def test_stages_that_need_no_facade_run_and_verify(machine: Machine) -> None:
    machine.pivot("repro")
    assert (machine.root / "loud.txt").read_text() == "WORDS\n"
    machine.pivot("status", "--quiet")
    assert "1 stage, all passed" in machine.pivot("verify")
    assert "1 stage, all passed" in machine.pivot("verify", "--static")
    machine.pivot("track", "words.txt", code=0)
    machine.pivot("cache", "status")
    machine.pivot("cache", "verify")
    (machine.root / "loud.txt").unlink()
    assert "Restored 1 file(s)" in machine.pivot("checkout")


@pytest.mark.parametrize("command", ["verify", "status", "repro"])
def test_the_package_to_install_is_named_if_a_pipeline_imports_the_facade(machine: Machine, command: str) -> None:
    machine.write("ml/pipeline.py", 'import pivot\n\npipeline = pivot.Pipeline("ml")\n')
    told = machine.pivot("-C", "ml", command, code=2)
    assert "error: ml/pipeline.py cannot be imported: ModuleNotFoundError: No module named 'pivot'" in told
    assert "hint: install pivot, which pipelines import" in told
    machine.write("ml/pipeline.py", "import no_such_library\n")
    assert "hint: install what the pipeline imports" in machine.pivot("-C", "ml", command, code=2)


@pytest.fixture
def bucket() -> Iterator[tuple[str, dict[str, str]]]:
    """A remote on a server in a thread."""
    pytest.importorskip("pivot_remote_s3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/bucket", method="PUT")):
        pass
    yield (
        "s3://bucket/pivot-cache",
        {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        },
    )
    server.stop()


def test_sharing(machine: Machine, bucket: tuple[str, dict[str, str]]) -> None:
    url, env = bucket
    machine.env |= env
    machine.pivot("repro")
    machine.pivot("config", "set", "remotes.origin", url)
    assert url in machine.pivot("remote", "list")
    assert url in machine.pivot("config", "list")
    assert "Pushed to 'origin': 1 transferred" in machine.pivot("push")
    # Whose pipeline cannot even be imported here.
    (machine.root / "pivot.yaml").unlink()
    machine.write("pipeline.py", "import pivot\n")
    for each in (machine.root / ".pivot/cache/files").glob("*/*"):
        each.unlink()
    (machine.root / "loud.txt").unlink()
    assert "all passed" not in machine.pivot("verify", "--static", "--allow-missing", code=3)
    assert "Fetched from 'origin': 1 transferred" in machine.pivot("fetch")
    assert "Restored 1 file(s)" in machine.pivot("pull")
    assert (machine.root / "loud.txt").read_text() == "WORDS\n"
