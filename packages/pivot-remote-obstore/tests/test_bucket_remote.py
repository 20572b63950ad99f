"""Remotes in buckets: errors with hints and without secrets, deadlines, listings, and many objects in few requests."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from gcs_server import GcsServer

from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes import stalls
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import (
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteSettings,
    RemoteThrottledError,
    RemoteTimeoutError,
    RemoteUnreachableError,
    connect,
)
from pivot_cache.remotes.transfer import TransferSettings, fetch, push
from pivot_core.files.digest import digest_bytes
from pivot_remote_obstore import BucketLocation, BucketRemote, BucketSettings, RemoteUrlError, existence
from pivot_remote_obstore.limits import Deadlines

DIGEST = digest_bytes(b"data")


@pytest.fixture(autouse=True)
def no_faults(gcs: GcsServer) -> Iterator[None]:
    gcs.requests.clear()
    yield
    gcs.answer = lambda _: None
    gcs.page = 1000
    gcs.ranges = True


def failure(remote: BucketRemote) -> RemoteError:
    async def work() -> None:
        async with remote, remote.read(DIGEST):
            pass

    with pytest.raises(RemoteError) as caught:
        asyncio.run(work())
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, b"<Error><Code>InvalidToken</Code></Error>", RemoteDeniedError, "access denied (InvalidToken)"),
        (403, b"hunter2", RemoteDeniedError, "access denied (403)"),
        (400, b"", RemoteDeniedError, "the request was refused (400)"),
        (302, b"", RemoteDeniedError, "the server points to another address"),
        (404, b"<Error><Code>NoSuchBucket</Code></Error>", RemoteNotFoundError, "there is no bucket 'bucket'"),
        (404, b"", RemoteNotFoundError, f"object {DIGEST} is not there"),
        (429, b"", RemoteThrottledError, "the server asks for fewer requests (429)"),
        (503, b"", RemoteThrottledError, "the server asks for fewer requests (503)"),
        (500, b"status code: 403", RemoteUnreachableError, "the server failed (500)"),
        (0, b"", RemoteUnreachableError, "the connection failed"),
    ],
)
def test_refusals_have_errors_and_hints(
    gcs: GcsServer, gcs_settings: BucketSettings, status: int, body: bytes, kind: type[RemoteError], said: str
) -> None:
    gcs.answer = lambda _: (status, body)
    error = failure(BucketRemote(BucketLocation("gs", "bucket"), gcs_settings))
    assert type(error) is kind
    assert said in str(error)


def test_a_missing_bucket_is_reported(gcs_settings: BucketSettings) -> None:
    async def work() -> None:
        async with BucketRemote(BucketLocation("gs", "nothing", "x"), gcs_settings) as remote:
            await remote.exists([DIGEST])

    with pytest.raises(RemoteNotFoundError, match="there is no bucket 'nothing'"):
        asyncio.run(work())


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("GOOGLE_SERVICE_ACCOUNT_KEY", "{hunter2", "the configuration cannot be used"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/hunter2", "the configuration cannot be used"),
    ],
)
def test_a_wrong_configuration_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.delenv("GOOGLE_BEARER_TOKEN")
    monkeypatch.setenv(variable, value)
    error = failure(BucketRemote(BucketLocation("gs", "bucket")))
    assert isinstance(error, RemoteDeniedError)
    assert said in str(error)


def test_a_wrong_address_is_refused() -> None:
    error = failure(BucketRemote(BucketLocation("gs", "bucket"), BucketSettings("http://127.0.0.1:1")))
    assert isinstance(error, RemoteUnreachableError)
    assert "GOOGLE_BASE_URL" in str(error.hint)


@pytest.mark.parametrize("known", [True, False])
def test_a_silent_server_is_reported_and_given_up(
    gcs: GcsServer, gcs_settings: BucketSettings, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Without credentials, it is the metadata server of a machine in the cloud, which this machine is not."""
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "hunter2")
    answering = threading.Event()
    reported: list[str] = []

    def answer(_: str) -> None:
        answering.wait()

    gcs.answer = answer
    remote = BucketRemote(BucketLocation("gs", "bucket"), gcs_settings, limits=Deadlines(timeout=0.2))
    remote._errors = remote._errors if known else type(remote._errors)(remote.name, "", "sign in", "", signed=False)
    try:
        with stalls.listen(lambda address, _: reported.append(address)):
            error = failure(remote)
    finally:
        answering.set()
    assert reported == [remote.name]
    assert type(error) is (RemoteTimeoutError if known else RemoteDeniedError)


