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


SETTING = """\
import os
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


def load_settings(file):
    for line in pathlib.Path(file).read_text().splitlines():
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)


load_settings("settings.env")


@pipeline.register
def rated() -> Annotated[str, pivot.Out("rated.txt", Text())]:
    return os.environ.get("RATE", "none")


@pipeline.register
def named() -> Annotated[str, pivot.Out("named.txt", Text())]:
    return os.getenv("NAME", "nobody")


@pipeline.register
def neither() -> Annotated[str, pivot.Out("neither.txt", Text())]:
    return "neither"
"""


def test_a_variable_that_the_import_sets_counts_where_it_is_read(make: Callable[[str], Project]) -> None:
    project = make(SETTING)

    def stale(settings: str, **environment: str) -> set[str]:
        project.write("settings.env", settings)
        found = project.json("status", "--json", env=environment)["stages"]
        return {stage["name"] for stage in found if stage["status"] == "stale"}

    project.write("settings.env", "RATE=rate-one\nNAME=name-one\nOTHER=other-one\n")
    project.pivot("repro")
    assert project.lock("p.rated")["env"].keys() == {"RATE"}
    assert project.lock("p.neither").get("env", {}) == {}
    assert stale("RATE=rate-one\nNAME=name-one\nOTHER=other-two\n") == set()
    assert stale("RATE=rate-two\nNAME=name-one\n") == {"rated"}
    told = project.pivot("repro", "--explain")
    assert "Environment variable changed: RATE" in told.stderr
    assert (project.read("rated.txt"), project.read("named.txt")) == ("rate-two", "name-one")
    assert stale("RATE=rate-two\nNAME=name-one\n") == set()
    assert stale("NAME=name-one\n") == {"rated"}
    assert stale("RATE=rate-two\nNAME=name-one\n", NAME="another") == {"named"}
    assert stale("RATE=rate-one\nNAME=name-one\n") == {"rated"}
    assert "1 restored" in project.pivot("repro").stdout

    texts = [file.read_bytes() for file in (project.root / ".pivot").rglob("*") if file.is_file()]
    kept = b"".join(text for text in texts if text not in (b"rate-one", b"rate-two", b"name-one"))
    for value in (b"rate-one", b"rate-two", b"name-one", b"other-one"):
        assert value not in kept


HANDING = """\
import os
import subprocess
import sys
from typing import Annotated

import pivot
from pivot.loaders import Text

os.environ.update(line.split("=") for line in open("settings.env").read().splitlines())
os.putenv("PUT", os.environ["CHILD"])
pipeline = pivot.Pipeline("p")


def told(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pipeline.register
def python() -> Annotated[str, pivot.Out("python.txt", Text())]:
    return told(sys.executable, "-c", "import os; print(os.environ['CHILD'])")


@pipeline.register
def put() -> Annotated[str, pivot.Out("put.txt", Text())]:
    return told(sys.executable, "-c", "import os; print(os.environ['PUT'])")


@pipeline.register
def shell() -> Annotated[str, pivot.Out("shell.txt", Text())]:
    return told("sh", "-c", "echo ${NAMED}")


@pipeline.register(env=["NAMED"])
def script() -> Annotated[str, pivot.Out("script.txt", Text())]:
    return told("sh", "script.sh")


@pipeline.register
def whole() -> Annotated[str, pivot.Out("whole.txt", Text())]:
    return {**os.environ}["COPIED"]
"""


def test_a_variable_that_a_program_reads_counts_or_is_named(make: Callable[[str], Project]) -> None:
    project = make(HANDING)
    project.write("script.sh", "echo $NAMED $CHILD\n")
    settings = {"CHILD": "c", "NAMED": "n", "COPIED": "x"}

    def stale(**other: str) -> set[str]:
        project.write("settings.env", "".join(f"{name}={value}\n" for name, value in (settings | other).items()))
        found = project.json("status", "--json")["stages"]
        return {stage["name"] for stage in found if stage["status"] == "stale"}

    stale()
    project.pivot("repro")
    assert stale(CHILD="d") == {"python", "put", "whole"}
    assert stale(NAMED="m") == {"shell", "script", "whole"}
    assert stale(COPIED="y") == {"whole"}
    assert stale() == set()
    told = project.pivot("status", "--explain", "script").stdout
    assert "`sh` was given `CHILD`, `COPIED`, `PUT`, set by the import: add env=[...] to the stage" in told
