"""Push and pull against a local S3 server, as ratios to raw clients, and a push that has nothing to push.

`python benchmarks/remote.py [--objects N] [--large MIB] [--rounds N] [--server rclone|memory]`. The server is a
process of its own: rclone's, which writes files, and those of large objects in the order of their parts; or one that
keeps small objects in a dictionary and forgets parts, so that it shows what the clients themselves cost. (Moto's takes
several milliseconds for each request, which would hide that.) Each round runs every client once, in a process of its
own; the minimum counts. Processor time shows how much of the time it waits for the server, and changes less than that
where others use the machine. The raw clients neither verify nor publish anything.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import datetime as dt
import hashlib
import hmac
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import aioboto3
import aiohttp
import attrs
import boto3
from aiobotocore.config import AioConfig
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.transfer import TransferSettings, fetch, push
from pivot_cache.state.known_objects import KnownObjects
from pivot_core.lock import Artifact
from pivot_remote_s3 import S3Location, S3Remote, S3Settings

JOBS = 20
PART = 8 << 20
REGION = "us-east-1"
BUCKET = "bucket"
KEY, SECRET = "testing", "hunter2"

MEMORY = """
import sys
from aiohttp import web
objects = {}
async def handle(request):
    key, asked = request.path, request.query
    if request.method == "POST":
        answer = "InitiateMultipartUploadResult" if "uploads" in asked else "CompleteMultipartUploadResult"
        if "uploads" not in asked:
            objects[key] = None
        await request.read()
        return web.Response(text=f"<{answer}><UploadId>x</UploadId><ETag>x</ETag></{answer}>")
    if "partNumber" in asked:
        async for _ in request.content.iter_any():
            pass
        return web.Response(headers={"ETag": '"x"'})
    if request.method == "PUT":
        if key in objects and "If-None-Match" in request.headers:
            return web.Response(status=412)
        objects[key] = await request.read()
        return web.Response(headers={"ETag": '"x"'})
    if "list-type" in asked:
        text = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        return web.Response(text=text, content_type="application/xml")
    if key not in objects:
        return web.Response(status=404)
    return web.FileResponse(sys.argv[2]) if objects[key] is None else web.Response(body=objects[key])
app = web.Application(client_max_size=1 << 30)
app.router.add_route("*", "/{key:.*}", handle)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""

NO_OP = """
import json, pathlib, sys
from pivot_cache.state.known_objects import KnownObjects
from pivot_cache.remotes.protocol import connect
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.transfer import TransferSettings, push
from pivot_core.lock import Artifact
place = pathlib.Path(sys.argv[1])
artifacts = [Artifact(digest, 1) for digest in json.loads((place / "digests.json").read_text())]
options = TransferSettings(known=KnownObjects(place / "remotes.sqlite"))
outcome = push(artifacts, ObjectStore(place / "none" / "files"), connect("s3://bucket/prefix"), options)
assert len(outcome.present) == len(artifacts)
"""


@contextlib.contextmanager
def server(kind: str, place: pathlib.Path) -> Iterator[str]:
    """The URL of a server that has the bucket; rclone's keeps it below the place."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    if kind == "rclone":
        (place / BUCKET).mkdir(parents=True)
        found = shutil.which("rclone", path=sysconfig.get_path("scripts"))
        flags = ["--etag-hash=", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}", "--config", os.devnull]
        command = [str(found), "serve", "s3", *flags, str(place)]
    else:
        command = [sys.executable, "-c", MEMORY, port, str(place.parent / "source" / "0")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port))):
                break
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


@attrs.frozen
class Cost:
    """The cost of a client: seconds, seconds of a processor, and the peak memory in bytes beyond its initial memory."""

    seconds: float
    processor: float
    memory: int


def measured(action: Callable[[], object]) -> Cost:
    """Do something in a process of its own."""
    reader, writer = os.pipe()
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            action()
            os.write(writer, b"%d" % before)
        except BaseException:  # noqa: BLE001 - shown, and the parent finds no answer
            traceback.print_exc()
        os._exit(0)
    _, _, used = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    os.close(writer)
    with open(reader, "rb") as file:
        before = int(file.read())  # nothing if it has failed
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(seconds, used.ru_utime + used.ru_stime, (used.ru_maxrss - before) * unit)


class Raw:
    """The leanest client: signs by hand, and sends what it must."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._host = url.removeprefix("http://")
        day = dt.datetime.now(dt.UTC).strftime("%Y%m%d")
        self._scope = f"{day}/{REGION}/s3/aws4_request"
        key = f"AWS4{SECRET}".encode()
        for part in self._scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = key

    def headers(self, method: str, path: str, data: bytes) -> dict[str, str]:
        moment = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        body = hashlib.sha256(data).hexdigest()
        names = "host;x-amz-content-sha256;x-amz-date"
        signed = f"host:{self._host}\nx-amz-content-sha256:{body}\nx-amz-date:{moment}\n"
        request = f"{method}\n{path}\n\n{signed}\n{names}\n{body}"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{self._scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        return {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{self._scope}, SignedHeaders={names}, "
            f"Signature={signature}",
            "x-amz-content-sha256": body,
            "x-amz-date": moment,
        }

    async def run(self, files: list[pathlib.Path], *, pull: bool) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=JOBS)) as session:

            async def one(file: pathlib.Path) -> None:
                path = f"/{BUCKET}/{file.name}"
                if pull:
                    async with session.get(f"{self._url}{path}", headers=self.headers("GET", path, b"")) as answer:
                        answer.raise_for_status()
                        file.write_bytes(await answer.read())
                else:
                    data = file.read_bytes()
                    headers = self.headers("PUT", path, data) | {"If-None-Match": "*"}
                    async with session.put(f"{self._url}{path}", headers=headers, data=data) as answer:
                        answer.raise_for_status()

            await spread(files, one)


