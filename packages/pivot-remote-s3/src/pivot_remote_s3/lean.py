"""Requests for single small objects without most of what the SDK does for each of them.

For an object of 16 KiB, the SDK spends several times more on preparing and reading a request than everything else
takes together. So it makes the first request, and shows with it where the bucket is reached, how keys are quoted and
for which region and service requests are signed. Later ones are made here, on the SDK's connections, with its
credentials; where anything is unusual, the SDK is asked again. What the server answers with is given, or raised, in the
form in which the SDK does.
"""

import asyncio
import base64
import datetime as dt
import hashlib
import re
from typing import Any, Final
from urllib.parse import quote

import attrs
from aiobotocore.response import StreamingBody
from botocore.exceptions import ClientError

from pivot_remote_s3.client import Answer, Call, is_aws
from pivot_remote_s3.signing import Credentials, Signer

_SCOPE: Final = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/(?P<region>[^/]+)/s3/aws4_request,")
_CODE: Final = re.compile(rb"<Code>\s*(\w+)\s*</Code>")
_ELSEWHERE: Final = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "TemporaryRedirect"}
)
"""The SDK knows what to do about these."""

_HEADERS: Final = {"IfNoneMatch": "If-None-Match", "ContentMD5": "Content-MD5"}
_ERRORS: Final = 400
_REDIRECTS: Final = 300


@attrs.frozen
class _Request:
    """What the SDK's connections send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    stream_output: bool


@attrs.frozen
class _Way:
    """How objects are reached.

    Attributes:
        url: What the URLs of all objects begin with.
        signer: Signs for the bucket's region.
    """

    url: str
    signer: Signer


class LeanClient:
    """An `S3Client` that makes most requests for single objects itself.

    Attributes:
        aws: The server is AWS.
    """

    def __init__(self, client: Any, root: str) -> None:
        """Stand in front of the SDK's client.

        Args:
            client: It is open.
            root: What the keys of all objects begin with.
        """
        self._client = client
        self._root = root
        self._quoted = quote(root, safe="/~")
        self._way: _Way | None = None
        self.aws = is_aws(client.meta.endpoint_url)
        self.put_object: Call = self._put
        self.get_object: Call = self._get
        self.head_object: Call = client.head_object
        self.delete_object: Call = client.delete_object
        self.list_objects_v2: Call = client.list_objects_v2
        self.create_multipart_upload: Call = client.create_multipart_upload
        self.upload_part: Call = self._part
        self.complete_multipart_upload: Call = client.complete_multipart_upload
        self.abort_multipart_upload: Call = client.abort_multipart_upload
        client.meta.events.register("before-send.s3", self._learn)

    async def _put(self, **arguments: Any) -> Answer:
        """As the SDK's, with a checksum."""
        arguments |= self._checksum(arguments["Body"])
        headers = {header: arguments[name] for name, header in _HEADERS.items() if name in arguments}
        answer = await self._send("PUT", arguments["Key"], headers, arguments["Body"])
        if answer is not None:
            return {}
        found: Answer = await self._client.put_object(**arguments)
        return found

    async def _part(self, **arguments: Any) -> Answer:
        """As the SDK's, with a checksum."""
        arguments |= await asyncio.to_thread(self._checksum, arguments["Body"])
        found: Answer = await self._client.upload_part(**arguments)
        return found

    def _checksum(self, data: bytes) -> dict[str, str]:
        """What lets the server find out whether it has the right bytes.

        All check this one, if any. AWS goes by the SHA-256 that is part of the signature, which some others ignore.
        """
        if self.aws:
            return {}
        return {"ContentMD5": base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()}

    async def _get(self, **arguments: Any) -> Answer:
        """As the SDK's; of the answer, only the body and its sizes."""
        wanted = {"Range": arguments["Range"]} if "Range" in arguments else {}
        answer = await self._send("GET", arguments["Key"], wanted, None)
        length = "" if answer is None else answer.headers.get("content-length", "")
        if not length.isdigit():
            if answer is not None:
                answer.raw.close()
            found: Answer = await self._client.get_object(**arguments)
            return found
        return {
            "Body": StreamingBody(answer.raw, length),
            "ContentLength": int(length),
            "ContentRange": answer.headers.get("content-range", ""),
        }

    def _learn(self, request: Any, **_: Any) -> None:
        """Keep how a request of the SDK reaches an object; nothing is learned from other requests."""
        scope = _SCOPE.match(_text(request.headers.get("Authorization", "")))
        before, found, name = request.url.rpartition(self._quoted)
        if scope is not None and found and before and "?" not in name:
            url = before + found
            if self._way is None or self._way.url != url:
                self._way = _Way(url, Signer(scope["region"]))

    async def _send(self, method: str, key: str, headers: dict[str, str], body: bytes | None) -> Any:
        """The answer of the server; None where the SDK has to ask."""
        way, credentials = self._way, getattr(getattr(self._client, "_request_signer", None), "_credentials", None)
        session = getattr(getattr(self._client, "_endpoint", None), "http_session", None)
        if way is None or credentials is None or session is None or not key.startswith(self._root):
            return None
        frozen = await credentials.get_frozen_credentials()
        url = way.url + key.removeprefix(self._root)
        moment = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        who = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        signed = way.signer.headers(method, url, body or b"", who, moment)
        answer = await session.send(_Request(method, url, {**headers, **signed}, body, body is None))
        if answer.status_code < _REDIRECTS:
            return answer
        found = _CODE.search(await answer.content)
        code = found[1].decode() if found else str(answer.status_code)
        if answer.status_code < _ERRORS or code in _ELSEWHERE:
            self._way = None
            return None
        response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": answer.status_code}}
        raise ClientError(response, method)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
