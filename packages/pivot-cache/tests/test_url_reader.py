"""The lookup of readers of URLs, and files that downloads continue."""

import io
from collections.abc import Callable

import pytest

from pivot_cache.formats.data_source import UrlState
from pivot_cache.remotes import entry_points
from pivot_cache.remotes.protocol import RemoteSchemeError
from pivot_cache.remotes.url_reader import PartialDownload, UrlReader, open_url


def nothing(*_: object) -> UrlReader:
    raise AssertionError("not called")


@pytest.mark.parametrize(
    ("url", "problem", "hint"),
    [
        ("s3://bucket/x", "s3:// URLs need the package pivot-remote-s3", "install pivot-remote-s3"),
        ("gs://bucket/x", "gs:// URLs need the package pivot-remote-obstore", "install pivot-remote-obstore"),
        ("ftp://host/x", "data cannot be imported from ftp:// URLs", "http:// or s3://"),
        ("data.csv", "'data.csv' is not a URL", "'pivot track'"),
    ],
)
def test_urls_that_nothing_reads(url: str, problem: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_entry(*_: object) -> Callable[..., UrlReader] | None:
        return None

    monkeypatch.setattr(entry_points, "load_entry_point", no_entry)
    with pytest.raises(RemoteSchemeError) as caught:
        open_url(url, None, {"http": nothing})

    assert problem in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_a_file_continues_only_the_content_that_it_begins() -> None:
    file, seen = io.BytesIO(), list[tuple[int, int | None]]()
    target = PartialDownload(file, UrlState("old"), progress=lambda *each: seen.append(each))
    assert not target.state  # of an empty file, nothing is known

    target.begin(UrlState("a", size=4), 0)
    target.write(b"ab")
    target.begin(UrlState("a", size=4), 2)
    target.write(b"cd")
    assert (file.getvalue(), seen) == (b"abcd", [(2, 4), (4, 4)])

    target.begin(UrlState("b"), 0)
    target.write(b"x")
    assert (file.getvalue(), target.size) == (b"x", 1)
    assert target.state == UrlState("b")
    assert PartialDownload(file, UrlState("b")).state == UrlState("b")
