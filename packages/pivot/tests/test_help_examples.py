"""The examples that help texts show run in the project of the quick start."""

import pathlib
import re
import shlex
import shutil
from collections.abc import Iterator

import click
import pytest
from harness import Project

from pivot_cli import app

ELSEWHERE = {
    "apply",
    *(
        "completion",
        "diff",
        "fetch",
        "get",
        "import",
        "import-dvc",
        "import-url",
        "lock",
        "metrics",
        "params",
        "plots",
        "pull",
    ),
    *("mcp", "push", "report", "ui", "update"),
}
"""Commands whose examples need a shell, git, another repository or a remote, or work until they are interrupted."""
LEFT_OUT = {
    "repro -p train.rate=1,2 --compare",
    "results --remove 3f2a91c0",
    *("config set --global run.jobs 4", "init --example", "init --git"),
    *("logs --follow", "remote gc --dry-run", "remote gc --grace 90d", "repro --watch", "status --with-diff -"),
    "verify --allow-missing",
}
"""Examples that may not end by themselves, or need a remote, parameters, results or a diff."""
CODES = {"cache gc --undo": 1, "logs --back 1 -n 20 summarize": 1, "verify --static --format github": 3}
"""Exit codes where there is nothing to bring back or to print, or no import of this copy of the project."""


def examples(command: click.Command) -> Iterator[str]:
    """Yield the examples of a command and of those below it, without the word ``pivot``."""
    yield from re.findall(r"(?m)^  pivot (.+?)(?:  | > |$)", command.epilog or "")
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            if name not in ELSEWHERE:
                yield from examples(below)


@pytest.mark.parametrize("example", [example for example in examples(app.cli) if example not in LEFT_OUT])
def test_an_example_runs(example: str, ran: pathlib.Path, empty: Project) -> None:
    shutil.copytree(ran, empty.root, dirs_exist_ok=True)
    empty.write("images/1.png", "an image")
    empty.write("labels.csv", "1,cat")
    if example.startswith("mv "):
        empty.pivot("track", example.split()[1])
    if example.startswith("untrack "):
        empty.pivot("track", example.split()[1])
    if example.startswith(("remote remove", "remote rename")):
        empty.pivot("remote", "add", "origin", "s3://my-bucket/pivot")
    if example.startswith(("config get", "config unset")):
        empty.pivot("config", "set", "run.jobs", "2")

    empty.pivot(*shlex.split(example), code=CODES.get(example, 0))
