"""Requests for single objects, and parts of large ones, without most of what the SDK does for each of them.

For an object of 16 KiB, the SDK spends several times more on preparing and reading a request than everything else
takes together; parts it copies whole. So it makes the first request, and shows with it where the bucket is reached, how
keys are quoted and for which region and service requests are signed. Later ones are made here, on the SDK's
connections, with its credentials; where anything is unusual, the SDK is asked again. What the server answers with is
given, or raised, in the form in which the SDK does.
"""

import asyncio
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import attrs
from aiobotocore.response import StreamingBody
from botocore.exceptions import ClientError

from pivot_core.values import Value
from pivot_remote_s3.client import Answer, Call, is_aws
from pivot_remote_s3.connections import Payload
from pivot_remote_s3.file_part import Span, sums
from pivot_remote_s3.signing import Credentials, Signer

_SCOPE: Final = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/(?P<region>[^/]+)/s3/aws4_request,")
_CODE: Final = re.compile(rb"<Code>\s*(\w+)\s*</Code>")
_ELSEWHERE: Final = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "TemporaryRedirect"}
)
"""The SDK knows what to do about these."""

_HEADERS: Final = {"IfNoneMatch": "If-None-Match", "ContentMD5": "Content-MD5", "Range": "Range"}
_NOTHING: Final = hashlib.sha256().hexdigest()
_ERRORS: Final = 400
_REDIRECTS: Final = 300


@attrs.frozen(eq=False, repr=False)
class _Request(Value):
    """What the SDK's connections send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | Payload | None
    stream_output: bool


@attrs.frozen(eq=False, repr=False)
class _Body(Value):
    """What is to be sent: how many bytes, with which digest."""

    data: bytes | Payload
    length: int
    sha256: str


@attrs.frozen(eq=False, repr=False)
class _Way(Value):
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
        self.aws = is_aws(client.meta.endpoint_url)
        # Servers should check the SHA-256 that is part of the signature, as AWS does. Some check only the MD5; it takes
        # longer than all the rest, and is spared where nothing can change on the way.
        self._md5 = not self.aws and client.meta.endpoint_url.startswith("http:")
        self._client = client
        self._root = root
        self._quoted = quote(root, safe="/~")
        self._way: _Way | None = None
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
        """As the SDK's, with a checksum; the body may be a `Span`."""
        body = await self._body(arguments)
        answer = await self._send("PUT", arguments["Key"], _headers(arguments), body)
        if answer is not None:
            return {"ETag": answer.headers["etag"]} if "etag" in answer.headers else {}
        given: Answer = await self._client.put_object(**_plain(arguments))
        return given

    async def _part(self, **arguments: Any) -> Answer:
        """As the SDK's, with a checksum; the body may be a `Span`."""
        body = await self._body(arguments)
        query = f"?partNumber={arguments['PartNumber']}&uploadId={quote(arguments['UploadId'], safe='-_.~')}"
        answer = await self._send("PUT", arguments["Key"], _headers(arguments), body, query)
        if answer is not None and "etag" in answer.headers:
            return {"ETag": answer.headers["etag"]}
        given: Answer = await self._client.upload_part(**_plain(arguments))
        return given

    async def _body(self, arguments: dict[str, Any]) -> _Body:
        """What is to be sent; its checksum is added to the arguments."""
        data: bytes | Span = arguments["Body"]
        if isinstance(data, Span):
            found = await asyncio.to_thread(data.sums, md5=self._md5)
            body = _Body(Payload(data), data.length, found.sha256)
        else:
            found = sums([data], md5=self._md5)
            body = _Body(data, len(data), found.sha256)
        if found.md5 is not None:
            arguments["ContentMD5"] = found.md5
        return body

    async def _get(self, **arguments: Any) -> Answer:
        """As the SDK's; of the answer, only the body and its sizes."""
        answer = await self._send("GET", arguments["Key"], _headers(arguments), None)
        if answer is None:
            found: Answer = await self._client.get_object(**arguments)
            return found
        length = answer.headers.get("content-length")
        return {
            "Body": StreamingBody(answer.raw, length),
            "ContentLength": length,
            "ContentRange": answer.headers.get("content-range", ""),
            "ContentEncoding": answer.headers.get("content-encoding", ""),
        }

    def _learn(self, request: Any, **_: Any) -> None:
        """Keep how a request of the SDK reaches an object; nothing is learned from other requests."""
        scope = _SCOPE.match(_text(request.headers.get("Authorization", "")))
        before, found, _name = request.url.partition("?")[0].rpartition(self._quoted)
        if scope is not None and found and before:
            url = before + found
            if self._way is None or self._way.url != url:
                self._way = _Way(url, Signer(scope["region"]))

    async def _send(self, method: str, key: str, headers: dict[str, str], body: _Body | None, query: str = "") -> Any:
        """The answer of the server; None where the SDK has to ask."""
        way, credentials = self._way, getattr(getattr(self._client, "_request_signer", None), "_credentials", None)
        session = getattr(getattr(self._client, "_endpoint", None), "http_session", None)
        if way is None or credentials is None or session is None or not key.startswith(self._root):
            return None
        frozen = await credentials.get_frozen_credentials()
        url = way.url + key.removeprefix(self._root) + query
        moment = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        who = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        signed = way.signer.headers(method, url, _NOTHING if body is None else body.sha256, who, moment)
        length = {} if body is None else {"Content-Length": str(body.length)}
        data = None if body is None else body.data
        answer = await session.send(_Request(method, url, {**headers, **length, **signed}, data, body is None))
        if answer.status_code < _REDIRECTS:
            return answer
        found = _CODE.search(await answer.content)
        code = found[1].decode() if found else str(answer.status_code)
        if answer.status_code < _ERRORS or code in _ELSEWHERE:
            self._way = None
            return None
        response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": answer.status_code}}
        raise ClientError(response, method)


def _headers(arguments: Mapping[str, Any]) -> dict[str, str]:
    """The headers that arguments of the SDK stand for."""
    return {header: arguments[name] for name, header in _HEADERS.items() if name in arguments}


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with a body that the SDK can send."""
    data = arguments["Body"]
    return {**arguments, "Body": data.read() if isinstance(data, Span) else data}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
