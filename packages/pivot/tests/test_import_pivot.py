"""Tracked data of Pivot 0.1 to 0.5 are taken over, and nothing of that time is lost."""

import json
import os
import pathlib
import subprocess

import pytest
import xxhash
from harness import Project

from pivot_runtime.earlier.earlier_files import EarlierFormatError, parse_lock, parse_pvt

DIGITS = xxhash.xxh64(b"").hexdigest()


def pvt(path: str, content: bytes, more: str = "") -> str:
    return f"path: {path}\nhash: {xxhash.xxh64(content).hexdigest()!r}\nsize: {len(content)}\n{more}"


def manifest(files: dict[str, bytes]) -> str:
    lines = [
        f"- relpath: {name}\n  hash: '{xxhash.xxh64(content).hexdigest()}'\n  size: 1\n  isexec: {name == 'run.sh'}\n"
        for name, content in files.items()
    ]
    return f"num_files: {len(files)}\nmanifest:\n{''.join(lines)}"


def keep(project: Project, content: bytes) -> None:
    """Put content into the cache of the earlier Pivot."""
    digits = xxhash.xxh64(content).hexdigest()
    project.write(f".pivot/cache/files/{digits[:2]}/{digits[2:]}", content.decode())


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    project = Project(tmp_path)
    project.pivot("init")
    return project


def test_data_are_taken_over_and_the_rest_is_listed(project: Project) -> None:
    project.write("here.csv", "a\n")
    project.write("here.csv.pvt", pvt("here.csv", b"a\n"))
    project.write("gone.csv.pvt", pvt("gone.csv", b"b\n"))
    keep(project, b"b\n")
    project.write("images.pvt", pvt("images", b"", manifest({"one.png": b"1", "sub/run.sh": b"2", "run.sh": b"3"})))
    for content in (b"1", b"2", b"3"):
        keep(project, content)
    project.write("edited.csv", "new\n")
    project.write("edited.csv.pvt", pvt("edited.csv", b"old\n"))
    project.write("lost.csv.pvt", pvt("lost.csv", b"lost\n", "source:\n  repo: r\n  rev: main\n  path: p\n"))
    project.write("out.txt", "out")
    digits = xxhash.xxh64(b"out").hexdigest()
    project.write(
        ".pivot/stages/train.lock",
        f"code_manifest: {{'self:train': '{DIGITS}'}}\nparams: {{}}\ndeps: []\n"
        f"outs:\n- {{path: out.txt, hash: '{digits}'}}\n- {{path: none.txt, hash: null}}\n",
    )
    before = project.snapshot()

    noticed = project.pivot("status").stderr
    assert "edited.csv.pvt and 4 more: written by an earlier Pivot, skipped" in noticed
    assert "hint: 'pivot import-pivot' takes such files over" in noticed

    planned = project.pivot("import-pivot", "--dry-run", code=1)
    assert "would track  here.csv  the data are as recorded" in planned.stdout
    assert project.snapshot() == before

    done = project.pivot("import-pivot", code=1)
    assert "tracked  gone.csv  restored from the earlier cache" in done.stdout
    assert "left  edited.csv.pvt  the data have changed since" in done.stdout
    assert "hint: 'pivot track edited.csv' records them as they are now" in done.stderr
    assert "left  lost.csv.pvt  the data are neither here nor in the earlier cache" in done.stdout
    assert "lost.csv came from p of r at main" in done.stderr
    assert "train: 1 of 2 outs are here as recorded (.pivot/stages/train.lock)" in done.stdout
    assert project.read("gone.csv") == "b\n"
    assert project.read("images/sub/run.sh") == "2"
    assert (project.root / "images/run.sh").stat().st_mode & 0o100
    assert json.loads(project.read("here.csv.pvt"))["format"] == 1
    assert project.read("edited.csv.pvt") == pvt("edited.csv", b"old\n")
    assert not [path.name for path in project.root.iterdir() if path.name.startswith(".pivot-")]

    project.pivot("track", "edited.csv")
    again = json.loads(project.pivot("import-pivot", "--json", code=1).stdout)
    assert [each["file"] for each in again["data"]] == ["lost.csv.pvt"]
    assert again["data"][0]["outcome"] == "absent"
    assert again["locks"] == [{"file": ".pivot/stages/train.lock", "stage": "train", "outs": 2, "current_outs": 1}]


