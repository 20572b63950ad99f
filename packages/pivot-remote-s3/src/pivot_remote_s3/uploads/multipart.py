"""Multipart uploads of large objects, which resume where an earlier attempt or process stopped."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.remotes.protocol import RemoteUnreachableError
from pivot_core.values import Value
from pivot_remote_s3.client.file_part import FilePart
from pivot_remote_s3.client.sdk_client import S3Client, S3Response
from pivot_remote_s3.errors import CONFLICT, NO_UPLOAD, ErrorMapper, code
from pivot_remote_s3.existence import Existence
from pivot_remote_s3.location import S3Location
from pivot_remote_s3.uploads.conditional_put import ConditionalPut
from pivot_remote_s3.uploads.upload_state import StartedUpload, UploadState, abandoned_uploads, open_upload

MOST_PARTS: Final = 10_000
"""The limit of S3."""

_MIB: Final = 1 << 20


def part_size(size: int, least: int) -> int:
    """Return the size of an object's parts, in bytes: ``least``, or whole MiB if that would be too many parts."""
    if size <= least * MOST_PARTS:
        return least
    return -(-size // (MOST_PARTS * _MIB)) * _MIB


@attrs.frozen(eq=False, repr=False)
class MultipartUploader(Value):
    """Uploads large objects to one remote.

    Attributes:
        client: The open client.
        location: The bucket and the prefix of the objects.
        existence: Finds out which objects exist.
        creation: Replaces no object.
        slots: Limits the concurrent requests.
        errors: Maps those of the SDK.
        identity: The identity of the remote.
        state: The directory for the state of uploads.
        jobs: The most parts at once.
    """

    client: S3Client
    location: S3Location
    existence: Existence
    creation: ConditionalPut
    slots: asyncio.Semaphore
    errors: ErrorMapper
    identity: str
    state: Path | None
    jobs: int

    async def upload(self, digest: str, source: Path, part: int, sent: Callable[[int], object]) -> bool:
        """Upload a file unless its object exists; return whether it did not.

        Args:
            digest: Of the file's bytes.
            source: The file.
            part: The smallest size of a part.
            sent: Called with the number of bytes that the server has.
        """
        key = self.location.key(digest)
        with (
            as_cache_errors("read", source),
            open(source, "rb", buffering=0) as file,  # noqa: ASYNC230 - takes no time
            open_upload(self.state, self.identity, key) as state,
        ):
            size = os.fstat(file.fileno()).st_size
            started = state.started
            if started is None or (started.size, started.key, started.remote) != (size, key, self.identity):
                started = await self._start(key, size, part)
                state.start(started)
            try:
                await self._send(file.fileno(), started, state, sent)
                return await self._complete(digest, started, state)
            except Exception as error:
                if code(error) not in NO_UPLOAD:
                    with self.errors.as_remote_errors():
                        raise
                return await self._forgotten(digest, state)

    async def abort_abandoned(self) -> None:
        """Abort the uploads that nobody resumes; never fails."""
        for started in abandoned_uploads(self.state, self.identity):
            await self._abort(started)

    async def _start(self, key: str, size: int, part: int) -> StartedUpload:
        with self.errors.as_remote_errors():
            async with self.slots:
                response = await self.client.create_multipart_upload(Bucket=self.location.bucket, Key=key)
        self.errors.require_any(response, "UploadId")
        return StartedUpload(self.identity, key, str(response["UploadId"]), size, part_size(size, part))

    async def _send(self, file: int, started: StartedUpload, state: UploadState, sent: Callable[[int], object]) -> None:
        """Send the parts that the server lacks; if one fails, those that others send end before the error is raised."""
        parts = {
            number + 1: FilePart(file, start, min(started.part, started.size - start))
            for number, start in enumerate(range(0, started.size, started.part))
        }
        done = sum(part.length for number, part in parts.items() if number in state.parts)
        sent(done)
        waiting = iter([number for number in parts if number not in state.parts])
        failures: list[Exception] = []

        async def work() -> None:
            nonlocal done
            for number in waiting:
                if failures:
                    return
                try:
                    async with self.slots:
                        response = await self._send_part(started, number, parts[number])
                        self.errors.require_any(response, "ETag")
                except Exception as error:  # noqa: BLE001 - raised below
                    failures.append(error)
                    return
                state.add(number, str(response["ETag"]))
                done += parts[number].length
                sent(done)

        await asyncio.gather(*(work() for _ in range(min(self.jobs, len(parts)))))
        if failures:
            raise failures[0]

    async def _send_part(self, started: StartedUpload, number: int, data: FilePart) -> S3Response:
        return await self.client.upload_part(
            Bucket=self.location.bucket, Key=started.key, UploadId=started.upload, PartNumber=number, Body=data
        )

    async def _complete(self, digest: str, started: StartedUpload, state: UploadState) -> bool:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(state.parts.items())]

        async def complete(**condition: str) -> None:
            async with self.slots:
                response = await self.client.complete_multipart_upload(
                    Bucket=self.location.bucket,
                    Key=started.key,
                    UploadId=started.upload,
                    MultipartUpload={"Parts": parts},
                    **condition,
                )
            self.errors.require_any(response, "ETag", "Location", "Key")

        try:
            new = await self.creation.create(lambda: self.existence.has(digest), complete)
        except Exception as error:
            if code(error) not in CONFLICT:
                raise
            await self._abort(started)
            return await self._forgotten(digest, state)
        if not new:
            await self._abort(started)
        return new

    async def _forgotten(self, digest: str, state: UploadState) -> bool:
        """Return True if an upload that the server no longer knows was completed; else reset its state and fail."""
        if await self.existence.has(digest):
            return True
        state.reset()
        raise RemoteUnreachableError(self.errors.remote, "the server has lost an upload")

    async def _abort(self, started: StartedUpload) -> None:
        # Nobody needs the upload any more: if this fails, the server's own rules for incomplete uploads apply.
        try:
            with self.errors.as_remote_errors():
                async with self.slots:
                    await self.client.abort_multipart_upload(
                        Bucket=self.location.bucket, Key=started.key, UploadId=started.upload
                    )
        except Exception as error:
            if not hasattr(error, "remote"):
                raise