def test_an_answer_that_breaks_off_is_continued(
    gcs: GcsServer, bucket: BucketLocation, gcs_settings: BucketSettings, tmp_path: Path
) -> None:
    (tmp_path / "data").write_bytes(bytes(range(256)) * 1000)
    store, other = ObjectStore(tmp_path / "one/files"), ObjectStore(tmp_path / "other/files")
    artifact = store.put(tmp_path / "data")
    remote = BucketRemote(bucket, gcs_settings, part=100_000)

    async def at_once(_: float) -> None:
        pass

    options = TransferSettings(part=100_000, retry=Retry(sleep=at_once))
    answers = iter([(0, b""), None, (503, b""), *[None] * 100])
    gcs.answer = lambda _: next(answers)
    assert push([artifact], store, remote, options).transferred == {artifact.digest}
    answers = iter([(0, b""), None, (503, b""), None, (0, b""), *[None] * 100])
    assert fetch([artifact], other, remote, options).transferred == {artifact.digest}


def test_a_batch_survives_failed_requests(
    gcs: GcsServer, bucket: BucketLocation, gcs_settings: BucketSettings, tmp_path: Path
) -> None:
    """Requests that succeeded are not repeated, and those that failed are, after a pause."""
    store, other = ObjectStore(tmp_path / "one/files"), ObjectStore(tmp_path / "other/files")
    artifacts = []
    for number in range(40):
        (tmp_path / "data").write_bytes(b"x" * (200_000 if number == 39 else number))
        artifacts.append(store.put(tmp_path / "data"))
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    seen: set[str] = set()

    def answer(said: str) -> tuple[int, bytes] | None:
        digit = said.partition("?")[0][-1]
        first = said not in seen
        seen.add(said)
        return {"0": (503, b""), "1": (0, b""), "2": (500, b"")}.get(digit) if first else None

    options = TransferSettings(jobs=4, retry=Retry(sleep=sleep))
    digests = {artifact.digest for artifact in artifacts}
    gcs.answer = answer
    assert push(artifacts, store, BucketRemote(bucket, gcs_settings, jobs=4), options).transferred == digests
    faulty = {digest for digest in digests if digest[-1] in "012"}
    puts = [said for said in gcs.requests if said.startswith("PUT")]
    assert len(puts) == len(digests) + len(faulty)
    assert pauses
    gcs.requests.clear()
    assert fetch(artifacts, other, BucketRemote(bucket, gcs_settings, jobs=4), options).transferred == digests
    assert len(gcs.requests) == len(digests) + len(faulty)


def test_a_server_may_ignore_ranges(
    gcs: GcsServer, bucket: BucketLocation, gcs_settings: BucketSettings, tmp_path: Path
) -> None:
    other = digest_bytes(b"other")
    for name, data in (("data", b"data"), ("other", b"other")):
        (tmp_path / name).write_bytes(data)
    gcs.ranges = False

    async def work() -> None:
        async with BucketRemote(bucket, gcs_settings, jobs=1) as remote:
            await remote.upload_batch({DIGEST: str(tmp_path / "data"), other: str(tmp_path / "other")})
            gcs.requests.clear()
            assert await remote.read_batch({DIGEST: 4, other: 5}) == {DIGEST: b"data", other: b"other"}
            assert len(gcs.requests) == 3  # it is asked for a range only once
            assert await remote.read_batch({DIGEST: 5}) == {DIGEST: None}

    asyncio.run(work())


def test_an_object_that_always_fails_ends_a_transfer_after_the_others(
    gcs: GcsServer, bucket: BucketLocation, gcs_settings: BucketSettings, tmp_path: Path
) -> None:
    artifacts = []
    store = ObjectStore(tmp_path / "files")
    for number in range(200):
        (tmp_path / "data").write_bytes(b"%d" % number)
        artifacts.append(store.put(tmp_path / "data"))

    async def at_once(_: float) -> None:
        pass

    failing = artifacts[0].digest
    gcs.answer = lambda said: (500, b"") if failing[2:] in said else None
    options = TransferSettings(jobs=4, retry=Retry(attempts=3, sleep=at_once))
    outcome = push(artifacts, store, BucketRemote(bucket, gcs_settings, jobs=4), options)
    assert outcome.failed.keys() == {failing}
    assert isinstance(outcome.stopped, RemoteUnreachableError)
    assert len(outcome.transferred) == 199
    # Twice in batches and three times alone; fewer if it is the last of a slow run: all attempts are of a batch then.
    assert sum(failing[2:] in said for said in gcs.requests) in {3, 4, 5}