def test_projects_of_the_last_earlier_version_are_known(project: Project) -> None:
    project.write(".pivot/.gitignore", "/cache/\n/state.lmdb/\n")
    project.write("images/one.png", "1")
    os.symlink("one.png", project.root / "images/other.png")
    record = pvt("images", b"", manifest({"one.png": b"1"}) + "empty_dirs:\n- none\n")
    project.write("images.pvt", record)
    project.write("gone.pvt", record.replace("path: images", "path: gone"))
    keep(project, b"1")
    digits = xxhash.xxh64(b"1").hexdigest()
    project.write(
        ".pivot/stages/demo/make.lock",
        f"schema_version: 2\ncode_manifest: {{'self:make': '{DIGITS}'}}\nparams: {{}}\ndeps: []\n"
        f"outs:\n- {{key: null, hash: '{digits}', path: images/one.png}}\n- {{key: b, hash: '{digits}'}}\n",
    )

    done = project.pivot("import-pivot")
    assert "tracked  images  the data are as recorded" in done.stdout
    assert "tracked  gone  restored from the earlier cache" in done.stdout
    assert "demo/make: 1 of 2 outs are here as recorded (.pivot/stages/demo/make.lock)" in done.stdout
    assert (project.root / "gone/none").is_dir()
    assert project.read(".pivot/.gitignore") == "/cache/\n/state.lmdb/\n/state.db/\n"
    assert project.pivot("init").stdout.startswith("Already")


def test_what_a_killed_restoration_leaves_is_removed(project: Project) -> None:
    project.write("gone.csv.pvt", pvt("gone.csv", b"b\n"))
    keep(project, b"b\n")
    project.write(".pivot-killed.tmp/data", "b")
    project.pivot("import-pivot")
    assert not (project.root / ".pivot-killed.tmp").exists()


@pytest.mark.parametrize("content", [None, "edited\n"])
def test_what_a_killed_restoration_leaves_is_removed_if_nothing_is_restored(
    project: Project, content: str | None
) -> None:
    project.write("d/gone.csv.pvt", pvt("gone.csv", b"b\n"))
    project.write("d/.pivot-killed.tmp/data", "b")
    if content is not None:
        project.write("d/gone.csv", content)
    project.pivot("import-pivot", "--dry-run", code=1)
    assert (project.root / "d/.pivot-killed.tmp").exists()
    project.pivot("import-pivot", code=1)
    assert not (project.root / "d/.pivot-killed.tmp").exists()


@pytest.mark.parametrize("arguments", [[], ["-a"]])
def test_the_status_of_data_that_are_nowhere(project: Project, arguments: list[str]) -> None:
    project.write("lost.csv.pvt", pvt("lost.csv", b"lost\n"))
    done = project.pivot("status", *arguments)
    assert done.stdout == "No stages are registered.\n"
    assert "lost.csv.pvt: written by an earlier Pivot, skipped" in done.stderr
    assert "hint: 'pivot import-pivot' takes such files over" in done.stderr
    project.pivot("status", "--quiet", *arguments, code=1)
    project.pivot("verify", *arguments, code=2)


def test_data_in_git_are_left_with_the_way_out(project: Project) -> None:
    project.write("a.csv", "a\n")
    project.write("a.csv.pvt", pvt("a.csv", b"a\n"))
    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)
    subprocess.run(["git", "add", "."], cwd=project.root, check=True)
    refused = project.pivot("import-pivot", code=1)
    assert "left  a.csv.pvt  a.csv is tracked by git" in refused.stdout
    assert "hint: git rm -r --cached a.csv ends that; the file itself stays; then repeat the command" in refused.stderr


def test_a_damaged_object_of_that_time_is_not_taken(project: Project) -> None:
    project.write("gone.csv.pvt", pvt("gone.csv", b"b\n"))
    keep(project, b"b\n")
    digits = xxhash.xxh64(b"b\n").hexdigest()
    project.write(f".pivot/cache/files/{digits[:2]}/{digits[2:]}", "other")

    assert "left  gone.csv.pvt" in project.pivot("import-pivot", code=1).stdout
    assert not (project.root / "gone.csv").exists()


def test_nothing_is_there(project: Project) -> None:
    assert project.pivot("import-pivot").stdout == "Nothing of an earlier Pivot is here\n"


@pytest.mark.parametrize(
    "text",
    [
        "path: 1\nhash: x\n",
        f"path: a\nhash: {DIGITS}0\nsize: 1\n",
        f"path: a\nhash: {DIGITS}\nmanifest: {{}}\n",
        *(
            f"path: a\nhash: {DIGITS}\nmanifest:\n- {{relpath: {path}, hash: {DIGITS}}}\n"
            for path in ("../a", "/a", "a//b", ".", "[]")
        ),
        "[]",
        "{",
    ],
)
def test_hostile_records_are_refused(text: str) -> None:
    with pytest.raises(EarlierFormatError):
        parse_pvt(text, "a.pvt")


@pytest.mark.parametrize("digits", ["1234567890123456", "4071e82215530417"])
def test_digests_that_look_like_numbers_are_read(digits: str) -> None:
    assert parse_pvt(f"path: a\nhash: {digits}\nsize: 1\n", "a.pvt").data.files == {"": digits}


@pytest.mark.parametrize("text", ["{}", "outs: []", "code_manifest: {}\nouts: 1", "code_manifest: {}\nouts: [1]"])
def test_other_lock_files_are_refused(text: str) -> None:
    with pytest.raises(EarlierFormatError):
        parse_lock(text, "a.lock")
