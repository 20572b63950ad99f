"""A server that speaks S3, in a thread, and a bucket of one's own for each test."""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator

import pytest

# Before moto is imported: parts as small as the tests need, on which a real server would insist to be 5 MiB.
os.environ["S3_UPLOAD_PART_MIN_SIZE"] = "1"

from moto.server import ThreadedMotoServer

from pivot_remote_s3 import S3Location, S3Settings
from pivot_remote_s3.client import opened

PREFIX = "team/cache"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def settings() -> Iterator[S3Settings]:
    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield S3Settings(endpoint=f"http://{host}:{port}", region="us-east-1")
    running.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")


@pytest.fixture
def location(settings: S3Settings) -> S3Location:
    location = S3Location(f"bucket-{next(_numbers)}", PREFIX)

    async def create() -> None:
        async with opened(location, settings, 1) as client:
            create_bucket: Callable[..., object] = client.create_bucket  # type: ignore[attr-defined]
            await create_bucket(Bucket=location.bucket)  # type: ignore[misc]

    asyncio.run(create())
    return location
