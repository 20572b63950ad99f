"""Push and pull against a local S3 server, as ratios to raw clients, and a push that has nothing to push.

`python benchmarks/remote.py [--objects N] [--rounds N] [--server moto|memory]`. The server is a process of its own:
moto's, which takes some milliseconds of one core for each request, or a dictionary behind HTTP, which shows what the
clients themselves cost. Each round runs every client once; the minimum counts. The raw clients neither verify nor
publish anything.
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
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator

import aioboto3
import aiohttp
import boto3
from aiobotocore.config import AioConfig
from botocore.config import Config

from pivot_cache.known import KnownObjects
from pivot_cache.store import ObjectStore
from pivot_cache.transfer import Options, fetch, push
from pivot_core.lock import Artifact
from pivot_remote_s3 import S3Location, S3Remote, S3Settings

SIZE = 16 << 10
JOBS = 20
REGION = "us-east-1"

MEMORY = """
import sys
from aiohttp import web
objects = {}
async def handle(request):
    key = request.path
    if request.method == "PUT":
        if key in objects and "If-None-Match" in request.headers:
            return web.Response(status=412)
        objects[key] = await request.read()
        return web.Response(headers={"ETag": '"x"'})
    if "list-type" in request.query:
        text = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        return web.Response(text=text, content_type="application/xml")
    return web.Response(body=objects[key]) if key in objects else web.Response(status=404)
app = web.Application(client_max_size=1 << 30)
app.router.add_route("*", "/{key:.*}", handle)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""

NO_OP = """
import json, pathlib, sys
from pivot_cache.known import KnownObjects
from pivot_cache.remote import connect
from pivot_cache.store import ObjectStore
from pivot_cache.transfer import Options, push
from pivot_core.lock import Artifact
place = pathlib.Path(sys.argv[1])
artifacts = [Artifact(digest, 1) for digest in json.loads((place / "digests.json").read_text())]
options = Options(known=KnownObjects(place / "remotes.sqlite"))
outcome = push(artifacts, ObjectStore(place / "none" / "files"), connect("s3://bucket/prefix"), options)
assert len(outcome.present) == len(artifacts)
"""


@contextlib.contextmanager
def server(kind: str) -> Iterator[str]:
    """The URL of a server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    moto = "import sys, moto.server; moto.server.main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
    process = subprocess.Popen(
        [sys.executable, "-c", moto if kind == "moto" else MEMORY, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


class Raw:
    """The leanest client: signs by hand, and sends what it must."""

    def __init__(self, url: str, bucket: str) -> None:
        self._url = url
        self._host = url.removeprefix("http://")
        self._bucket = bucket
        day = dt.datetime.now(dt.UTC).strftime("%Y%m%d")
        self._scope = f"{day}/{REGION}/s3/aws4_request"
        key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
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
        credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{self._scope}"
        return {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}",
            "x-amz-content-sha256": body,
            "x-amz-date": moment,
        }

    async def run(self, files: list[pathlib.Path], *, pull: bool) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=JOBS)) as session:

            async def one(file: pathlib.Path) -> None:
                path = f"/{self._bucket}/{file.name}"
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


async def spread(files: list[pathlib.Path], one: Callable[[pathlib.Path], Awaitable[None]]) -> None:
    rest = iter(files)

    async def work() -> None:
        for file in rest:
            await one(file)

    await asyncio.gather(*(work() for _ in range(JOBS)))


async def plain_aioboto3(url: str, bucket: str, files: list[pathlib.Path], *, pull: bool) -> None:
    config = AioConfig(max_pool_connections=JOBS, s3={"addressing_style": "path"})
    async with aioboto3.Session().client("s3", endpoint_url=url, region_name=REGION, config=config) as client:

        async def one(file: pathlib.Path) -> None:
            if pull:
                answer = await client.get_object(Bucket=bucket, Key=file.name)
                file.write_bytes(await answer["Body"].read())
            else:
                await client.put_object(Bucket=bucket, Key=file.name, Body=file.read_bytes(), IfNoneMatch="*")

        await spread(files, one)


def threaded_boto3(url: str, bucket: str, files: list[pathlib.Path], *, pull: bool) -> None:
    config = Config(max_pool_connections=JOBS, s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=url, region_name=REGION, config=config)

    def one(file: pathlib.Path) -> None:
        if pull:
            file.write_bytes(client.get_object(Bucket=bucket, Key=file.name)["Body"].read())
        else:
            client.put_object(Bucket=bucket, Key=file.name, Body=file.read_bytes(), IfNoneMatch="*")

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(one, files))


def clients(
    url: str, bucket: str, store: ObjectStore, artifacts: list[Artifact], place: pathlib.Path
) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Per client: push, and pull."""
    files = [place / "source" / f"{number}" for number in range(len(artifacts))]
    pulled = place / "pulled"
    pulled.mkdir()
    remote = S3Remote(S3Location(bucket, "pivot"), S3Settings(endpoint=url, region=REGION), jobs=JOBS)

    def pivot(*, pull: bool) -> None:
        other = ObjectStore(place / "other" / "files")
        outcome = (
            fetch(artifacts, other, remote, Options(jobs=JOBS))
            if pull
            else push(artifacts, store, remote, Options(jobs=JOBS, known=KnownObjects(place / "remotes.sqlite")))
        )
        assert len(outcome.transferred) == len(artifacts), outcome

    def named(kind: str, *, pull: bool) -> list[pathlib.Path]:
        directory = pulled if pull else place / f"source-{kind}"
        if not pull:
            directory.mkdir()
            for file in files:
                (directory / f"{kind}-{file.name}").hardlink_to(file)
        return [directory / f"{kind}-{file.name}" for file in files]

    raw = Raw(url, bucket)
    lists = {(kind, pull): named(kind, pull=pull) for kind in ("raw", "aio", "boto") for pull in (False, True)}
    return {
        "raw aiohttp, signed by hand": (
            lambda: asyncio.run(raw.run(lists["raw", False], pull=False)),
            lambda: asyncio.run(raw.run(lists["raw", True], pull=True)),
        ),
        "aioboto3, plain loop": (
            lambda: asyncio.run(plain_aioboto3(url, bucket, lists["aio", False], pull=False)),
            lambda: asyncio.run(plain_aioboto3(url, bucket, lists["aio", True], pull=True)),
        ),
        "boto3, threads": (
            lambda: threaded_boto3(url, bucket, lists["boto", False], pull=False),
            lambda: threaded_boto3(url, bucket, lists["boto", True], pull=True),
        ),
        "pivot": (lambda: pivot(pull=False), lambda: pivot(pull=True)),
    }


