"""Requests for single objects, and for parts of large ones, that bypass most of the SDK.

For an object of 16 KiB, the SDK spends several times more on preparing and parsing a request than everything else takes
together; it copies parts whole. So the SDK makes the first request, which shows the URL of the bucket, how keys are
quoted, and the region that requests are signed for. This client makes later ones, on the SDK's connections and with
its credentials; in any unusual case, it leaves the request to the SDK. It returns and raises what the SDK would.
"""

import asyncio
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import attrs
from botocore.exceptions import ClientError

from pivot_core.values import Value
from pivot_remote_s3 import sdk_adapter
from pivot_remote_s3.client.file_part import FilePart, checksums
from pivot_remote_s3.client.sdk_client import S3Call, S3Response, is_aws
from pivot_remote_s3.client.signing import Credentials, Signer
from pivot_remote_s3.sdk_adapter import SdkRequest, SdkResponse, UploadPayload

_SCOPE: Final = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/(?P<region>[^/]+)/s3/aws4_request,")
_CODE: Final = re.compile(rb"<Code>\s*(\w+)\s*</Code>")
_ELSEWHERE: Final = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "TemporaryRedirect"}
)
"""Codes that lead to another region or URL, which the SDK handles."""

_HEADERS: Final = {"IfNoneMatch": "If-None-Match", "ContentMD5": "Content-MD5", "Range": "Range"}
_NO_BODY: Final = hashlib.sha256().hexdigest()
_ERRORS: Final = 400
_REDIRECTS: Final = 300


@attrs.frozen(eq=False, repr=False)
class _RequestBody(Value):
    """A request body, with its length and digest."""

    data: bytes | UploadPayload
    length: int
    sha256: str


@attrs.frozen(eq=False, repr=False)
class _Route(Value):
    """How to reach objects.

    Attributes:
        url: The beginning of the URLs of all objects.
        signer: Signs for the bucket's region.
    """

    url: str
    signer: Signer


class DirectClient:
    """An `S3Client` that makes most requests for single objects itself.

    Attributes:
        aws: The server is AWS.
    """

    def __init__(self, client: Any, root: str) -> None:
        """Wrap a client of the SDK.

        Args:
            client: It is open.
            root: The beginning of the keys of all objects.
        """
        self.aws = is_aws(client.meta.endpoint_url)
        # Servers should check the SHA-256 that is part of the signature, as AWS does. Some check only the MD5; it takes
        # longer than all the rest, and is omitted where TLS protects the bytes.
        self._md5 = not self.aws and client.meta.endpoint_url.startswith("http:")
        self._client = client
        self._root = root
        self._quoted = quote(root, safe="/~")
        self._route: _Route | None = None
        self.put_object: S3Call = self._put
        self.get_object: S3Call = self._get
        self.head_object: S3Call = client.head_object
        self.delete_object: S3Call = client.delete_object
        self.list_objects_v2: S3Call = client.list_objects_v2
        self.create_multipart_upload: S3Call = client.create_multipart_upload
        self.upload_part: S3Call = self._upload_part
        self.complete_multipart_upload: S3Call = client.complete_multipart_upload
        self.abort_multipart_upload: S3Call = client.abort_multipart_upload
        sdk_adapter.on_request(client, self._learn)

    async def _put(self, **arguments: Any) -> S3Response:
        """Like the SDK's, with a checksum; the body may be a `FilePart`."""
        body = await self._body(arguments)
        response = await self._send("PUT", arguments["Key"], _headers(arguments), body)
        if response is not None:
            return {"ETag": response.headers["etag"]} if "etag" in response.headers else {}
        by_sdk: S3Response = await self._client.put_object(**_for_sdk(arguments))
        return by_sdk

    async def _upload_part(self, **arguments: Any) -> S3Response:
        """Like the SDK's, with a checksum; the body may be a `FilePart`."""
        body = await self._body(arguments)
        query = f"?partNumber={arguments['PartNumber']}&uploadId={quote(arguments['UploadId'], safe='-_.~')}"
        response = await self._send("PUT", arguments["Key"], _headers(arguments), body, query)
        if response is not None and "etag" in response.headers:
            return {"ETag": response.headers["etag"]}
        by_sdk: S3Response = await self._client.upload_part(**_for_sdk(arguments))
        return by_sdk

    async def _body(self, arguments: dict[str, Any]) -> _RequestBody:
        """Return the body to send, and add its checksum to the arguments."""
        data: bytes | FilePart = arguments["Body"]
        if isinstance(data, FilePart):
            sums = await asyncio.to_thread(data.checksums, md5=self._md5)
            body = _RequestBody(UploadPayload(data.length, data.pieces), data.length, sums.sha256)
        else:
            sums = checksums([data], md5=self._md5)
            body = _RequestBody(data, len(data), sums.sha256)
        if sums.md5 is not None:
            arguments["ContentMD5"] = sums.md5
        return body

    async def _get(self, **arguments: Any) -> S3Response:
        """Like the SDK's; the response has only the body, its sizes and its encoding."""
        response = await self._send("GET", arguments["Key"], _headers(arguments), None)
        if response is None:
            by_sdk: S3Response = await self._client.get_object(**arguments)
            return by_sdk
        return {
            "Body": sdk_adapter.object_body(response),
            "ContentLength": response.headers.get("content-length"),
            "ContentRange": response.headers.get("content-range", ""),
            "ContentEncoding": response.headers.get("content-encoding", ""),
        }

    def _learn(self, url: str, headers: Mapping[str, str | bytes]) -> None:
        """Keep how a request of the SDK reaches an object; other requests say nothing of it."""
        scope = _SCOPE.match(_text(headers.get("Authorization", "")))
        before, root, _name = url.partition("?")[0].rpartition(self._quoted)
        if scope is not None and root and before:
            base = before + root
            if self._route is None or self._route.url != base:
                self._route = _Route(base, Signer(scope["region"]))

    async def _send(
        self, method: str, key: str, headers: dict[str, str], body: _RequestBody | None, query: str = ""
    ) -> SdkResponse | None:
        """Return the server's response; None if the SDK has to make the request."""
        route, session = self._route, sdk_adapter.http_session(self._client)
        if route is None or session is None or not key.startswith(self._root):
            return None
        found = await sdk_adapter.credentials(self._client)
        if found is None:
            return None
        url = route.url + key.removeprefix(self._root) + query
        moment = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        who = Credentials(found.access_key, found.secret_key, found.token)
        signed = route.signer.headers(method, url, _NO_BODY if body is None else body.sha256, who, moment)
        length = {} if body is None else {"Content-Length": str(body.length)}
        data = None if body is None else body.data
        response = await session.send(SdkRequest(method, url, {**headers, **length, **signed}, data, body is None))
        if response.status_code < _REDIRECTS:
            return response
        match = _CODE.search(await response.content)
        code = match[1].decode() if match else str(response.status_code)
        if response.status_code < _ERRORS or code in _ELSEWHERE:
            self._route = None
            return None
        error = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": response.status_code}}
        raise ClientError(error, method)


def _headers(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that arguments of the SDK stand for."""
    return {header: arguments[name] for name, header in _HEADERS.items() if name in arguments}


def _for_sdk(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments, with a body that the SDK can send."""
    data = arguments["Body"]
    return {**arguments, "Body": data.read() if isinstance(data, FilePart) else data}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
