"""A server of Google Cloud Storage's XML API on memory, in threads: what obstore uses of it, and faults on demand.

The emulators that install from package indexes offer the JSON API, of which obstore uses nothing. The API is described
at https://cloud.google.com/storage/docs/xml-api/reference-methods.
"""

import email.utils
import hashlib
import itertools
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import attrs


@attrs.define
class Stored:
    """An object."""

    data: bytes
    modified: float
    etag: str


class GcsServer:
    """A running server.

    Attributes:
        url: Its address.
        buckets: The objects by key, by bucket.
        requests: "<method> <path?query>" of each request, in order.
        answer: Called with such a text before the request is served: the status and the body to give instead, or None;
            status 0 closes the connection.
        page: The most objects in one answer to a request for a listing.
        ranges: Whether it gives ranges of objects.
    """

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.requests: list[str] = []
        self.answer: Callable[[str], tuple[int, bytes] | None] = lambda _: None
        self.page = 1000
        self.ranges = True
        self.numbers = itertools.count()
        server = self

        class Handler(_Handler):
            gcs = server

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def put(self, objects: dict[str, Stored], key: str, data: bytes) -> str:
        """Store an object; return its etag."""
        objects[key] = Stored(data, time.time(), f'"{hashlib.md5(data).hexdigest()}"')
        return objects[key].etag

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that has read enough closes the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gcs: GcsServer

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        said = f"{self.command} {self.path}"
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.gcs.requests.append(said)
        instead = self.gcs.answer(said)
        if instead is not None and not instead[0]:
            self.close_connection = True
        elif instead is not None:
            self._answer(*instead)
        else:
            url = urlsplit(self.path)
            bucket, _, key = unquote(url.path).lstrip("/").partition("/")
            asked = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            objects = self.gcs.buckets.get(bucket)
            if objects is None:
                self._error(404, "NoSuchBucket")
            else:
                getattr(self, f"_{self.command.lower()}")(objects, key, asked, data)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the names of the standard library

    def _get(self, objects: dict[str, Stored], key: str, asked: dict[str, str], _: bytes) -> None:
        if not key:
            self._list(objects, asked)
        elif key not in objects:
            self._error(404, "NoSuchKey")
        else:
            found = objects[key]
            if self.headers.get("If-Match", found.etag) != found.etag:
                self._error(412, "PreconditionFailed")
                return
            headers = {"ETag": found.etag, "Last-Modified": email.utils.formatdate(found.modified, usegmt=True)}
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if wanted is None or not self.gcs.ranges:
                self._answer(200, found.data, **headers)
                return
            start, stop = int(wanted[1]), min(int(wanted[2] or len(found.data)) + 1, len(found.data))
            if start >= len(found.data):
                self._error(416, "InvalidRange")
            else:
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(found.data)}"
                self._answer(206, found.data[start:stop], **headers)

    _head = _get

    def _put(self, objects: dict[str, Stored], key: str, asked: dict[str, str], data: bytes) -> None:
        if "partNumber" in asked:
            self.gcs.uploads[asked["uploadId"]][int(asked["partNumber"])] = data
            self._answer(200, b"", ETag=f'"{hashlib.md5(data).hexdigest()}"')
        elif self.headers.get("x-goog-if-generation-match") == "0" and key in objects:
            self._error(412, "PreconditionFailed")
        else:
            self._answer(200, b"", ETag=self.gcs.put(objects, key, data), **{"x-goog-generation": "1"})

    def _post(self, objects: dict[str, Stored], key: str, asked: dict[str, str], data: bytes) -> None:
        if "uploads" in asked:
            number = str(next(self.gcs.numbers))
            self.gcs.uploads[number] = {}
            body = f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>"
        else:
            parts = self.gcs.uploads.pop(asked["uploadId"])
            named = [int(number) for number in re.findall(rb"<PartNumber>(\d+)</PartNumber>", data)]
            etag = self.gcs.put(objects, key, b"".join(parts[number] for number in named))
            body = f"<CompleteMultipartUploadResult><ETag>{escape(etag)}</ETag></CompleteMultipartUploadResult>"
        self._answer(200, body.encode())

    def _delete(self, objects: dict[str, Stored], key: str, asked: dict[str, str], _: bytes) -> None:
        if "uploadId" in asked:
            self.gcs.uploads.pop(asked["uploadId"], None)
            self._answer(204, b"")
        elif objects.pop(key, None) is None:
            self._error(404, "NoSuchKey")
        else:
            self._answer(204, b"")

    def _list(self, objects: dict[str, Stored], asked: dict[str, str]) -> None:
        keys = sorted(key for key in objects if key.startswith(asked.get("prefix", "")))
        after = asked.get("continuation-token", "")
        keys = [key for key in keys if key > after]
        page = keys[: self.gcs.page]
        more = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if len(keys) > len(page) else ""
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(objects[key].data)}</Size>"
            f"<LastModified>{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(objects[key].modified))}</LastModified>"
            f"<ETag>{escape(objects[key].etag)}</ETag></Contents>"
            for key in page
        )
        self._answer(200, f"<ListBucketResult>{contents}{more}</ListBucketResult>".encode())

    def _error(self, status: int, code: str) -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>hunter2</Message></Error>".encode())

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
