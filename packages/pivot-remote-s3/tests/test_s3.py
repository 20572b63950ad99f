"""S3 under faults: no object is lost, corrupted, or sent twice, and no secret is shown."""

import asyncio
import errno
import logging
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.s3.models import s3_backends

from pivot_cache.errors import CacheError
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import (
    RemoteCorruptError,
    RemoteDeniedError,
    RemoteNotFoundError,
    RemoteSettings,
    RemoteThrottledError,
    RemoteUnreachableError,
)
from pivot_cache.remotes.protocol import connect as connect_any
from pivot_cache.remotes.transfer import TransferResult, TransferSettings, fetch, push
from pivot_cache.state.known_objects import KnownObjects
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact
from pivot_remote_s3 import LocationError, S3Error, S3Location, S3Remote, S3Settings, connect
from pivot_remote_s3.client import sdk_client
from pivot_remote_s3.client.limits import RequestLimits
from pivot_remote_s3.errors import ErrorMapper
from pivot_remote_s3.uploads import upload_state
from pivot_remote_s3.uploads.multipart import MOST_PARTS, part_size
from pivot_remote_s3.uploads.upload_state import STALE_S

PART = 10_000


async def at_once(seconds: float) -> None:
    await asyncio.sleep(0)


OPTIONS = TransferSettings(retry=Retry(attempts=3, step=PART, sleep=at_once), jobs=4, part=PART)


@pytest.fixture
def remote(location: S3Location, proxy: Any, tmp_path: Path) -> S3Remote:
    return S3Remote(location, proxy.settings, jobs=4, state=tmp_path / "uploads", part=PART)


def file(store: ObjectStore, data: bytes) -> Artifact:
    return Artifact(store.put_bytes(data), len(data))


