"""Lock files: one text per lock, read without trust."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache import CacheError, LockFileError
from pivot_cache.files.signatures import stat_signature
from pivot_cache.formats import lock_file, pvt
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, CodeEntry, Inputs, LibraryUse, StageLock
from pivot_core.spec import Location, OutSpec

A, B = "a" * 32, "b" * 32

LOCK = StageLock(
    Inputs(
        schema=1,
        code={
            "func:pipeline:preprocess": CodeEntry(A, Location("pipeline.py", 16)),
            "builtin:len": CodeEntry(B),
        },
        params={"threshold": 0.5, "names": ["é", None]},
        deps={ArtifactPath("data.json"): Artifact(A, 123)},
        outs=(OutSpec(ArtifactPath("clean.json")), OutSpec(ArtifactPath("metrics.json"), cache=False)),
        observed={"func:plugins:run": CodeEntry("c" * 32, Location("plugins.py", 3))},
    ),
    {
        ArtifactPath("metrics.json"): Artifact(A, 7),
        ArtifactPath("clean.json"): Artifact(B, 45, executable=True),
    },
    {"pandas": LibraryUse("2.2.3", ("pandas.read_csv",))},
)
TEXT = """\
{
"format": 1,
"algorithm": "xxh3-128",
"schema": 1,
"code": {
"builtin:len": {"digest":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},
"func:pipeline:preprocess": {"digest":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","file":"pipeline.py","line":16}
},
"observed": {
"func:plugins:run": {"digest":"cccccccccccccccccccccccccccccccc","file":"plugins.py","line":3}
},
"libraries": {
"pandas": {"names":["pandas.read_csv"],"version":"2.2.3"}
},
"params": {
"names": ["\\u00e9",null],
"threshold": 0.5
},
"deps": {
"data.json": {"digest":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":123}
},
"outs": {
"clean.json": {"cache":true,"digest":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","executable":true,"size":45},
"metrics.json": {"cache":false,"digest":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","executable":false,"size":7}
}
}
"""

letters = st.text('ab/.é "\\\n', max_size=6)
paths = st.text("abc", min_size=1, max_size=3).map(ArtifactPath)
hexes = st.integers(0, 2**128 - 1).map("{:032x}".format)
sizes = st.integers(0, 2**63 - 1)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**70) | st.floats(allow_nan=False) | letters,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(letters, inner, max_size=2),
    max_leaves=4,
)
places = st.none() | st.builds(Location, letters, st.integers(0, 10**6))


@st.composite
def locks(draw: st.DrawFn) -> StageLock:
    outs = draw(st.dictionaries(paths, st.builds(Artifact, hexes, sizes, st.booleans()), max_size=3))
    return StageLock(
        Inputs(
            schema=draw(st.integers(0, 9)),
            code=draw(st.dictionaries(letters, st.builds(CodeEntry, hexes, places), max_size=3)),
            params=draw(st.dictionaries(letters, values, max_size=3)),
            deps=draw(st.dictionaries(paths, st.builds(Artifact, hexes, sizes), max_size=3)),
            outs=tuple(OutSpec(path, draw(st.booleans())) for path in sorted(outs)),
            observed=draw(st.dictionaries(letters, st.builds(CodeEntry, hexes, places), max_size=2)),
            env=draw(st.dictionaries(letters, hexes | st.just(""), max_size=2)),
        ),
        outs,
        draw(st.dictionaries(letters, st.builds(LibraryUse, letters, st.lists(letters).map(tuple)), max_size=2)),
        ran_at=draw(st.none() | st.integers(0, 2**40)),
        uncounted_params=draw(st.dictionaries(letters, values, max_size=2)),
    )


def test_the_text_of_a_lock_is_exactly_this() -> None:
    assert lock_file.dumps(LOCK) == TEXT


def test_a_lock_records_what_an_out_shows_and_no_comparison_depends_on_it() -> None:
    path = ArtifactPath("scores.json")
    without = StageLock(Inputs(1, outs=(OutSpec(path, cache=False),)), {path: Artifact(A, 7)})
    lock = StageLock(Inputs(1, outs=(OutSpec(path, cache=False, kind="metric"),)), without.outs)

    text = lock_file.dumps(lock)
    assert '"scores.json": {"cache":false,"digest":"' in text
    assert '"kind":"metric"' in text
    assert [out.kind for out in lock_file.loads(text, "x.lock").inputs.outs] == ["metric"]
    assert "kind" not in lock_file.dumps(without)
    assert lock == without
    assert lock.inputs.key() == without.inputs.key()
    assert lock.inputs.same_lines(without.inputs)
    with pytest.raises(LockFileError, match="must be a string"):
        lock_file.loads(text.replace('"metric"', "1"), "x.lock")


OTHERS = (OutSpec(ArtifactPath("x"), kind="metric"), OutSpec(ArtifactPath("x"), temp=True))


@pytest.mark.parametrize(
    "lock",
    [
        *(StageLock(Inputs(1, outs=(out,)), {out.path: Artifact(A, 7)}) for out in OTHERS),
        StageLock(Inputs(1), {}, ran_at=0),
        StageLock(Inputs(1), {}, uncounted_params={"seed": 1}),
    ],
    ids=["kind", "temp", "ran_at", "uncounted_params"],
)
def test_facts_that_older_versions_do_not_read_have_another_format(lock: StageLock) -> None:
    text = lock_file.dumps(lock)
    assert text.startswith('{\n"format": 2,\n')
    before = text.replace('"format": 2', '"format": 1')  # as some versions have written them
    assert lock_file.dumps(lock_file.loads(before, "x.lock")) == text


@given(locks())
def test_locks_round_trip(lock: StageLock) -> None:
    text = lock_file.dumps(lock)

    assert lock_file.loads(text, "x.lock") == lock
    assert lock_file.dumps(lock_file.loads(text, "x.lock")) == text
    extended = lock.ran_at is not None or lock.uncounted_params
    assert json.loads(text)["format"] == (lock_file.EXTENDED if extended else lock_file.FORMAT)


def test_a_nan_param_has_a_stable_text() -> None:
    lock = StageLock(Inputs(1, params={"x": float("nan"), "y": float("-inf")}), {})
    text = lock_file.dumps(lock)

    assert lock_file.dumps(lock_file.loads(text, "x.lock")) == text
    assert lock_file.loads(text, "x.lock").inputs.key() == lock.inputs.key()


def test_every_hash_seed_gives_the_same_bytes() -> None:
    program = """
from pivot_cache.formats import lock_file
from pivot_core.lock import *
from pivot_core.spec import OutSpec
names = set("qwertyuiopasdfghjklzxcvbnm")
outs = {name: Artifact("0" * 32, 1) for name in names}
code = {name: CodeEntry("1" * 32) for name in names}
inputs = Inputs(1, code, dict.fromkeys(names, 1), dict(outs), tuple(OutSpec(name) for name in names))
print(lock_file.dumps(StageLock(inputs, outs)))
"""
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(texts) == 1


def test_a_lock_with_other_outs_than_declared_is_not_written() -> None:
    with pytest.raises(ValueError, match="not the declared ones"):
        lock_file.dumps(StageLock(Inputs(1, outs=(OutSpec(ArtifactPath("a")),)), {}))
    with pytest.raises(ValueError, match="not the declared ones"):
        lock_file.dumps(
            StageLock(Inputs(1, outs=(OutSpec(ArtifactPath("a")),) * 2), {ArtifactPath("a"): Artifact(A, 1)})
        )


def test_equal_content_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "stages" / "p.s.lock"

    assert lock_file.write(file, LOCK)
    before = stat_signature(file.stat())
    assert not lock_file.write(file, LOCK)
    assert stat_signature(file.stat()) == before
    assert lock_file.read(file) == LOCK
    assert [path.name for path in file.parent.iterdir()] == ["p.s.lock"]


def test_a_full_disk_keeps_the_old_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "p.s.lock"
    lock_file.write(file, LOCK)

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CacheError, match=r"p\.s\.lock: the disk is full"):
        lock_file.write(file, StageLock(Inputs(1), {}))
    assert lock_file.read(file) == LOCK
    assert [path.name for path in tmp_path.iterdir()] == ["p.s.lock"]


@pytest.mark.parametrize("content", [None, b""], ids=["none", "empty"])
def test_a_missing_or_emptied_file_is_no_run(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "p.s.lock"
    if content is not None:
        file.write_bytes(content)

    assert lock_file.read(file) is None


def edited(*place: str, value: Any = None, drop: bool = False) -> str:
    record = json.loads(TEXT)
    inner = record
    for key in place[:-1]:
        inner = inner[key]
    if drop:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return json.dumps(record)


OUT = {"cache": True, "digest": A, "executable": False, "size": 1}
DEEP = "[" * 100_000

HOSTILE = {
    "not json": ("{", None, "it is not JSON"),
    "list": ("[]", None, "must be an object, not a list"),
    "null": ("null", None, "must be an object, not null"),
    "deep": (DEEP, None, "it is not JSON"),
    "long number": (TEXT.replace("123", "9" * 5000), None, "it is not JSON"),
    "empty object": ("{}", "algorithm", "is missing"),
    "conflict": (TEXT.replace('"schema": 1', '<<<<<<< HEAD\n"schema": 1'), None, "merge conflict"),
    "conflict in outs": (TEXT.replace('"clean', '=======\n"clean'), None, "merge conflict"),
    "twice at the top": (TEXT.replace('"schema": 1', '"schema": 1,\n"schema": 1'), "schema", "occurs twice"),
    "twice in a section": (
        TEXT.replace('"threshold": 0.5', '"threshold": 0.5,\n"threshold": 1'),
        "threshold",
        "occurs twice",
    ),
    "newer": (edited("format", value=3), "format", "format 3 is newer"),
    "newer, other fields": ('{"format": 3}', "format", "format 3 is newer"),
    "format text": (edited("format", value="1"), "format", "must be a whole number, not a string"),
    "format true": (edited("format", value=True), "format", "must be a whole number, not true or false"),
    "format 0": (edited("format", value=0), "format", "must be at least 1"),
    "no format": (edited("format", drop=True), "format", "is missing"),
    "algorithm": (edited("algorithm", value="md5"), "algorithm", "digests of xxh3-128, not of 'md5'"),
    "algorithm 1": (edited("algorithm", value=1), "algorithm", "must be a string, not a number"),
    "unknown": (edited("extra", value=1), "extra", "is not a known field"),
    "observed": (edited("observed", "x", value=1), "observed.x", "must be an object"),
    "libraries": (edited("libraries", "x", value={"version": "1"}), "libraries.x.names", "is missing"),
    "library names": (
        edited("libraries", "x", value={"version": "1", "names": "y"}),
        "libraries.x.names",
        "must be a list",
    ),
    "schema": (edited("schema", value=-1), "schema", "must be at least 0"),
    "code": (edited("code", value=[]), "code", "must be an object"),
    "code entry": (edited("code", "builtin:len", value=A), "code.builtin:len", "must be an object, not a string"),
    "code digest": (edited("code", "builtin:len", "digest", value=A[1:]), "code.builtin:len.digest", "is not a digest"),
    "code half a place": (edited("code", "builtin:len", "line", value=1), "code.builtin:len.file", "is missing"),
    "code line": (
        edited("code", "func:pipeline:preprocess", "line", value=1.5),
        "code.func:pipeline:preprocess.line",
        "must be a whole number",
    ),
    "code file": (
        edited("code", "func:pipeline:preprocess", "file", value=None),
        "code.func:pipeline:preprocess.file",
        "must be a string, not null",
    ),
    "params": (edited("params", value="x"), "params", "must be an object"),
    "dep digest": (edited("deps", "data.json", "digest", value="/etc/passwd"), "deps.data.json.digest", "not a digest"),
    "dep upper": (edited("deps", "data.json", "digest", value="A" * 32), "deps.data.json.digest", "not a digest"),
    "huge size": (edited("deps", "data.json", "size", value=1 << 63), "deps.data.json.size", "more than any file has"),
    "dep size": (edited("deps", "data.json", "size", value=-1), "deps.data.json.size", "must be at least 0"),
    "dep size NaN": (edited("deps", "data.json", "size", value=float("nan")), "deps.data.json.size", "whole number"),
    "dep size missing": (edited("deps", "data.json", "size", drop=True), "deps.data.json.size", "is missing"),
    "dep executable": (edited("deps", "data.json", "executable", value=True), "deps.data.json.executable", "known"),
    "out cache": (edited("outs", "clean.json", "cache", value=1), "outs.clean.json.cache", "true or false"),
    "out executable": (edited("outs", "clean.json", "executable", value=0), "outs.clean.json.executable", "true or"),
    "out cache missing": (edited("outs", "clean.json", "cache", drop=True), "outs.clean.json.cache", "is missing"),
    "out above": (edited("outs", "../x", value=OUT), "outs.../x", "not a normalised path"),
    "out inner": (edited("outs", "a/../../x", value=OUT), "outs.a/../../x", "not a normalised path"),
    "out absolute": (edited("outs", "/etc/x", value=OUT), "outs./etc/x", "not a normalised path"),
    "out slashes": (edited("outs", "a//b", value=OUT), "outs.a//b", "not a normalised path"),
    "out nul": (edited("outs", "a\0b", value=OUT), "outs.a\0b", "NUL"),
    "out empty": (edited("outs", "", value=OUT), "outs.", "must not be empty"),
    "out root": (edited("outs", ".", value=OUT), "outs..", "not a normalised path"),
    "out surrogate": (edited("outs", "\udcff", value=OUT), "outs.\udcff", "not valid UTF-8"),
    "out state": (edited("outs", ".pivot", value=OUT), "outs..pivot", "belongs to Pivot"),
    "dep state": (
        edited("deps", ".pivot/config.yaml", value={"digest": A, "size": 1}),
        "deps..pivot/config.yaml",
        "belongs to Pivot",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_lock_is_refused_with_file_and_field(case: str) -> None:
    text, field, problem = HOSTILE[case]

    with pytest.raises(LockFileError) as caught:
        lock_file.loads(text, "p.s.lock")
    error = caught.value
    assert error.field == field
    assert problem in error.problem
    assert str(error) == f"{error.problem} @ p.s.lock" + ("" if field is None else f": {field}")
    assert error.hint
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b" ", "not JSON"),
        (b"\0" * 4096, "only zeros"),
        (TEXT.encode()[:-30], "not JSON"),
        (TEXT.encode()[:40] + b"\0" * 40, "not JSON"),
    ],
)
def test_bytes_that_are_not_text_are_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "p.s.lock"
    file.write_bytes(content)

    with pytest.raises(LockFileError, match=problem) as caught:
        lock_file.read(file)
    assert str(caught.value).endswith(f"@ {file}")


@pytest.mark.parametrize("what", ["pipe", "device", "directory"])
def test_an_irregular_file_in_place_of_a_lock_does_not_block(tmp_path: Path, what: str) -> None:
    file = tmp_path / "p.s.lock"
    if what == "pipe":
        os.mkfifo(file)
    elif what == "device":
        file.symlink_to("/dev/zero")
    else:
        file.mkdir()

    for read in (lock_file.read, pvt.read):
        with pytest.raises(CacheError, match=r"cannot (be )?read.*: (it is not a file|Is a directory)"):
            read(file)


def test_the_null_device_in_place_of_a_lock_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "p.s.lock").symlink_to(os.devnull)

    assert lock_file.read(tmp_path / "p.s.lock") is None


def test_a_directory_in_the_place_of_a_lock_is_named_and_makes_room(tmp_path: Path) -> None:
    file = tmp_path / "p.s.lock"
    for mine in ("one", "two"):
        file.unlink(missing_ok=True)
        file.mkdir()
        (file / mine).touch()
        with pytest.raises(LockFileError, match=str(file)):
            lock_file.read(file)
        lock_file.write(file, LOCK)
        assert lock_file.read(file) == LOCK
    assert (tmp_path / "p.s.lock.1/one").exists()
    assert (tmp_path / "p.s.lock.2/two").exists()


@given(st.text('{}[]":,01ae\n', max_size=30))
def test_any_text_is_a_lock_or_an_error_of_ours(text: str) -> None:
    with pytest.raises(LockFileError):
        lock_file.loads(text, "p.s.lock")
