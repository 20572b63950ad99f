"""Whole transfers on a second server, which shares no code with the first one."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import RemoteCorruptError, RemoteDeniedError
from pivot_cache.remotes.transfer import TransferResult, TransferSettings, fetch, push
from pivot_core.lock import Artifact
from pivot_remote_s3 import S3Location, S3Remote, S3Settings
from pivot_remote_s3.client.sdk_client import open_client

PART = 10_000


async def at_once(seconds: float) -> None:
    await asyncio.sleep(0)


OPTIONS = TransferSettings(retry=Retry(attempts=3, sleep=at_once), jobs=4, part=PART)


@pytest.fixture
def make(rclone_location: S3Location, rclone_proxy: Any, tmp_path: Path) -> Callable[[], S3Remote]:
    state = tmp_path / "uploads"
    return lambda: S3Remote(rclone_location, rclone_proxy.settings, jobs=4, state=state, part=PART)


def large(store: ObjectStore) -> Artifact:
    """Ten parts."""
    return Artifact(store.put_bytes(bytes(range(250)) * (PART * 95 // 10 // 250)), PART * 95 // 10)


def moved(artifact: Artifact) -> TransferResult:
    return TransferResult(transferred=frozenset({artifact.digest}))


def listed(remote: S3Remote) -> set[str]:
    async def work() -> set[str]:
        async with remote:
            return {digest async for digest in remote.digests()}

    return asyncio.run(work())


def test_pushed_objects_can_be_fetched(
    store: ObjectStore, other: ObjectStore, make: Callable[[], S3Remote], rclone_proxy: Any
) -> None:
    tree = Tree({f"é/{number}": Artifact(store.put_bytes(b"x" * number), number) for number in range(12)})
    store.put_bytes(tree.dumps())
    artifacts = [tree.artifact(), large(store)]

    first = push(artifacts, store, make(), OPTIONS)
    assert (first.failed, first.transferred) == ({}, frozenset(store.digests()))
    rclone_proxy.clear()
    assert push(artifacts, store, make(), OPTIONS) == TransferResult(present=first.transferred)
    assert rclone_proxy.count("^PUT") == 0
    assert listed(make()) == first.transferred
    assert fetch(artifacts, other, make(), OPTIONS) == first
    assert set(other.digests()) == first.transferred


def test_an_upload_resumes_after_each_kind_of_failure(
    store: ObjectStore, make: Callable[[], S3Remote], rclone_proxy: Any
) -> None:
    artifact = large(store)
    rclone_proxy.fault("403:ExpiredToken", "partNumber", skip=6, times=1000)
    assert isinstance(push([artifact], store, make(), OPTIONS).stopped, RemoteDeniedError)
    rclone_proxy.clear()
    for fault in ("half", "unanswered", "503:SlowDown"):
        rclone_proxy.fault(fault, "partNumber")
    rclone_proxy.fault("unanswered", "^POST .*uploadId")

    assert push([artifact], store, make(), OPTIONS).failed == {}
    assert rclone_proxy.count("partNumber") == 4 + 3
    assert listed(make()) == {artifact.digest}


def test_an_upload_that_the_server_has_aborted_starts_again(
    store: ObjectStore, make: Callable[[], S3Remote], rclone: S3Settings, rclone_proxy: Any, tmp_path: Path
) -> None:
    artifact = large(store)
    rclone_proxy.fault("403:ExpiredToken", "partNumber", skip=6, times=1000)
    push([artifact], store, make(), OPTIONS)
    rclone_proxy.clear()

    async def give_up() -> None:
        bucket = make().location.bucket
        async with open_client(make().location, rclone, 1) as client:
            (upload,) = (await client.list_multipart_uploads(Bucket=bucket))["Uploads"]  # type: ignore[attr-defined]
            await client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    asyncio.run(give_up())

    assert push([artifact], store, make(), OPTIONS) == moved(artifact)
    assert listed(make()) == {artifact.digest}


def test_bytes_that_change_on_their_way_to_the_server_are_sent_again(
    store: ObjectStore, other: ObjectStore, make: Callable[[], S3Remote], rclone_proxy: Any
) -> None:
    artifacts = [large(store), Artifact(store.put_bytes(b"first"), 5), Artifact(store.put_bytes(b"second"), 6)]
    rclone_proxy.fault("spoil", "^PUT [^?]* ", times=2)  # one by the SDK, and perhaps one without
    rclone_proxy.fault("spoil", "partNumber=3&")

    assert push(artifacts, store, make(), OPTIONS).failed == {}
    assert fetch(artifacts, other, make(), OPTIONS).failed == {}


def test_an_object_that_is_corrupt_on_the_server_never_enters_the_store(
    store: ObjectStore, other: ObjectStore, make: Callable[[], S3Remote], rclone: S3Settings
) -> None:
    artifacts = [large(store), Artifact(store.put_bytes(b"small"), 5)]
    push(artifacts, store, make(), OPTIONS)

    async def corrupt() -> None:
        location = make().location
        async with open_client(location, rclone, 1) as client:
            for artifact in artifacts:
                wrong = os.urandom(artifact.size)
                await client.put_object(Bucket=location.bucket, Key=location.key(artifact.digest), Body=wrong)

    asyncio.run(corrupt())
    outcome = fetch(artifacts, other, make(), OPTIONS)

    assert {artifact.digest for artifact in artifacts} == outcome.failed.keys()
    assert all(type(error) is RemoteCorruptError for error in outcome.failed.values())
    assert list(other.digests()) == []


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_keys_are_denied_and_never_shown(
    store: ObjectStore, make: Callable[[], S3Remote], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "not-for-your-eyes")
    artifacts = [Artifact(store.put_bytes(b"%d" % number), 1) for number in range(3)]

    for outcome in (
        push(artifacts, store, make(), OPTIONS),
        push([large(store)], store, make(), OPTIONS),
        fetch([Artifact("0" * 32, 4)], store, make(), OPTIONS),
    ):
        assert type(outcome.stopped) is RemoteDeniedError
        assert "aws sts get-caller-identity" in str(outcome.stopped.hint)
        assert "eyes" not in f"{outcome.stopped} {outcome.stopped.hint}"