async def spread[T](things: Iterable[T], one: Callable[[T], Awaitable[object]]) -> None:
    rest = iter(things)

    async def work() -> None:
        for thing in rest:
            await one(thing)

    await asyncio.gather(*(work() for _ in range(JOBS)))


async def plain_aioboto3(url: str, files: list[pathlib.Path], size: int, *, pull: bool) -> None:
    config = AioConfig(max_pool_connections=JOBS, s3={"addressing_style": "path"})
    async with aioboto3.Session().client("s3", endpoint_url=url, region_name=REGION, config=config) as client:

        async def one(file: pathlib.Path) -> None:
            if size > PART:
                await (plain_parts_down if pull else plain_parts_up)(client, file, size)
            elif pull:
                answer = await client.get_object(Bucket=BUCKET, Key=file.name)
                file.write_bytes(await answer["Body"].read())
            else:
                await client.put_object(Bucket=BUCKET, Key=file.name, Body=file.read_bytes(), IfNoneMatch="*")

        await spread(files, one)


async def plain_parts_up(client: Any, file: pathlib.Path, size: int) -> None:
    where = {"Bucket": BUCKET, "Key": file.name}
    upload = (await client.create_multipart_upload(**where))["UploadId"]
    parts = []
    with file.open("rb") as source:

        async def one(start: int) -> None:
            number, data = start // PART + 1, os.pread(source.fileno(), PART, start)
            answer = await client.upload_part(**where, UploadId=upload, PartNumber=number, Body=data)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})

        await spread(range(0, size, PART), one)
    parts.sort(key=lambda part: part["PartNumber"])
    await client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})


async def plain_parts_down(client: Any, file: pathlib.Path, size: int) -> None:
    with file.open("wb") as target:

        async def one(start: int) -> None:
            span = f"bytes={start}-{min(start + PART, size) - 1}"
            answer = await client.get_object(Bucket=BUCKET, Key=file.name, Range=span)
            os.pwrite(target.fileno(), await answer["Body"].read(), start)

        await spread(range(0, size, PART), one)


def threaded_boto3(url: str, files: list[pathlib.Path], size: int, *, pull: bool) -> None:
    config = Config(max_pool_connections=JOBS, s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=url, region_name=REGION, config=config)
    parts = TransferConfig(max_concurrency=JOBS, multipart_threshold=PART, multipart_chunksize=PART)

    def one(file: pathlib.Path) -> None:
        if size > PART and pull:
            client.download_file(BUCKET, file.name, str(file), Config=parts)
        elif size > PART:
            client.upload_file(str(file), BUCKET, file.name, Config=parts)
        elif pull:
            file.write_bytes(client.get_object(Bucket=BUCKET, Key=file.name)["Body"].read())
        else:
            client.put_object(Bucket=BUCKET, Key=file.name, Body=file.read_bytes(), IfNoneMatch="*")

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(one, files))


type Client = tuple[Callable[[], object], Callable[[], object]]
"""Push, and pull."""


def raw_clients(url: str, place: pathlib.Path, count: int, size: int) -> dict[str, Client]:
    def client(kind: str, run: Callable[..., object]) -> Client:
        sources, targets = (
            [place / way / kind / f"{kind}-{number}" for number in range(count)] for way in ("pushed", "pulled")
        )
        for directory in (sources[0].parent, targets[0].parent):
            directory.mkdir(parents=True)
        for number, source in enumerate(sources):
            source.hardlink_to(place / "source" / f"{number}")
        return lambda: run(sources, pull=False), lambda: run(targets, pull=True)

    raw = Raw(url)
    found = {
        "aioboto3, plain loop": client(
            "aio", lambda each, pull: asyncio.run(plain_aioboto3(url, each, size, pull=pull))
        ),
        "boto3, threads": client("boto", lambda each, pull: threaded_boto3(url, each, size, pull=pull)),
    }
    if size <= PART:
        found["raw aiohttp, signed by hand"] = client("raw", lambda each, pull: asyncio.run(raw.run(each, pull=pull)))
    return found


