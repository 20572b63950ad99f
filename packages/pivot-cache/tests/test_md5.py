"""Files that another tool knows by their MD5."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.errors import ArtifactError
from pivot_cache.objects import md5
from pivot_cache.objects.store import ObjectStore
from pivot_core.files.digest import digest_bytes


@pytest.mark.parametrize("data", [b"", b"one", bytes(70_000)])
def test_one_read_gives_both_digests_and_a_copy(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    store = ObjectStore(tmp_path / "objects")
    with store.temporary() as place:
        found = md5.read(file, place / "copy")
        assert (found.md5, found.artifact.digest) == (hashlib.md5(data).hexdigest(), digest_bytes(data))
        assert not store.exists(found.artifact.digest), "nothing enters the store before the MD5 is compared"
        md5.adopt(store, found)
    assert store.verified(found.artifact.digest, len(data))
    assert md5.read(file).copy is None


def test_an_object_is_never_a_link_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"before")
    store = ObjectStore(tmp_path / "objects")
    with store.temporary() as place:
        found = md5.read(file, place / "copy")
        md5.adopt(store, found)
    with file.open("r+b") as stream:
        stream.write(b"edited")
    assert store.path_of(found.artifact.digest).read_bytes() == b"before"
    assert file.stat().st_nlink == 1


@given(st.lists(st.sampled_from([b"a", b"\r\n", b"\n", b"\r", b"\0", b"\xff"]), max_size=30))
def test_the_md5_of_texts_reads_windows_lines_as_others(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    file = tmp_path_factory.mktemp("text") / "file"
    data = b"".join(parts)
    file.write_bytes(data)
    binary = b"\0" in data or data.count(b"\xff") > 0.3 * len(data)
    wanted = data if binary else data.replace(b"\r\n", b"\n")
    assert md5.text_md5(file) == hashlib.md5(wanted).hexdigest()


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        md5.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        md5.read(tmp_path / "absent")
