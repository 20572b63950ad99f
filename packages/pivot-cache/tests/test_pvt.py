"""Files that stand for data: one text for each artifact, and nothing else is believed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.errors import CacheError, LockFileError
from pivot_cache.formats import pvt
from pivot_cache.formats.data_source import DataSource, RepositorySource, UrlSource, UrlState
from pivot_core.lock import Artifact

ARTIFACT = Artifact("0123456789abcdef" * 2, 12, executable=True)

artifacts = st.builds(
    Artifact,
    digest=st.text("0123456789abcdef", min_size=32, max_size=32),
    size=st.integers(min_value=0, max_value=1 << 60),
    executable=st.booleans(),
    tree=st.booleans(),
)


some_text = st.none() | st.text()
sources: st.SearchStrategy[DataSource | None] = st.one_of(
    st.none(),
    st.builds(
        RepositorySource,
        repo=st.text(),
        path=st.text(),
        commit=st.text("0123456789abcdef", min_size=40, max_size=40),
        rev=some_text,
    ),
    st.builds(
        UrlSource,
        url=st.text(),
        state=st.builds(UrlState, etag=some_text, modified=some_text, size=st.none() | st.integers(0, 1 << 60)),
    ),
)


@given(artifacts, sources)
def test_there_and_back(artifact: Artifact, source: DataSource | None) -> None:
    text = pvt.dumps(artifact, source)

    assert pvt.parse(text, "x.pvt") == pvt.TrackedData(artifact, source)
    assert pvt.loads(text, "x.pvt") == artifact
    assert json.loads(text)["format"] == (1 if source is None else 2)
    assert json.loads(text)["digest"] == artifact.digest
    assert all(line.count('"') >= 2 for line in text.decode().splitlines()[1:-1])


def test_a_file_is_written_only_if_it_says_something_else(tmp_path: Path) -> None:
    file = tmp_path / "x.pvt"

    assert pvt.write(file, ARTIFACT)
    before = file.stat().st_mtime_ns, file.stat().st_ino
    assert not pvt.write(file, ARTIFACT)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before
    assert pvt.read(file) == ARTIFACT


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 3}, "format 3 is newer than 2 @ x.pvt: format"),
        ({"format": 2}, "is missing @ x.pvt: source"),
        ({"source": {"url": "https://host/x"}}, "is not a known field @ x.pvt: source"),
        ({"format": 2, "source": "x"}, "must be an object, not a string @ x.pvt: source"),
        ({"format": 2, "source": {"url": 1}}, "must be a string, not a number @ x.pvt: source.url"),
        ({"format": 2, "source": {"url": "x", "size": -1}}, "must be at least 0, not -1 @ x.pvt: source.size"),
        ({"format": 2, "source": {"repo": "x", "path": "y"}}, "is missing @ x.pvt: source.commit"),
        (
            {"format": 2, "source": {"repo": "x", "path": "y", "commit": "--upload-pack"}},
            "must be the id of a commit @ x.pvt: source.commit",
        ),
        ({"format": "1"}, "must be a whole number, not a string @ x.pvt: format"),
        ({"format": None}, "is missing @ x.pvt: format"),
        ({"algorithm": "md5"}, "this Pivot reads digests of xxh3-128 @ x.pvt: algorithm"),
        ({"algorithm": None}, "is missing @ x.pvt: algorithm"),
        ({"digest": "../../etc/passwd"}, "is not a digest (32 lowercase hex digits) @ x.pvt: digest"),
        ({"size": -1}, "must be at least 0, not -1 @ x.pvt: size"),
        ({"executable": 1}, "must be true or false, not a number @ x.pvt: executable"),
        ({"path": "x"}, "is not a known field @ x.pvt: path"),
    ],
)
def test_invalid_files_are_rejected(change: dict[str, Any], told: str) -> None:
    plain = {**json.loads(pvt.dumps(ARTIFACT)), **change}
    text = json.dumps({key: value for key, value in plain.items() if value is not None})

    with pytest.raises(LockFileError) as caught:
        pvt.loads(text.encode(), "x.pvt")
    assert str(caught.value) == told


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b"{", b'{"size": 1, "size": 2}', b"[" * 100_000])
def test_garbage_is_an_error_of_ours(text: bytes) -> None:
    with pytest.raises(LockFileError, match=r"@ x\.pvt"):
        pvt.loads(text, "x.pvt")


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"cannot read .*x\.pvt"):
        pvt.read(tmp_path / "x.pvt")


def conflicted(ours: Artifact, theirs: Artifact, *, base: Artifact | None = None) -> bytes:
    """The file that git leaves where both sides have changed the same lines."""
    sides = [pvt.dumps(each).splitlines(keepends=True) for each in (ours, theirs)]
    changed = [
        b"<<<<<<< HEAD\n",
        *sides[0][3:-1],
        *([] if base is None else [b"||||||| 1234\n", *pvt.dumps(base).splitlines(keepends=True)[3:-1]]),
        b"=======\n",
        *sides[1][3:-1],
        b">>>>>>> branch\n",
    ]
    return b"".join([*sides[0][:3], *changed, sides[0][-1]])


@given(artifacts, artifacts, st.none() | artifacts)
def test_a_conflict_is_reported_and_both_sides_are_readable(
    ours: Artifact, theirs: Artifact, base: Artifact | None
) -> None:
    text = conflicted(ours, theirs, base=base)

    with pytest.raises(LockFileError, match=r"merge conflict markers @ a b\.pvt") as caught:
        pvt.loads(text, "a b.pvt")
    assert "git checkout --ours -- 'a b.pvt'" in str(caught.value.hint)
    sides = pvt.sides(text)
    assert sides is not None
    assert [pvt.loads(side, "") for side in sides] == [ours, theirs]


@given(artifacts)
def test_a_whole_file_has_no_sides(artifact: Artifact) -> None:
    assert pvt.sides(pvt.dumps(artifact)) is None


@given(artifacts, st.data())
def test_a_part_of_a_file_of_ours_is_damaged_and_never_foreign(artifact: Artifact, data: st.DataObject) -> None:
    text = pvt.dumps(artifact).rstrip()
    length = data.draw(st.integers(0, len(text) - 1))
    for damaged in (text[:length], text[:length] + b"\0" * (len(text) - length)):
        with pytest.raises(LockFileError):
            pvt.loads(damaged, "x.pvt")
        assert not pvt.is_foreign(damaged)


@pytest.mark.parametrize(
    "text", [b"PVT TABLE 1.0\n1 2 3\n", b"\xff\x00\x01", b'{"pressure": [1, 2]}', b"[1]", b"<PVT/>"]
)
def test_a_foreign_file_is_distinguished_from_a_damaged_one(text: bytes) -> None:
    with pytest.raises(pvt.ForeignFileError):
        pvt.loads(text, "oil.pvt")
    assert pvt.is_foreign(text)


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.pvt").symlink_to("x.pvt")
    with pytest.raises(LockFileError, match="leads nowhere"):
        pvt.read(tmp_path / "x.pvt")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (UrlState("a", size=1), UrlState("a", size=1), True),
        (UrlState("a", size=1), UrlState("b", size=1), False),
        (UrlState("a", size=1), UrlState("a", size=2), False),
        (UrlState(modified="Mon", size=1), UrlState(modified="Mon", size=1), True),
        (UrlState(modified="Mon", size=1), UrlState(modified="Tue", size=1), False),
        (UrlState(modified="Mon"), UrlState(modified="Mon", size=1), False),
        (UrlState("a"), UrlState(modified="Mon"), None),
        (UrlState(size=1), UrlState(size=1), None),
        (UrlState(), UrlState(), None),
    ],
)
def test_answers_of_servers(one: UrlState, other: UrlState, same: bool | None) -> None:
    assert one.same(other) is same
    assert other.same(one) is same