def transfers(kind: str, count: int, rounds: int) -> None:
    taken: dict[tuple[str, str], list[float]] = {}
    processor: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        with server(kind) as url, tempfile.TemporaryDirectory() as directory:
            place = pathlib.Path(directory)
            (place / "source").mkdir()
            store = ObjectStore(place / "store" / "files")
            artifacts = []
            for index in range(count):
                file = place / "source" / f"{index}"
                file.write_bytes(os.urandom(SIZE))
                artifacts.append(store.put(file))
            bucket = f"bucket-{number}"
            if kind == "moto":
                boto3.client("s3", endpoint_url=url, region_name=REGION).create_bucket(Bucket=bucket)
            order = list(clients(url, bucket, store, artifacts, place).items())
            for name, actions in order[:: -1 if number % 2 else 1]:  # who comes later meets a fuller server
                for way, action in zip(("push", "pull"), actions, strict=True):
                    start, used = time.perf_counter(), time.process_time()
                    action()
                    taken.setdefault((way, name), []).append(time.perf_counter() - start)
                    processor.setdefault((way, name), []).append(time.process_time() - used)
    print(f"{count} x {SIZE >> 10} KiB, {kind} server, {JOBS} at once, best of {rounds}")
    for way in ("push", "pull"):
        best = {name: min(times) for (kind_, name), times in taken.items() if kind_ == way}
        least = min(seconds for name, seconds in best.items() if name != "pivot")
        for name, seconds in best.items():
            used = min(processor[way, name]) / count * 1000
            print(f"  {way}  {name:30} {seconds:7.2f} s  {seconds / least:5.2f} x best raw  {used:5.2f} ms of CPU each")


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
    median = statistics.median(taken["push"]) * 1000
    print(f"push with nothing to push, {count} objects: {min(taken['push']) * 1000:.0f} ms, {ratio:.1f} x bare", end="")
    print(f" interpreter (median {median:.0f} ms)")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--server", choices=["moto", "memory"], action="append")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    nothing_to_push(10_000, given.rounds)
    sys.stdout.flush()
    for kind in given.server or ["moto", "memory"]:
        transfers(kind, given.objects, given.rounds)


if __name__ == "__main__":
    main()
