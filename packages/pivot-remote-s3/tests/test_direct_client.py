"""The direct client makes the requests that the SDK would make, and leaves unusual cases to the SDK."""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as TheirCredentials
from hypothesis import given
from hypothesis import strategies as st
from moto.s3.models import s3_backends

from pivot_core.files.digest import digest_bytes
from pivot_remote_s3 import S3Location, S3Remote
from pivot_remote_s3.client.signing import Credentials, Signer

LARGE = bytes(range(250)) * 2500

words = st.text(alphabet="abcXYZ019/+", min_size=1, max_size=40)
paths = st.lists(st.sampled_from(["a", "b-c", "%20", "%C3%A9", "x.y~z"]), min_size=1, max_size=4).map("/".join)


@given(
    st.sampled_from(["GET", "PUT"]),
    st.sampled_from(["http://127.0.0.1:9000", "https://bucket.s3.eu-west-1.amazonaws.com", "https://s3.example:443"]),
    st.builds(str.__add__, paths, st.sampled_from(["", "?partNumber=7&uploadId=a%2Fb.c~d"])),
    st.binary(max_size=20),
    words,
    st.none() | words,
)
def test_signatures_are_those_of_the_sdk(
    method: str, host: str, path: str, body: bytes, secret: str, token: str | None
) -> None:
    url = f"{host}/{path}"
    theirs = AWSRequest(method, url, data=body)
    S3SigV4Auth(TheirCredentials("public", secret, token), "s3", "eu-west-1").add_auth(theirs)
    moment = theirs.context["timestamp"]

    signer = Signer("eu-west-1")
    digest = hashlib.sha256(body).hexdigest()
    for _ in range(2):  # the second time with the key of the day
        ours = signer.headers(method, url, digest, Credentials("public", secret, token), moment)
        assert ours["Authorization"] == theirs.headers["Authorization"]
    assert {name: theirs.headers[name] for name in ours} == ours
    assert moment[:8] == dt.datetime.now(dt.UTC).strftime("%Y%m%d") or moment.endswith("Z")


def test_a_signing_key_depends_on_the_day_and_the_credentials() -> None:
    signer = Signer("eu-west-1")

    def sign(secret: str, moment: str) -> str:
        return signer.headers("GET", "http://x/y", "00", Credentials("public", secret), moment)["Authorization"]

    signatures = {sign(secret, f"2026010{day}T000000Z") for secret in "ab" for day in (1, 2)}
    assert len(signatures) == 4
    assert "hunter2" not in repr(Credentials("public", "hunter2", "hunter2"))


@pytest.fixture
def remote(location: S3Location, proxy: Any) -> S3Remote:
    return S3Remote(location, proxy.settings, jobs=4, part=300_000)


def use(remote: S3Remote, work: Callable[[Callable[[bytes], Awaitable[bool]]], Awaitable[None]], place: Path) -> None:
    async def main() -> None:
        async with remote:

            async def upload(data: bytes) -> bool:
                (place / "source").write_bytes(data)
                return await remote.upload(digest_bytes(data), place / "source", lambda _: None)

            await work(upload)

    asyncio.run(main())


async def read(remote: S3Remote, data: bytes, start: int = 0, stop: int | None = None) -> bytes:
    async with remote.read(digest_bytes(data), start, stop) as body:
        assert body.size == len(data)
        return b"".join([part async for part in body])


def test_the_sdk_makes_the_first_request_only(
    remote: S3Remote, proxy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(upload: Callable[[bytes], Awaitable[bool]]) -> None:
        assert await upload(b"first") is True
        client = remote._open.client
        remote._open.creation.enforced = True

        def never(**_: object) -> None:
            raise AssertionError("the SDK was asked")

        for name in ("put_object", "get_object", "upload_part"):
            monkeypatch.setattr(client._client, name, never)  # type: ignore[attr-defined]
        assert await upload(b"second") is True
        assert await upload(b"second") is False
        assert await read(remote, b"second") == b"second"
        assert await read(remote, b"second", 1, 3) == b"ec"
        for data in (LARGE, LARGE[:250_000]):  # in parts, and not read at once
            assert await upload(data) is True
            assert await read(remote, data) == data

    use(remote, work, tmp_path)
    assert proxy.count("^PUT .* If-None-Match") == 4


@pytest.mark.parametrize(
    "answer", ["301:PermanentRedirect", "400:AuthorizationHeaderMalformed", "307:TemporaryRedirect"]
)
def test_a_redirection_is_left_to_the_sdk(remote: S3Remote, proxy: Any, tmp_path: Path, answer: str) -> None:
    async def work(upload: Callable[[bytes], Awaitable[bool]]) -> None:
        await upload(b"first")
        proxy.clear()
        proxy.fault(answer, "^(PUT|GET)")
        assert await upload(b"second") is True
        assert proxy.count("^PUT") == 2
        proxy.fault(answer, "^PUT .*partNumber=2")
        assert await upload(LARGE) is True
        assert proxy.count("partNumber=2") == 2
        proxy.fault(answer, "^PUT")
        assert await upload(LARGE[:250_000]) is True
        proxy.fault(answer, "^GET")
        assert await read(remote, b"second") == b"second"

    use(remote, work, tmp_path)


@pytest.mark.parametrize("prefix", ["", "with space/é+%20", "files/files"])
def test_every_prefix_is_quoted_as_the_sdk_does(location: S3Location, proxy: Any, tmp_path: Path, prefix: str) -> None:
    remote = S3Remote(S3Location(location.bucket, prefix), proxy.settings)
    contents = [b"first", b"second"]

    async def work(upload: Callable[[bytes], Awaitable[bool]]) -> None:
        for data in contents:
            await upload(data)
            assert await read(remote, data) == data
        assert remote._open.client._route is not None  # type: ignore[attr-defined]

    use(remote, work, tmp_path)
    keys = s3_backends["123456789012"]["aws"].buckets[location.bucket].keys
    assert set(keys) == {remote.location.key(digest_bytes(data)) for data in contents}