def pivot_client(url: str, place: pathlib.Path, artifacts: list[Artifact]) -> Client:
    remote = S3Remote(
        S3Location(BUCKET, "pivot"), S3Settings(endpoint=url, region=REGION), jobs=JOBS, state=place / "up"
    )

    def pushing() -> None:
        options = TransferSettings(jobs=JOBS, known=KnownObjects(place / "remotes.sqlite"))
        assert len(push(artifacts, ObjectStore(place / "store" / "files"), remote, options).transferred) == len(
            artifacts
        )

    def pulling() -> None:
        other = ObjectStore(place / "pulled" / "pivot" / "files")
        assert len(fetch(artifacts, other, remote, TransferSettings(jobs=JOBS)).transferred) == len(artifacts)

    return pushing, pulling


def transfers(kind: str, count: int, size: int, rounds: int) -> None:
    costs: dict[tuple[str, str], list[Cost]] = {}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            place = pathlib.Path(directory)
            (place / "source").mkdir()
            store = ObjectStore(place / "store" / "files")
            artifacts = []
            for index in range(count):
                file = place / "source" / f"{index}"
                with file.open("wb") as target:
                    for start in range(0, size, PART):
                        target.write(os.urandom(min(PART, size - start)))
                artifacts.append(store.put(file))
            os.sync()  # what is written back meanwhile is nobody's cost
            with server(kind, place / "served") as url:
                order = list(raw_clients(url, place, count, size).items())
                order.insert(number % (len(order) + 1), ("pivot", pivot_client(url, place, artifacts)))
                for name, actions in order:
                    for way, action in zip(("push", "pull"), actions, strict=True):
                        costs.setdefault((way, name), []).append(measured(action))
                    # The next one finds as much memory for files as this one did.
                    for left in ("served", "pulled"):
                        for file in filter(pathlib.Path.is_file, (place / left).rglob("*")):
                            file.unlink()
                    os.sync()
    what = f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
    print(f"{count} x {what}, {kind} server, {JOBS} at once, best of {rounds}")
    for way in ("push", "pull"):
        best = {name: min(taken, key=lambda cost: cost.seconds) for (each, name), taken in costs.items() if each == way}
        sdk, least = (
            min(cost.seconds for name, cost in best.items() if name.startswith(begin) and name != "pivot")
            for begin in (("aioboto3", "boto3"), "")
        )
        for name, cost in sorted(best.items(), key=lambda item: item[1].seconds):
            print(
                f"  {way}  {name:28} {cost.seconds:6.2f} s  {cost.seconds / sdk:5.2f} x best SDK"
                f"  {cost.seconds / least:5.2f} x best raw  {cost.processor:5.2f} s of CPU"
                f"  {cost.memory >> 20:5} MiB"
            )
    sys.stdout.flush()


def nothing_to_push(count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = pathlib.Path(directory)
        digests = [f"{hashlib.md5(b'%d' % number, usedforsecurity=False).hexdigest()}" for number in range(count)]
        (place / "digests.json").write_text(json.dumps(digests))
        KnownObjects(place / "remotes.sqlite").add(S3Remote(S3Location("bucket", "prefix")).identity, digests)
        commands = {"bare": ["-I", "-c", "pass"], "push": ["-c", NO_OP, directory]}
        taken: dict[str, list[float]] = {name: [] for name in commands}
        # A user's interpreter keeps its byte code.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        for _ in range(max(10, rounds)):
            for name, arguments in commands.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, *arguments], check=True, env=environment)
                taken[name].append(time.perf_counter() - start)
    ratio = min(taken["push"]) / min(taken["bare"])
    took = f"{min(taken['push']) * 1000:.0f} ms, {ratio:.1f} x bare interpreter"
    print(f"push with nothing to push, {count} objects: {took}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--large", type=int, default=512, metavar="MIB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server", choices=["rclone", "memory"], action="append")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}
    os.environ |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    nothing_to_push(10_000, given.rounds)
    for kind in given.server or ["rclone", "memory"]:
        transfers(kind, given.objects, 16 << 10, given.rounds)
        if given.large:
            transfers(kind, 1, given.large << 20, given.rounds)


if __name__ == "__main__":
    main()
