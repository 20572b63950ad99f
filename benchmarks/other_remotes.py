"""Push and pull of a shared drive against `cp -r`, and of a bucket of Google Cloud Storage against obstore itself.

`python benchmarks/other_remotes.py [--objects N] [--large MIB] [--rounds N] [--directory PATH]`. Each round runs every
client once, in a process of its own; the minimum counts. `cp -r` copies the same objects on the same file system, and
flushes nothing; `cp -r && sync` does, as a push of Pivot does. Small files are removed after the last round only: ext4
takes many times as long to create files where others were removed in the last minutes. The server of the bucket is a
process that keeps small objects in a dictionary and forgets parts, so that it shows the cost of the clients. obstore
alone neither verifies nor publishes anything.
"""

import argparse
import asyncio
import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from remote import JOBS, PART, Cost, measured, spread

from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.protocol import Remote
from pivot_cache.remotes.transfer import TransferSettings, fetch, push
from pivot_core.lock import Artifact
from pivot_remote_obstore import BucketLocation, BucketRemote, BucketSettings, DirectoryRemote

SMALL = 16 << 10
BUCKET = "bucket"
DATE = "2026-01-01T00:00:00Z"

SERVER = """
import sys
from aiohttp import web
objects = {}
async def handle(request):
    key, asked = request.path, request.query
    if request.method == "POST":
        kind = "Initiate" if "uploads" in asked else "Complete"
        if "uploads" not in asked:
            objects[key] = None
        await request.read()
        answer = f"{kind}MultipartUploadResult"
        return web.Response(text=f"<{answer}><UploadId>x</UploadId><ETag>x</ETag></{answer}>")
    if "partNumber" in asked:
        async for _ in request.content.iter_any():
            pass
        return web.Response(headers={"ETag": '"x"'})
    if request.method == "PUT":
        if key in objects and "x-goog-if-generation-match" in request.headers:
            return web.Response(status=412)
        objects[key] = await request.read()
        return web.Response(headers={"ETag": '"x"', "x-goog-generation": "1"})
    if "list-type" in asked:
        return web.Response(text="<ListBucketResult></ListBucketResult>", content_type="application/xml")
    if key not in objects:
        return web.Response(status=404)
    if objects[key] is None:
        return web.FileResponse(sys.argv[2])
    headers = {"ETag": '"x"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
    body = objects[key]
    if "Range" not in request.headers:
        return web.Response(body=body, headers=headers)
    start, last = map(int, request.headers["Range"].removeprefix("bytes=").split("-"))
    headers["Content-Range"] = f"bytes {start}-{min(last, len(body) - 1)}/{len(body)}"
    return web.Response(status=206, body=body[start : last + 1], headers=headers)
app = web.Application(client_max_size=1 << 30)
app.router.add_route("*", "/{key:.*}", handle)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""

type Client = tuple[Callable[[], object], Callable[[], object]]
"""Push, and pull."""


@contextlib.contextmanager
def server(large: pathlib.Path) -> Iterator[str]:
    """The URL of a server of Google Cloud Storage, which answers with a file for each large object."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-c", SERVER, port, str(large)])
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port))):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def obstore_alone(url: str, files: list[pathlib.Path], size: int, *, pull: bool) -> None:
    from obstore.store import GCSStore  # lazy

    store = GCSStore(BUCKET, base_url=url, client_options={"allow_http": True})

    async def one(file: pathlib.Path) -> None:
        if not pull and size > PART:
            await store.put_async(file.name, file, chunk_size=PART, max_concurrency=JOBS)
        elif not pull:
            await store.put_async(file.name, file.read_bytes(), mode="create")
        elif size > PART:
            with file.open("wb") as target:

                async def part(start: int) -> None:
                    data = await store.get_range_async(file.name, start=start, end=min(start + PART, size))
                    os.pwrite(target.fileno(), data, start)

                await spread(range(0, size, PART), part)
        else:
            file.write_bytes(await (await store.get_async(file.name)).bytes_async())

    await spread(files, one)


def alone(url: str, place: pathlib.Path, count: int, size: int) -> Client:
    sources = [place / "source" / str(number) for number in range(count)]
    targets = [place / "pulled" / str(number) for number in range(count)]
    return (
        lambda: asyncio.run(obstore_alone(url, sources, size, pull=False)),
        lambda: asyncio.run(obstore_alone(url, targets, size, pull=True)),
    )


