"""The region of a bucket, and the errors of a client that cannot be opened."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aioboto3
import pytest
from aiobotocore.config import AioConfig
from botocore.loaders import JSONFileLoader

from pivot_cache.remotes.protocol import RemoteDeniedError, RemoteUnreachableError
from pivot_remote_s3 import S3Location, S3Remote, S3Settings
from pivot_remote_s3.client.sdk_client import _region, open_client

DIGEST = "0" * 32


def ask(remote: S3Remote) -> Mapping[str, int | None]:
    async def work() -> Mapping[str, int | None]:
        async with remote:
            return await remote.exists([DIGEST])

    return asyncio.run(work())


def test_the_second_client_of_a_process_reads_no_models(settings: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own files have megabytes, and workers of a cluster open a client for each stage."""
    read: list[str] = []
    original = JSONFileLoader.load_file

    def load_file(self: JSONFileLoader, file: str) -> Any:
        read.append(file)
        return original(self, file)

    async def work() -> None:
        async with open_client(S3Location("bucket"), settings, 1):
            pass

    asyncio.run(work())
    monkeypatch.setattr(JSONFileLoader, "load_file", load_file)
    asyncio.run(work())

    assert read == []


def test_the_region_of_a_bucket_comes_from_the_server(
    location: S3Location, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(proxy.settings.endpoint))
    config = AioConfig(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})

    def region(bucket: str) -> str | None:
        return asyncio.run(_region(aioboto3.Session(), config, bucket))

    assert region(location.bucket) == "us-east-1"
    assert region("nobodys-bucket") is None
    assert proxy.count(f"^HEAD /{location.bucket}") == 1


def test_an_invalid_region(settings: S3Settings) -> None:
    remote = S3Remote(S3Location("bucket"), S3Settings(endpoint=settings.endpoint, region="no region!"))

    with pytest.raises(RemoteDeniedError, match=r"there is no such region \(InvalidRegionError\)"):
        ask(remote)


def test_a_server_without_a_certificate(settings: S3Settings) -> None:
    endpoint = str(settings.endpoint).replace("http:", "https:")
    remote = S3Remote(S3Location("bucket"), S3Settings(endpoint=endpoint, region="us-east-1"))

    with pytest.raises(RemoteUnreachableError):
        ask(remote)
