"""Reading one object of a bucket for imported data, from moto's server."""

import asyncio
import io
import os
import pathlib

import pytest
from moto.s3.models import s3_backends

from pivot_cache.remotes.protocol import RemoteDeniedError, RemoteError, RemoteNotFoundError
from pivot_cache.remotes.url_reader import PartialDownload, open_url
from pivot_remote_s3 import LocationError, ObjectReader, S3Location, S3Settings

CONTENT = bytes(range(256)) * 1024


def put(location: S3Location, content: bytes) -> str:
    s3_backends["123456789012"]["aws"].put_object(location.bucket, "raw/data.csv", content)
    return f"s3://{location.bucket}/raw/data.csv"


def downloaded(reader: ObjectReader, target: PartialDownload) -> None:
    asyncio.run(reader.download(target))


def test_an_object_and_its_description(location: S3Location, settings: S3Settings) -> None:
    reader = ObjectReader(put(location, CONTENT), settings=settings)
    file = io.BytesIO()
    target = PartialDownload(file)
    downloaded(reader, target)

    assert file.getvalue() == CONTENT
    assert target.state == asyncio.run(reader.state())
    assert target.state is not None
    assert (target.state.size, bool(target.state.etag), bool(target.state.modified)) == (len(CONTENT), True, True)


def test_the_rest_of_the_same_object_is_asked_for(location: S3Location, settings: S3Settings) -> None:
    reader = ObjectReader(put(location, CONTENT), settings=settings)
    state = asyncio.run(reader.state())
    file = io.BytesIO(b"\0" * 1000)  # bytes that only a continued download leaves

    downloaded(reader, PartialDownload(file, state))
    assert file.getvalue() == b"\0" * 1000 + CONTENT[1000:]

    put(location, b"other")
    downloaded(reader, PartialDownload(file, state))
    assert file.getvalue() == b"other"


def test_absent_objects(location: S3Location, settings: S3Settings) -> None:
    reader = ObjectReader(f"s3://{location.bucket}/nothing", settings=settings)

    for work in (reader.state(), reader.download(PartialDownload(io.BytesIO()))):
        with pytest.raises(RemoteNotFoundError, match="there is no such object"):
            asyncio.run(work)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://bucket/dir/", "s3://key:secret@bucket/x"])
def test_urls_of_no_object(url: str) -> None:
    with pytest.raises(LocationError):
        open_url(url, None, {})


def test_without_credentials_or_with_a_wrong_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    reader = ObjectReader("s3://bucket/data.csv")  # no endpoint: the bucket is asked for its region first
    for work in (reader.state(), reader.download(PartialDownload(io.BytesIO()))):
        with pytest.raises(RemoteDeniedError, match=r"s3://bucket/data\.csv: no credentials were found"):
            asyncio.run(work)

    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(RemoteError, match=r"s3://bucket/data\.csv: there is no such profile"):
        asyncio.run(reader.state())
