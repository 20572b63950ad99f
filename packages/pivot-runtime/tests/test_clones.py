"""Which repository a user or a record means, and the form that is recorded."""

import os
import pathlib

import pytest

from pivot_runtime.errors import TargetError
from pivot_runtime.external.clones import RepositoryLocation, locate


@pytest.mark.parametrize(
    ("named", "recorded"),
    [
        ("https://host/x.git", "https://host/x.git"),
        ("https://me:secret@host/x.git", "https://host/x.git"),
        ("ssh://git@host:22/x.git", "ssh://git@host:22/x.git"),
        ("git@host:team/x.git", "git@host:team/x.git"),
        ("file:///srv/x.git", "file:///srv/x.git"),
    ],
)
def test_urls(named: str, recorded: str, tmp_path: pathlib.Path) -> None:
    assert locate(named, tmp_path, tmp_path) == RepositoryLocation(named, recorded)


def test_directories_are_recorded_relative_to_the_root(tmp_path: pathlib.Path) -> None:
    for name in ("app/sub", "data", "app/odd:name"):
        (tmp_path / name).mkdir(parents=True)
    root, base = tmp_path / "app", tmp_path / "app/sub"

    found = locate("../../data", root, base)
    assert (found.url, found.recorded, found.directory) == (str(tmp_path / "data"), "../data", tmp_path / "data")
    assert locate(found.recorded, root, root) == found
    assert locate(os.fspath(tmp_path / "data"), root, base).recorded == os.fspath(tmp_path / "data")
    assert locate("odd:name", root, root).directory == root / "odd:name"


@pytest.mark.parametrize("named", ["ext::sh -c touch% x", "--upload-pack=x://y", "nothing", ""])
def test_texts_that_name_no_repository(named: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(TargetError) as caught:
        locate(named or "nothing/", tmp_path, tmp_path)
    assert caught.value.hint
