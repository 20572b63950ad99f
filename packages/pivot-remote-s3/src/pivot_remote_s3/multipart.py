"""One large object to S3: in parts, several at once, going on where an earlier attempt or process stopped."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from pivot_cache.errors import reporting
from pivot_cache.remote import RemoteUnreachableError
from pivot_core.values import Value
from pivot_remote_s3 import upload_state
from pivot_remote_s3.client import Answer, S3Client
from pivot_remote_s3.conditional_put import Conditions
from pivot_remote_s3.error_mapping import CONFLICT, NO_UPLOAD, Place, code
from pivot_remote_s3.existence import Presence
from pivot_remote_s3.file_part import Span
from pivot_remote_s3.location import S3Location
from pivot_remote_s3.upload_state import Begun, Upload

MOST_PARTS: Final = 10_000
"""What S3 allows."""

_MIB: Final = 1 << 20


def part_size(size: int, least: int) -> int:
    """The size of the parts of an object, in bytes: ``least``, or whole MiB if that would be too many parts."""
    if size <= least * MOST_PARTS:
        return least
    return -(-size // (MOST_PARTS * _MIB)) * _MIB


@attrs.frozen(eq=False, repr=False)
class Multipart(Value):
    """Uploads large objects of one remote.

    Attributes:
        client: The open client.
        location: Where the objects go.
        presence: Asks what is there.
        conditions: What the server makes of them.
        slots: Bounds the requests at once.
        place: What errors speak of.
        identity: The remote's.
        state: Where uploads under way are remembered.
        jobs: The most parts at once.
    """

    client: S3Client
    location: S3Location
    presence: Presence
    conditions: Conditions
    slots: asyncio.Semaphore
    place: Place
    identity: str
    state: Path | None
    jobs: int

    async def upload(self, digest: str, source: Path, part: int, sent: Callable[[int], object]) -> bool:
        """Make the bytes of a file an object, unless it is there; False if it is.

        Args:
            digest: Of the bytes.
            source: The file.
            part: The least size of a part.
            sent: Called with the number of bytes that the server has.
        """
        key = self.location.key(digest)
        with (
            reporting("read", source),
            open(source, "rb", buffering=0) as file,  # noqa: ASYNC230 - takes no time
            upload_state.opened(self.state, self.identity, key) as upload,
        ):
            size = os.fstat(file.fileno()).st_size
            begun = upload.begun
            if begun is None or (begun.size, begun.key, begun.remote) != (size, key, self.identity):
                begun = await self._begin(key, size, part)
                upload.begin(begun)
            try:
                await self._send(file.fileno(), begun, upload, sent)
                return await self._complete(digest, begun, upload)
            except Exception as error:
                if code(error) not in NO_UPLOAD:
                    with self.place.reporting():
                        raise
                return await self._lost(digest, upload)

    async def give_up(self) -> None:
        """Let the server forget uploads that nobody goes on with; never fails."""
        for begun in upload_state.given_up(self.state, self.identity):
            await self._abort(begun)

    async def _begin(self, key: str, size: int, part: int) -> Begun:
        with self.place.reporting():
            async with self.slots:
                answer = await self.client.create_multipart_upload(Bucket=self.location.bucket, Key=key)
        self.place.recognise(answer, "UploadId")
        return Begun(self.identity, key, str(answer["UploadId"]), size, part_size(size, part))

    async def _send(self, file: int, begun: Begun, upload: Upload, sent: Callable[[int], object]) -> None:
        """Send the parts that the server lacks; after a failure, those that are under way end before it is raised."""
        spans = {
            number + 1: (start, min(begun.part, begun.size - start))
            for number, start in enumerate(range(0, begun.size, begun.part))
        }
        done = sum(length for number, (_, length) in spans.items() if number in upload.parts)
        sent(done)
        waiting = iter([number for number in spans if number not in upload.parts])
        failures: list[Exception] = []

        async def work() -> None:
            nonlocal done
            for number in waiting:
                if failures:
                    return
                start, length = spans[number]
                try:
                    async with self.slots:
                        answer = await self._part(begun, number, Span(file, start, length))
                        self.place.recognise(answer, "ETag")
                except Exception as error:  # noqa: BLE001 - raised below
                    failures.append(error)
                    return
                upload.add(number, str(answer["ETag"]))
                done += length
                sent(done)

        await asyncio.gather(*(work() for _ in range(min(self.jobs, len(spans)))))
        if failures:
            raise failures[0]

    async def _part(self, begun: Begun, number: int, data: Span) -> Answer:
        return await self.client.upload_part(
            Bucket=self.location.bucket, Key=begun.key, UploadId=begun.upload, PartNumber=number, Body=data
        )

    async def _complete(self, digest: str, begun: Begun, upload: Upload) -> bool:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(upload.parts.items())]

        async def complete(**condition: str) -> None:
            async with self.slots:
                answer = await self.client.complete_multipart_upload(
                    Bucket=self.location.bucket,
                    Key=begun.key,
                    UploadId=begun.upload,
                    MultipartUpload={"Parts": parts},
                    **condition,
                )
            self.place.recognise(answer, "ETag", "Location", "Key")

        try:
            new = await self.conditions.create(lambda: self.presence.has(digest), complete)
        except Exception as error:
            if code(error) not in CONFLICT:
                raise
            await self._abort(begun)
            return await self._lost(digest, upload)
        if not new:
            await self._abort(begun)
        return new

    async def _lost(self, digest: str, upload: Upload) -> bool:
        """What an upload that the server does not know has come to: it was completed, or has to begin again."""
        if await self.presence.has(digest):
            return True
        upload.forget()
        raise RemoteUnreachableError(self.place.remote, "the server has lost an upload")

    async def _abort(self, begun: Begun) -> None:
        # It is done with either way; a server keeps to its own rules for what was begun and not completed.
        try:
            with self.place.reporting():
                async with self.slots:
                    await self.client.abort_multipart_upload(
                        Bucket=self.location.bucket, Key=begun.key, UploadId=begun.upload
                    )
        except Exception as error:
            if not hasattr(error, "remote"):
                raise