def large(store: ObjectStore) -> Artifact:
    """Ten parts."""
    return file(store, bytes(range(250)) * (PART * 95 // 10 // 250))


def objects(location: S3Location) -> dict[str, bytes]:
    """Return the server's objects by key."""
    keys = s3_backends["123456789012"]["aws"].buckets[location.bucket].keys
    return {name: key.value for name, key in keys.items()}


def unfinished(location: S3Location) -> int:
    """Return the number of incomplete multipart uploads."""
    return len(s3_backends["123456789012"]["aws"].buckets[location.bucket].multiparts)


def moved(artifact: Artifact) -> TransferResult:
    return TransferResult(transferred=frozenset({artifact.digest}))


@pytest.mark.parametrize("fault", ["503:SlowDown", "500:InternalError", "429:Throttling", "drop", "unanswered"])
@pytest.mark.parametrize("size", [100, 95_000])
def test_a_request_that_fails_is_repeated(
    store: ObjectStore, other: ObjectStore, remote: S3Remote, proxy: Any, fault: str, size: int
) -> None:
    location = remote.location
    artifact = file(store, bytes(range(100)) * (size // 100))
    for pattern in ("HEAD", "PUT", "POST .*uploads", "POST .*uploadId", r"GET .*/files/\w"):
        proxy.fault(fault, f"^{pattern}", times=2)

    pushed = push([artifact], store, remote, OPTIONS)
    assert pushed.failed == {}
    assert pushed.transferred | pushed.present == {artifact.digest}
    assert fetch([artifact], other, remote, OPTIONS) == moved(artifact)
    assert objects(location) == {location.key(artifact.digest): bytes(range(100)) * (size // 100)}


@pytest.mark.parametrize("size", [300, 95_000])
def test_an_interrupted_download_resumes(
    store: ObjectStore, other: ObjectStore, remote: S3Remote, proxy: Any, size: int
) -> None:
    artifact = file(store, bytes(range(100)) * (size // 100))
    push([artifact], store, remote, OPTIONS)
    proxy.clear()
    proxy.fault("truncate", "^GET .*files", times=2)

    assert fetch([artifact], other, remote, OPTIONS) == moved(artifact)
    assert proxy.count("^GET .* bytes=[1-9]") >= 2


@pytest.mark.parametrize("size", [300, 95_000])
def test_corrupt_bytes_never_enter_the_store(
    store: ObjectStore, other: ObjectStore, remote: S3Remote, proxy: Any, size: int
) -> None:
    artifact = file(store, bytes(range(100)) * (size // 100))
    push([artifact], store, remote, OPTIONS)
    proxy.clear()
    proxy.fault("garble", "^GET .*files")

    outcome = fetch([artifact], other, remote, OPTIONS)

    assert isinstance(outcome.failed[artifact.digest], RemoteCorruptError)
    assert proxy.count("^GET .*files") == -(-size // PART)  # a corrupt object is not requested again
    assert list(other.digests()) == []
    assert fetch([artifact], other, remote, OPTIONS) == moved(artifact)


@pytest.mark.parametrize(
    ("status", "listed", "expected"),
    [
        (400, "ExpiredToken", "the credentials have expired (ExpiredToken)"),
        (403, "AccessDenied", "access denied (AccessDenied)"),
        (403, None, "access denied (403)"),
    ],
)
def test_the_reason_of_a_refusal_without_a_body_is_requested(
    store: ObjectStore, remote: S3Remote, proxy: Any, status: int, listed: str | None, expected: str
) -> None:
    artifact = file(store, b"data")
    proxy.fault(f"{status}:{listed or 'AccessDenied'}", "^HEAD .*/files/", times=1000)
    if listed is not None:
        proxy.fault(f"{status}:{listed}", "^GET .*list-type", times=1000)

    outcome = push([artifact], store, remote, OPTIONS)

    assert isinstance(outcome.stopped, RemoteDeniedError)
    assert expected in str(outcome.stopped)


def test_an_object_that_is_truncated_on_the_server_fails_alone(
    store: ObjectStore, other: ObjectStore, remote: S3Remote, location: S3Location, proxy: Any
) -> None:
    artifact, good = large(store), [file(store, b"%d" % number) for number in range(9)]
    push([artifact, *good], store, remote, OPTIONS)
    s3_backends["123456789012"]["aws"].put_object(location.bucket, location.key(artifact.digest), b"short")
    proxy.fault("hang", "^GET .* bytes=0-")  # so that parts behind its end are answered first

    outcome = fetch([artifact, *good], other, remote, OPTIONS)

    assert outcome.stopped is None
    assert {digest: type(error) for digest, error in outcome.failed.items()} == {artifact.digest: RemoteCorruptError}
    assert outcome.transferred == {each.digest for each in good}


FAILURES = [
    ("403:AccessDenied", (RemoteDeniedError, "access denied (AccessDenied)", "aws sts get-caller-identity")),
    ("403:InvalidAccessKeyId", (RemoteDeniedError, "access denied", "aws sts get-caller-identity")),
    ("403:SignatureDoesNotMatch", (RemoteDeniedError, "access denied", "aws s3 ls s3://bucket")),
    ("400:ExpiredToken", (RemoteDeniedError, "the credentials have expired", "aws sso login")),
    ("403:RequestTimeTooSkewed", (RemoteDeniedError, "the clocks differ", "clock")),
    ("400:InvalidRequest", (RemoteDeniedError, "the request was refused (InvalidRequest)", "aws sts")),
    ("404:NoSuchBucket", (RemoteNotFoundError, "there is no bucket 'bucket", "aws s3 ls s3://bucket")),
    ("503:SlowDown", (RemoteThrottledError, "fewer requests", "--jobs")),
    ("500:InternalError", (RemoteUnreachableError, "the server failed", "repeat the command")),
    ("400:RequestTimeout", (RemoteUnreachableError, "the server failed", "repeat the command")),
    ("drop", (RemoteUnreachableError, "the connection failed", "repeat the command")),
]
FEW = ("403:AccessDenied", "404:NoSuchBucket", "503:SlowDown", "drop")


@pytest.mark.parametrize(
    ("method", "answer", "expected"),
    [
        pytest.param(method, *failure, id=f"{method} {failure[0]}")
        for method in ("GET", "PUT", "POST")
        for failure in FAILURES
        if method == "PUT" or failure[0] in FEW
    ],
)
def test_errors_have_a_hint_and_show_no_secret(
    store: ObjectStore, remote: S3Remote, proxy: Any, method: str, answer: str, expected: tuple[type, str, str]
) -> None:
    kind, said, hint = expected
    artifact = large(store) if method == "POST" else file(store, b"data")
    if method == "GET":
        push([artifact], store, remote, OPTIONS)
        store.path_of(artifact.digest).unlink()
    proxy.fault(answer, rf"^{method} .*/files/\w", times=1000)

    outcome = (fetch if method == "GET" else push)([artifact], store, remote, OPTIONS)

    error = outcome.stopped
    assert error is not None
    assert type(error) is kind
    assert said in str(error)
    assert hint in str(error.hint)
    assert "hunter2" not in f"{error} {error.hint} {error!r} {error.__cause__}"
    assert outcome.failed == {artifact.digest: error}
    again = issubclass(kind, (RemoteThrottledError, RemoteUnreachableError))
    tried = proxy.count(rf"^{method} .*/files/\w")
    # A connection that was used before and is closed is tried again by the HTTP client itself.
    assert tried >= 3 if answer == "drop" else tried == (3 if again else 1)


@pytest.mark.parametrize(
    "request_", ["^HEAD", "^PUT [^?]* ", "^POST .*uploads", "partNumber", "^POST .*uploadId", "list-type"]
)
def test_a_server_that_accepts_every_request_is_not_trusted(
    store: ObjectStore, remote: S3Remote, proxy: Any, request_: str
) -> None:
    """Like a sign-in page, or the console of a storage server on another port."""
    artifacts = [large(store), *(file(store, b"%d" % number) for number in range(1 if request_ == "^HEAD" else 9))]
    proxy.fault("200:Welcome", request_, times=1000)

    outcome = push(artifacts, store, remote, OPTIONS)

    assert isinstance(outcome.stopped, (RemoteDeniedError, RemoteUnreachableError))
    assert "AWS_ENDPOINT_URL" in str(outcome.stopped.hint) or "the server failed" in str(outcome.stopped)
    assert outcome.failed


def test_a_bucket_in_another_region() -> None:
    redirect = ClientError({"Error": {"Code": "PermanentRedirect"}, "ResponseMetadata": {"HTTPStatusCode": 301}}, "x")

    with (
        pytest.raises(RemoteDeniedError, match="the bucket is in another region") as caught,
        ErrorMapper("x", "x").as_remote_errors(),
    ):
        raise redirect
    assert "AWS_REGION" in str(caught.value.hint)


def test_a_missing_bucket(store: ObjectStore, proxy: Any) -> None:
    remote = S3Remote(S3Location("nobodys-bucket"), proxy.settings)

    for outcome in (
        push([file(store, b"data")], store, remote, OPTIONS),
        fetch([Artifact("0" * 32, 4)], store, remote, OPTIONS),
        fetch([Artifact("0" * 32, 4)], store, remote, TransferSettings(dry_run=True)),
    ):
        assert isinstance(outcome.stopped, RemoteNotFoundError)
        assert "there is no bucket 'nobodys-bucket'" in str(outcome.stopped)


def test_no_server_listens(store: ObjectStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    remote = S3Remote(S3Location("bucket"), S3Settings(endpoint=f"http://127.0.0.1:{port}"))

    outcome = push([file(store, b"data")], store, remote, OPTIONS)

    assert isinstance(outcome.stopped, RemoteUnreachableError)


def test_no_credentials(store: ObjectStore, settings: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    outcome = push([file(store, b"data")], store, S3Remote(S3Location("bucket"), settings), OPTIONS)

    assert str(outcome.stopped) == "s3://bucket: no credentials were found that can be used (NoCredentialsError)"
    assert "aws sts get-caller-identity" in str(outcome.stopped and outcome.stopped.hint)


SSO = "[default]\nsso_start_url=https://x.example\nsso_region=us-east-1\nsso_account_id=1\nsso_role_name=x\n"


@pytest.mark.parametrize(
    ("env", "config", "said", "hint"),
    [
        ({"AWS_ENDPOINT_URL": "hunter2:9000"}, "", "the configuration of AWS cannot be used", "AWS_... variables"),
        ({"AWS_ENDPOINT_URL": "http://[::1"}, "", "the configuration of AWS cannot be used", "AWS_... variables"),
        ({"AWS_ENDPOINT_URL": "ftp://hunter2"}, "", "no endpoint follows from", "begins with http://"),
        ({"AWS_DEFAULT_REGION": "hunter2 x"}, "", "there is no such region", "AWS_REGION"),
        ({"AWS_PROFILE": "nobody"}, "", "there is no such profile", "list-profiles"),
        ({"AWS_SESSION_TOKEN": "hunter2\n"}, "", "the configuration of AWS cannot be used", "AWS_... variables"),
        ({"AWS_CA_BUNDLE": "/nowhere"}, "", "the configuration of AWS cannot be used", "AWS_... variables"),
        ({}, "[default\nfoo", "the configuration of AWS cannot be used", "~/.aws/config"),
        ({}, "[default]\nservices = hunter2\n[services hunter2]\ns3 = hunter2\n", "cannot be used", "~/.aws/config"),
        (
            {"AWS_PROFILE": "default"},
            "[default]\ncredential_process = echo hunter2\n",
            "cannot be used",
            "aws configure",
        ),
        ({"AWS_PROFILE": "default"}, "[default]\ncredential_process = /nowhere\n", "cannot be used", "aws configure"),
        ({"AWS_PROFILE": "default"}, SSO, "no credentials were found", "aws sts"),
    ],
)
def test_an_invalid_configuration(  # noqa: PLR0913, PLR0917 - fixtures
    store: ObjectStore,
    settings: S3Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    env: dict[str, str],
    config: str,
    said: str,
    hint: str,
) -> None:
    (tmp_path / "config").write_text(config)
    env = {"AWS_ENDPOINT_URL": str(settings.endpoint), "AWS_CONFIG_FILE": str(tmp_path / "config"), **env}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    if env.get("AWS_PROFILE") == "default":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    try:
        outcome = push(
            [file(store, b"data")], store, S3Remote(S3Location("bucket")), TransferSettings(retry=Retry(sleep=wait))
        )
        error = outcome.stopped
    except RemoteDeniedError as denied:
        error = denied

    assert isinstance(error, RemoteDeniedError)
    assert said in str(error)
    assert hint in str(error.hint)
    assert "hunter2" not in f"{error} {error.hint} {error.__cause__}"
    assert waited == [], "trying again does not help"
    assert logging.getLogger("aiobotocore").handlers, "the SDK's log would repeat errors"


@pytest.mark.parametrize("place", ["[profile team]\n", "[profile team]\nservices = local\n[services local]\ns3 =\n  "])
def test_a_profile_sets_endpoint_and_credentials(
    store: ObjectStore, location: S3Location, proxy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text(f"{place}endpoint_url = {proxy.settings.endpoint}\n")
    credentials.write_text("[team]\naws_access_key_id = theirs\naws_secret_access_key = hunter2\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    artifact = file(store, b"data")

    assert push([artifact], store, S3Remote(location, S3Settings(profile="team")), OPTIONS) == moved(artifact)
    assert proxy.count(f"^PUT /{location.bucket}/") == 1

    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    monkeypatch.setattr(sdk_client, "_region", lambda *_: refuse())
    with pytest.raises(RemoteUnreachableError):
        push([artifact], store, S3Remote(location, S3Settings(profile="team")), OPTIONS)


async def refuse() -> str:
    """Instead of asking AWS."""
    raise ConnectionError


def test_the_usual_variables_set_the_endpoint(
    store: ObjectStore, location: S3Location, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(proxy.settings.endpoint))
    artifact = file(store, b"data")

    assert push([artifact], store, connect(str(location), RemoteSettings()), OPTIONS) == moved(artifact)
    assert proxy.count(f"^PUT /{location.bucket}/") == 1


@pytest.mark.parametrize("size", [100, 95_000])
def test_a_server_without_conditional_creates(
    store: ObjectStore, remote: S3Remote, location: S3Location, proxy: Any, tmp_path: Path, size: int
) -> None:
    proxy.fault("501:NotImplemented", "If-None-Match", times=1000)
    artifact = file(store, bytes(range(100)) * (size // 100))
    before = b"x" * size

    assert push([artifact], store, remote, OPTIONS) == moved(artifact)
    s3_backends["123456789012"]["aws"].put_object(location.bucket, location.key(artifact.digest), before)

    async def again() -> bool:
        async with remote:
            return await remote.upload(artifact.digest, store.path_of(artifact.digest), lambda _: None)

    assert asyncio.run(again()) is False
    assert objects(location)[location.key(artifact.digest)] == before
    assert unfinished(location) == 0


def test_an_upload_resumes_where_another_process_stopped(
    store: ObjectStore, remote: S3Remote, location: S3Location, proxy: Any, tmp_path: Path
) -> None:
    artifact = large(store)
    proxy.fault("403:ExpiredToken", "partNumber", skip=6, times=1000)
    assert isinstance(push([artifact], store, remote, OPTIONS).stopped, RemoteDeniedError)
    proxy.clear()
    again = S3Remote(location, proxy.settings, jobs=4, state=tmp_path / "uploads", part=PART)

    assert push([artifact], store, again, OPTIONS) == moved(artifact)
    assert proxy.count("partNumber") == 4
    assert proxy.sent < artifact.size // 2
    assert list((tmp_path / "uploads").iterdir()) == []
    assert unfinished(location) == 0


def killed(work: str, remote: S3Remote, proxy: Any, skip: int, pattern: str) -> None:
    """Run work in a process that is killed while it waits for a response."""
    script = f"""
from pathlib import Path
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.transfer import TransferSettings, fetch, push
from pivot_core.lock import Artifact
from pivot_remote_s3 import S3Location, S3Remote, S3Settings
location, settings = S3Location.parse({remote.name!r}), S3Settings(endpoint={proxy.settings.endpoint!r})
remote = S3Remote(location, settings, jobs=1, state=Path({str(remote._state)!r}), part={PART})
{work}, remote, TransferSettings(jobs=1, part={PART}))
"""
    proxy.fault("hang", pattern, skip=skip)
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) as running:
        assert proxy.hanging.wait(60)
        running.kill()
    proxy.ended.set()


def test_after_a_kill_an_upload_repeats_only_the_current_part(store: ObjectStore, remote: S3Remote, proxy: Any) -> None:
    artifact = large(store)
    place = f"ObjectStore(Path({str(store.directory)!r}))"
    killed(f"push([Artifact{artifact.digest, artifact.size}], {place}", remote, proxy, 6, "partNumber")

    assert push([artifact], store, remote, OPTIONS) == moved(artifact)
    assert proxy.count("partNumber") == 7 + 4
    assert artifact.size < proxy.sent < artifact.size + PART + 2000  # lists of parts are sent, too


def test_after_a_kill_a_download_repeats_only_the_current_part(
    store: ObjectStore, other: ObjectStore, remote: S3Remote, proxy: Any
) -> None:
    artifact = large(store)
    push([artifact], store, remote, OPTIONS)
    proxy.clear()
    place = f"ObjectStore(Path({str(other.directory)!r}))"
    killed(f"fetch([Artifact{artifact.digest, artifact.size}], {place}", remote, proxy, 6, "^GET .* bytes=")

    assert list(other.digests()) == []
    assert fetch([artifact], other, remote, OPTIONS) == moved(artifact)
    assert proxy.count("^GET .* bytes=") == 7 + 4


def test_a_request_without_a_response_is_repeated(
    store: ObjectStore, other: ObjectStore, proxy: Any, location: S3Location, tmp_path: Path
) -> None:
    limits = RequestLimits(timeout=0.5)
    remote = S3Remote(location, proxy.settings, jobs=4, state=tmp_path / "state", part=PART, limits=limits)
    artifact = large(store)
    for pattern in ("partNumber=3&", "^POST .*uploadId", r"^GET .*/files/\w"):
        proxy.fault("hang", pattern)
    patient = attrs.evolve(OPTIONS, retry=Retry(attempts=100, timeouts=100, sleep=at_once))

    assert push([artifact], store, remote, patient).failed == {}
    assert fetch([artifact], other, remote, patient) == moved(artifact)


def test_responses_may_arrive_in_any_order(
    store: ObjectStore, other: ObjectStore, remote: S3Remote, proxy: Any
) -> None:
    artifact = large(store)
    for pattern in ("partNumber=1&", "^GET .* bytes=0-"):
        proxy.fault("late", pattern)

    assert push([artifact], store, remote, OPTIONS) == moved(artifact)
    assert fetch([artifact], other, remote, OPTIONS) == moved(artifact)


KINDS = ("drop", "unanswered", "half", "truncate", "500:InternalError", "503:SlowDown", "403:ExpiredToken")
faults = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 25)), min_size=1, max_size=5)


@given(faults)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_faults_leave_the_same_objects(
    location: S3Location, proxy: Any, tmp_path: Path, faults: list[tuple[str, int]]
) -> None:
    """Push and fetch, repeated as a user would: no corrupt object enters, and no part is sent twice."""
    place = Path(tempfile.mkdtemp(dir=tmp_path))
    here = S3Location(location.bucket, place.name)
    store, other = ObjectStore(place / "cache" / "files"), ObjectStore(place / "other" / "files")
    artifacts = [large(store), *(file(store, b"%d" % number) for number in range(3))]
    options = attrs.evolve(OPTIONS, retry=Retry(attempts=9, sleep=at_once))
    proxy.clear()
    for kind, number in faults:
        proxy.fault(kind, "", skip=number)

    for work, target in ((push, store), (fetch, other)):
        for _ in range(len(faults) + 1):
            outcome = work(artifacts, target, S3Remote(here, proxy.settings, jobs=4, state=place, part=PART), options)
            if not outcome.failed:
                break
            assert isinstance(outcome.stopped, RemoteDeniedError)
        assert outcome.failed == {}
        assert not outcome.missing

    assert proxy.sent <= artifacts[0].size + PART * len(faults) + 5000
    wanted = {here.key(each.digest): store.path_of(each.digest).read_bytes() for each in artifacts}
    assert {key: data for key, data in objects(location).items() if key in wanted} == wanted
    assert set(other.digests()) == {each.digest for each in artifacts}


@pytest.mark.parametrize("fault", ["unanswered", "200:InternalError"])  # S3 may report a failure after the status 200
def test_a_completion_that_may_have_failed_sends_no_part_again(
    store: ObjectStore, remote: S3Remote, location: S3Location, proxy: Any, fault: str
) -> None:
    artifact = large(store)
    proxy.fault(fault, "^POST .*uploadId")

    assert push([artifact], store, remote, OPTIONS).failed == {}
    assert proxy.count("partNumber") == 10
    assert objects(location).keys() == {location.key(artifact.digest)}


@pytest.mark.parametrize("code", ["404:NoSuchUpload", "400:InvalidPart", "409:ConditionalRequestConflict"])
def test_an_upload_that_the_server_lost_starts_again(
    store: ObjectStore, remote: S3Remote, location: S3Location, proxy: Any, code: str
) -> None:
    artifact = large(store)
    proxy.fault(code, "^POST .*uploadId")

    assert push([artifact], store, remote, OPTIONS) == moved(artifact)
    assert proxy.count("partNumber") == 20
    assert objects(location).keys() == {location.key(artifact.digest)}


def test_an_upload_that_the_server_loses_each_time_ends(store: ObjectStore, remote: S3Remote, proxy: Any) -> None:
    proxy.fault("404:NoSuchUpload", "^POST .*uploadId", times=1000)

    assert isinstance(push([large(store)], store, remote, OPTIONS).stopped, RemoteUnreachableError)


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"[1]\n", b"not json", b'{"remote": 1}\n'])
def test_damaged_state_only_costs_time(
    store: ObjectStore, remote: S3Remote, proxy: Any, tmp_path: Path, damage: bytes
) -> None:
    artifact = large(store)
    proxy.fault("403:AccessDenied", "partNumber", skip=6, times=1000)
    push([artifact], store, remote, OPTIONS)
    proxy.clear()
    (state,) = (tmp_path / "uploads").iterdir()
    state.write_bytes(damage)

    assert push([artifact], store, remote, OPTIONS) == moved(artifact)


def test_a_push_succeeds_where_its_state_cannot_be_written(
    store: ObjectStore, location: S3Location, proxy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "file").touch()
    first, second = large(store), file(store, b"x" * 3 * PART)
    remote = S3Remote(location, proxy.settings, jobs=4, state=tmp_path / "file/uploads", part=PART)
    assert push([first], store, remote, OPTIONS) == moved(first)
    monkeypatch.setattr(upload_state, "write_all", full)
    remote = S3Remote(location, proxy.settings, jobs=4, state=tmp_path / "uploads", part=PART)
    assert push([second], store, remote, OPTIONS) == moved(second)


def test_abandoned_uploads_are_aborted(
    store: ObjectStore, remote: S3Remote, location: S3Location, proxy: Any, tmp_path: Path
) -> None:
    proxy.fault("403:AccessDenied", "partNumber", skip=6, times=4)
    push([large(store)], store, remote, OPTIONS)
    assert unfinished(location) == 1
    (state,) = (tmp_path / "uploads").iterdir()
    os.utime(state, (time.time() - STALE_S - 60,) * 2)

    push([file(store, b"small")], store, remote, OPTIONS)

    assert unfinished(location) == 0
    assert list((tmp_path / "uploads").iterdir()) == []


def test_state_is_not_needed(store: ObjectStore, location: S3Location, proxy: Any) -> None:
    artifact = large(store)

    assert push([artifact], store, S3Remote(location, proxy.settings, part=PART), OPTIONS) == moved(artifact)


def test_many_objects_are_found_in_few_requests(location: S3Location, remote: S3Remote, proxy: Any) -> None:
    backend = s3_backends["123456789012"]["aws"]
    there = [digest_bytes(b"%d" % number) for number in range(1200)]  # more than one page
    for digest in there:
        backend.put_object(location.bucket, location.key(digest), b"")
    backend.put_object(location.bucket, f"{location.prefix}/files/README", b"")
    wanted = {*there[:600], *(digest_bytes(b"-%d" % number) for number in range(300))}

    async def look() -> tuple[set[str], set[str]]:
        async with remote:
            return set(await remote.exists(wanted)), {digest async for digest in remote.digests()}

    assert asyncio.run(look()) == (set(there[:600]), set(there))
    assert len(proxy.requests) <= 1 + 256 + 4


def test_a_second_push_makes_no_request(store: ObjectStore, remote: S3Remote, proxy: Any, tmp_path: Path) -> None:
    options = TransferSettings(retry=OPTIONS.retry, known=KnownObjects(tmp_path / "remotes.sqlite"))
    artifacts = [file(store, b"%d" % number) for number in range(20)]
    push(artifacts, store, remote, options)
    proxy.clear()

    assert len(push(artifacts, store, remote, options).present) == 20
    assert proxy.requests == []


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    script = """
import sys
from pivot_cache.remotes.protocol import connect
remote = connect("s3://bucket/prefix")
heavy = {"aioboto3", "aiobotocore", "aiohttp", "asyncio", "botocore", "cattrs", "sqlite3"}
print(remote.name, heavy & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "s3://bucket/prefix set()\n"


def test_the_entry_point_makes_the_remote(tmp_path: Path) -> None:
    settings = RemoteSettings(jobs=3, state=tmp_path, options={"region": "eu-west-1", "addressing": "virtual"})
    remote = connect_any("S3://my-bucket/x/", settings)

    assert isinstance(remote, S3Remote)
    assert remote.name == "s3://my-bucket/x"
    with pytest.raises(LocationError):
        connect_any("s3://My_Bucket")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": "red"}, "'colour' is not an option of S3 remotes"),
        ({"addressing": "up"}, "'up' is not a way of addressing"),
        ({"endpoint": "localhost:9000"}, "begins with http:// or https://"),
        ({"endpoint": "http://"}, "begins with http:// or https://"),
        ({"endpoint": "http://me:hunter2@localhost"}, "the URL of an endpoint must not contain credentials"),
    ],
)
def test_invalid_options(options: dict[str, str], said: str) -> None:
    with pytest.raises(S3Error) as caught:
        connect("s3://bucket", RemoteSettings(options=options))

    assert said in str(caught.value)
    assert "hunter2" not in f"{caught.value!r} {caught.value.hint}"


def test_the_same_url_with_another_endpoint_or_profile_is_another_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    def identity(**settings: str) -> str:
        return S3Remote(S3Location("bucket"), S3Settings(**settings)).identity

    found = [identity(), identity(endpoint="http://me.example"), identity(profile="me"), identity(profile="you")]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://a:hunter2@b.example")
    found.append(identity())

    assert len(set(found)) == 5
    assert all(re.fullmatch(r"s3://bucket [0-9a-f]{32}", text) for text in found)


def test_a_remote_is_used_while_it_is_open(location: S3Location) -> None:
    with pytest.raises(RuntimeError, match="inside `async with`"):
        asyncio.run(S3Remote(location).exists(["0" * 32]))


def test_a_file_that_cannot_be_read(remote: S3Remote, tmp_path: Path) -> None:
    async def upload() -> None:
        async with remote:
            await remote.upload("0" * 32, tmp_path / "absent", lambda _: None)

    with pytest.raises(CacheError, match=r"cannot read .*absent"):
        asyncio.run(upload())


@given(st.integers(0, 5 << 40), st.sampled_from([5 << 20, 8 << 20]))
def test_parts_are_large_enough_and_not_too_many(size: int, least: int) -> None:
    part = part_size(size, least)

    assert part >= least
    assert -(-size // part) <= MOST_PARTS