@pytest.mark.parametrize(
    ("instead", "kind"),
    [
        ((403, b""), RemoteDeniedError),
        ((404, b"<Error><Code>NoSuchBucket</Code></Error>"), RemoteNotFoundError),
        (None, RemoteTimeoutError),
    ],
)
def test_a_failure_of_all_ends_a_batch(
    gcs: GcsServer,
    bucket: BucketLocation,
    gcs_settings: BucketSettings,
    tmp_path: Path,
    instead: tuple[int, bytes] | None,
    kind: type[RemoteError],
) -> None:
    answering = threading.Event()
    (tmp_path / "data").write_bytes(b"data")

    def answer(_: str) -> tuple[int, bytes] | None:
        if instead is None:
            answering.wait()
        return instead

    gcs.answer = answer

    async def work() -> None:
        async with BucketRemote(bucket, gcs_settings, limits=Deadlines(timeout=0.2)) as remote:
            with pytest.raises(kind):
                await remote.upload_batch({DIGEST: str(tmp_path / "data")})
            with pytest.raises(kind):
                await remote.read_batch({DIGEST: 4, digest_bytes(b"other"): 5})

    try:
        asyncio.run(work())
    finally:
        answering.set()


def test_many_objects_are_found_shard_by_shard(
    gcs: GcsServer,
    bucket: BucketLocation,
    gcs_settings: BucketSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(existence, "_PAGE", 10)
    gcs.page = 7
    (tmp_path / "data").write_bytes(b"")
    digests = [f"{number % 4:02x}{number:030x}" for number in range(48)]
    absent = [f"{number % 8:02x}{number:030x}" for number in range(100, 140)]

    async def work() -> None:
        async with BucketRemote(bucket, gcs_settings) as remote:
            for digest in digests:
                await remote.upload(digest, tmp_path / "data", lambda _: None)
            gcs.requests.clear()
            assert (await remote.exists([*digests, *absent])).keys() == set(digests)
            assert len(gcs.requests) < 24
            assert {each async for each in remote.digests()} == set(digests)

    asyncio.run(work())


def test_a_listing_that_repeats_a_page_ends(gcs: GcsServer, gcs_settings: BucketSettings) -> None:
    key = f"files/{DIGEST[:2]}/{DIGEST[2:]}"
    entry = f"<Contents><Key>{key}</Key><Size>4</Size><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
    body = f"<ListBucketResult>{entry * 1000}<NextContinuationToken>x</NextContinuationToken></ListBucketResult>"
    gcs.answer = lambda _: (200, body.encode())

    async def work() -> None:
        async with BucketRemote(BucketLocation("gs", "bucket"), gcs_settings) as remote:
            assert [each async for each in remote.digests()]

    with pytest.raises(RemoteDeniedError, match="listing does not end"):
        asyncio.run(work())


def test_a_large_upload_that_fails_leaves_no_object(
    gcs: GcsServer, bucket: BucketLocation, gcs_settings: BucketSettings, tmp_path: Path
) -> None:
    (tmp_path / "data").write_bytes(b"x" * 300_000)
    gcs.answer = lambda said: (500, b"") if "partNumber=3" in said else None

    async def work() -> None:
        async with BucketRemote(bucket, gcs_settings, part=100_000) as remote:
            await remote.upload(DIGEST, tmp_path / "data", lambda _: None)

    with pytest.raises(RemoteUnreachableError):
        asyncio.run(work())
    assert gcs.buckets[bucket.bucket] == {}


def test_a_large_upload_has_a_deadline_for_each_part(
    gcs: GcsServer, bucket: BucketLocation, gcs_settings: BucketSettings, tmp_path: Path
) -> None:
    """The size of the whole object gives a silent server no more time."""
    (tmp_path / "data").write_bytes(b"x" * 500_000)
    answering = threading.Event()

    def answer(said: str) -> None:
        if "partNumber=2" in said:
            answering.wait()

    gcs.answer = answer

    async def work() -> None:
        limits = Deadlines(timeout=0.2, rate=10_000)
        async with BucketRemote(bucket, gcs_settings, part=1000, limits=limits) as remote:
            await remote.upload(DIGEST, tmp_path / "data", lambda _: None)

    try:
        with pytest.raises(RemoteTimeoutError):
            asyncio.run(work())
    finally:
        answering.set()
    assert gcs.buckets[bucket.bucket] == {}
    gc.collect()  # the client may have dropped a request for the next piece, which must not warn


def test_options_and_urls() -> None:
    remote = connect("gs://bucket/x/", RemoteSettings(options={"endpoint": "http://127.0.0.1:1"}))
    assert remote.name == "gs://bucket/x"
    assert remote.identity != connect("gs://bucket/x").identity
    for options, said in (
        ({"hunter": "x"}, "'hunter' is not an option"),
        ({"endpoint": "ftp://x"}, "begins with http"),
        ({"endpoint": "http://me:hunter2@x"}, "must not contain credentials"),
    ):
        with pytest.raises(RemoteUrlError, match=said) as caught:
            connect("az://container", RemoteSettings(options=options))
        assert "hunter2" not in str(caught.value)
