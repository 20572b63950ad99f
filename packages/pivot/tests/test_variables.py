"""Environment variables: those declared count, by a digest; those read are listed."""

from collections.abc import Callable

from harness import Project

PIPELINE = """\
import os
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


@pipeline.register(env=["REGION", "TOKEN"])
def fetch() -> Annotated[str, pivot.Out("fetched.txt", Text())]:
    return os.environ["REGION"] + os.environ.get("SUFFIX", "")
"""


def test_a_variable_by_name_never_by_value(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    here = {"REGION": "eu-secret-region", "SUFFIX": "unseen-suffix"}
    project.pivot("repro", env=here)
    assert project.read("fetched.txt") == "eu-secret-regionunseen-suffix"
    assert project.lock("p.fetch")["env"]["TOKEN"] == ""

    explained = project.pivot("status", "--explain", env=here).stdout
    assert "  Status: CACHED\n" in explained
    assert "  Environment read, but not declared:\n    SUFFIX\n" in explained
    assert project.json("status", "--json", "--explain", env=here)["stages"][0]["variables_read"] == ["SUFFIX"]

    there = {"REGION": "us-secret-region", "SUFFIX": "another"}
    told = project.pivot("status", "--explain", env=there).stdout
    assert "  Reason: Environment variable changed\n" in told
    assert "    env:REGION\n      Old: (secret)\n      New: (secret)\n" in told
    assert "TOKEN" not in told
    assert (
        "    env:TOKEN\n      Old: (not set)\n      New: (secret)\n"
        in project.pivot("status", "--explain", env=here | {"TOKEN": "t0k"}).stdout
    )
    changed = project.json("status", "--json", "--explain", env=there)["stages"][0]["env_changes"]
    assert [change["name"] for change in changed] == ["REGION"]

    run = project.pivot("repro", "--explain", env=there | {"TOKEN": "t0ken"})
    assert "Environment variable changed: REGION" in run.stderr
    assert "1 restored" in project.pivot("repro", env=here).stdout

    kept = b"".join(
        file.read_bytes()
        for file in (project.root / ".pivot").rglob("*")
        if file.is_file() and "files" not in file.parts
    )
    assert b"REGION" in kept
    for value in [b"secret-region", b"t0ken", b"unseen-suffix"]:
        assert value not in kept