def copying(place: pathlib.Path, *, flush: bool) -> Client:
    def copy(source: pathlib.Path, target: pathlib.Path) -> None:
        subprocess.run(["cp", "-r", source, target], check=True)
        if flush:
            subprocess.run(["sync", "-f", target], check=True)

    return (
        lambda: copy(place / "store", place / "pushed" / "copy"),
        lambda: copy(place / "pushed" / "copy", place / "pulled" / "copy"),
    )


def pivot(remote: Remote, place: pathlib.Path, artifacts: list[Artifact]) -> Client:
    def pushing() -> None:
        outcome = push(artifacts, ObjectStore(place / "store" / "files"), remote, TransferSettings(jobs=JOBS))
        assert len(outcome.transferred) == len(artifacts), outcome

    def pulling() -> None:
        other = ObjectStore(place / "pulled" / "pivot" / "files")
        assert len(fetch(artifacts, other, remote, TransferSettings(jobs=JOBS)).transferred) == len(artifacts)

    return pushing, pulling


def made(place: pathlib.Path, count: int, size: int) -> list[Artifact]:
    """New files, in a store."""
    for name in ("source", "pushed", "pulled"):
        (place / name).mkdir()
    store, artifacts = ObjectStore(place / "store" / "files"), []
    for index in range(count):
        file = place / "source" / f"{index}"
        with file.open("wb") as target:
            for start in range(0, size, PART):
                target.write(os.urandom(min(PART, size - start)))
        artifacts.append(store.put(file))
    os.sync()  # what is written back meanwhile is nobody's cost
    return artifacts


def compare(kind: str, count: int, size: int, rounds: int, directory: str | None) -> None:
    costs: dict[tuple[str, str], list[Cost]] = {}
    with contextlib.ExitStack() as left:
        for number in range(rounds):
            with contextlib.ExitStack() as stack:
                parent = (stack if size > SMALL else left).enter_context(tempfile.TemporaryDirectory(dir=directory))
                for way, name, cost in costs_of_round(kind, count, size, number, pathlib.Path(parent)):
                    costs.setdefault((way, name), []).append(cost)
    report(f"{kind}: {count} x {size >> 10} KiB, {JOBS} at once, best of {rounds}", costs)


def costs_of_round(
    kind: str, count: int, size: int, number: int, place: pathlib.Path
) -> Iterator[tuple[str, str, Cost]]:
    with contextlib.ExitStack() as stack:
        artifacts = made(place, count, size)
        clients: dict[str, Client] = {}
        if kind == "gs://":
            url = stack.enter_context(server(place / "source" / "0"))
            clients["obstore alone"] = alone(url, place, count, size)
            remote: Any = BucketRemote(BucketLocation("gs", BUCKET, "pivot"), BucketSettings(url), jobs=JOBS)
        else:
            clients["cp -r"] = copying(place, flush=False)
            clients["cp -r && sync"] = copying(place, flush=True)
            (place / "pushed" / "pivot").mkdir()
            remote = DirectoryRemote(place / "pushed" / "pivot", jobs=JOBS)
        order = list(clients.items())
        order.insert(number % (len(order) + 1), ("pivot", pivot(remote, place, artifacts)))
        for name, actions in order:
            for way, action in zip(("push", "pull"), actions, strict=True):
                yield way, name, measured(action)
                os.sync()
            for way in ("pushed", "pulled"):
                (place / way).rename(place / f"{way} by {name.replace('/', ' ')}")
                (place / way).mkdir()
            (place / "pushed" / "pivot").mkdir()
            os.sync()


def report(title: str, costs: dict[tuple[str, str], list[Cost]]) -> None:
    print(title)
    for way in ("push", "pull"):
        best = {name: min(each.seconds for each in taken) for (each, name), taken in costs.items() if each == way}
        processor = {
            name: min(each.processor for each in taken) for (each, name), taken in costs.items() if each == way
        }
        for name, seconds in sorted(best.items(), key=lambda item: item[1]):
            speeds = "  ".join(
                f"{taken / seconds:5.2f} x the speed of {other}" for other, taken in best.items() if other != "pivot"
            )
            print(f"  {way}  {name:14} {seconds:6.2f} s  {processor[name]:5.2f} s of CPU  {speeds}")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--large", type=int, default=512, metavar="MIB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", help="where files are written; by default that for temporary files")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("GOOGLE_")]:
        del os.environ[name]
    os.environ["GOOGLE_BEARER_TOKEN"] = "nobody"
    for kind in ("file://", "gs://"):
        if given.objects:
            compare(kind, given.objects, SMALL, given.rounds, given.directory)
        if given.large:
            count = 4 if kind == "file://" else 1  # the server has the content of one
            compare(kind, count, (given.large << 20) // count, given.rounds, given.directory)


if __name__ == "__main__":
    main()
