"""The content of a ``gs://`` URL is described, downloaded, and continued if it is still the same."""

import asyncio
import io

import pytest
from gcs_server import GcsServer

from pivot_cache.remotes.protocol import RemoteNotFoundError
from pivot_cache.remotes.url_reader import PartialDownload, open_url
from pivot_remote_obstore import BucketLocation, BucketObjectReader, RemoteUrlError


@pytest.fixture
def reader(gcs: GcsServer, bucket: BucketLocation, monkeypatch: pytest.MonkeyPatch) -> BucketObjectReader:
    monkeypatch.setenv("GOOGLE_BASE_URL", gcs.url)
    found = open_url(f"gs://{bucket.bucket}/raw/x.csv", None, {})
    assert isinstance(found, BucketObjectReader)
    return found


def test_an_object_is_read_and_continued(gcs: GcsServer, bucket: BucketLocation, reader: BucketObjectReader) -> None:
    objects = gcs.buckets[bucket.bucket]
    gcs.put(objects, "raw/x.csv", b"one,two\n" * 1000)
    state = asyncio.run(reader.state())
    assert state.size == 8000

    file = io.BytesIO()
    asyncio.run(reader.download(PartialDownload(file)))
    assert file.getvalue() == b"one,two\n" * 1000

    gcs.requests.clear()
    half = io.BytesIO(file.getvalue()[:5000])
    asyncio.run(reader.download(PartialDownload(half, state)))
    assert half.getvalue() == file.getvalue()

    for other in (b"three,four\n" * 800, b"less"):  # another content, which may be shorter than the beginning
        gcs.put(objects, "raw/x.csv", other)
        half = io.BytesIO(file.getvalue()[:5000])
        asyncio.run(reader.download(PartialDownload(half, state)))
        assert half.getvalue() == other
        assert asyncio.run(reader.state()).same(state) is False


def test_a_missing_object(reader: BucketObjectReader) -> None:
    with pytest.raises(RemoteNotFoundError, match="there is no such object"):
        asyncio.run(reader.state())
    with pytest.raises(RemoteNotFoundError, match="there is no such object"):
        asyncio.run(reader.download(PartialDownload(io.BytesIO())))
    for url in ("gs://bucket", "az://container/x/"):
        with pytest.raises(RemoteUrlError, match="names no object"):
            open_url(url, None, {})
